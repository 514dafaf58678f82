#include "hub/trail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/anchor.h"
#include "audit/export.h"
#include "hub/records.h"
#include "hub/reload.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/text.h"

#define EXPORT_LINES 2048 /* in one batch */
#define EXPORT_EVERY 1000 /* ms: then what was written is synced, too */
#define EXPORT_PAUSE 5000 /* ms after an export that failed */

/* Someone who waits until all that was recorded before is in the files. */
struct waiter {
    struct waiter *next;
    uint64_t pass; /* of the export that must be over */
    void (*done)(void *arg);
    void *arg;
};

struct trail {
    struct hub *hub;
    struct anchor_key *key;
    struct export *export;
    uint64_t exported, written; /* positions; `exported`: durably */
    struct buf lines;
    struct store_trail verb;
    uv_work_t work;
    bool exporting, more; /* more: lines lie in memory since it began */
    bool sync_due;        /* the pass, or one that follows, ends with a sync */
    bool sync_now;        /* with the batch at hand */
    bool unsynced;        /* lines have been written since the last one */
    int export_result;
    struct reason export_why;
    int64_t export_at, anchor_at; /* ticks */
    struct store_heads heads;
    bool anchoring; /* they are being read */
    bool last;      /* for the anchor of the end */
    uint64_t incidents;
    struct records records;
    uint64_t pass; /* exports begun: each goes on until the store has nothing more */
    struct waiter *waiters;
    bool stopping;
    void (*stopped)(struct hub *);
};

/* ---- records ---- */

void trail_event(struct hub *hub, const struct audit_event *event)
{
    records_add(&hub->trail->records, event);
}

bool trail_failing(const struct hub *hub)
{
    return hub->trail->records.failing;
}

/* A gap must show. */
static void tell_lost(struct trail *trail)
{
    char reason[ACCORD_REASON_MAX];
    uint64_t lost = trail->records.failing ? 0 : records_lost(&trail->records);
    if (!lost)
        return;
    snprintf(reason, sizeof reason, "%" PRIu64 " audit records could not be kept while the store took none",
             lost);
    trail_incident(trail->hub, NULL, NULL, "audit.lost", reason);
}

void trail_incident(struct hub *hub, const char *agreement, const char *link, const char *rule,
                    const char *reason)
{
    struct audit_event event = {.action = AUDIT_INCIDENT,
                                .outcome = AUDIT_UNKNOWN,
                                .agreement = agreement,
                                .link = link,
                                .rule = rule,
                                .reason = reason};
    trail_event(hub, &event);
    trail_incident_told(hub, agreement, link, rule, reason);
}

void trail_incident_told(struct hub *hub, const char *agreement, const char *link, const char *rule,
                         const char *reason)
{
    struct log_about about = {agreement, link, NULL};
    log_event(ACCORD_ERROR, "hub.incident", &about, "INCIDENT %s: %s", rule, reason);
    hub->trail->incidents++;
}

uint64_t trail_incident_count(const struct hub *hub)
{
    return hub->trail->incidents;
}

/* ---- export ---- */

static void export_next(struct trail *trail);
static void export_begin(struct trail *trail);

/* What is over, with or without success: whoever waited for it goes on. */
static void release_waiters(struct trail *trail)
{
    struct waiter *list = trail->waiters;
    trail->waiters = NULL;
    while (list) {
        struct waiter *waiter = list;
        list = waiter->next;
        if (waiter->pass > trail->pass) {
            waiter->next = trail->waiters;
            trail->waiters = waiter;
            continue;
        }
        waiter->done(waiter->arg);
        free(waiter);
    }
}

/* `complete`: all of it is durable, or it failed. */
static void export_over(struct trail *trail, bool complete)
{
    trail->exporting = false;
    if (complete) {
        buf_fini(&trail->lines); /* a megabyte under load */
        release_waiters(trail);
    }
    trail->sync_due |= trail->waiters != NULL;
    if (trail->sync_due || trail->more)
        export_begin(trail);
}

static void export_failed(struct trail *trail)
{
    trail->export_at = clock_ticks() + EXPORT_PAUSE;
    trail->written = trail->exported;
    trail->sync_due = trail->unsynced = trail->more = false;
    export_over(trail, true);
}

static void export_work(uv_work_t *work)
{
    struct trail *trail = work->data;
    trail->export_result = export_write(trail->export, trail->lines.data, trail->lines.size,
                                        trail->verb.position, &trail->export_why);
    if (!trail->export_result && trail->sync_now)
        trail->export_result = export_sync(trail->export, &trail->export_why);
}

/* A batch that found little more was the last of its pass: what has come since waits for the next one. */
static bool is_last(const struct trail *trail)
{
    return trail->verb.count < EXPORT_LINES / 2;
}

static void export_worked(uv_work_t *work, int status)
{
    struct trail *trail = work->data;
    (void)status;
    if (trail->export_result) {
        log_event(ACCORD_ERROR, "audit.export-failed", NULL, "%s; trying again", trail->export_why.text);
        export_failed(trail);
        return;
    }
    trail->unsynced = !trail->sync_now;
    if (trail->sync_now) {
        trail->exported = trail->written;
        trail->sync_due = false;
    }
    if (is_last(trail))
        export_over(trail, trail->sync_now);
    else
        export_next(trail);
}

static void lines_read(void *arg, int result)
{
    struct trail *trail = arg;
    if (result) {
        log_event(ACCORD_ERROR, "audit.export-failed", NULL, "the store could not be read (%d)", result);
        export_failed(trail);
        return;
    }
    trail->written = trail->verb.position;
    trail->sync_now = trail->sync_due && is_last(trail);
    if (!trail->verb.count && !(trail->sync_now && trail->unsynced)) {
        trail->sync_due &= trail->unsynced;
        export_over(trail, !trail->unsynced);
        return;
    }
    trail->work.data = trail;
    uv_queue_work(&trail->hub->loop, &trail->work, export_work, export_worked);
}

static void export_next(struct trail *trail)
{
    buf_clear(&trail->lines);
    trail->more = false;
    trail->verb =
        (struct store_trail){.position = trail->written, .limit = EXPORT_LINES, .lines = &trail->lines};
    store_trail(trail->hub->store, &trail->verb, lines_read, trail);
}

static void export_begin(struct trail *trail)
{
    if (trail->exporting)
        return;
    trail->exporting = true;
    trail->pass++;
    export_next(trail);
}

/* Under load: what lies in memory is written before it is too much. */
static void lines_wait(void *arg)
{
    struct trail *trail = arg;
    trail->more = true;
    if (!trail->export_result)
        export_begin(trail);
}

uint64_t trail_position(const struct hub *hub)
{
    return hub->trail->exported;
}

int trail_exported(struct hub *hub, void (*done)(void *arg), void *arg)
{
    struct trail *trail = hub->trail;
    struct waiter *waiter = malloc(sizeof *waiter);
    if (!waiter)
        return ACCORD_ENOMEM;
    *waiter = (struct waiter){.next = trail->waiters, .pass = trail->pass + 1, .done = done, .arg = arg};
    trail->waiters = waiter;
    trail->sync_due = true;
    export_begin(trail);
    return 0;
}

/* ---- anchors ---- */

static void anchor_some(struct trail *trail, const struct audit_chain_head *heads, size_t count)
{
    struct anchor *anchor = calloc(1, sizeof *anchor);
    struct audit_event event = {0};
    struct reason why = {"out of memory"};
    if (anchor && anchor_make(anchor, trail->key, heads, count, clock_wall(), &event, &why) == 0)
        trail_event(trail->hub, &event);
    else
        log_event(ACCORD_ERROR, "audit.anchor-failed", NULL, "%s", why.text);
    if (anchor)
        anchor_fini(anchor);
    free(anchor);
}

static void anchor_heads(struct trail *trail)
{
    struct audit_chain_head heads[ANCHOR_HEADS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < trail->heads.count; i++) {
        heads[count++] = (struct audit_chain_head){trail->heads.rows[i].chain, trail->heads.rows[i].head};
        if (count < ANCHOR_HEADS_MAX && i + 1 < trail->heads.count)
            continue;
        anchor_some(trail, heads, count);
        count = 0;
    }
}

static void last_exported(void *arg)
{
    struct trail *trail = arg;
    trail->stopped(trail->hub);
}

static void anchor_now(struct trail *trail);

static void heads_read(void *arg, int result)
{
    struct trail *trail = arg;
    if (!result)
        anchor_heads(trail);
    free(trail->heads.rows);
    trail->heads = (struct store_heads){0};
    trail->anchoring = false;
    if (trail->stopping && !trail->last)
        anchor_now(trail);
    else if (trail->stopping && trail_exported(trail->hub, last_exported, trail) < 0)
        last_exported(trail);
}

static void anchor_now(struct trail *trail)
{
    if (trail->anchoring)
        return;
    trail->anchoring = true;
    trail->last = trail->stopping;
    store_heads(trail->hub->store, &trail->heads, heads_read, trail);
}

void trail_tick(struct hub *hub, int64_t ticks)
{
    struct trail *trail = hub->trail;
    if (trail->stopping)
        return;
    records_tick(&trail->records, ticks);
    tell_lost(trail);
    if (ticks >= trail->anchor_at) {
        trail->anchor_at = ticks + hub->conf->conf->agent.anchor_every;
        anchor_now(trail);
    }
    if (ticks >= trail->export_at) {
        trail->export_at = ticks + EXPORT_EVERY;
        trail->sync_due = true;
        export_begin(trail);
    }
}

/* ---- life ---- */

static void host_facts(void)
{
    char name[256] = "localhost", address[64] = "127.0.0.1";
    gethostname(name, sizeof name - 1);
    uv_interface_address_t *list;
    int count;
    if (uv_interface_addresses(&list, &count) == 0) {
        for (int i = 0; i < count; i++)
            if (!list[i].is_internal &&
                uv_ip_name((struct sockaddr *)&list[i].address, address, sizeof address) == 0)
                break;
        uv_free_interface_addresses(list, count);
    }
    audit_host_set(name, address);
}

struct resuming {
    struct hub *hub;
    uint64_t lost;
};

static void resume_chain(void *arg, const char *chain, const struct audit_head *last)
{
    struct resuming *resuming = arg;
    uint64_t lost = store_chain_resume(resuming->hub->store, chain, last);
    char reason[ACCORD_REASON_MAX];
    resuming->lost += lost;
    if (!lost || strcmp(chain, AUDIT_HOST_CHAIN) == 0)
        return; /* the host's chain tells of all of them */
    snprintf(reason, sizeof reason,
             "the store lost the last %" PRIu64 " records of this chain; its files have them", lost);
    struct audit_event event = {
        .action = AUDIT_STORE_DAMAGED, .outcome = AUDIT_FAILURE, .agreement = chain, .reason = reason};
    trail_event(resuming->hub, &event);
}

uint64_t trail_resume(struct hub *hub)
{
    struct resuming resuming = {.hub = hub};
    export_lasts(hub->trail->export, resume_chain, &resuming);
    return resuming.lost;
}

int trail_open(struct hub *hub, uint64_t store_end, struct reason *why)
{
    struct trail *trail = calloc(1, sizeof *trail);
    char folder[600];
    if (!trail)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    trail->hub = hub;
    trail->records.store = hub->store;
    hub->trail = trail;
    host_facts();
    snprintf(folder, sizeof folder, "%s/audit", hub->conf->conf->agent.state);
    struct export_config config = {.folder = folder, .fault = fault_point};
    int result = anchor_key_open(&trail->key, hub->conf->conf->agent.state, why);
    if (!result)
        result = export_open(&trail->export, &config, why);
    if (!result && export_position(trail->export) > store_end)
        result = export_rewind(trail->export, why);
    if (!result)
        trail->exported = trail->written = export_position(trail->export);
    store_trail_watch(hub->store, lines_wait, trail);
    trail->anchor_at = clock_ticks() + hub->conf->conf->agent.anchor_every;
    return result;
}

void trail_finish(struct hub *hub, void (*done)(struct hub *))
{
    hub->trail->stopping = true;
    hub->trail->stopped = done;
    records_give(&hub->trail->records);
    anchor_now(hub->trail);
}

void trail_close(struct hub *hub)
{
    struct trail *trail = hub->trail;
    if (!trail)
        return;
    if (trail->export)
        export_close(trail->export);
    if (trail->key)
        anchor_key_close(trail->key);
    records_fini(&trail->records);
    buf_fini(&trail->lines);
    free(trail);
    hub->trail = NULL;
}
