/* When a collection is polled, and what follows from an answer. */
#include "feed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_LEAST  1000 /* ms */
#define PAUSE_MOST   300000
#define NARROW_AFTER 3     /* failures with an answer that cannot be read */
#define NARROW_LEAST 60000 /* ms of a window */
#define STEP_LEAST                                                                                           \
    60000000 /* microseconds that a window without blocks must lead on, to be followed at once */

static void go_on(struct feed *feed);

static const struct accord_host *host_of(const struct feed *feed)
{
    return feed->link->host;
}

static int64_t ticks_of(const struct feed *feed)
{
    return host_of(feed)->ticks(feed->link->instance);
}

/* What is later than this the partner may not have filed yet. */
static int64_t head_of(const struct feed *feed)
{
    return host_of(feed)->wall(feed->link->instance) - feed->options->settle * 1000;
}

/* ---- what people are told ---- */

void feed_trouble(struct feed *feed, const char *rule, const char *format, ...)
{
    const struct link *link = feed->link;
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool same = strcmp(text, feed->trouble) == 0;
    snprintf(feed->trouble, sizeof feed->trouble, "%s", text);
    if (!same)
        link_log(feed->link, ACCORD_WARNING, "taxii.poll-failed", "%.100s: %.390s", feed->options->collection,
                 text);
    feed->raised = feed->raised && same;
    if (rule && *rule && !feed->raised) {
        feed->raised = true;
        link->host->incident(link->instance, rule, text);
    }
}

static void works(struct feed *feed)
{
    if (feed->trouble[0])
        link_log(feed->link, ACCORD_NOTICE, "taxii.poll-works", "%s is received from again",
                 feed->options->collection);
    feed->trouble[0] = '\0';
    feed->failures = 0;
    feed->failed_part = 0;
    feed->pause = 0;
}

static void on_silence(void *arg)
{
    struct feed *feed = arg;
    const struct accord_host *host = host_of(feed);
    int64_t silent = ticks_of(feed) - feed->last_new, left = feed->options->silent_after - silent;
    char text[ACCORD_REASON_MAX];
    if (left <= 0) {
        snprintf(text, sizeof text,
                 "nothing has come of the collection %.100s for %" PRId64 " hours and %" PRId64
                 " minutes%s%.200s: ask the "
                 "partner whether that is right",
                 feed->options->collection, silent / 3600000, silent / 60000 % 60,
                 feed->trouble[0] ? "; the last trouble was: " : "", feed->trouble);
        link_log(feed->link, ACCORD_WARNING, "taxii.feed-silent", "%s", text);
        host->incident(feed->link->instance, "taxii.feed-silent", text);
        left = feed->options->silent_after;
    }
    feed->silence = host->timer(feed->link->instance, left, on_silence, feed);
}

/* ---- when ---- */

static void on_timer(void *arg)
{
    struct feed *feed = arg;
    feed->timer = NULL;
    go_on(feed);
}

static void plan(struct feed *feed, int64_t at)
{
    const struct accord_host *host = host_of(feed);
    int64_t now = ticks_of(feed);
    if (feed->timer)
        host->timer_stop(feed->timer);
    feed->timer =
        feed->started ? host->timer(feed->link->instance, at > now ? at - now : 0, on_timer, feed) : NULL;
}

static void back_off(struct feed *feed, int64_t wait)
{
    feed->failures++;
    feed->failed_part = feed->at.part;
    feed->pause = feed->pause ? feed->pause * 2 : PAUSE_LEAST;
    if (feed->pause > PAUSE_MOST)
        feed->pause = PAUSE_MOST;
    feed->not_before = ticks_of(feed) + (wait > feed->pause ? wait : feed->pause);
    host_of(feed)->metric(feed->link->instance, "poll_failures", 1);
}

void feed_again(struct feed *feed, const char *reason)
{
    if (feed->again)
        return;
    feed->again = true;
    feed->full = false;
    if (feed->started)
        back_off(feed, 0);
    exchange_cancel(&feed->exchange, *reason ? reason : "from the last position that is held");
    blocks_cut(feed);
}

/* Everything that was begun has ended: from the last position that the hub has. */
static bool begin_anew(struct feed *feed)
{
    if (feed->open || exchange_runs(&feed->exchange))
        return false;
    blocks_cut(feed);
    feed->at = feed->held;
    feed->again = false;
    feed->behind = true; /* it may be more than was just asked for */
    return true;
}

/* ---- the answer ---- */

static int refuse(struct feed *feed, const char *why)
{
    status_broken(&feed->exchange.outcome, feed->exchange.asked, why);
    feed->exchange.judged = true;
    return ACCORD_EPROTO;
}

static int no_memory(struct feed *feed)
{
    outcome_set(&feed->exchange.outcome, MEANS_RETRY, "", "out of memory");
    feed->exchange.judged = true;
    return ACCORD_ENOMEM;
}

static int on_poll(void *arg, const struct answer_poll *poll)
{
    struct feed *feed = arg;
    if (strcmp(poll->collection, feed->options->collection) != 0)
        return refuse(feed, "it is of another collection than was asked for");
    if (poll->part != feed->at.part)
        return refuse(feed, "it is another part than was asked for");
    if (feed->at.part > 1 && *poll->result_id && strcmp(poll->result_id, feed->at.result) != 0)
        return refuse(feed, "it is of another result than was asked for");
    feed->told = true;
    feed->more = poll->more;
    snprintf(feed->result, sizeof feed->result, "%s", *poll->result_id ? poll->result_id : feed->at.result);
    snprintf(feed->end, sizeof feed->end, "%s", poll->end);
    return ACCORD_OK;
}

static int on_block(void *arg, const struct answer_block *block)
{
    struct feed *feed = arg;
    if (feed->again)
        return ACCORD_ECANCELED;
    return blocks_begin(feed, block) ? ACCORD_OK : no_memory(feed);
}

static int on_content(void *arg, const uint8_t *bytes, size_t size)
{
    struct feed *feed = arg;
    if (feed->again)
        return ACCORD_ECANCELED;
    return blocks_content(feed, bytes, size) ? ACCORD_OK : no_memory(feed);
}

static int on_block_end(void *arg, const char *label)
{
    struct feed *feed = arg;
    if (feed->again)
        return ACCORD_ECANCELED;
    return blocks_end(feed, label) ? ACCORD_OK : no_memory(feed);
}

static const struct answer_events events = {
    .poll = on_poll, .block = on_block, .content = on_content, .block_end = on_block_end};

/* An answer comes, so the session is one that lives: a request may have to begin anew before that. */
static bool has_room(struct exchange *exchange)
{
    struct feed *feed = (struct feed *)exchange;
    if (!feed->live) {
        feed->live = true;
        blocks_offer(feed); /* what was left over from the answer before */
    }
    feed->paused = !blocks_room(feed) && !feed->again;
    return !feed->paused;
}

static void on_ready(struct exchange *exchange, struct accord_session *session)
{
    ((struct feed *)exchange)->session = session;
}

void feed_moved(struct feed *feed)
{
    blocks_offer(feed);
    if (feed->paused && (feed->again || blocks_room(feed))) {
        feed->paused = false;
        exchange_go_on(&feed->exchange);
    }
    if (!exchange_runs(&feed->exchange) && (feed->again || blocks_wait(feed)))
        plan(feed, feed->not_before);
}

void feed_ready(struct feed *feed)
{
    feed->full = false;
    feed_moved(feed);
}

/* ---- what follows from it ---- */

static void fail(struct feed *feed, const struct outcome *outcome)
{
    bool parks = outcome->means == MEANS_PARK;
    struct outcome heard = *outcome;
    if (heard.broken && feed->failures + 1 < NARROW_AFTER)
        heard.rule[0] = '\0'; /* once or twice is no incident yet */
    feed->again = true;
    feed->full = false;
    blocks_cut(feed);
    back_off(feed, parks && feed->options->poll > heard.wait ? feed->options->poll : heard.wait);
    feed_trouble(feed, parks ? NULL : heard.rule, "%s", heard.reason);
    heard.rule[0] = parks ? heard.rule[0] : '\0'; /* feed_trouble() has raised it */
    link_hears(feed->link, &heard);
    if (outcome->broken && feed->failures >= NARROW_AFTER &&
        feed->options->window >> (feed->narrow + 1) >= NARROW_LEAST)
        feed->narrow++;
    if (outcome->gone) /* nothing of the result can be asked for any more */
        position_again(&feed->held);
}

static void fail_with(struct feed *feed, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail_with(struct feed *feed, const char *rule, const char *format, ...)
{
    struct outcome outcome = {.broken = true, .gone = true, .parts = -1};
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    outcome_set(&outcome, MEANS_RETRY, rule, "%s", text);
    fail(feed, &outcome);
}

/* The next part; false: it cannot be. */
static bool to_next_part(struct feed *feed, struct position *next)
{
    int64_t part = feed->at.part;
    if (!feed->result[0])
        fail_with(feed, "taxii.protocol",
                  "the partner says that there is more, and gives no result id to ask for it");
    else if (part >= feed->options->max_parts)
        fail_with(feed, "taxii.too-many-parts",
                  "part %" PRId64
                  " of a result is not its last one: smaller windows are asked for (max-parts)",
                  part);
    else if (part > 1 && feed->came && feed->digest == feed->digest_before)
        fail_with(feed, "taxii.repeats",
                  "the partner gives the same blocks as part %" PRId64 " and as the one before", part);
    else if (!position_next_part(next, feed->result, part))
        fail_with(feed, "taxii.protocol", "the partner's result id is too long to be kept");
    else
        return true;
    return false;
}

/* All parts of the window are there. */
static void to_next_window(struct feed *feed, struct position *next)
{
    int64_t begin = feed->at.begin, end = feed->at.end, window = feed->options->window * 1000;
    position_next_window(next, feed->end, host_of(feed)->wall(feed->link->instance));
    bool whole = end != STAMP_NONE && begin != STAMP_NONE && end - begin >= window >> feed->narrow;
    feed->behind = whole && (feed->came > 0 || feed->at.part > 1 || next->begin - begin >= STEP_LEAST ||
                             next->begin >= end);
    if (feed->narrow)
        feed->narrow--;
}

static void succeed(struct feed *feed)
{
    struct position next = feed->at;
    const struct link *link = feed->link;
    if (!feed->told) {
        fail_with(feed, "taxii.protocol", "the partner's answer to a poll does not say what it is");
        return;
    }
    if (feed->more && !to_next_part(feed, &next))
        return;
    if (!feed->more)
        to_next_window(feed, &next);
    else
        feed->behind = true;
    feed->digest_before = feed->digest;
    if (!position_same(&next, &feed->held) || blocks_wait(feed)) {
        if (!blocks_part(feed, &next)) {
            fail_with(feed, "", "out of memory");
            return;
        }
    }
    link->host->metric(link->instance, "polls", 1);
    feed->at = next;
    feed->due = feed->behind ? 0 : ticks_of(feed) + feed->options->poll;
    if (!feed->more || next.part - 1 > feed->failed_part)
        works(feed);
}

/* There are no more parts, though the last one said so: by the partner's own word everything was taken. */
static bool ended_early(const struct feed *feed, const struct outcome *outcome)
{
    return outcome->gone && outcome->parts >= 1 && outcome->parts == feed->at.part - 1;
}

static void on_done(struct exchange *exchange, const struct outcome *outcome)
{
    struct feed *feed = (struct feed *)exchange;
    feed->paused = false;
    if (!feed->started || feed->again || outcome->means == MEANS_CANCELED) {
        feed->again = true;
        blocks_cut(feed);
    } else if (outcome->means == MEANS_DONE) {
        succeed(feed);
    } else if (ended_early(feed, outcome)) {
        link_log(feed->link, ACCORD_WARNING, "taxii.fewer-parts", "%s", outcome->reason);
        feed->told = true;
        feed->more = false;
        succeed(feed);
    } else {
        fail(feed, outcome);
    }
    feed->live = false; /* it may be used by others, or be closed */
    exchange_fini(exchange);
    blocks_tidy(feed);
    go_on(feed);
}

/* ---- the question ---- */

static bool is_set(const struct feed *feed)
{
    return catalogue_is_set(feed->link, feed->options->collection);
}

static void write_poll(struct feed *feed)
{
    const struct dialect *dialect = feed->link->dialect;
    const struct service_options *options = feed->options;
    char begin[STAMP_TEXT], end[STAMP_TEXT];
    struct dialect_poll poll = {.collection = options->collection,
                                .subscription = options->subscription,
                                .bindings = options->bindings.items,
                                .binding_count = options->bindings.count};
    if (feed->at.begin != STAMP_NONE)
        poll.begin = stamp_write(feed->at.begin, begin);
    if (feed->at.end != STAMP_NONE)
        poll.end = stamp_write(feed->at.end, end);
    dialect->poll(&feed->exchange.draft, feed->exchange.id, &poll);
}

/* Sets what is to be asked for; false: nothing can be yet. */
static bool aim(struct feed *feed)
{
    struct position *at = &feed->at;
    int64_t head = head_of(feed);
    if (at->part > 1)
        return true;
    if (is_set(feed)) {
        *at = (struct position){.begin = STAMP_NONE, .end = STAMP_NONE, .part = 1};
        return true;
    }
    if (at->begin == STAMP_NONE)
        at->begin = head - feed->options->start * 1000 > 0 ? head - feed->options->start * 1000 : 0;
    if (feed->held.begin == STAMP_NONE)
        feed->held.begin = at->begin; /* whatever fails, it is asked for from there */
    if (at->begin > head + 300 * INT64_C(1000000))
        feed_trouble(feed, "taxii.clock",
                     "it was read up to a time that has not come yet: our clock was set back, or was wrong "
                     "before; nothing is "
                     "asked for until then");
    return position_window(at, feed->options->window >> feed->narrow, head);
}

static void begin(struct feed *feed, const char *path)
{
    struct link *link = feed->link;
    const struct dialect_part part = {feed->options->collection, feed->at.result, feed->at.part};
    exchange_init(&feed->exchange, link, feed->at.part > 1 ? ASKED_PART : ASKED_POLL, &events, on_done);
    feed->exchange.ready = on_ready;
    feed->exchange.room = has_room;
    feed->told = feed->more = false;
    feed->came = 0;
    feed->digest = UINT64_C(14695981039346656037);
    feed->end[0] = feed->result[0] = '\0';
    if (feed->at.part > 1)
        link->dialect->part(&feed->exchange.draft, feed->exchange.id, &part);
    else
        write_poll(feed);
    if (exchange_begin(&feed->exchange, path))
        return;
    exchange_fini(&feed->exchange);
    fail_with(feed, "", "out of memory");
    plan(feed, feed->not_before);
}

static void ask(struct feed *feed)
{
    struct link *link = feed->link;
    struct outcome why;
    enum catalogue_found found = catalogue_want(link, &feed->wait);
    if (found == CATALOGUE_WAIT)
        return;
    if (found == CATALOGUE_NO_MEMORY) {
        back_off(feed, 0);
        plan(feed, feed->not_before);
        return;
    }
    const char *path = catalogue_poll_path(link, feed->options->collection, &why);
    if (!path) {
        fail(feed, &why);
        plan(feed, feed->not_before);
    } else if (aim(feed)) {
        begin(feed, path);
    } else {
        feed->due = ticks_of(feed) + feed->options->poll;
        plan(feed, feed->due);
    }
}

static void on_catalogue(struct catalogue_wait *wait, const struct outcome *failed)
{
    struct feed *feed = (struct feed *)((char *)wait - offsetof(struct feed, wait));
    if (failed)
        fail(feed, failed);
    go_on(feed);
}

static void go_on(struct feed *feed)
{
    int64_t now = ticks_of(feed);
    if (!feed->started || exchange_runs(&feed->exchange) || feed->wait.waits)
        return;
    if (feed->again && !begin_anew(feed))
        return;                    /* feed_moved() comes here again */
    bool left = blocks_wait(feed); /* was not taken while the session was there: it goes over the next one */
    if (left && feed->full)
        return; /* feed_ready() */
    int64_t at = feed->behind || left           ? feed->not_before
                 : feed->due > feed->not_before ? feed->due
                                                : feed->not_before;
    if (at > now)
        plan(feed, at);
    else
        ask(feed);
}

/* ---- life ---- */

struct feed *feed_new(struct link *link, size_t service)
{
    struct feed *feed = calloc(1, sizeof *feed);
    const char *cursor = link->setup->services[service]->cursor;
    if (!feed)
        return NULL;
    feed->link = link;
    feed->service = service;
    feed->options = link_service(link, service);
    feed->wait.run = on_catalogue;
    feed->last = &feed->blocks;
    feed->held = (struct position){.begin = STAMP_NONE, .end = STAMP_NONE, .part = 1};
    feed->print = fingerprint_method();
    if (!feed->print) {
        free(feed);
        return NULL;
    }
    if (cursor && *cursor && !position_read(&feed->held, cursor)) {
        link_log(link, ACCORD_ERROR, "taxii.cursor",
                 "service %s: its cursor is not one that this version writes; it is polled from `start` on",
                 link->setup->services[service]->name);
        link->host->incident(
            link->instance, "taxii.cursor",
            "a feed's cursor cannot be read: the feed begins anew at `start`; what is older and was not "
            "received yet has to be asked for with a larger `start`");
    }
    feed->at = feed->held;
    feed->behind = true;
    return feed;
}

void feed_start(struct feed *feed)
{
    const struct accord_host *host = host_of(feed);
    feed->started = true;
    feed->last_new = ticks_of(feed);
    if (feed->options->silent_after && !feed->silence)
        feed->silence = host->timer(feed->link->instance, feed->options->silent_after, on_silence, feed);
    plan(feed, feed->not_before); /* nothing is dialled before `start` returns */
}

static void stop_timer(struct feed *feed, struct accord_timer **timer)
{
    if (*timer)
        host_of(feed)->timer_stop(*timer);
    *timer = NULL;
}

void feed_stop(struct feed *feed)
{
    feed->started = false;
    stop_timer(feed, &feed->timer);
    stop_timer(feed, &feed->silence);
    catalogue_leave(feed->link, &feed->wait);
    feed_again(feed, "the link is stopping");
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    feed->started = false;
    stop_timer(feed, &feed->timer);
    stop_timer(feed, &feed->silence);
    blocks_clear(feed);
    exchange_fini(&feed->exchange);
    EVP_MAC_free(feed->print);
    free(feed);
}
