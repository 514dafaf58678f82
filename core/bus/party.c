#include "bus/party.h"

#include <stdlib.h>
#include <string.h>

#include "bus/advance.h"
#include "bus/count.h"
#include "bus/dispatch.h"
#include "bus/judge.h"
#include "bus/lane.h"
#include "bus/offer.h"
#include "bus/trail.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

struct bus *bus_new(uv_loop_t *loop, struct store *store, const struct bus_ports *ports, void *arg)
{
    struct bus *bus = calloc(1, sizeof *bus);
    if (!bus)
        return NULL;
    *bus = (struct bus){.loop = loop, .store = store, .ports = *ports, .arg = arg, .routing = 1};
    uv_timer_init(loop, &bus->timer);
    bus->timer.data = bus;
    return bus;
}

static void bus_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void bus_free(struct bus *bus)
{
    while (bus->parties)
        bus_party_remove(bus->parties);
    bus_denials_forget(bus);
    bus_spares_free(bus);
    table_fini(&bus->suspects);
    uv_close((uv_handle_t *)&bus->timer, bus_closed);
}

bool bus_idle(const struct bus *bus)
{
    for (const struct bus_party *party = bus->parties; party; party = party->next)
        if (bus_party_busy(party))
            return false;
    return !bus->offers && !bus->dispatches && !bus->cases && !bus->answers.asking;
}

void bus_duplicate_horizon_set(struct bus *bus, int64_t microseconds)
{
    bus->duplicate_horizon = microseconds;
}

bool bus_in_force(const struct conf_agreement *agreement, int64_t wall)
{
    return agreement->is_site || (wall >= agreement->in_force_from && wall < agreement->in_force_until);
}

static void name_verdict(struct bus_lane *lane, const char *agreement)
{
    size_t used = text_join(lane->verdict, sizeof lane->verdict, "verdict.", agreement, "/");
    text_copy(lane->verdict + used, sizeof lane->verdict - used, lane->service->name);
}

static struct bus_lane *lanes_new(struct bus_party *party, const struct conf_agreement *conf, size_t *count)
{
    struct bus_lane *lanes = calloc(conf->service_count + 1, sizeof *lanes);
    *count = 0;
    for (size_t i = 0; lanes && i < conf->service_count; i++)
        if (conf->services[i].direction == ACCORD_SEND)
            lanes[(*count)++] = (struct bus_lane){.party = party,
                                                  .service = &conf->services[i],
                                                  .window = LANE_WINDOW_LEAST,
                                                  .hungry = true,
                                                  .blocked = true};
    return lanes;
}

/* The first lane that the same process serves: of the site each link has its own. */
static size_t first_of_process(const struct bus_lane *lanes, size_t i, bool site)
{
    for (size_t j = 0; j < i; j++)
        if (!site || lanes[j].service->link == lanes[i].service->link)
            return j;
    return i;
}

static void takers_free(struct bus_party *party)
{
    for (size_t i = 0; party->takers && i <= party->taker_count; i++)
        free(party->takers[i].lanes);
    free(party->takers);
}

/* False: no memory, and nothing has changed. */
static bool lanes_set(struct bus_party *party, const struct conf_agreement *conf)
{
    size_t count;
    struct bus_lane *lanes = lanes_new(party, conf, &count);
    struct gate *gates = calloc(conf->service_count + 1, sizeof *gates);
    struct gate *inlets = calloc(conf->link_count + 1, sizeof *inlets);
    struct bus_source_line *source_lines = advance_lines_new(party, conf);
    struct takers *takers = calloc(conf->service_count + 1, sizeof *takers);
    if (!lanes || !gates || !inlets || !takers || !source_lines) {
        advance_lines_free(source_lines);
        free(takers);
        free(lanes);
        free(gates);
        free(inlets);
        return false;
    }
    for (size_t i = 0; i < conf->link_count; i++)
        inlets[i] = (struct gate){.enter = offer_enter, .most = INLET_SHARE};
    for (size_t i = 0; i < count; i++) {
        gates[i].enter = bus_dispatch_send;
        name_verdict(&lanes[i], conf->name);
        lanes[i].gate = &gates[first_of_process(lanes, i, conf->is_site)];
        const struct bus_lane *old = bus_lane_find(party, lanes[i].service->name);
        lanes[i].overdue = old ? old->overdue : 0;
        if (lanes[i].service->expect_response)
            bus_chores_begin(party->bus);
    }
    advance_lines_free(party->source_lines);
    free(party->lanes);
    free(party->gates);
    free(party->inlets);
    party->source_lines = source_lines;
    takers_free(party);
    party->takers = takers;
    party->taker_count = conf->service_count;
    party->bus->routing++;
    party->inlets = inlets;
    party->lanes = lanes;
    party->gates = gates;
    party->lane_count = count;
    return true;
}

struct bus_party *bus_party_add(struct bus *bus, const struct conf_agreement *conf, uint64_t generation)
{
    struct bus_party *party = calloc(1, sizeof *party), **last = &bus->parties;
    if (!party)
        return NULL;
    *party = (struct bus_party){.bus = bus, .conf = conf, .generation = generation};
    if (!lanes_set(party, conf)) {
        free(party);
        return NULL;
    }
    bus_judges_init(party);
    while (*last)
        last = &(*last)->next;
    *last = party;
    return party;
}

int bus_party_set(struct bus_party *party, const struct conf_agreement *conf, uint64_t generation)
{
    if (!lanes_set(party, conf))
        return ACCORD_ENOMEM;
    party->conf = conf;
    party->generation = generation;
    return 0;
}

const struct conf_agreement *bus_party_conf(const struct bus_party *party)
{
    return party->conf;
}

void bus_party_own(struct bus_party *party, void *owner)
{
    party->owner = owner;
}

void *bus_party_owner(const struct bus_party *party)
{
    return party->owner;
}

struct bus_party *bus_party_find(struct bus *bus, const char *agreement)
{
    struct bus_party *party = bus->parties;
    while (party && strcmp(party->conf->name, agreement) != 0)
        party = party->next;
    return party;
}

struct bus_lane *bus_lane_find(struct bus_party *party, const char *service)
{
    for (size_t i = 0; i < party->lane_count; i++)
        if (strcmp(party->lanes[i].service->name, service) == 0)
            return &party->lanes[i];
    return NULL;
}

static void feed_all(struct bus_party *party)
{
    for (size_t i = 0; i < party->lane_count; i++)
        bus_lane_feed(&party->lanes[i]);
}

const char *bus_party_off(const struct bus_party *party)
{
    if (!party->enabled)
        return party->why_off[0] ? party->why_off : "the agreement is off";
    return bus_in_force(party->conf, clock_wall()) ? NULL : "the agreement is not in force";
}

/* ---- open deliveries follow the switch ---- */

struct move {
    struct bus_party *party;
    struct store_move verb;
    struct store_audit audit;
    char agreement[CONF_NAME_MAX];
    char reason[ACCORD_REASON_MAX];
};

static void move_later(struct bus_party *party)
{
    party->move_due = true;
    bus_try_again(party->bus);
}

static void moved(void *arg, int result)
{
    struct move *move = arg;
    struct bus_party *party = move->party;
    struct log_about about = {.agreement = move->agreement};
    party->moves--;
    if (result && !party->bus->giving_up) {
        log_event(ACCORD_ERROR, "bus.move-failed", &about,
                  "open deliveries could not be %s (%s); trying again every second",
                  move->verb.to == STORE_HELD ? "held" : "released", error_name(result));
        move_later(party);
    } else if (!result && move->verb.moved) {
        log_event(ACCORD_NOTICE, "bus.moved", &about, "%llu open deliveries are now %s: %s",
                  (unsigned long long)move->verb.moved, store_state_name(move->verb.to), move->reason);
    }
    buf_fini(&move->audit.body);
    free(move);
    if (party->enabled)
        feed_all(party);
}

static void move_all(struct bus_party *party)
{
    enum store_state to = party->enabled ? STORE_WAITING : STORE_HELD;
    struct move *move = calloc(1, sizeof *move);
    party->move_due = false;
    if (!move) {
        move_later(party);
        return;
    }
    move->party = party;
    text_copy(move->agreement, sizeof move->agreement, party->conf->name);
    text_copy(move->reason, sizeof move->reason, party->why_off);
    struct audit_event event = {.action = to == STORE_HELD ? AUDIT_HELD : AUDIT_RELEASED,
                                .agreement = move->agreement,
                                .reason = move->reason};
    bus_trail_render(&move->audit, &event);
    move->verb = (struct store_move){.agreement = move->agreement,
                                     .from = party->enabled ? STORE_HELD : STORE_WAITING,
                                     .to = to,
                                     .reason = move->reason,
                                     .audit = &move->audit,
                                     .audit_count = 1};
    party->moves++;
    store_move(party->bus->store, &move->verb, moved, move);
}

void bus_party_moved_in(struct bus_party *party)
{
    move_later(party);
    bus_party_move_again(party);
}

void bus_party_move_again(struct bus_party *party)
{
    if (party->move_due && !party->moves)
        move_all(party);
}

static void flush_gates(struct bus_party *party)
{
    for (size_t i = 0; i < party->lane_count; i++) {
        bus_gate_flush(&party->gates[i]);
        bus_dispatch_flush(&party->lanes[i]);
    }
}

void bus_party_enable(struct bus_party *party, bool enabled, const char *why)
{
    bool changed = party->enabled != enabled || !party->why_off[0];
    party->enabled = enabled;
    text_copy(party->why_off, sizeof party->why_off, why);
    if (changed)
        move_all(party);
    if (!enabled)
        flush_gates(party);
}

void bus_party_retire(struct bus_party *party, bool retired)
{
    party->retired = retired;
    party->bus->routing++;
}

void bus_party_ready(struct bus_party *party, bool ready)
{
    bool changed = ready != party->ready;
    party->ready = ready;
    party->draining = party->draining && !ready;
    if (!changed)
        return;
    bus_judges_ready(party, ready);
    if (ready)
        feed_all(party);
    else
        flush_gates(party);
}

void bus_party_drain(struct bus_party *party)
{
    party->draining = true;
    bus_denials_flush(party->bus);
    bus_judges_drain(party);
}

static void close_lane(struct bus_lane *lane)
{
    bus_gate_flush(lane->gate);
    bus_dispatch_flush(lane);
}

void bus_party_block(struct bus_party *party, const char *link, bool blocked)
{
    for (size_t i = 0; i < party->lane_count; i++) {
        struct bus_lane *lane = &party->lanes[i];
        if (strcmp(lane->service->link->name, link) != 0)
            continue;
        bool opened = lane->blocked && !blocked, closed = !lane->blocked && blocked;
        lane->blocked = blocked;
        if (closed) /* not each time that it is said: who comes back to the gate loses his turn */
            close_lane(lane);
        if (opened)
            bus_lane_feed(lane);
    }
}

size_t bus_party_busy(const struct bus_party *party)
{
    size_t claiming = 0;
    for (size_t i = 0; i < party->lane_count; i++)
        claiming += party->lanes[i].claiming;
    return party->offers + party->guests + party->dispatches + party->moves + party->notes + claiming;
}

void bus_party_remove(struct bus_party *party)
{
    struct bus_party **at = &party->bus->parties;
    while (*at != party)
        at = &(*at)->next;
    *at = party->next;
    party->bus->routing++;
    takers_free(party);
    bus_counts_free(party);
    advance_lines_free(party->source_lines);
    free(party->lanes);
    free(party->gates);
    free(party->inlets);
    free(party);
}

bool bus_party_lane(const struct bus_party *party, size_t index, struct bus_lane_view *view)
{
    if (index >= party->lane_count)
        return false;
    const struct bus_lane *lane = &party->lanes[index];
    *view = (struct bus_lane_view){.service = lane->service,
                                   .in_flight = lane->in_flight,
                                   .blocked_by = lane->blocked_by,
                                   .blocked_since = lane->blocked_since,
                                   .overdue = lane->overdue,
                                   .deferred = lane->deferred};
    return true;
}
