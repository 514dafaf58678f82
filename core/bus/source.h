/* A payload that can be read from anywhere in it: staged in an offer, or stored. Each reader has its own:
 * one read at a time. */
#ifndef BUS_SOURCE_H
#define BUS_SOURCE_H

#include "bus/bus.h"

struct bus_source {
    struct store *store;
    struct store_payload *staged; /* NULL: stored */
    uint8_t *claimed;             /* all of it, as it was claimed; NULL, also when somebody has taken it */
    const char *message;
    int64_t size;
    bool unreadable; /* the store's copy is damaged */
    struct store_read read;
    size_t peeked;
    bus_read_done done;
    void *arg;
};

#endif
