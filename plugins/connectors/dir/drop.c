#include "drop.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parcel.h"

#define WINDOW (2 * ACCORD_PIECE_MAX) /* payload asked for and not yet written */

const char *const dir_modes[] = {"0640", "0600", "0644", "0660", "0664", "0666", NULL};
static const mode_t mode_bits[] = {0640, 0600, 0644, 0660, 0664, 0666};

enum step { STEP_OPEN, STEP_WRITE, STEP_PUBLISH, STEP_CLOSE };

struct bytes {
    uint8_t data[WINDOW];
    size_t size;
};

/* One delivery. */
struct parcel {
    struct drop *drop;
    struct parcel *next;
    const struct accord_outgoing *out; /* NULL: finished */
    struct parcel_file file;
    bool busy;
    enum step step;
    int result;
    bool cancelled, last;
    struct bytes *filling, *writing; /* exchanged when a write begins */
    struct accord_result end;        /* to be told once the file is closed */
    char reason[WHY_ROOM + 64], receipt[1024];
};

struct drop {
    struct dir *dir;
    struct parcel_place place;
    struct parcel *parcels;
    bool closed;
    pthread_mutex_t sweeping;
    bool swept; /* under `sweeping` */
};

static void step_done(void *arg);

/* Before anything of ours is in the folder: what an earlier process left there looks just like it. */
static void sweep_once(struct drop *drop)
{
    pthread_mutex_lock(&drop->sweeping);
    if (!drop->swept)
        parcel_sweep(&drop->place);
    drop->swept = true;
    pthread_mutex_unlock(&drop->sweeping);
}

static void step_run(void *arg)
{
    struct parcel *parcel = arg;
    const struct parcel_place *place = &parcel->drop->place;
    parcel->result = 0;
    switch (parcel->step) {
    case STEP_OPEN:
        sweep_once(parcel->drop);
        parcel->result = parcel_open(place, &parcel->file);
        break;
    case STEP_WRITE:
        parcel->result = parcel_write(&parcel->file, parcel->writing->data, parcel->writing->size);
        break;
    case STEP_PUBLISH:
        parcel->result = parcel_publish(place, &parcel->file);
        break;
    case STEP_CLOSE:
        parcel_close(&parcel->file);
        break;
    }
}

static void release(struct drop *drop)
{
    if (!drop->closed || drop->parcels)
        return;
    pthread_mutex_destroy(&drop->sweeping);
    free(drop);
}

static void forget(struct parcel *parcel)
{
    struct drop *drop = parcel->drop;
    struct parcel **at = &drop->parcels;
    while (*at != parcel)
        at = &(*at)->next;
    *at = parcel->next;
    free(parcel->filling);
    free(parcel->writing);
    free(parcel);
    release(drop);
}

static void finish(struct parcel *parcel)
{
    if (parcel->out)
        parcel->drop->dir->host->finish(parcel->out->handle, &parcel->end);
    parcel->out = NULL;
}

static void step_begin(struct parcel *parcel, enum step step)
{
    const struct dir *dir = parcel->drop->dir;
    parcel->step = step;
    parcel->busy = true;
    if (dir->host->work(dir->instance, step_run, step_done, parcel) == 0)
        return;
    parcel->busy = false;
    snprintf(parcel->reason, sizeof parcel->reason, "out of memory");
    parcel->end = (struct accord_result){.outcome = ACCORD_RETRY, .reason = parcel->reason, .receipt = ""};
    parcel_close(&parcel->file);
    finish(parcel);
    forget(parcel);
}

/* First the file is closed and its temporary name removed, then the outcome is told. */
static void conclude(struct parcel *parcel, enum accord_outcome outcome, const char *reason)
{
    snprintf(parcel->reason, sizeof parcel->reason, "%s", reason);
    parcel->end = (struct accord_result){.outcome = outcome,
                                         .reason = parcel->reason,
                                         .receipt = outcome == ACCORD_DELIVERED ? parcel->receipt : ""};
    step_begin(parcel, STEP_CLOSE);
}

static void failed(struct parcel *parcel)
{
    if (parcel->file.taken) {
        conclude(parcel, ACCORD_REFUSED, parcel->file.why);
        return;
    }
    dir_log(parcel->drop->dir, ACCORD_ERROR, "dir.disk", "%s; the message waits and is tried again",
            parcel->file.why);
    conclude(parcel, ACCORD_RETRY, parcel->file.why);
}

static void published(struct parcel *parcel)
{
    const struct parcel_place *place = &parcel->drop->place;
    bool here = !strcmp(place->below, ".");
    snprintf(parcel->receipt, sizeof parcel->receipt, "%.600s/%s%s%s, %lld bytes%s", place->root,
             here ? "" : place->below, here ? "" : "/", parcel->file.name, (long long)parcel->file.size,
             parcel->file.was_there ? " (was there already)" : "");
    conclude(parcel, ACCORD_DELIVERED, "");
}

/* Writes what has come, or goes on to the end. */
static void go_on(struct parcel *parcel)
{
    int64_t size = parcel->out->envelope->size;
    if (parcel->cancelled) {
        conclude(parcel, ACCORD_RETRY, "given up by request");
    } else if (parcel->filling->size) {
        struct bytes *full = parcel->filling;
        parcel->filling = parcel->writing;
        parcel->writing = full;
        step_begin(parcel, STEP_WRITE);
    } else if (parcel->last && size >= 0 && size != parcel->file.size) {
        conclude(parcel, ACCORD_RETRY, "the payload is not as long as its envelope says");
    } else if (parcel->last) {
        step_begin(parcel, STEP_PUBLISH);
    }
}

static void step_done(void *arg)
{
    struct parcel *parcel = arg;
    const struct dir *dir = parcel->drop->dir;
    parcel->busy = false;
    if (parcel->step == STEP_CLOSE || parcel->drop->closed) {
        parcel_close(&parcel->file);
        finish(parcel);
        forget(parcel);
    } else if (parcel->result) {
        failed(parcel);
    } else if (parcel->step == STEP_PUBLISH) {
        published(parcel);
    } else {
        int64_t more = parcel->step == STEP_OPEN ? WINDOW : (int64_t)parcel->writing->size;
        parcel->writing->size = 0;
        if (!parcel->last && !parcel->cancelled)
            dir->host->pull(parcel->out->handle, NULL, more);
        go_on(parcel);
    }
}

/* ---- what the host calls ---- */

void drop_deliver(struct drop *drop, const struct accord_outgoing *out)
{
    struct accord_result no_memory = {.outcome = ACCORD_RETRY, .reason = "out of memory", .receipt = ""};
    struct parcel *parcel = calloc(1, sizeof *parcel);
    if (parcel) {
        parcel->filling = malloc(sizeof *parcel->filling);
        parcel->writing = malloc(sizeof *parcel->writing);
    }
    if (!parcel || !parcel->filling || !parcel->writing) {
        if (parcel)
            free(parcel->filling), free(parcel->writing);
        free(parcel);
        drop->dir->host->finish(out->handle, &no_memory);
        return;
    }
    char id[NAME_ROOM];
    parcel->filling->size = parcel->writing->size = 0;
    parcel->drop = drop;
    parcel->out = out;
    parcel->file.fd = parcel->file.folder = -1;
    parcel->file.repeat = out->attempt > 1;
    name_safe(parcel->file.name, out->envelope->name);
    name_safe(id, out->envelope->id);
    snprintf(parcel->file.temporary, sizeof parcel->file.temporary, "%.200s%.48s", drop->place.prefix, id);
    parcel->next = drop->parcels;
    drop->parcels = parcel;
    step_begin(parcel, STEP_OPEN);
}

static struct parcel *find(struct drop *drop, const struct accord_delivery *delivery)
{
    for (struct parcel *parcel = drop->parcels; parcel; parcel = parcel->next)
        if (parcel->out && parcel->out->handle == delivery)
            return parcel;
    return NULL;
}

bool drop_payload(struct drop *drop, const struct accord_delivery *delivery, const uint8_t *bytes,
                  size_t size, bool last)
{
    struct parcel *parcel = find(drop, delivery);
    if (!parcel)
        return false;
    /* The window bounds what can come: less than its room is ever asked for and not yet written. */
    if (size > WINDOW - parcel->filling->size)
        size = WINDOW - parcel->filling->size;
    if (size)
        memcpy(parcel->filling->data + parcel->filling->size, bytes, size);
    parcel->filling->size += size;
    parcel->last = last;
    if (!parcel->busy)
        go_on(parcel);
    return true;
}

bool drop_cancel(struct drop *drop, const struct accord_delivery *delivery)
{
    struct parcel *parcel = find(drop, delivery);
    if (!parcel)
        return false;
    /* Once it is being named, what happens is told. */
    parcel->cancelled = true;
    if (!parcel->busy)
        go_on(parcel);
    return true;
}

/* ---- life ---- */

struct drop *drop_new(struct dir *dir, size_t index)
{
    struct drop *drop = calloc(1, sizeof *drop);
    if (!drop)
        return NULL;
    const struct link_options *link = dir->setup->options;
    const struct accord_service *service = dir->setup->services[index];
    const struct service_options *options = service->options;
    pthread_mutex_init(&drop->sweeping, NULL);
    drop->dir = dir;
    drop->place.root = link->path;
    drop->place.below = options->folder;
    drop->place.mode = mode_bits[options->mode];
    drop->place.rename_existing = options->if_exists == EXISTS_RENAME;
    snprintf(drop->place.prefix, sizeof drop->place.prefix, PARCEL_PREFIX "%.64s.%.64s-",
             dir->setup->agreement, service->name);
    return drop;
}

void drop_close(struct drop *drop)
{
    for (struct parcel *parcel = drop->parcels, *next; parcel; parcel = next) {
        next = parcel->next;
        /* What a thread is at is not known: it is tried again, and a repeat is recognised. */
        parcel->end = (struct accord_result){.outcome = ACCORD_RETRY,
                                             .reason = "the link was closed before the file was written",
                                             .receipt = ""};
        finish(parcel);
        if (parcel->busy)
            continue;
        parcel_close(&parcel->file);
        forget(parcel);
    }
    drop->closed = true;
    release(drop);
}
