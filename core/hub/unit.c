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

const struct child *unit_failing(const struct unit *unit)
{
    for (size_t i = 0; unit->wanted && i < unit->child_count; i++)
        if (unit->children[i].life.failures && !child_ready(&unit->children[i]))
            return &unit->children[i];
    return NULL;
}

/* The newest of its configurations; the running one when there is no other. */
static const struct conf_agreement *newest(const struct unit *unit)
{
    return unit->next_conf ? conf_agreement_find(unit->next_conf->conf, unit->name) : unit->agreement;
}

/* Of the agreement that this one was before its file was renamed; NULL: of none, or that one is still there. */
static const struct suspension *former_suspension(const struct unit *unit)
{
    const struct conf_agreement *agreement = newest(unit);
    const struct unit *former = *agreement->formerly ? unit_find(unit->hub, agreement->formerly) : NULL;
    if (!*agreement->formerly || (former && !former->absent))
        return NULL;
    return suspension_of(unit->hub, agreement->formerly);
}

const struct suspension *unit_suspended(const struct unit *unit)
{
    const struct suspension *former = former_suspension(unit);
    if (suspension_holds(unit->suspension))
        return unit->suspension;
    return former && suspension_holds(former) ? former : NULL;
}

static bool suspension_unknown(const struct unit *unit)
{
    const struct suspension *former = former_suspension(unit);
    return !suspension_known(unit->suspension) || (former && !suspension_known(former));
}

const char *unit_state_text(const struct unit *unit)
{
    static const char *const names[] = {"down", "starting", "up", "draining"};
    if (unit_suspended(unit))
        return "suspended";
    if (unit_failing(unit))
        return "failing";
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

void unit_open_lanes(struct unit *unit)
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
    if (conf_reads_payload(agreement))
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
    unit_resume(unit, NULL, NULL, "its configuration has changed");
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
    if (unit->party)
        bus_party_own(unit->party, unit);
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

/* ---- the state machine: what is so, what is decided (unit_life.h), what is done ---- */

static enum unit_obstacle obstacle(const struct unit *unit, const struct conf_agreement *agreement)
{
    int64_t wall = clock_wall();
    if (unit->hub->stopping)
        return UNIT_STOPPING;
    if (unit_suspended(unit))
        return UNIT_SUSPENDED;
    if (suspension_unknown(unit))
        return UNIT_UNKNOWN;
    if (unit->absent)
        return UNIT_ABSENT;
    if (!agreement->enabled)
        return UNIT_DISABLED;
    if (bus_in_force(agreement, wall))
        return UNIT_FREE;
    return wall < agreement->in_force_from ? UNIT_EARLY : UNIT_EXPIRED;
}

static bool children_running(const struct unit *unit)
{
    for (size_t i = 0; i < unit->child_count; i++)
        if (child_running(&unit->children[i]))
            return true;
    return false;
}

static struct unit_facts gather(struct unit *unit)
{
    bool begun = unit->agreement;
    return (struct unit_facts){
        .state = unit->state,
        .obstacle = obstacle(unit, newest(unit)),
        .changed = unit->next_conf,
        .busy = unit->party && bus_party_busy(unit->party),
        .running = children_running(unit),
        .ready = begun && all_ready(unit),
        .judged = begun && judges_ready(unit),
        .late = clock_ticks() >= unit->drain_by || unit->hub->hurried,
    };
}

static void tell_why(struct unit *unit, enum unit_obstacle why)
{
    static const char *const texts[] = {
        [UNIT_FREE] = "",
        [UNIT_STOPPING] = "the agent is stopping",
        [UNIT_UNKNOWN] = "the store has not said yet whether it is suspended",
        [UNIT_ABSENT] = "its file is gone from conf.d",
        [UNIT_DISABLED] = "its file says enabled = no",
        [UNIT_EARLY] = "it is not in force yet (acknowledged)",
        [UNIT_EXPIRED] = "it has expired (acknowledged, valid-for)",
        [UNIT_CHANGED] = "its configuration has changed",
    };
    if (why == UNIT_SUSPENDED)
        suspension_text(unit_suspended(unit), unit->why, sizeof unit->why);
    else
        text_copy(unit->why, sizeof unit->why, texts[why]);
}

static void record_state(struct unit *unit)
{
    bool up = unit->state == UNIT_UP;
    struct log_about about = {.agreement = unit->name};
    struct audit_event event = {.action = up ? AUDIT_AGREEMENT_UP : AUDIT_AGREEMENT_DOWN,
                                .agreement = unit->name,
                                .reason = unit->why};
    trail_event(unit->hub, &event);
    log_event(ACCORD_NOTICE, up ? "hub.up" : "hub.down", &about,
              up ? "the agreement is up" : "the agreement is down: %s", unit->why);
}

/* Links come last: what they begin can be judged then. */
static void tend(struct unit *unit)
{
    struct child *guard = unit_child(unit, CHILD_GUARD, NULL);
    if (guard && !child_ready(guard))
        forget_profiles(unit);
    else if (guard)
        ask_profiles(unit, guard);
    for (size_t i = 0; i < unit->child_count; i++)
        if (unit->children[i].role != CHILD_LINK || judges_ready(unit))
            child_start(&unit->children[i]);
}

static void drain(struct unit *unit)
{
    unit->drain_by = clock_ticks() + unit->conf->conf->agent.drain_timeout;
    bus_party_drain(unit->party);
    for (size_t i = 0; i < unit->child_count; i++)
        if (unit->children[i].role == CHILD_LINK && child_ready(&unit->children[i]))
            wire_put_DRAIN(channel_out(unit->children[i].channel), &(struct wire_DRAIN){0});
}

static void end_children(struct unit *unit, bool at_once)
{
    control_drop_offers(unit->hub, unit->party);
    for (size_t i = 0; i < unit->child_count; i++)
        (at_once ? child_cut : child_stop)(&unit->children[i], unit->why);
}

static void act(struct unit *unit, unsigned actions)
{
    if (actions & UNIT_DO_ADOPT)
        adopt(unit);
    if (actions & (UNIT_DO_DRAIN | UNIT_DO_CUT))
        bus_party_drain(unit->party);
    if (actions & UNIT_DO_HOLD)
        bus_party_enable(unit->party, false, unit->why);
    if (actions & UNIT_DO_START)
        bus_party_enable(unit->party, true, "the agreement is on");
    if (actions & UNIT_DO_TEND)
        tend(unit);
    if (actions & UNIT_DO_RECORD)
        record_state(unit);
    if (actions & (UNIT_DO_SERVE | UNIT_DO_PAUSE)) {
        bus_party_ready(unit->party, actions & UNIT_DO_SERVE);
        unit_open_lanes(unit);
    }
    if (actions & UNIT_DO_DRAIN)
        drain(unit);
    if (actions & (UNIT_DO_STOP | UNIT_DO_CUT))
        end_children(unit, actions & UNIT_DO_CUT);
}

/* What keeps it down, what ends it, what ends it sooner; and nothing once it may run. */
static bool why_is_news(const struct unit *unit, const struct unit_decision *decision)
{
    if (unit->state == UNIT_DOWN)
        return decision->why || decision->to != UNIT_DOWN;
    return decision->actions & (UNIT_DO_DRAIN | UNIT_DO_CUT);
}

bool unit_taken_over(const struct unit *unit)
{
    const struct conf *conf = unit->hub->conf->conf;
    for (size_t i = 0; unit->absent && i < conf->agreement_count; i++)
        if (!strcmp(conf->agreements[i]->formerly, unit->name))
            return true;
    return false;
}

/* An agreement whose file is gone is switched off, and what comes for it is held; unless another one has taken it over. */
void unit_update(struct unit *unit)
{
    struct unit_decision decision;
    if (unit->party)
        bus_party_retire(unit->party, unit_taken_over(unit));
    do {
        struct unit_facts facts = gather(unit);
        decision = unit_decide(&facts);
        if (why_is_news(unit, &decision))
            tell_why(unit, decision.why);
        unit->wanted = decision.wanted;
        unit->state = decision.to;
        act(unit, decision.actions);
    } while (decision.actions & UNIT_DO_AGAIN);
}

void unit_free(struct unit *unit)
{
    drop_children(unit);
    forget_profiles(unit);
    free(unit->profiles);
    free(unit->parked);
    plugin_metrics_free(&unit->counts);
    if (unit->next_conf)
        hub_conf_unref(unit->next_conf);
    if (unit->conf)
        hub_conf_unref(unit->conf);
    free(unit);
}
