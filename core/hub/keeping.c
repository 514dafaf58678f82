#include "hub/keeping.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/trail.h"
#include "hub/reload.h"
#include "hub/trail.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define EVERY       10000               /* ms between rounds */
#define FIRST       2000                /* of the first after a start: what waits goes before it */
#define EVERY_SHORT 1000                /* while the disk is full: room may come at any time */
#define GRAIN       INT64_C(60000000)   /* us: limits move in steps, so that an idle store writes little */
#define CLOCK_SLACK INT64_C(3600000000) /* us */
#define STALE_PAGE  32
/* So many times as long as a step took is waited for the next; no longer than it took while the disk is short. */
#define PAUSE 8

struct keeping {
    struct hub *hub;
    uv_timer_t pause; /* between two steps, so that the store works for others */
    bool stopping;
    bool under_way;            /* a round */
    bool full;                 /* the disk, as told last */
    int64_t least_lead;        /* of the wall clock over the ticks, in this run; microseconds */
    int64_t round_at, step_at; /* ticks */

    struct store_retention retention;
    uint64_t messages, segments, bytes; /* of this round */

    size_t agreement; /* whose quarantine is looked at: index */
    char name[CONF_NAME_MAX];
    char found[STALE_PAGE][ACCORD_ID_MAX];
    size_t at;     /* in `found` */
    bool given_up; /* one of this page, at least */
    struct store_stale stale;
    struct store_get get;
    struct store_unquarantine discard;
    struct store_audit audit;
};

static void next_agreement(struct keeping *keeping);

static void end_round(struct keeping *keeping)
{
    keeping->under_way = false;
    keeping->round_at = clock_ticks() + (keeping->full ? EVERY_SHORT : EVERY);
}

/* What the wall clock is ahead of the ticks, in microseconds. */
static int64_t clock_lead(void)
{
    return clock_wall() - clock_ticks() * 1000;
}

/* A clock that is behind makes what comes in look older than it is once it has been put right. */
static void watch_clock(struct keeping *keeping)
{
    int64_t lead = clock_lead();
    if (lead < keeping->least_lead)
        keeping->least_lead = lead;
}

/* The time that limits are counted from: of the clock as far behind as it ever was while the agent ran, and one that was
 * put forward is not believed. Nothing is given up early. */
static int64_t trusted_now(struct keeping *keeping)
{
    watch_clock(keeping);
    int64_t wall = clock_wall(), most = clock_ticks() * 1000 + keeping->least_lead + CLOCK_SLACK;
    return wall < most ? wall : most;
}

/* ---- quarantine ---- */

static int64_t before(int64_t now, int64_t milliseconds)
{
    return now / 1000 > milliseconds ? now - milliseconds * 1000 : 0;
}

static const struct conf_agreement *agreement_at(const struct keeping *keeping)
{
    const struct conf *conf = keeping->hub->conf->conf;
    return keeping->agreement < conf->agreement_count ? conf->agreements[keeping->agreement] : NULL;
}

static void look_for_stale(struct keeping *keeping);
static void discard_next(struct keeping *keeping);

static void discarded(void *arg, int result)
{
    struct keeping *keeping = arg;
    struct log_about about = {.agreement = keeping->name, .message = keeping->discard.message};
    bus_trail_free(&keeping->audit, 1);
    if (!result) {
        keeping->given_up = true;
        log_event(ACCORD_NOTICE, "hub.quarantine-retention", &about,
                  "discarded: nobody released it from quarantine in time");
    } else if (result != ACCORD_ESTATE && result != ACCORD_ENOENT) { /* a person was faster */
        log_event(ACCORD_WARNING, "hub.quarantine-retention", &about,
                  "could not be discarded (%s); trying again in a while", error_name(result));
    }
    store_message_free(keeping->get.found);
    keeping->get.found = NULL;
    keeping->at++;
    discard_next(keeping);
}

static void discard(struct keeping *keeping, const struct store_message *message)
{
    char sha256[DIGEST_HEX], reason[ACCORD_REASON_MAX];
    const char *slash = strchr(message->origin, '/');
    hex_encode(sha256, message->sha256, DIGEST_SIZE);
    snprintf(reason, sizeof reason,
             "in quarantine for longer than quarantine-retention allows; it had come there by %s",
             message->rule);
    struct audit_event event = {.action = AUDIT_DISCARDED,
                                .outcome = AUDIT_SUCCESS,
                                .agreement = keeping->name,
                                .service = slash ? slash + 1 : NULL,
                                .message = message->id,
                                .name = message->name,
                                .type = message->type,
                                .sha256 = sha256,
                                .size = message->size,
                                .rule = "hub.quarantine-retention",
                                .reason = reason};
    bus_trail_render(&keeping->audit, &event);
    keeping->discard = (struct store_unquarantine){.message = message->id,
                                                   .reason = "quarantine-retention is over",
                                                   .audit = &keeping->audit,
                                                   .audit_count = 1};
    store_unquarantine(keeping->hub->store, &keeping->discard, discarded, keeping);
}

static void looked_up(void *arg, int result)
{
    struct keeping *keeping = arg;
    if (!result && !keeping->stopping) {
        discard(keeping, keeping->get.found);
        return;
    }
    store_message_free(result ? NULL : keeping->get.found);
    keeping->get.found = NULL;
    keeping->at++;
    discard_next(keeping);
}

static void discard_next(struct keeping *keeping)
{
    bool full_page = keeping->stale.count == STALE_PAGE;
    if (keeping->stopping) {
        end_round(keeping);
    } else if (keeping->at < keeping->stale.count) {
        keeping->get = (struct store_get){.message = keeping->found[keeping->at]};
        store_get(keeping->hub->store, &keeping->get, looked_up, keeping);
    } else if (full_page && keeping->given_up) {
        look_for_stale(keeping);
    } else {
        keeping->agreement++;
        next_agreement(keeping);
    }
}

static void found_stale(void *arg, int result)
{
    struct keeping *keeping = arg;
    if (result)
        keeping->stale.count = 0;
    keeping->at = 0;
    keeping->given_up = false;
    discard_next(keeping);
}

static void look_for_stale(struct keeping *keeping)
{
    const struct conf_agreement *agreement = agreement_at(keeping);
    int64_t now = trusted_now(keeping);
    if (!agreement || strcmp(agreement->name, keeping->name) != 0) {
        end_round(keeping); /* the configuration has changed: the next round sees all of it */
        return;
    }
    keeping->stale = (struct store_stale){.agreement = keeping->name,
                                          .before = before(now, agreement->quarantine_retention),
                                          .limit = STALE_PAGE,
                                          .found = keeping->found};
    store_stale(keeping->hub->store, &keeping->stale, found_stale, keeping);
}

static void next_agreement(struct keeping *keeping)
{
    const struct conf_agreement *agreement = agreement_at(keeping);
    while (agreement && (agreement->quarantine_retention <= 0 ||
                         !store_usage(keeping->hub->store, agreement->name).quarantined)) {
        keeping->agreement++;
        agreement = agreement_at(keeping);
    }
    if (!agreement) {
        end_round(keeping);
        return;
    }
    text_copy(keeping->name, sizeof keeping->name, agreement->name);
    look_for_stale(keeping);
}

/* ---- retention ---- */

static void tell_compacted(struct keeping *keeping)
{
    char reason[ACCORD_REASON_MAX], size[32];
    if (!keeping->segments)
        return;
    text_size(size, sizeof size, (int64_t)keeping->bytes);
    snprintf(reason, sizeof reason,
             "%" PRIu64 " segments of the journal (%s) were deleted, after %" PRIu64
             " messages had had their time",
             keeping->segments, size, keeping->messages);
    struct audit_event event = {.action = AUDIT_STORE_COMPACTED, .outcome = AUDIT_SUCCESS, .reason = reason};
    trail_event(keeping->hub, &event);
    log_event(ACCORD_INFO, "store.compacted", NULL, "%s", reason);
}

static void end_retention(struct keeping *keeping)
{
    tell_compacted(keeping);
    keeping->agreement = 0;
    if (keeping->stopping)
        end_round(keeping);
    else
        next_agreement(keeping);
}

static void forget_step(struct keeping *keeping);

static void pause_over(uv_timer_t *timer)
{
    struct keeping *keeping = timer->data;
    if (keeping->stopping)
        end_retention(keeping);
    else
        forget_step(keeping);
}

static void forgotten(void *arg, int result)
{
    struct keeping *keeping = arg;
    const struct store_retention *retention = &keeping->retention;
    keeping->messages += retention->messages;
    keeping->segments += retention->segments;
    keeping->bytes += retention->bytes;
    if (result && result != ACCORD_ELIMIT && result != ACCORD_ECANCELED)
        log_event(ACCORD_WARNING, "store.retention-failed", NULL,
                  "what has had its time could not be forgotten (%s); trying again in a while",
                  error_name(result));
    if (result || !retention->more || keeping->stopping) {
        end_retention(keeping);
        return;
    }
    int64_t took = clock_ticks() - keeping->step_at;
    if (!keeping->full && !retention->hurry)
        took *= PAUSE;
    uv_timer_start(&keeping->pause, pause_over, took > 1 ? (uint64_t)took : 1, 0);
}

/* Of a limit in time, so that it moves once in a while. */
static int64_t grained(int64_t time)
{
    return time - time % GRAIN;
}

static void forget_step(struct keeping *keeping)
{
    const struct conf_agent *agent = &keeping->hub->conf->conf->agent;
    int64_t now = trusted_now(keeping);
    keeping->retention =
        (struct store_retention){.now = now,
                                 .settled_before = before(now, agent->message_retention),
                                 .seen_before = grained(before(now, agent->duplicate_horizon)),
                                 .keys_before = grained(before(now, agent->key_retention)),
                                 .trail_position = trail_position(keeping->hub)};
    keeping->step_at = clock_ticks();
    store_retain(keeping->hub->store, &keeping->retention, forgotten, keeping);
}

static void begin_round(struct keeping *keeping)
{
    keeping->under_way = true;
    keeping->messages = keeping->segments = keeping->bytes = 0;
    forget_step(keeping);
}

/* ---- room ---- */

static void tell_room(struct keeping *keeping, bool full)
{
    static const char *const stopped = "the disk of the state folder is full but for the reserve: sources "
                                       "keep what they have; make room, or lower "
                                       "message-retention";
    struct audit_event event = {.action = full ? AUDIT_SOURCES_STOPPED : AUDIT_SOURCES_RESUMED,
                                .outcome = full ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                .rule = "hub.reserve",
                                .reason = full ? stopped : "there is room again"};
    keeping->full = full;
    trail_event(keeping->hub, &event);
    if (full)
        trail_incident(keeping->hub, NULL, NULL, "hub.reserve", stopped);
    else
        log_event(ACCORD_NOTICE, "hub.sources-resumed", NULL,
                  "there is room on the disk again: sources go on by themselves");
}

/* ---- life ---- */

void keeping_tick(struct hub *hub, int64_t ticks)
{
    struct keeping *keeping = hub->keeping;
    if (keeping->stopping)
        return;
    watch_clock(keeping);
    if (store_roomy(hub->store) == keeping->full) {
        tell_room(keeping, !keeping->full);
        keeping->round_at = ticks;
    }
    if (!keeping->under_way && ticks >= keeping->round_at)
        begin_round(keeping);
}

int keeping_open(struct hub *hub)
{
    struct keeping *keeping = calloc(1, sizeof *keeping);
    if (!keeping)
        return ACCORD_ENOMEM;
    keeping->hub = hub;
    keeping->least_lead = hub->started - hub->started_ticks * 1000;
    keeping->round_at = clock_ticks() + FIRST;
    uv_timer_init(&hub->loop, &keeping->pause);
    keeping->pause.data = keeping;
    uv_unref((uv_handle_t *)&keeping->pause);
    hub->keeping = keeping;
    return 0;
}

void keeping_stop(struct hub *hub)
{
    if (!hub->keeping || hub->keeping->stopping)
        return;
    hub->keeping->stopping = true;
    uv_close((uv_handle_t *)&hub->keeping->pause, NULL);
}

void keeping_free(struct hub *hub)
{
    free(hub->keeping);
    hub->keeping = NULL;
}
