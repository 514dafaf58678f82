/* `accord probe`: a session as one for messages, up to the host's last word, and nothing more. */
#ifndef PROBE_H
#define PROBE_H

#include "sample.h"

struct prober *prober_new(struct self *);
void prober_free(struct prober *);
void prober_begin(struct prober *, struct accord_probe *);

#endif
