/* A message as it came in: envelope and payload, shared by its offer and by the deliveries that leave at once,
 * so that these need nothing from the store. One allocation, beside the payload. */
#ifndef BUS_CONTENT_H
#define BUS_CONTENT_H

#include "store/store.h"

struct bus_content {
    unsigned users;
    bool usual; /* size */
    struct store_payload *payload;
    struct accord_envelope envelope;
    struct buf encoded;  /* the envelope for other processes, once one has been sent it */
    struct buf recorded; /* what audit records say of the message, once there is one */
    struct id id;
    char sha256[DIGEST_HEX];
    /* headers and texts follow */
};

/* What came from outside is made fit to go on to other partners: no control character goes with it. NULL: out of
 * memory. The caller is its first user. */
struct bus_content *bus_content_new(struct store *, const struct accord_envelope *from, const char *type,
                                    const char *agreement, const char *service);
struct bus_content *bus_content_ref(struct bus_content *);
void bus_content_unref(struct bus_content *); /* NULL too */

#endif
