#include "outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"

#define ROOM ((size_t)256 * 1024) /* of payload of one message, here and on its way here */

enum step { OPEN, WRITE, PUBLISH, CLOSE };

struct piece {
    size_t size;
    uint8_t bytes[ROOM];
};

/* One delivery. While `busy` a thread has `draft` and `writing`; everything else is the loop's. */
struct parcel {
    struct outbox *box;
    struct parcel *next;
    const struct accord_outgoing *out; /* NULL: finished */
    struct draft draft;
    enum step step;
    enum mail_result result;
    bool busy, last, cancelled;
    struct piece *filling, *writing;
};

struct outbox {
    struct maildir *maildir;
    struct folder folder;
    size_t service;
    struct parcel *parcels;
    bool closed;
};

/* ---- ends ---- */

static void finish(struct parcel *parcel, enum accord_outcome outcome, const char *reason,
                   const char *receipt)
{
    const struct accord_result result = {.outcome = outcome, .reason = reason, .receipt = receipt};
    struct accord_delivery *delivery = parcel->out->handle;
    parcel->out = NULL;
    parcel->box->maildir->host->finish(delivery, &result);
}

static void release(struct outbox *box)
{
    if (!box->closed || box->parcels)
        return;
    folder_fini(&box->folder);
    free(box);
}

static void forget(struct parcel *parcel)
{
    struct outbox *box = parcel->box;
    struct parcel **at = &box->parcels;
    while (*at != parcel)
        at = &(*at)->next;
    *at = parcel->next;
    free(parcel->filling);
    free(parcel->writing);
    free(parcel);
    release(box);
}

static void delivered(struct parcel *parcel)
{
    char receipt[NAME_ROOM + 128];
    const struct draft *draft = &parcel->draft;
    if (draft->was_there)
        snprintf(receipt, sizeof receipt, "new/%s was there already", draft->name);
    else
        snprintf(receipt, sizeof receipt, "new/%s size=%" PRId64, draft->name, draft->size);
    finish(parcel, ACCORD_DELIVERED, "", receipt);
}

/* ---- one step after the other, each on a thread ---- */

static void run(void *arg)
{
    struct parcel *parcel = arg;
    const struct folder *folder = &parcel->box->folder;
    switch (parcel->step) {
    case OPEN:
        parcel->result = draft_open(folder, &parcel->draft);
        break;
    case WRITE:
        parcel->result = draft_write(&parcel->draft, parcel->writing->bytes, parcel->writing->size);
        break;
    case PUBLISH:
        parcel->result = draft_publish(folder, &parcel->draft);
        break;
    case CLOSE:
        break;
    }
    if (parcel->step == CLOSE || parcel->result != MAIL_DONE)
        draft_close(folder, &parcel->draft);
}

static void ran(void *arg);

static void begin(struct parcel *parcel, enum step step)
{
    const struct maildir *maildir = parcel->box->maildir;
    parcel->step = step;
    parcel->busy = true;
    if (maildir->host->work(maildir->instance, run, ran, parcel) >= 0)
        return;
    parcel->busy = false;
    draft_close(&parcel->box->folder, &parcel->draft);
    if (parcel->out)
        finish(parcel, ACCORD_RETRY, "no thread could be had", "");
    forget(parcel);
}

static void write_more(struct parcel *parcel)
{
    struct piece *piece = parcel->filling;
    parcel->filling = parcel->writing;
    parcel->writing = piece;
    begin(parcel, WRITE);
}

/* What comes next, when no thread is at it. */
static void go_on(struct parcel *parcel)
{
    if (parcel->cancelled) {
        finish(parcel, ACCORD_RETRY, "cancelled before the mail was complete", "");
        begin(parcel, CLOSE);
    } else if (parcel->filling->size) {
        write_more(parcel);
    } else if (parcel->last) {
        begin(parcel, PUBLISH);
    }
}

static void ran(void *arg)
{
    struct parcel *parcel = arg;
    struct outbox *box = parcel->box;
    parcel->busy = false;
    if (!parcel->out) { /* finished meanwhile; after `close` nothing may be called, so that this ends here */
        if (parcel->step != CLOSE && parcel->step != PUBLISH)
            draft_close(&box->folder, &parcel->draft);
        forget(parcel);
    } else if (parcel->result != MAIL_DONE) {
        finish(parcel, ACCORD_RETRY, parcel->draft.why, "");
        forget(parcel);
    } else if (parcel->step == PUBLISH || parcel->draft.was_there) {
        delivered(parcel);
        forget(parcel);
    } else {
        size_t written = parcel->step == OPEN ? ROOM : parcel->writing->size;
        parcel->writing->size = 0;
        if (!parcel->last && !parcel->cancelled)
            box->maildir->host->pull(parcel->out->handle, NULL, (int64_t)written);
        go_on(parcel);
    }
}

/* ---- what the host calls ---- */

static struct parcel *find(struct outbox *box, const struct accord_delivery *delivery)
{
    struct parcel *parcel = box->parcels;
    while (parcel && (!parcel->out || parcel->out->handle != delivery))
        parcel = parcel->next;
    return parcel;
}

void outbox_deliver(struct outbox *box, const struct accord_outgoing *out)
{
    struct parcel *parcel = calloc(1, sizeof *parcel);
    struct piece *filling = calloc(1, sizeof *filling), *writing = calloc(1, sizeof *writing);
    if (!parcel || !filling || !writing) {
        const struct accord_result result = {
            .outcome = ACCORD_RETRY, .reason = "out of memory", .receipt = ""};
        free(parcel);
        free(filling);
        free(writing);
        box->maildir->host->finish(out->handle, &result);
        return;
    }
    *parcel =
        (struct parcel){.box = box, .next = box->parcels, .out = out, .filling = filling, .writing = writing};
    /* The same at every attempt, by which a repeat is known: when the hub admitted it, its id, who put it
     * here. */
    snprintf(parcel->draft.name, sizeof parcel->draft.name, "%" PRId64 ".A%.32s.%.64s-%.64s",
             out->envelope->time / 1000000, out->envelope->id, box->maildir->setup->agreement,
             box->maildir->setup->services[box->service]->name);
    parcel->draft.repeat = out->attempt > 1;
    parcel->draft.fd = -1;
    box->parcels = parcel;
    begin(parcel, OPEN);
}

bool outbox_payload(struct outbox *box, const struct accord_delivery *delivery, const uint8_t *bytes,
                    size_t size, bool last)
{
    struct parcel *parcel = find(box, delivery);
    if (!parcel)
        return false;
    struct piece *piece = parcel->filling; /* no more than ROOM is ever asked for and not yet written */
    memcpy(piece->bytes + piece->size, bytes, size);
    piece->size += size;
    parcel->last = last;
    if (!parcel->busy)
        go_on(parcel);
    return true;
}

bool outbox_cancel(struct outbox *box, const struct accord_delivery *delivery)
{
    struct parcel *parcel = find(box, delivery);
    if (!parcel)
        return false;
    /* Once it is being published, what happens is told. */
    parcel->cancelled = true;
    if (!parcel->busy)
        go_on(parcel);
    return true;
}

/* ---- life ---- */

struct outbox *outbox_new(struct maildir *maildir, size_t service)
{
    static const mode_t modes[] = {0600, 0640, 0660};
    const struct link_options *link = maildir->setup->options;
    const struct service_options *options = maildir->setup->services[service]->options;
    struct outbox *box = calloc(1, sizeof *box);
    if (!box)
        return NULL;
    box->maildir = maildir;
    box->service = service;
    if (folder_init(&box->folder, link->folder, options->mailbox, modes[options->mode]) == ACCORD_OK)
        return box;
    outbox_close(box);
    return NULL;
}

void outbox_close(struct outbox *box)
{
    if (!box)
        return;
    for (struct parcel *parcel = box->parcels, *next; parcel; parcel = next) {
        next = parcel->next;
        /* What a thread is at is not known: it is tried again, and a repeat is recognised. */
        if (parcel->out)
            finish(parcel, ACCORD_RETRY, "the link was closed before the mail was complete", "");
        if (parcel->busy)
            continue;
        draft_close(&box->folder, &parcel->draft); /* two calls that are quick on any disk */
        forget(parcel);
    }
    box->closed = true;
    release(box);
}
