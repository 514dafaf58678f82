#include "bus/lane.h"

#include <stdlib.h>
#include <string.h>

#include "bus/dispatch.h"
#include "util/ahead.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define CLAIM_PAUSE 2000000 /* microseconds after a claim that failed */
#define SPARES_KEPT 64      /* when nothing is in flight */
#define QUICK       1000    /* ms: a delivery that took less makes the window larger */

/* ---- spares ---- */

bool bus_spares_promise(struct bus *bus, size_t count)
{
    while (bus->spare_count < bus->promised + count) {
        struct bus_dispatch *dispatch = malloc(sizeof *dispatch);
        if (!dispatch)
            return false;
        bus_spare_give(bus, dispatch);
    }
    bus->promised += count;
    return true;
}

struct bus_dispatch *bus_spare_take(struct bus *bus)
{
    struct bus_dispatch *dispatch = bus->spare;
    if (bus->spare_count <= bus->promised)
        return malloc(sizeof *dispatch);
    bus->spare = dispatch->next;
    bus->spare_count--;
    ahead(bus->spare, 1);
    return dispatch;
}

void bus_spare_give(struct bus *bus, struct bus_dispatch *dispatch)
{
    dispatch->next = bus->spare;
    bus->spare = dispatch;
    bus->spare_count++;
}

static void trim(struct bus *bus, size_t most)
{
    while (bus->spare_count > most && bus->spare_count > bus->promised) {
        struct bus_dispatch *dispatch = bus->spare;
        bus->spare = dispatch->next;
        bus->spare_count--;
        free(dispatch);
    }
}

void bus_spares_free(struct bus *bus)
{
    trim(bus, 0);
}

/* ---- the window ---- */

void bus_lane_take(struct bus_lane *lane, int64_t size)
{
    lane->in_flight++;
    lane->bytes += size;
    lane->party->dispatches++;
    lane->party->bus->dispatches++;
}

void bus_lane_hold(struct bus_lane *lane, int64_t bytes)
{
    lane->held += bytes;
    lane->party->bus->held += bytes;
}

static size_t room_to_hold(const struct bus_lane *lane, size_t deliveries)
{
    int64_t own = LANE_HELD_MOST - lane->held, all = BUS_HELD_MOST - lane->party->bus->held;
    int64_t room = own < all ? own : all, most = (int64_t)deliveries * STORE_SMALL;
    return room <= 0 ? 0 : (size_t)(room < most ? room : most);
}

static void count_release(struct bus_lane *lane)
{
    uint64_t now = uv_now(lane->party->bus->loop);
    if (now >= lane->counted_at + LANE_SPAN) {
        lane->lately = now < lane->counted_at + 2 * LANE_SPAN ? lane->released : 0;
        lane->released = 0;
        lane->counted_at = now;
    }
    lane->released++;
}

static size_t beyond(const struct bus_lane *lane)
{
    size_t half = lane->lately / 2;
    return half < LANE_AHEAD_MOST ? half : LANE_AHEAD_MOST;
}

size_t bus_lane_window(const struct bus_lane *lane)
{
    return lane->most && lane->most < lane->window ? lane->most : lane->window;
}

bool bus_lane_presses(const struct bus_lane *lane)
{
    return lane->lately >= LANE_FAST && !lane->blocked && lane->party->ready && !lane->service->ordered &&
           (lane->hungry || lane->claiming || lane->in_flight > bus_lane_window(lane) + beyond(lane) / 4);
}

void bus_lane_release(struct bus_lane *lane, int64_t size)
{
    struct bus *bus = lane->party->bus;
    lane->in_flight--;
    lane->bytes -= size;
    count_release(lane);
    lane->party->dispatches--;
    bus->dispatches--;
    bus_lane_pump(lane);
    if (!bus->dispatches)
        trim(bus, SPARES_KEPT);
}

void bus_lane_paced(struct bus_lane *lane, int64_t took)
{
    int64_t patience = lane->service->delivery_timeout;
    if (took < QUICK && took < patience / 8 && lane->in_flight * 2 >= lane->window)
        lane->window += lane->window < LANE_WINDOW_MOST;
    else if (took > patience / 4)
        lane->window = LANE_WINDOW_LEAST;
}

void bus_party_window(struct bus_party *party, const char *link, int64_t most)
{
    for (size_t i = 0; i < party->lane_count; i++) {
        struct bus_lane *lane = &party->lanes[i];
        if (strcmp(lane->service->link->name, link) != 0)
            continue;
        lane->most = most < LANE_WINDOW_MOST ? (size_t)most : LANE_WINDOW_MOST;
        bus_lane_pump(lane);
    }
}

bool bus_lane_open(const struct bus_lane *lane, int64_t size)
{
    const struct bus_party *party = lane->party;
    if (lane->blocked || lane->hungry || lane->claiming || !party->ready || party->moves ||
        party->bus->giving_up || bus_party_off(party))
        return false;
    if (lane->service->ordered)
        return lane->clear && !lane->coming && !lane->in_flight;
    return lane->in_flight < bus_lane_window(lane) + beyond(lane) && lane->bytes + size <= LANE_BYTES_MOST;
}

static size_t least(size_t a, int64_t b)
{
    return (int64_t)a < b ? a : (size_t)b;
}

/* How many may be claimed now; their sizes are not known before, and count once they are there. What is claimed beyond
 * the window is there when its link wants it. Payload that is read with its message is cheap, so that as many are claimed
 * as it can be held of, unless few are in flight. */
static size_t room_in(const struct bus_lane *lane)
{
    if (lane->service->ordered)
        return lane->in_flight ? 0 : 1;
    size_t window = bus_lane_window(lane), most = window + beyond(lane);
    if (lane->in_flight > most - window / 2 || lane->in_flight >= most || lane->bytes >= LANE_BYTES_MOST)
        return 0;
    size_t room = least(most - lane->in_flight, STORE_PAGE_MAX);
    if (lane->bytes_each > 0)
        room = least(room, (LANE_BYTES_MOST - lane->bytes) / lane->bytes_each + 1);
    if (lane->bytes_each <= 0 || lane->bytes_each > STORE_SMALL || lane->in_flight < LANE_WINDOW_LEAST)
        return room;
    size_t held = least(room, (int64_t)room_to_hold(lane, room) / lane->bytes_each);
    return held < LANE_WINDOW_LEAST / 2 && held < room ? 0 : held;
}

/* ---- claiming ---- */

static enum store_order order_of(const struct conf_service *service)
{
    return !service->ordered ? STORE_ANY_ORDER : service->skip_dead ? STORE_ORDERED_SKIP_DEAD : STORE_ORDERED;
}

static void note_block(struct bus_lane *lane, const char *blocked_by)
{
    if (strcmp(lane->blocked_by, blocked_by) == 0)
        return;
    text_copy(lane->blocked_by, sizeof lane->blocked_by, blocked_by);
    lane->blocked_since = clock_wall();
}

/* When the claim said that something is due: no wait is longer than the service allows, whatever the system's clock
 * was when it was stored. */
static void note_due(struct bus_lane *lane, int64_t next)
{
    struct bus *bus = lane->party->bus;
    int64_t now = pace_now(&bus->pace);
    if (next > now + pace_longest(lane->service))
        next = now + pace_longest(lane->service);
    lane->due = next;
}

static void claimed(void *arg, int result)
{
    struct bus_lane *lane = arg;
    struct bus *bus = lane->party->bus;
    struct store_claim claim = lane->claim;
    struct log_about about = {.agreement = lane->party->conf->name};
    int64_t bytes = 0;
    lane->claim.claimed = NULL;
    bus->promised -= claim.limit;
    bus_lane_hold(lane, (int64_t)claim.payload_bytes - (int64_t)claim.payload_room);
    if (result)
        log_event(ACCORD_ERROR, "bus.claim-failed", &about, "the store could not hand out deliveries (%s)",
                  error_name(result));
    if (claim.count == claim.limit)
        lane->hungry = true;
    note_due(lane, result ? claim.now + CLAIM_PAUSE : claim.next);
    note_block(lane, result ? lane->blocked_by : claim.blocked_by);
    lane->clear = !result && !claim.count && !claim.next && !claim.stopped;
    for (size_t i = 0; i < claim.count; i++) {
        bytes += claim.claimed[i].size;
        bus_dispatch_claimed(lane, &claim.claimed[i]);
    }
    if (claim.count)
        lane->bytes_each = bytes / (int64_t)claim.count;
    free(claim.claimed);
    lane->claiming = false;
    bus_timer_set(bus);
    bus_lane_pump(lane);
}

void bus_lane_pump(struct bus_lane *lane)
{
    struct bus_party *party = lane->party;
    size_t limit = !lane->hungry || lane->claiming ? 0 : room_in(lane);
    if (!limit || lane->blocked || !party->ready || !party->enabled || party->bus->giving_up)
        return;
    struct store_claimed *rows = malloc(limit * sizeof *rows);
    if (!rows || !bus_spares_promise(party->bus, limit)) {
        free(rows);
        bus_lane_due(lane, pace_now(&party->bus->pace) + CLAIM_PAUSE);
        return;
    }
    lane->claiming = true;
    lane->hungry = false; /* what is admitted from here on sets it again */
    lane->claim = (struct store_claim){.agreement = party->conf->name,
                                       .service = lane->service->name,
                                       .now = pace_now(&party->bus->pace),
                                       .limit = limit,
                                       .order = order_of(lane->service),
                                       .payload_room = room_to_hold(lane, limit),
                                       .claimed = rows};
    bus_lane_hold(lane, (int64_t)lane->claim.payload_room);
    store_claim(party->bus->store, &lane->claim, claimed, lane);
}

void bus_lane_sent(struct bus_lane *lane, int64_t bytes)
{
    bus_lane_hold(lane, -bytes);
    if (lane->held < LANE_HELD_MOST / 2)
        bus_lane_pump(lane);
}

void bus_lane_feed(struct bus_lane *lane)
{
    lane->hungry = true;
    lane->clear = false;
    bus_lane_pump(lane);
}

void bus_lane_due(struct bus_lane *lane, int64_t due)
{
    lane->clear = false;
    if (lane->due && lane->due <= due)
        return;
    lane->due = due;
    bus_timer_set(lane->party->bus);
}

/* What cannot enter now settles itself, or waits at the gate again. */
void bus_gate_flush(struct gate *gate)
{
    struct gate_list list = {0};
    struct gate_item *item;
    while ((item = gate_take(gate))) {
        item->next = NULL;
        *(list.last ? &list.last->next : &list.first) = item;
        list.last = item;
    }
    while ((item = list.first)) {
        list.first = item->next;
        bus_dispatch_enter(item);
    }
}
