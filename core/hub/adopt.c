#include "hub/adopt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "hub/unit.h"
#include "store/store.h"
#include "util/log.h"
#include "util/text.h"

#define LOOK_EVERY 1000 /* ms */

enum step { UNKNOWN, WAITING, DONE };

/* One former name of one agreement. */
struct adoption {
    struct adoption *next;
    struct hub *hub;
    char to[CONF_NAME_MAX], from[CONF_NAME_MAX];
    enum step step;
    bool busy;                                                          /* the store has a call of it */
    bool moved;                                                         /* and has still to note it */
    char name[2 * CONF_NAME_MAX + 16], reverse[2 * CONF_NAME_MAX + 16]; /* of the notes */
    struct store_cursor read;
    struct store_adoption move;
    struct store_note note;
    struct store_audit audit;
};

struct adoptions {
    struct adoption *first;
    int64_t look_at; /* ticks */
};

/* ---- the store ---- */

static void complain(const struct adoption *a, const char *what, int result)
{
    struct log_about about = {.agreement = a->to};
    log_event(ACCORD_ERROR, "hub.not-adopted", &about,
              "the messages of %s: %s (%s); trying again every second", a->from, what, error_name(result));
}

static void was_read(void *arg, int result)
{
    struct adoption *a = arg;
    a->busy = false;
    if (result && result != ACCORD_ENOENT)
        complain(a, "the store does not say whether they were taken over", result);
    else
        a->step = !result && a->read.value[0] ? DONE : WAITING;
}

static void ask(struct adoption *a)
{
    a->busy = true;
    a->read = (struct store_cursor){.route = a->name};
    store_cursor(a->hub->store, &a->read, was_read, a);
}

/* The way back may be gone again, too. */
static void was_forgotten(void *arg, int result)
{
    struct adoption *a = arg;
    a->busy = false;
    if (result)
        complain(a, "the store does not note that they were taken over", result);
    else
        a->step = DONE;
}

static void was_noted(void *arg, int result)
{
    struct adoption *a = arg;
    if (result) {
        was_forgotten(a, result);
        return;
    }
    a->note = (struct store_note){.name = a->reverse, .value = ""};
    store_note(a->hub->store, &a->note, was_forgotten, a);
}

static void note(struct adoption *a)
{
    a->busy = true;
    a->note = (struct store_note){.name = a->name, .value = "yes"};
    store_note(a->hub->store, &a->note, was_noted, a);
}

static void was_moved(void *arg, int result)
{
    struct adoption *a = arg;
    struct unit *unit = unit_find(a->hub, a->to);
    struct log_about about = {.agreement = a->to};
    buf_fini(&a->audit.body);
    a->busy = false;
    if (result) {
        complain(a, "the store could not take them over", result);
        return;
    }
    a->moved = true;
    suspensions_adopted(a->hub, a->from, a->to);
    log_event(ACCORD_NOTICE, "hub.adopted", &about,
              "what %s had is now this agreement's: %" PRIu64 " deliveries and messages", a->from,
              a->move.moved);
    if (unit && unit->party)
        bus_party_moved_in(unit->party);
    note(a);
}

static void move(struct adoption *a)
{
    struct accord_pair details[] = {{"formerly", a->from}};
    struct audit_event event = {.action = AUDIT_ADOPTED,
                                .agreement = a->to,
                                .reason = "its file says formerly, and the former file is gone",
                                .details = details,
                                .detail_count = 1};
    a->busy = true;
    a->audit = (struct store_audit){.chain = a->to};
    audit_render(&a->audit.body, &event);
    a->move = (struct store_adoption){.from = a->from, .to = a->to, .audit = &a->audit, .audit_count = 1};
    store_adopt(a->hub->store, &a->move, was_moved, a);
}

/* ---- who adopts whom ---- */

static struct adoption *find(struct hub *hub, const char *to, const char *from)
{
    struct adoption *a = hub->adoptions->first;
    while (a && (strcmp(a->to, to) != 0 || strcmp(a->from, from) != 0))
        a = a->next;
    if (a || !(a = calloc(1, sizeof *a)))
        return a;
    a->hub = hub;
    text_copy(a->to, sizeof a->to, to);
    text_copy(a->from, sizeof a->from, from);
    snprintf(a->name, sizeof a->name, "!adopted/%s/%s", to, from);
    snprintf(a->reverse, sizeof a->reverse, "!adopted/%s/%s", from, to);
    a->next = hub->adoptions->first;
    hub->adoptions->first = a;
    return a;
}

static void was_cleared(void *arg, int result)
{
    struct adoption *a = arg;
    a->busy = a->moved = false;
    if (!result)
        a->step = UNKNOWN;
}

/* A name that has a file again may get messages, which a later change of its name takes along. */
static void forget_the_living(struct hub *hub)
{
    for (struct adoption *a = hub->adoptions->first; a; a = a->next) {
        if (a->step != DONE || a->busy || !conf_has_file(hub->conf->conf, a->from))
            continue;
        a->busy = true;
        a->note = (struct store_note){.name = a->name, .value = ""};
        store_note(a->hub->store, &a->note, was_cleared, a);
    }
}

static bool at_rest(struct hub *hub, const char *name)
{
    const struct unit *unit = unit_find(hub, name);
    return !unit ||
           (unit->state == UNIT_DOWN && unit->absent && (!unit->party || !bus_party_busy(unit->party)));
}

static void look(struct hub *hub, const struct conf_agreement *agreement)
{
    const struct conf *conf = hub->conf->conf;
    const struct unit *unit = unit_find(hub, agreement->name);
    if (!agreement->formerly[0] || conf_has_file(conf, agreement->formerly) || !unit || !unit->party)
        return;
    struct adoption *a = find(hub, agreement->name, agreement->formerly);
    if (!a || a->busy || a->step == DONE)
        return;
    if (a->step == UNKNOWN)
        ask(a);
    else if (a->moved)
        note(a);
    else if (at_rest(hub, agreement->formerly))
        move(a);
}

void adopt_tick(struct hub *hub, int64_t ticks)
{
    if (!hub->adoptions && !(hub->adoptions = calloc(1, sizeof *hub->adoptions)))
        return;
    if (hub->stopping || ticks < hub->adoptions->look_at)
        return;
    hub->adoptions->look_at = ticks + LOOK_EVERY;
    forget_the_living(hub);
    for (size_t i = 0; i < hub->conf->conf->agreement_count; i++)
        look(hub, hub->conf->conf->agreements[i]);
}

void adopt_free(struct hub *hub)
{
    while (hub->adoptions && hub->adoptions->first) {
        struct adoption *a = hub->adoptions->first;
        hub->adoptions->first = a->next;
        free(a);
    }
    free(hub->adoptions);
    hub->adoptions = NULL;
}
