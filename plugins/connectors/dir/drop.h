/* A sending service: writes each message as a file that appears whole, under a name that was free. */
#ifndef DIR_DROP_H
#define DIR_DROP_H

#include "dir.h"

struct drop;

struct drop *drop_new(struct dir *, size_t service);
void drop_deliver(struct drop *, const struct accord_outgoing *);
/* False: no delivery of this service. */
bool drop_payload(struct drop *, const struct accord_delivery *, const uint8_t *, size_t, bool last);
bool drop_cancel(struct drop *, const struct accord_delivery *);
/* Finishes every delivery; frees the service, or has it freed when the last function on a thread has ended. */
void drop_close(struct drop *);

extern const char *const dir_modes[];

#endif
