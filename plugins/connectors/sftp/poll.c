#include "poll.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_LEAST 1000 /* ms */
#define PAUSE_MOST  60000

static int64_t ticks_of(const struct poll *poll)
{
    return poll->link->host->ticks(poll->link->instance);
}

bool poll_path(const struct poll *poll, const char *below, char path[SFTP_PATH_MAX])
{
    const char *folder = poll->options->directory;
    const char *slash = !*below || folder[strlen(folder) - 1] == '/' ? "" : "/";
    int size = snprintf(path, SFTP_PATH_MAX, "%s%s%s", folder, slash, below);
    return size > 0 && size < SFTP_PATH_MAX;
}

/* ---- what people are told ---- */

void poll_trouble(struct poll *poll, const char *rule, const char *format, ...)
{
    const struct link *link = poll->link;
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    poll->trouble_pass = poll->pass;
    if (strcmp(text, poll->trouble) == 0)
        return;
    snprintf(poll->trouble, sizeof poll->trouble, "%s", text);
    link_log(poll->link, ACCORD_WARNING, "sftp.poll", "%s", text);
    if (rule)
        link->host->incident(link->instance, rule, text);
}

void poll_works(struct poll *poll)
{
    if (poll->trouble[0] && poll->trouble_pass != poll->pass) {
        link_log(poll->link, ACCORD_NOTICE, "sftp.poll", "%s is received from again",
                 poll->options->directory);
        poll->trouble[0] = '\0';
    }
}

/* ---- when ---- */

static void go_on(struct poll *poll);

static void on_timer(void *arg)
{
    struct poll *poll = arg;
    int64_t now = ticks_of(poll);
    poll->timer = NULL;
    for (struct fetch *fetch = poll->fetches; fetch; fetch = fetch->next)
        fetch_look(fetch, now); /* a session breaks later, never now */
    if (poll->listing)
        listing_look(poll->listing, now);
    go_on(poll);
}

static size_t most_at_once(const struct poll *poll)
{
    const struct link_options *options = poll->link->options;
    return (size_t)(options->files * options->connections);
}

static bool queue_waits(const struct poll *poll)
{
    return !poll->listing && poll->queue.at < poll->queue.count; /* it is in order only after the listing */
}

static bool may_list(const struct poll *poll)
{
    return !poll->listing && !queue_waits(poll) && !poll->again;
}

static void plan(struct poll *poll)
{
    const struct accord_host *host = poll->link->host;
    int64_t now = ticks_of(poll), at = INT64_MAX;
    if (poll->timer)
        host->timer_stop(poll->timer);
    poll->timer = NULL;
    if (may_list(poll))
        at = poll->list_at;
    if ((poll->again || queue_waits(poll)) && poll->fetching < most_at_once(poll) && poll->not_before < at)
        at = poll->not_before;
    if ((poll->fetches || poll->listing) && now + poll->link->options->timeout / 2 < at)
        at = now + poll->link->options->timeout / 2; /* to look */
    if (poll->started && at != INT64_MAX)
        poll->timer = host->timer(poll->link->instance, at > now ? at - now : 0, on_timer, poll);
}

static void back_off(struct poll *poll)
{
    int64_t now = ticks_of(poll);
    if (poll->not_before > now)
        return; /* the same trouble of several files is one */
    poll->pause = poll->pause ? poll->pause * 2 : PAUSE_LEAST;
    if (poll->pause > PAUSE_MOST)
        poll->pause = PAUSE_MOST;
    poll->not_before = now + poll->pause;
}

/* ---- fetching ---- */

static struct seen *state_of(struct poll *poll, const struct found *found, enum seen_state state)
{
    struct seen *seen = seen_find(&poll->seen, found->key);
    if (seen)
        seen->state = (uint8_t)state;
    return seen;
}

static bool begin_next(struct poll *poll)
{
    struct found *found;
    if (poll->again) {
        fetch_again(poll->again);
        return true;
    }
    if (!queue_waits(poll))
        return false;
    found = queue_next(&poll->queue);
    if (!queue_waits(poll))
        queue_next(&poll->queue); /* lets go of its memory */
    struct seen *seen = state_of(poll, found, SEEN_BUSY);
    if (!seen) { /* forgotten meanwhile */
        free(found);
        return true;
    }
    if (!fetch_new(poll, found, SEEN_NEW)) {
        seen->state = SEEN_NEW;
        back_off(poll);
        return false;
    }
    return true;
}

static void begin_listing(struct poll *poll)
{
    poll->pass++;
    poll->settled_at = 0;
    poll->full = false;
    poll->listing = listing_new(poll);
    if (!poll->listing)
        back_off(poll);
    if (!poll->listing)
        poll->list_at = poll->not_before;
}

static void go_on(struct poll *poll)
{
    int64_t now = ticks_of(poll);
    while (poll->started && poll->fetching < most_at_once(poll) && now >= poll->not_before &&
           begin_next(poll))
        ;
    if (poll->full && !queue_waits(poll)) /* there is more where that came from */
        poll->list_at = now;
    if (poll->started && may_list(poll) && now >= poll->list_at)
        begin_listing(poll);
    plan(poll);
}

void poll_ready(struct poll *poll)
{
    struct fetch *next;
    for (struct fetch *fetch = poll->fetches; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->wants_offer && (!poll->owed || fetch->again))
            fetch_offer(fetch);
    }
    pool_soon(poll->link);
}

/* ---- what became of a file ---- */

static void to_again(struct poll *poll, struct fetch *fetch)
{
    struct fetch **last = &poll->again;
    *fetch->at = fetch->next;
    if (fetch->next)
        fetch->next->at = fetch->at;
    while (*last)
        last = &(*last)->next;
    fetch->next = NULL;
    fetch->at = last;
    *last = fetch;
}

void poll_fetched(struct poll *poll, struct fetch *fetch, enum fetch_end end, enum seen_state state)
{
    poll->fetching--;
    if (end == FETCH_DEFERRED && poll->started) {
        poll->owed += !fetch->again;
        fetch->again = true;
        to_again(poll, fetch);
        back_off(poll);
        go_on(poll);
        return;
    }
    struct seen *seen = state_of(poll, fetch->found, end == FETCH_DONE ? state : SEEN_NEW);
    if (end != FETCH_DONE)
        mark_remove(&poll->mark, fetch->found);
    if (seen && end == FETCH_CHANGED)
        seen->since = ticks_of(poll), seen->size = UINT64_MAX; /* it has to settle again */
    if (seen && end == FETCH_LATER)
        seen->since = ticks_of(poll) + PAUSE_LEAST; /* those that can be read go first */
    if (end == FETCH_FAILED || end == FETCH_DEFERRED)
        back_off(poll);
    else if (end == FETCH_DONE)
        poll->pause = 0;
    bool owed = fetch->again;
    fetch_free(fetch);
    if (owed && --poll->owed == 0)
        poll_ready(poll);
    go_on(poll);
}

/* ---- what a listing finds ---- */

static bool is_newer(const struct poll *poll, uint32_t modified)
{
    return !poll->mark.any || modified > poll->mark.modified;
}

/* A path that was not there before, or is not as it was. */
static void meet(struct poll *poll, struct seen *seen, const char *path)
{
    struct found *found = found_new(path, seen->size, seen->modified, true);
    seen->since = ticks_of(poll);
    seen->state = SEEN_NEW;
    seen->told = false;
    if (found && poll->options->after == AFTER_KEEP && mark_has(&poll->mark, found, poll->options->look_back))
        seen->state = SEEN_LEFT;
    free(found);
}

static void offer_soon(struct poll *poll, const struct seen *seen, const char *path, bool typed)
{
    int64_t due = seen->since + poll->options->settle;
    if (due > ticks_of(poll)) {
        if (!poll->settled_at || due < poll->settled_at)
            poll->settled_at = due;
        return;
    }
    struct found *found = found_new(path, seen->size, seen->modified, typed);
    if (found)
        queue_add(&poll->queue, found);
}

/* What could not be put away is tried again. */
static void put_away(struct poll *poll, struct seen *seen, const char *path)
{
    if (poll->fetching >= most_at_once(poll) || ticks_of(poll) < poll->not_before)
        return;
    struct found *found = found_new(path, seen->size, seen->modified, true);
    enum seen_state due = (enum seen_state)seen->state;
    seen->state = SEEN_BUSY;
    if (!found || !fetch_new(poll, found, due))
        seen->state = (uint8_t)due;
}

void poll_found(struct poll *poll, const char *path, const struct sftp_attrs *attrs, bool typed)
{
    uint64_t key = found_key(path);
    struct seen *seen = seen_find(&poll->seen, key);
    if (!(attrs->flags & SFTP_ATTR_SIZE) || !(attrs->flags & SFTP_ATTR_TIMES)) {
        poll_trouble(poll, "sftp.no-sizes",
                     "%s: the partner lists files without size or time, which cannot "
                     "be received",
                     poll->options->directory);
        return;
    }
    bool new = !seen;
    if (new && (poll->seen.count < SEEN_MOST - 1024 || poll->options->after != AFTER_KEEP ||
                is_newer(poll, attrs->modified)))
        seen = seen_add(&poll->seen, key);
    if (!seen) {
        poll_trouble(poll, "sftp.too-many-files",
                     "%s: more than %d files: some have to wait until others are gone",
                     poll->options->directory, SEEN_MOST);
        return;
    }
    seen->pass = poll->pass;
    if (seen->state == SEEN_BUSY && !new)
        return;
    if (new || seen->size != attrs->size || seen->modified != attrs->modified) {
        seen->size = attrs->size;
        seen->modified = attrs->modified;
        meet(poll, seen, path);
    }
    if (seen->state == SEEN_NEW)
        offer_soon(poll, seen, path, typed);
    else if (seen->state == SEEN_HELD || seen->state == SEEN_REJECTED)
        put_away(poll, seen, path);
}

void poll_listed(struct poll *poll, bool whole, const char *reason)
{
    int64_t now = ticks_of(poll);
    poll->listing = NULL;
    if (whole)
        seen_sweep(&poll->seen, poll->pass);
    queue_sort(&poll->queue);
    poll->full = poll->queue.more;
    if (reason && poll->started) {
        poll_trouble(poll, "sftp.poll-failed", "%s cannot be received from: %s", poll->options->directory,
                     reason);
        back_off(poll);
        poll->list_at = poll->not_before;
    } else {
        poll_works(poll);
        poll->list_at = now + poll->options->poll;
        if (poll->settled_at && poll->settled_at < poll->list_at)
            poll->list_at = poll->settled_at;
    }
    go_on(poll);
}

/* ---- life ---- */

struct poll *poll_new(struct link *link, size_t service)
{
    struct poll *poll = calloc(1, sizeof *poll);
    if (!poll)
        return NULL;
    poll->link = link;
    poll->service = service;
    poll->options = link_service(link, service);
    const char *cursor = link->setup->services[service]->cursor;
    if (poll->options->after == AFTER_KEEP && !mark_read(&poll->mark, cursor ? cursor : ""))
        link_log(
            link, ACCORD_WARNING, "sftp.cursor",
            "service %s: its cursor is not one that this version knows; everything there is offered again",
            link->setup->services[service]->name);
    return poll;
}

void poll_start(struct poll *poll)
{
    poll->started = true;
    poll->list_at = 0;
    plan(poll); /* nothing is dialled before `start` returns */
}

void poll_stop(struct poll *poll)
{
    poll->started = false;
    listing_free(poll->listing);
    poll->listing = NULL;
    queue_fini(&poll->queue);
    while (poll->again) {
        state_of(poll, poll->again->found, SEEN_NEW);
        mark_remove(&poll->mark, poll->again->found);
        poll->owed--;
        fetch_free(poll->again);
    }
    plan(poll);
}

void poll_free(struct poll *poll)
{
    if (!poll)
        return;
    poll_stop(poll);
    while (poll->fetches)
        fetch_free(poll->fetches);
    seen_fini(&poll->seen);
    free(poll);
}
