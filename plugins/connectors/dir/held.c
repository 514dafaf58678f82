#include "held.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY_FIRST 1000 /* ms until a deferred file is offered again; doubles */
#define TRY_LAST  60000
#define TRY_ROOM  3000 /* the longest wait for room in the store, which may be there at any time */

static void step_run(void *arg)
{
    struct held *held = arg;
    const struct claim_place *place = &held->intake->place;
    switch (held->step) {
    case HELD_TAKE:
        held->result = claim_take(place, &held->file);
        break;
    case HELD_OPEN:
        held->result = claim_open(place, &held->file);
        break;
    case HELD_READ:
        held->result = claim_read(&held->file, held->offset, held->piece, held->wanted, &held->got);
        break;
    case HELD_ACCEPT:
        held->result = claim_accept(place, &held->file);
        break;
    case HELD_REJECT:
        held->result = claim_reject(place, &held->file, held->reason_text);
        break;
    case HELD_PUT_BACK:
        held->result = claim_put_back(place, &held->file);
        break;
    }
}

static void step_done(void *arg);
static void try_later(struct held *);

static void set_active(struct held *held, bool active)
{
    held->intake->active += active;
    held->intake->active -= held->active;
    held->active = active;
}

static void end(struct held *held)
{
    struct intake *intake = held->intake;
    struct held **at = &intake->held;
    while (*at != held)
        at = &(*at)->next;
    *at = held->next;
    intake->held_count--;
    set_active(held, false);
    claim_close(&held->file);
    free(held->piece);
    free(held->reason_text);
    free(held);
    if (intake->closed)
        intake_release(intake);
    else
        intake_pump(intake);
}

static void give_up(struct held *held)
{
    if (held->offer)
        held->intake->dir->host->offer_abort(held->offer);
    held->offer = NULL;
}

static void step_begin(struct held *held, enum held_step step)
{
    const struct dir *dir = held->intake->dir;
    held->step = step;
    held->busy = true;
    if (dir->host->work(dir->instance, step_run, step_done, held) == 0)
        return;
    held->busy = false; /* no thread to be had */
    give_up(held);
    try_later(held);
}

static void tell(const struct held *held, enum accord_level level, const char *event, const char *text)
{
    char name[NAME_ROOM];
    name_safe(name, held->file.name);
    dir_log(held->intake->dir, level, event, "%s/%s: %s", held->intake->path, name, text);
}

/* ---- later ---- */

static void try_again(struct held *held)
{
    held->again = false;
    set_active(held, true);
    if (held->judged)
        step_begin(held, held->admission == ACCORD_ACCEPTED ? HELD_ACCEPT : HELD_REJECT);
    else
        step_begin(held, HELD_OPEN);
}

static void on_timer(void *);

static void wait_for(struct held *held, int64_t ms)
{
    const struct dir *dir = held->intake->dir;
    held->timer = dir->host->timer(dir->instance, ms, on_timer, held);
    held->again = !held->timer;
}

static void on_timer(void *arg)
{
    struct held *held = arg;
    held->timer = NULL;
    held->again = true;
    if (held->intake->started && held->intake->active < INTAKE_OFFERS)
        try_again(held);
    else if (held->intake->started)
        wait_for(held, TRY_FIRST);
}

void held_resume(struct held *held)
{
    if (held->again && !held->busy)
        try_again(held);
}

/* It stays claimed, and is offered (or finished) again after a while; others go on. */
static void try_later(struct held *held)
{
    int64_t wait = TRY_FIRST, longest = held->no_room ? TRY_ROOM : TRY_LAST;
    for (unsigned i = 0; i < held->tries && wait < longest; i++)
        wait *= 2;
    held->tries++;
    if (!held->judged)
        claim_close(&held->file);
    free(held->piece);
    held->piece = NULL;
    set_active(held, false);
    wait_for(held, wait < longest ? wait : longest);
    intake_pump(held->intake);
}

/* ---- offering ---- */

static void source_id(const struct held *held, char to[128])
{
    const struct facts *facts = &held->file.facts;
    snprintf(to, 128, "inode:%" PRIu64 ":%" PRId64 ":%" PRId64, facts->inode, facts->size, facts->mtime_ns);
}

void held_offer(struct held *held)
{
    const struct intake *intake = held->intake;
    char name[NAME_ROOM], id[128];
    held->waiting = true;
    if (!intake->started)
        return;
    name_safe(name, held->file.name);
    source_id(held, id);
    const struct accord_incoming message = {.name = name, .source_id = id, .size = held->file.facts.size};
    held->offset = held->credit = 0;
    held->complete = false;
    held->offer = intake->dir->host->offer(intake->dir->instance, intake->index, &message, held);
    held->waiting = !held->offer;
}

static void read_more(struct held *held)
{
    if (held->busy || held->complete || !held->offer || held->credit <= 0)
        return;
    if (!held->piece && !(held->piece = malloc(ACCORD_PIECE_MAX))) {
        tell(held, ACCORD_ERROR, "dir.memory", "out of memory; it is tried again");
        give_up(held);
        try_later(held);
        return;
    }
    held->wanted = held->credit < ACCORD_PIECE_MAX ? (size_t)held->credit : ACCORD_PIECE_MAX;
    step_begin(held, HELD_READ);
}

void intake_pull(struct held *held, int64_t bytes)
{
    held->credit += bytes;
    read_more(held);
}

/* ---- verdicts ---- */

/* What becomes of it now, in the reason file. Of what was refused unread the agent has nothing. */
static void compose_advice(const struct accord_admitted *admitted, char *to, size_t room)
{
    if (admitted->admission == ACCORD_QUARANTINED)
        snprintf(to, room, "The agent keeps a copy in quarantine: accord explain %s\n", admitted->id);
    else
        snprintf(to, room, "The agent did not read it and has no copy: this file is the only one.\n");
}

static void compose_reason(struct held *held, const struct accord_admitted *admitted)
{
    const struct dir *dir = held->intake->dir;
    char name[NAME_ROOM], when[32], advice[256];
    time_t now = (time_t)(dir->host->wall(dir->instance) / 1000000);
    struct tm tm;
    name_safe(name, held->file.name);
    compose_advice(admitted, advice, sizeof advice);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (asprintf(
            &held->reason_text,
            "This file was not accepted.\n\n"
            "file:    %s\nrule:    %s\nreason:  %s\nmessage: %s\ntime:    %s\nservice: %s/%s\n\n"
            "%s"
            "What to do: correct the file and put it into the folder again. To offer it again as it is "
            "(after\n"
            "the agreement has changed), copy it back with cp; then remove it and this file from here.\n",
            name, admitted->rule, admitted->reason, *admitted->id ? admitted->id : "none", when,
            dir->setup->agreement, held->intake->service->name, advice) < 0)
        held->reason_text = NULL;
}

static bool refused(const struct held *held)
{
    return held->admission == ACCORD_QUARANTINED || held->admission == ACCORD_REJECTED;
}

static void act(struct held *held)
{
    if (held->admission == ACCORD_DEFERRED) {
        held->judged = false;
        try_later(held);
    } else if (refused(held) && held->reason_text) {
        step_begin(held, HELD_REJECT);
    } else if (held->admission == ACCORD_ACCEPTED) {
        held->tries = 0;
        step_begin(held, HELD_ACCEPT);
    } else {
        held->judged = false; /* no memory for the reason: ask again, the hub knows the repeat */
        try_later(held);
    }
}

void intake_verdict(struct held *held, const struct accord_admitted *admitted)
{
    held->offer = NULL;
    held->judged = true;
    held->admission = admitted->admission;
    held->no_room = strcmp(admitted->rule, "hub.store-full") == 0;
    if (refused(held))
        compose_reason(held, admitted);
    if (admitted->admission == ACCORD_DEFERRED)
        tell(held, ACCORD_INFO, "dir.deferred", admitted->reason);
    if (!held->busy)
        act(held);
}

/* ---- what a step came to ---- */

static void taken(struct held *held)
{
    switch (held->result) {
    case CLAIM_DONE:
        held_offer(held);
        return;
    case CLAIM_KEPT:
        tell(held, ACCORD_WARNING, "dir.kept", held->file.why);
        try_later(held);
        return;
    case CLAIM_REFUSED:
        tell(held, ACCORD_WARNING, "dir.refused",
             "it is not a regular file with one name; it was left alone");
        break;
    case CLAIM_FAILED:
        tell(held, ACCORD_ERROR, "dir.disk", held->file.why);
        break;
    case CLAIM_CHANGED:
        tell(held, ACCORD_NOTICE, "dir.growing",
             "it changed while it was claimed; it was put back to settle");
        break;
    case CLAIM_GONE:
    case CLAIM_BUSY:
        break;
    }
    end(held);
}

static void opened(struct held *held)
{
    if (held->result == CLAIM_DONE) {
        held_offer(held);
    } else if (held->result == CLAIM_GONE) {
        end(held);
    } else if (held->result == CLAIM_REFUSED) {
        step_begin(held, HELD_PUT_BACK);
    } else {
        tell(held, ACCORD_ERROR, "dir.disk", held->file.why);
        try_later(held);
    }
}

static void piece_read(struct held *held)
{
    if (held->judged) {
        act(held);
        return;
    }
    if (held->result == CLAIM_CHANGED) {
        give_up(held);
        tell(held, ACCORD_WARNING, "dir.growing",
             "it was still being written to after it had settled; it was put back. Write it under a hidden "
             "name and "
             "rename it, or make `settle` longer");
        step_begin(held, HELD_PUT_BACK);
        return;
    }
    if (held->result != CLAIM_DONE) {
        give_up(held);
        tell(held, ACCORD_ERROR, "dir.disk", held->file.why);
        try_later(held);
        return;
    }
    held->credit -= (int64_t)held->got;
    held->offset += (int64_t)held->got;
    held->complete = held->offset == held->file.facts.size;
    held->intake->dir->host->offer_write(held->offer, held->piece, held->got, held->complete);
    read_more(held);
}

static void finished(struct held *held)
{
    if (held->result == CLAIM_DONE && held->step == HELD_REJECT)
        tell(held, ACCORD_NOTICE, "dir.rejected", "it was moved to rejected/, with the reason beside it");
    if (held->result == CLAIM_DONE || held->result == CLAIM_GONE) {
        end(held);
    } else if (held->result == CLAIM_CHANGED) {
        tell(
            held, ACCORD_WARNING, "dir.growing",
            "it was written to after it had been accepted; it was put back and will be offered as it is now");
        step_begin(held, HELD_PUT_BACK);
    } else {
        tell(held, ACCORD_ERROR, "dir.disk", held->file.why);
        try_later(held);
    }
}

static void put_back(struct held *held)
{
    if (held->result == CLAIM_DONE || held->result == CLAIM_GONE) {
        end(held);
        return;
    }
    tell(held, ACCORD_WARNING, "dir.kept", held->file.why);
    held->judged = false;
    try_later(held);
}

static void step_done(void *arg)
{
    struct held *held = arg;
    held->busy = false;
    if (held->intake->closed) {
        end(held);
        return;
    }
    switch (held->step) {
    case HELD_TAKE:
        taken(held);
        break;
    case HELD_OPEN:
        opened(held);
        break;
    case HELD_READ:
        piece_read(held);
        break;
    case HELD_ACCEPT:
    case HELD_REJECT:
        finished(held);
        break;
    case HELD_PUT_BACK:
        put_back(held);
        break;
    }
}

/* ---- begin and end ---- */

void held_begin(struct intake *intake, const struct found *found, bool claimed)
{
    struct held *held = calloc(1, sizeof *held);
    if (!held)
        return; /* a later pass finds it again */
    held->intake = intake;
    held->file.fd = -1;
    held->file.facts = found->facts;
    memcpy(held->file.name, found->name, sizeof held->file.name);
    held->next = intake->held;
    intake->held = held;
    intake->held_count++;
    set_active(held, true);
    step_begin(held, claimed ? HELD_OPEN : HELD_TAKE);
}

void held_abort(struct held *held)
{
    give_up(held);
    if (held->timer)
        held->intake->dir->host->timer_stop(held->timer);
    held->timer = NULL;
    if (!held->busy)
        end(held);
}
