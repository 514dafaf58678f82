/* One feed that is polled, for tests: AIS at a scripted partner (taxii_partner.h), 12 hours behind, in windows of 6. */
#ifndef TAXII_FEED_TEST_H
#define TAXII_FEED_TEST_H

#include "taxii_partner.h"

extern struct ais_bench bench;

/* NULL: the plain one. */
void open_with(const struct accord_pair *link, const struct accord_pair *options, const char *cursor);
void open_plain(void);
/* The first request under way asks for this window, or for this part. */
void asks(const char *begin, const char *end);
void asks_part(const char *result, int part);
const char *cursor(void); /* that is committed */
size_t taken(void);       /* offers that the host holds */

#define W0 "2025-11-21T14:00:00.000000Z" /* the windows of the plain feed, from its beginning */
#define W1 "2025-11-21T20:00:00.000000Z"
#define W2 "2025-11-22T02:00:00.000000Z"
#define BLOCK(text) "BLOCK urn:stix.mitre.org:xml:1.1.1\nTEXT " text "\nLABEL 2025-11-21T15:00:00Z\n"

#endif
