/* `accord probe`: connection, TLS, discovery, collections, and whether each service's collection is there. */
#ifndef TAXII_PROBE_H
#define TAXII_PROBE_H

#include <accord/connector.h>

struct link;

void taxii_probe(void *state, struct accord_probe *);
void probe_close(struct link *); /* forgets those under way */

#endif
