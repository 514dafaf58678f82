#include "hub/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/control.h"
#include "hub/trail.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define PROFILE_TIME 30000 /* ms for a guard to compile a session profile */

const char *unit_state_text(const struct unit *unit)
{
    static const char *const names[] = {"down", "starting", "up", "draining"};
    if (unit->state != UNIT_DOWN)
        return names[unit->state];
    if (unit->absent)
        return "absent";
    if (!unit->agreement->enabled)
        return "disabled";
    return bus_in_force(unit->agreement, clock_wall()) ? "down" : "not-in-force";
}

struct child *unit_child(struct unit *unit, enum child_role role, const struct conf_link *link)
{
    for (size_t i = 0; i < unit->child_count; i++) {
        struct child *child = &unit->children[i];
        if (child->role != role)
            continue;
        for (size_t j = 0; j < child->link_count; j++)
            if (!link || child->links[j] == link)
                return child;
        if (!link)
            return child;
    }
    return NULL;
}

size_t unit_link_index(const struct unit *unit, const struct conf_link *link)
{
    return (size_t)(link - unit->agreement->links);
}

struct profile *unit_profile(struct unit *unit, const struct conf_link *link)
{
    return &unit->profiles[unit_link_index(unit, link)];
}

/* ---- parking ---- */

static void block_lanes(struct unit *unit);

void unit_park(struct unit *unit, const struct conf_link *link, const char *rule, const char *reason)
{
    struct parked *parked = &unit->parked[unit_link_index(unit, link)];
    if (parked->is)
        return;
    parked->is = true;
    text_copy(parked->rule, sizeof parked->rule, rule);
    text_copy(parked->reason, sizeof parked->reason, reason);
    struct audit_event event = {.action = AUDIT_LINK_PARKED,
                                .outcome = AUDIT_FAILURE,
                                .agreement = unit->name,
                                .link = link->name,
                                .rule = rule,
                                .reason = reason};
    trail_event(unit->hub, &event);
    trail_incident(unit->hub, unit->name, link->name, rule, reason);
    block_lanes(unit);
}

void unit_resume(struct unit *unit, const char *why)
{
    for (size_t i = 0; i < unit->agreement->link_count; i++) {
        if (!unit->parked[i].is)
            continue;
        unit->parked[i].is = false;
        struct audit_event event = {.action = AUDIT_LINK_RESUMED,
                                    .agreement = unit->name,
                                    .link = unit->agreement->links[i].name,
                                    .reason = why};
        trail_event(unit->hub, &event);
    }
    block_lanes(unit);
}

/* ---- what is ready ---- */

/* Everything that must judge is there, and every link knows what its sessions may negotiate. */
static bool judges_ready(struct unit *unit)
{
    if (unit->agreement->is_site)
        return true;
    for (size_t i = 0; i < unit->child_count; i++)
        if (unit->children[i].role != CHILD_LINK && !child_ready(&unit->children[i]))
            return false;
    for (size_t i = 0; i < unit->agreement->link_count; i++)
        if (unit->agreement->links[i].endpoint && !unit->profiles[i].compiled)
            return false;
    return true;
}

static void block_lanes(struct unit *unit)
{
    for (size_t i = 0; i < unit->agreement->link_count; i++) {
        const struct conf_link *link = &unit->agreement->links[i];
        bool open =
            unit->state == UNIT_UP && !unit->parked[i].is && child_ready(unit_child(unit, CHILD_LINK, link));
        bus_party_block(unit->party, link->name, !open);
    }
}

static bool all_ready(struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++)
        if (!child_ready(&unit->children[i]))
            return false;
    return judges_ready(unit);
}

/* ---- children ---- */

static void add_child(struct unit *unit, enum child_role role, const struct conf_link *only)
{
    const struct conf_agreement *agreement = unit->agreement;
    struct child *child = &unit->children[unit->child_count];
    *child = (struct child){.unit = unit, .role = role};
    child->links = calloc(agreement->link_count + 1, sizeof *child->links);
    child->services = calloc(agreement->service_count + 1, sizeof *child->services);
    if (!child->links || !child->services) {
        free(child->links);
        free(child->services);
        return;
    }
    for (size_t i = 0; i < agreement->link_count; i++)
        if (!only || only == &agreement->links[i])
            child->links[child->link_count++] = &agreement->links[i];
    for (size_t i = 0; i < agreement->service_count; i++)
        if (!only || only == agreement->services[i].link)
            child->services[child->service_count++] = &agreement->services[i];
    snprintf(child->name, sizeof child->name, only ? "%s-%s/%s" : "%s-%s", child_role_name(role), unit->name,
             only ? only->name : "");
    unit->child_count++;
}

static bool has_payload_policy(const struct conf_agreement *agreement)
{
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (agreement->policies[i].module->flags & ACCORD_READS_PAYLOAD)
            return true;
    return false;
}

static void drop_children(struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++) {
        free(unit->children[i].links);
        free(unit->children[i].services);
    }
    free(unit->children);
    unit->children = NULL;
    unit->child_count = 0;
}

static bool make_children(struct unit *unit)
{
    const struct conf_agreement *agreement = unit->agreement;
    drop_children(unit);
    unit->children = calloc(agreement->link_count + 3, sizeof *unit->children);
    if (!unit->children)
        return false;
    for (size_t i = 0; agreement->is_site && i < agreement->link_count; i++)
        add_child(unit, CHILD_LINK, &agreement->links[i]);
    if (agreement->is_site)
        return true;
    if (agreement->link_count)
        add_child(unit, CHILD_LINK, NULL);
    add_child(unit, CHILD_GUARD, NULL);
    if (has_payload_policy(agreement))
        add_child(unit, CHILD_INSPECT, NULL);
    return true;
}

void profile_clear(struct profile *profile)
{
    for (size_t i = 0; i < profile->count; i++) {
        free((char *)profile->items[i].name);
        free((char *)profile->items[i].value);
    }
    free(profile->items);
    *profile = (struct profile){0};
}

static void forget_profiles(struct unit *unit)
{
    for (size_t i = 0; unit->profiles && i < unit->agreement->link_count; i++)
        profile_clear(&unit->profiles[i]);
}

static void ask_profiles(struct unit *unit, struct child *guard)
{
    for (size_t i = 0; i < guard->link_count; i++) {
        struct profile *profile = unit_profile(unit, guard->links[i]);
        if (!guard->links[i]->endpoint || profile->asked)
            continue;
        profile->asked = true;
        profile->deadline = clock_ticks() + PROFILE_TIME;
        wire_put_COMPILE(channel_out(guard->channel), &(struct wire_COMPILE){.link = (uint32_t)i});
    }
}

/* ---- configuration ---- */

/* What decides about messages: the file and the modules. */
uint64_t unit_generation(const struct conf_agreement *agreement)
{
    uint8_t hash[DIGEST_SIZE] = {0};
    uint64_t generation = 0;
    struct digest *digest = digest_new();
    if (digest) {
        digest_add(digest, agreement->sha256, strlen(agreement->sha256));
        for (size_t i = 0; i < agreement->policy_count; i++)
            digest_add(digest, agreement->policies[i].module->sha256, DIGEST_HEX);
        digest_end(digest, hash);
    }
    memcpy(&generation, hash, sizeof generation);
    return generation ? generation : 1;
}

static void adopt(struct unit *unit)
{
    struct hub_conf *conf = unit->next_conf;
    const struct conf_agreement *agreement = conf_agreement_find(conf->conf, unit->name);
    unit->next_conf = NULL;
    forget_profiles(unit);
    free(unit->profiles);
    free(unit->parked);
    unit->profiles = calloc(agreement->link_count + 1, sizeof *unit->profiles);
    unit->parked = calloc(agreement->link_count + 1, sizeof *unit->parked);
    int result = 0;
    if (unit->party)
        result = bus_party_set(unit->party, agreement, unit_generation(agreement));
    else
        unit->party = bus_party_add(unit->hub->bus, agreement, unit_generation(agreement));
    unit->agreement = agreement;
    struct hub_conf *old = unit->conf;
    unit->conf = conf;
    if (result || !make_children(unit) || !unit->party || !unit->profiles || !unit->parked) {
        log_event(ACCORD_ERROR, "hub.no-memory", NULL, "out of memory for agreement %s", unit->name);
        abort(); /* a supervisor starts the agent again; nothing durable is half done */
    }
    if (old)
        hub_conf_unref(old);
}

/* Why the agreement must not run as this version of its file has it; NULL: it may. */
static const char *why_not(const struct unit *unit, const struct conf_agreement *agreement)
{
    if (unit->hub->stopping)
        return "the agent is stopping";
    if (unit->absent)
        return "its file is gone from conf.d";
    if (!agreement->enabled)
        return "its file says enabled = no";
    if (!bus_in_force(agreement, clock_wall()))
        return clock_wall() < agreement->in_force_from ? "it is not in force yet (acknowledged)"
                                                       : "it has expired (acknowledged, valid-for)";
    return NULL;
}

/* Why what runs must end; NULL: it goes on. */
static const char *why_end(const struct unit *unit)
{
    if (!unit->next_conf)
        return why_not(unit, unit->agreement);
    const char *why = why_not(unit, conf_agreement_find(unit->next_conf->conf, unit->name));
    return why ? why : "its configuration has changed";
}

/* ---- the state machine ---- */

static void enter(struct unit *unit, enum unit_state state)
{
    unit->state = state;
    struct log_about about = {.agreement = unit->name};
    if (state != UNIT_UP && state != UNIT_DOWN)
        return;
    struct audit_event event = {.action = state == UNIT_UP ? AUDIT_AGREEMENT_UP : AUDIT_AGREEMENT_DOWN,
                                .agreement = unit->name,
                                .reason = unit->why};
    trail_event(unit->hub, &event);
    log_event(ACCORD_NOTICE, state == UNIT_UP ? "hub.up" : "hub.down", &about,
              state == UNIT_UP ? "the agreement is up" : "the agreement is down: %s", unit->why);
}

/* Links come last: what they begin can be judged then. */
static void start_children(struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++) {
        struct child *child = &unit->children[i];
        if (child->state == CHILD_DOWN && !child->retry_at &&
            (child->role != CHILD_LINK || judges_ready(unit)))
            child_start(child);
    }
}

static void start(struct unit *unit)
{
    unit->why[0] = 0;
    enter(unit, UNIT_STARTING);
    bus_party_enable(unit->party, true, "the agreement is on");
    start_children(unit);
}

static void drain(struct unit *unit, const char *why)
{
    text_copy(unit->why, sizeof unit->why, why);
    unit->drain_by = clock_ticks() + unit->conf->conf->agent.drain_timeout;
    enter(unit, UNIT_DRAINING);
    bus_party_drain(unit->party);
    if (unit->hub->stopping)
        bus_party_ready(unit->party, false); /* what waits goes on waiting, for the next start */
    else
        bus_party_enable(unit->party, false, why);
    for (size_t i = 0; i < unit->child_count; i++)
        if (unit->children[i].role == CHILD_LINK && child_ready(&unit->children[i]))
            wire_put_DRAIN(channel_out(unit->children[i].channel), &(struct wire_DRAIN){0});
}

static bool children_running(const struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++)
        if (child_running(&unit->children[i]))
            return true;
    return false;
}

static void draining(struct unit *unit)
{
    bool over = clock_ticks() >= unit->drain_by || unit->hub->hurried;
    if (!over && bus_party_busy(unit->party))
        return;
    control_drop_offers(unit->hub, unit->party);
    for (size_t i = 0; i < unit->child_count; i++)
        child_stop(&unit->children[i], unit->why);
    if (children_running(unit) || bus_party_busy(unit->party))
        return;
    bus_party_ready(unit->party, false);
    enter(unit, UNIT_DOWN);
}

static void down(struct unit *unit)
{
    if (unit->next_conf && unit->party && bus_party_busy(unit->party))
        return; /* what is under way still uses the old configuration */
    if (unit->next_conf)
        adopt(unit);
    const char *why = why_not(unit, unit->agreement);
    unit->wanted = !why;
    if (unit->wanted) {
        start(unit);
    } else {
        text_copy(unit->why, sizeof unit->why, why);
        if (!unit->hub->stopping)
            bus_party_enable(unit->party, false, why);
    }
}

static void running(struct unit *unit)
{
    const char *why = why_end(unit);
    unit->wanted = !why;
    if (why) {
        drain(unit, why);
        draining(unit);
        return;
    }
    struct child *guard = unit_child(unit, CHILD_GUARD, NULL);
    if (guard && !child_ready(guard))
        forget_profiles(unit);
    else if (guard)
        ask_profiles(unit, guard);
    start_children(unit);
    if (unit->state == UNIT_STARTING && all_ready(unit))
        enter(unit, UNIT_UP);
    bus_party_ready(unit->party, unit->state == UNIT_UP && judges_ready(unit));
    block_lanes(unit);
}

void unit_update(struct unit *unit)
{
    if (unit->party)
        bus_party_retire(unit->party, unit->absent);
    if (unit->state == UNIT_DOWN)
        down(unit);
    else if (unit->state == UNIT_DRAINING)
        draining(unit);
    else
        running(unit);
}

void unit_free(struct unit *unit)
{
    drop_children(unit);
    forget_profiles(unit);
    free(unit->profiles);
    free(unit->parked);
    if (unit->next_conf)
        hub_conf_unref(unit->next_conf);
    if (unit->conf)
        hub_conf_unref(unit->conf);
    free(unit);
}
