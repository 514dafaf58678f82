/* What the bus does by itself, later: retries that are due, and what the store did not take. */
#include "bus/answers.h"
#include "bus/lane.h"
#include "bus/limits.h"
#include "bus/settle.h"
#include "util/clock.h"

#define AGAIN_PAUSE  1000 /* milliseconds until the store is asked again for what it did not take */
#define CHORES_EVERY 1000

static void feed_due(struct bus_lane *lane, int64_t now)
{
    if (!lane->due || lane->due > now)
        return;
    lane->due = 0;
    bus_lane_feed(lane);
}

static void moves_again(struct bus *bus)
{
    for (struct bus_party *party = bus->parties; party; party = party->next)
        bus_party_move_again(party);
}

void bus_chores_begin(struct bus *bus)
{
    if (bus->chores_at)
        return;
    bus->chores_at = uv_now(bus->loop) + CHORES_EVERY;
    bus_timer_set(bus);
}

static void chores(struct bus *bus)
{
    bus->chores_at = 0;
    bus_denials_tick(bus);
    bus_answers_tick(bus);
    if (bus_limits_tick(bus) || bus->denials.count || bus_expects_answers(bus))
        bus_chores_begin(bus);
}

static void timer_fired(uv_timer_t *timer)
{
    struct bus *bus = timer->data;
    int64_t now = pace_now(&bus->pace);
    if (bus->again_at && uv_now(bus->loop) >= bus->again_at) {
        bus->again_at = 0;
        bus_settle_again(bus);
        moves_again(bus);
    }
    if (bus->chores_at && uv_now(bus->loop) >= bus->chores_at)
        chores(bus);
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            feed_due(&party->lanes[i], now);
    bus_timer_set(bus);
}

static int64_t earliest_due(const struct bus *bus)
{
    int64_t due = 0;
    for (struct bus_party *party = bus->parties; party; party = party->next)
        for (size_t i = 0; i < party->lane_count; i++)
            if (party->lanes[i].due && (!due || party->lanes[i].due < due))
                due = party->lanes[i].due;
    return due;
}

static uint64_t sooner(const struct bus *bus, uint64_t at, uint64_t ms)
{
    uint64_t now = uv_now(bus->loop), wait = at > now ? at - now : 1;
    return at && wait < ms ? wait : ms;
}

void bus_timer_set(struct bus *bus)
{
    int64_t due = earliest_due(bus), now = pace_now(&bus->pace);
    uint64_t ms = !due ? UINT64_MAX : due > now ? (uint64_t)(due - now) / 1000 + 1 : 1;
    ms = sooner(bus, bus->again_at, ms);
    ms = sooner(bus, bus->chores_at, ms);
    if (ms != UINT64_MAX)
        uv_timer_start(&bus->timer, timer_fired, ms, 0);
    else
        uv_timer_stop(&bus->timer);
}

void bus_try_again(struct bus *bus)
{
    if (!bus->again_at)
        bus->again_at = uv_now(bus->loop) + AGAIN_PAUSE;
    bus_timer_set(bus);
}
