#include "hub/suspend.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define AGAIN 1000 /* ms until the store is asked again */

enum note { UNREAD, READING, NONE, SET };

struct suspension {
    struct hub *hub;
    struct suspension *next;
    char agreement[CONF_NAME_MAX];
    char route[CONF_NAME_MAX + 16]; /* the note's name */
    enum note note;                 /* what holds here */
    bool writing, unwritten;        /* the store does not have it yet */
    bool ending;                    /* what is being written is its end */
    bool rereading;
    int64_t again; /* ticks: ask the store again; 0: no need */
    int64_t since;
    char user[64], reason[256];
    char value[ACCORD_SOURCE_ID_MAX];
    struct store_cursor read;
    struct store_note verb;
    struct store_audit audit;
    suspension_done done;
    void *arg;
};

static void tell_unit(const struct suspension *suspension)
{
    struct unit *unit = unit_find(suspension->hub, suspension->agreement);
    if (unit)
        unit_update(unit);
}

/* ---- reading: "SINCE USER REASON" ---- */

static void take(struct suspension *suspension, const char *value)
{
    int at = 0;
    suspension->note = *value ? SET : NONE;
    suspension->user[0] = suspension->reason[0] = 0;
    suspension->since = 0;
    if (*value && sscanf(value, "%" SCNd64 " %63s %n", &suspension->since, suspension->user, &at) == 2)
        text_copy(suspension->reason, sizeof suspension->reason, value + at);
}

static void was_read(void *arg, int result)
{
    struct suspension *suspension = arg;
    if (suspension->note != READING)
        return; /* someone suspended it meanwhile */
    if (result && result != ACCORD_ENOENT) {
        struct log_about about = {.agreement = suspension->agreement};
        suspension->note = UNREAD;
        suspension->again = clock_ticks() + AGAIN;
        log_event(
            ACCORD_ERROR, "hub.suspension-unknown", &about,
            "the store does not say whether the agreement is suspended (%s): it stays down; asking again",
            error_name(result));
        return;
    }
    take(suspension, result ? "" : suspension->read.value);
    tell_unit(suspension);
}

static void read_note(struct suspension *suspension)
{
    suspension->note = READING;
    suspension->read = (struct store_cursor){.route = suspension->route};
    store_cursor(suspension->hub->store, &suspension->read, was_read, suspension);
}

struct suspension *suspension_of(struct hub *hub, const char *agreement)
{
    struct suspension *suspension = hub->suspensions;
    while (suspension && strcmp(suspension->agreement, agreement) != 0)
        suspension = suspension->next;
    if (suspension || !(suspension = calloc(1, sizeof *suspension)))
        return suspension;
    suspension->hub = hub;
    text_copy(suspension->agreement, sizeof suspension->agreement, agreement);
    snprintf(suspension->route, sizeof suspension->route, "!suspended/%s", suspension->agreement);
    suspension->next = hub->suspensions;
    hub->suspensions = suspension;
    read_note(suspension);
    return suspension;
}

bool suspension_known(const struct suspension *suspension)
{
    return suspension->note == NONE || suspension->note == SET;
}

bool suspension_holds(const struct suspension *suspension)
{
    return suspension->note == SET;
}

void suspension_text(const struct suspension *suspension, char *to, size_t room)
{
    *to = 0;
    if (suspension->note == SET)
        snprintf(to, room, "suspended by %s%s%s; accord resume %s lets it go on", suspension->user,
                 *suspension->reason ? ": " : "", suspension->reason, suspension->agreement);
}

/* ---- writing ---- */

static void answer(struct suspension *suspension, int result, const char *why)
{
    suspension_done done = suspension->done;
    suspension->done = NULL;
    if (done)
        done(suspension->arg, result, why);
}

static void suspended(struct suspension *suspension, int result)
{
    suspension->unwritten = result;
    if (!result) {
        answer(suspension, 0, "");
        return;
    }
    struct log_about about = {.agreement = suspension->agreement};
    suspension->again = clock_ticks() + AGAIN;
    log_event(ACCORD_ERROR, "hub.suspension-unwritten", &about,
              "the agreement is suspended, but the store does not take that (%s), and it would not outlive a "
              "restart; trying again",
              error_name(result));
    answer(suspension, result,
           "it is cut off now, but the store cannot write that down: it would not outlive a restart of the "
           "agent; it is tried again every second");
}

static void resumed(struct suspension *suspension, int result)
{
    suspension->ending = false;
    if (result) {
        answer(suspension, result, "the store cannot write that down: it stays suspended; try again");
        return;
    }
    take(suspension, "");
    tell_unit(suspension);
    answer(suspension, 0, "");
}

static void was_written(void *arg, int result)
{
    struct suspension *suspension = arg;
    buf_fini(&suspension->audit.body);
    suspension->writing = false;
    (suspension->ending ? resumed : suspended)(suspension, result);
}

static void write_note(struct suspension *suspension, const char *user, const char *reason)
{
    bool ending = suspension->ending;
    struct audit_event event = {.action = ending ? AUDIT_UNSUSPENDED : AUDIT_SUSPENDED,
                                .agreement = suspension->agreement,
                                .user = user,
                                .reason = reason};
    suspension->audit = (struct store_audit){.chain = suspension->agreement};
    audit_render(&suspension->audit.body, &event);
    snprintf(suspension->value, sizeof suspension->value, "%" PRId64 " %s %s", suspension->since,
             suspension->user, suspension->reason);
    suspension->verb = (struct store_note){.name = suspension->route,
                                           .value = ending ? "" : suspension->value,
                                           .audit = &suspension->audit,
                                           .audit_count = 1};
    suspension->writing = true;
    store_note(suspension->hub->store, &suspension->verb, was_written, suspension);
}

int suspension_begin(struct suspension *suspension, const char *user, const char *reason,
                     suspension_done done, void *arg)
{
    if (suspension->writing)
        return ACCORD_ESTATE;
    struct log_about about = {.agreement = suspension->agreement};
    log_event(ACCORD_WARNING, "hub.suspended", &about, "the agreement is suspended by %s: %s", user, reason);
    suspension->note = SET;
    suspension->since = clock_wall();
    text_copy(suspension->user, sizeof suspension->user, user);
    text_copy(suspension->reason, sizeof suspension->reason, reason);
    suspension->done = done;
    suspension->arg = arg;
    tell_unit(suspension);
    write_note(suspension, user, reason);
    return 0;
}

int suspension_end(struct suspension *suspension, const char *user, const char *reason, suspension_done done,
                   void *arg)
{
    if (suspension->writing || suspension->note != SET)
        return ACCORD_ESTATE;
    struct log_about about = {.agreement = suspension->agreement};
    log_event(ACCORD_NOTICE, "hub.resumed", &about, "the agreement is resumed by %s: %s", user, reason);
    suspension->ending = true;
    suspension->done = done;
    suspension->arg = arg;
    write_note(suspension, user, reason);
    return 0;
}

/* ---- taken over with the messages of a former name ---- */

static void was_read_again(void *arg, int result)
{
    struct suspension *suspension = arg;
    bool before = suspension_holds(suspension);
    suspension->rereading = false;
    if (result || suspension->writing || suspension->unwritten || !suspension_known(suspension))
        return;
    take(suspension, suspension->read.value);
    if (before != suspension_holds(suspension))
        tell_unit(suspension);
}

static void read_again(struct suspension *suspension)
{
    if (!suspension || suspension->rereading || !suspension_known(suspension))
        return;
    suspension->rereading = true;
    suspension->read = (struct store_cursor){.route = suspension->route};
    store_cursor(suspension->hub->store, &suspension->read, was_read_again, suspension);
}

void suspensions_adopted(struct hub *hub, const char *from, const char *to)
{
    read_again(suspension_of(hub, to)); /* first: it must hold before the other one lets go */
    read_again(suspension_of(hub, from));
}

/* ---- all of them ---- */

void suspensions_each(const struct hub *hub,
                      void (*each)(void *arg, const char *agreement, const struct suspension *), void *arg)
{
    for (const struct suspension *at = hub->suspensions; at; at = at->next)
        each(arg, at->agreement, at);
}

void suspensions_tick(struct hub *hub, int64_t ticks)
{
    for (struct suspension *at = hub->suspensions; at; at = at->next) {
        if (!at->again || ticks < at->again)
            continue;
        at->again = 0;
        if (at->note == UNREAD)
            read_note(at);
        else if (at->unwritten && !at->writing)
            write_note(at, at->user, at->reason);
    }
}

void suspensions_free(struct hub *hub)
{
    while (hub->suspensions) {
        struct suspension *suspension = hub->suspensions;
        hub->suspensions = suspension->next;
        free(suspension);
    }
}
