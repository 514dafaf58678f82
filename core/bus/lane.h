/* What waits for one sending service: claimed from the store when it is due, as far as the window goes. */
#ifndef BUS_LANE_H
#define BUS_LANE_H

#include "bus/party.h"

/* Deliveries of one service that may be on their way to its link at once. It grows while they are settled quickly, and
 * shrinks when they take a good part of their delivery-timeout: what waits in the link is what may come twice when it
 * dies. */
#define LANE_WINDOW_LEAST 32
#define LANE_WINDOW_MOST  512
#define LANE_BYTES_MOST   (8 << 20)
/* Bytes of small payload that are claimed with their messages and wait in memory for their link: of one lane, and of all. */
#define LANE_HELD_MOST (2 << 20)
#define BUS_HELD_MOST  (8 << 20)
/* What leaves within half of the span is kept in memory beyond the window, up to so much; what leaves more slowly
 * waits in the store. */
#define LANE_SPAN       100 /* ms */
#define LANE_AHEAD_MOST 1024
#define LANE_FAST       100 /* in a span */

/* There may be something to claim. */
void bus_lane_feed(struct bus_lane *);
void bus_lane_pump(struct bus_lane *);
/* Something of this size is in its window, or is not any more. */
void bus_lane_take(struct bus_lane *, int64_t size);
void bus_lane_release(struct bus_lane *, int64_t size);
/* So many bytes more (or less) of claimed payload are in memory. */
void bus_lane_hold(struct bus_lane *, int64_t bytes);
/* So many of them have left: more may be claimed before what left is settled. */
void bus_lane_sent(struct bus_lane *, int64_t bytes);
/* How many may be at its link at once: as it has shown, and no more than it wants. */
size_t bus_lane_window(const struct bus_lane *);
/* It goes out fast, and more comes in. */
bool bus_lane_presses(const struct bus_lane *);
/* A delivery was with its link for so long, in milliseconds. */
void bus_lane_paced(struct bus_lane *, int64_t took);
/* A delivery waits until then on the retry clock. */
void bus_lane_due(struct bus_lane *, int64_t due);
/* What is admitted now may leave without having waited in the store. */
bool bus_lane_open(const struct bus_lane *, int64_t size);
/* Its link is gone or back, or its agreement off: what waits at its gate is handed over, or given back. */
void bus_gate_flush(struct gate *);

/* Room for so many dispatches, so that what is claimed can always be taken. False: no memory. */
bool bus_spares_promise(struct bus *, size_t count);
struct bus_dispatch *bus_spare_take(struct bus *); /* NULL: no memory, unless promised */
void bus_spare_give(struct bus *, struct bus_dispatch *);
void bus_spares_free(struct bus *);

void bus_timer_set(struct bus *);
/* There is something to be done once a second. */
void bus_chores_begin(struct bus *);
/* The store did not take a settlement or a move: it is asked again in a second. */
void bus_try_again(struct bus *);

#endif
