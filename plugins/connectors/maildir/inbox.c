#include "inbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "names.h"

#define BATCH  512 /* names read at a time */
#define OFFERS 8   /* mails on their way to the hub at a time */

enum step { OPEN, READ, KEEP, DELETE, REJECT };

/* One mail on its way. While `busy` a thread has `mail` and `piece`; everything else is the loop's. */
struct held {
    struct inbox *inbox;
    struct held *next;
    struct mail mail;
    enum step step;
    enum mail_result result;
    bool busy;
    bool waiting;               /* for room to offer it */
    bool complete;              /* the last byte was handed over */
    struct accord_offer *offer; /* NULL: none, or judged */
    bool judged;
    enum accord_admission admission;
    char *reason;
    int64_t offset, credit;
    size_t size;
    uint8_t piece[ACCORD_PIECE_MAX];
};

struct inbox {
    struct maildir *maildir;
    const struct service_options *options;
    struct folder folder;
    size_t service;
    struct accord_timer *timer;
    struct held *held;
    size_t held_count;
    bool closed;
    int64_t told; /* ticks of the last failure in the log */

    /* one look: while `listing` a thread has these */
    bool listing, failed;
    int count;
    char names[BATCH][NAME_ROOM], why[WHY_ROOM];
    int next;      /* of the names */
    bool progress; /* something of this look has left new/ */
};

static void pump(struct inbox *);
static void look_later(struct inbox *, int64_t ms);

/* ---- ends ---- */

static void release(struct inbox *inbox)
{
    if (!inbox->closed || inbox->listing || inbox->held)
        return;
    folder_fini(&inbox->folder);
    free(inbox);
}

static void forget(struct held *held)
{
    struct inbox *inbox = held->inbox;
    struct held **at = &inbox->held;
    while (*at != held)
        at = &(*at)->next;
    *at = held->next;
    inbox->held_count--;
    mail_close(&held->mail);
    free(held->reason);
    free(held);
}

static void done_with(struct held *held)
{
    struct inbox *inbox = held->inbox;
    forget(held);
    pump(inbox);
}

/* One failure a minute is told; the mail is where it was, and comes again with a later look. */
static void tell_failure(struct held *held)
{
    const struct maildir *maildir = held->inbox->maildir;
    int64_t now = maildir->host->ticks(maildir->instance), *told = &held->inbox->told;
    char name[200];
    if (held->result == MAIL_DONE || held->result == MAIL_GONE || (*told && now - *told < 60000))
        return;
    *told = now;
    name_text(name, sizeof name, held->mail.name);
    if (held->result == MAIL_FAILED)
        maildir_log(maildir, ACCORD_WARNING, "maildir.not-taken", "service %s: %s; it will be tried again",
                    maildir->setup->services[held->inbox->service]->name, held->mail.why);
    else
        maildir_log(maildir, ACCORD_WARNING, "maildir.strange",
                    "service %s: new/%s is no regular file, and is not taken",
                    maildir->setup->services[held->inbox->service]->name, name);
}

/* ---- steps, each on a thread ---- */

static void run(void *arg)
{
    struct held *held = arg;
    const struct folder *folder = &held->inbox->folder;
    switch (held->step) {
    case OPEN:
        held->result = mail_open(folder, &held->mail);
        break;
    case READ:
        held->result = mail_read(&held->mail, held->offset, held->piece, held->size);
        break;
    case KEEP:
        held->result = mail_keep(folder, &held->mail);
        break;
    case DELETE:
        held->result = mail_delete(folder, &held->mail);
        break;
    case REJECT:
        held->result = mail_reject(folder, &held->mail, held->reason ? held->reason : "");
        break;
    }
}

static void ran(void *arg);

static void begin(struct held *held, enum step step)
{
    const struct maildir *maildir = held->inbox->maildir;
    held->step = step;
    held->busy = true;
    if (maildir->host->work(maildir->instance, run, ran, held) >= 0)
        return;
    held->busy = false;
    if (held->offer)
        maildir->host->offer_abort(held->offer);
    struct inbox *inbox = held->inbox;
    forget(held); /* a later look finds it again */
    if (!inbox->held && !inbox->listing)
        look_later(inbox, inbox->options->poll);
}

/* ---- offering ---- */

static void offer(struct held *held)
{
    const struct inbox *inbox = held->inbox;
    const struct maildir *maildir = inbox->maildir;
    char name[ACCORD_NAME_MAX], id[ACCORD_SOURCE_ID_MAX];
    name_text(name, sizeof name, held->mail.name);
    name_text(id, sizeof id, held->mail.name); /* unique in a Maildir, for ever, whatever the flags */
    const struct accord_incoming message = {.name = name, .source_id = id, .size = held->mail.size};
    held->offer =
        maildir->started ? maildir->host->offer(maildir->instance, inbox->service, &message, held) : NULL;
    held->waiting = !held->offer;
}

static void read_more(struct held *held)
{
    int64_t left = held->mail.size - held->offset, size = held->credit < left ? held->credit : left;
    if (held->busy || !held->offer || held->complete || held->credit <= 0)
        return;
    held->size = size < ACCORD_PIECE_MAX ? (size_t)size : ACCORD_PIECE_MAX;
    begin(held, READ);
}

static void hand_over(struct held *held)
{
    held->offset += (int64_t)held->size;
    held->credit -= (int64_t)held->size;
    bool last = held->complete = held->offset == held->mail.size;
    held->inbox->maildir->host->offer_write(held->offer, held->piece, held->size, last);
    if (!last)
        read_more(held);
}

/* What the verdict demands of the file. QUARANTINED: the hub has it, and set it aside; so is it here, for
 * its sender to see. REJECTED: the hub never will have it, so it must not be lost here. */
static void settle(struct held *held)
{
    held->inbox->progress |= held->admission != ACCORD_DEFERRED;
    if (held->admission == ACCORD_DEFERRED)
        done_with(held);
    else if (held->admission != ACCORD_ACCEPTED)
        begin(held, REJECT);
    else
        begin(held, held->inbox->options->after == AFTER_DELETE ? DELETE : KEEP);
}

static void ran(void *arg)
{
    struct held *held = arg;
    struct inbox *inbox = held->inbox;
    held->busy = false;
    if (inbox->closed) {
        forget(held);
        release(inbox);
    } else if (held->step >= KEEP) { /* a mail that could not be moved comes again, and is known again */
        tell_failure(held);
        inbox->progress &= held->result != MAIL_FAILED;
        done_with(held);
    } else if (held->judged) {
        settle(held);
    } else if (held->result != MAIL_DONE) {
        tell_failure(held);
        if (held->offer)
            inbox->maildir->host->offer_abort(held->offer);
        held->offer = NULL;
        done_with(held);
    } else if (held->step == OPEN) {
        offer(held);
    } else {
        hand_over(held);
    }
}

void inbox_pull(void *arg, int64_t bytes)
{
    struct held *held = arg;
    held->credit += bytes;
    read_more(held);
}

/* May come before the last byte, while a thread is reading. */
void inbox_admitted(void *arg, const struct accord_admitted *admitted)
{
    struct held *held = arg;
    size_t room = strlen(admitted->rule) + strlen(admitted->reason) + strlen(admitted->id) + 64;
    held->offer = NULL;
    held->judged = true;
    held->admission = admitted->admission;
    held->reason = malloc(room);
    if (held->reason)
        snprintf(held->reason, room, "%s: %s\nmessage: %s\n", admitted->rule, admitted->reason, admitted->id);
    if (!held->busy)
        settle(held);
}

/* ---- looking ---- */

static void look(void *arg);

static void list(void *arg)
{
    struct inbox *inbox = arg;
    inbox->count = folder_list(&inbox->folder, inbox->names, BATCH, inbox->why);
}

static void listed(void *arg)
{
    struct inbox *inbox = arg;
    inbox->listing = false;
    inbox->next = 0;
    inbox->progress = false;
    if (inbox->closed) {
        release(inbox);
        return;
    }
    if (inbox->count < 0 && !inbox->failed)
        maildir_log(inbox->maildir, ACCORD_ERROR, "maildir.no-folder",
                    "service %s: %s; it is looked at again",
                    inbox->maildir->setup->services[inbox->service]->name, inbox->why);
    inbox->failed = inbox->count < 0;
    pump(inbox);
}

static void look_later(struct inbox *inbox, int64_t ms)
{
    const struct maildir *maildir = inbox->maildir;
    if (maildir->started && !inbox->timer)
        inbox->timer = maildir->host->timer(maildir->instance, ms, look, inbox);
}

/* Goes on with a look, until none of its mails is left; a full one that led to something is followed by
 * another. */
static void pump(struct inbox *inbox)
{
    while (inbox->maildir->started && inbox->next < inbox->count && inbox->held_count < OFFERS) {
        struct held *held = calloc(1, sizeof *held);
        if (!held)
            break;
        held->inbox = inbox;
        held->mail.fd = -1;
        memcpy(held->mail.name, inbox->names[inbox->next++], NAME_ROOM);
        held->next = inbox->held;
        inbox->held = held;
        inbox->held_count++;
        begin(held, OPEN);
    }
    if (!inbox->held && !inbox->listing)
        look_later(inbox, inbox->count == BATCH && inbox->progress ? 0 : inbox->options->poll);
}

static void look(void *arg)
{
    struct inbox *inbox = arg;
    const struct maildir *maildir = inbox->maildir;
    inbox->timer = NULL;
    inbox->listing = maildir->host->work(maildir->instance, list, listed, inbox) >= 0;
    if (!inbox->listing)
        look_later(inbox, inbox->options->poll);
}

/* ---- life ---- */

struct inbox *inbox_new(struct maildir *maildir, size_t service)
{
    const struct link_options *link = maildir->setup->options;
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox)
        return NULL;
    inbox->maildir = maildir;
    inbox->service = service;
    inbox->options = maildir->setup->services[service]->options;
    if (folder_init(&inbox->folder, link->folder, inbox->options->mailbox, 0600) == ACCORD_OK)
        return inbox;
    inbox_close(inbox);
    return NULL;
}

void inbox_ready(struct inbox *inbox)
{
    for (struct held *held = inbox->held; held; held = held->next)
        if (held->waiting)
            offer(held);
}

void inbox_start(struct inbox *inbox)
{
    inbox_ready(inbox);
    if (!inbox->held && !inbox->listing)
        look_later(inbox, 0);
}

/* What was not offered yet stays where it is: waiting, for `start`. */
void inbox_stop(struct inbox *inbox)
{
    if (inbox->timer)
        inbox->maildir->host->timer_stop(inbox->timer);
    inbox->timer = NULL;
    if (!inbox->listing) /* otherwise a thread has them */
        inbox->next = inbox->count = 0;
}

void inbox_close(struct inbox *inbox)
{
    if (!inbox)
        return;
    inbox_stop(inbox);
    inbox->closed = true;
    for (struct held *held = inbox->held, *next; held; held = next) {
        next = held->next;
        if (held->offer)
            inbox->maildir->host->offer_abort(held->offer);
        held->offer = NULL;
        if (!held->busy)
            forget(held);
    }
    release(inbox);
}
