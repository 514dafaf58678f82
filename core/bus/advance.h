/* Commits the cursors of receiving services, in their turn (cursors.h): with the message that was waited for, or by
 * themselves. */
#ifndef BUS_ADVANCE_H
#define BUS_ADVANCE_H

#include "bus/cursors.h"
#include "bus/offer.h"
#include "store/store.h"

/* One receiving service. */
struct bus_source_line {
    struct bus_party *party; /* NULL: behind the last */
    struct cursors cursors;
    uint32_t voids;
    bool noting; /* a cursor is being committed by itself */
    uint64_t serial;
    char name[STORE_ROUTE_MAX], text[ACCORD_CURSOR_MAX];
    struct store_note note;
};

/* For each service of the configuration. NULL: no memory. */
struct bus_source_line *advance_lines_new(struct bus_party *, const struct conf_agreement *);
void advance_lines_free(struct bus_source_line *);

/* The offer is made; `cursor` NULL: it has none. ACCORD_ENOMEM. */
int advance_enter(struct bus_offer *, const char *cursor);
/* What the commit of the offer takes along, in offer->cursor; NULL: nothing. */
const char *advance_with(struct bus_offer *);
/* The offer has ended; `wrote`: its commit had what advance_with() gave. */
void advance_leave(struct bus_offer *, bool held, bool wrote);

#endif
