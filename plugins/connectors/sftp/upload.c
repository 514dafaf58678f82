/* A delivery's beginning, its endings, and the requests between the last byte and the rename. */
#include "upload.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Payload that makes an upload wait for a session of its own while there are not yet enough. */
#define HEAVY (1 << 20)

static void begin(struct use *);
static void on_broken(struct use *, const char *reason);

/* ---- the table ---- */

static struct upload **bucket(struct link *link, const struct accord_delivery *handle)
{
    uint64_t mixed = (uint64_t)(uintptr_t)handle * UINT64_C(0x9E3779B97F4A7C15);
    return &link->table[mixed >> 56];
}

struct upload *upload_find(struct link *link, struct accord_delivery *handle)
{
    struct upload *upload = *bucket(link, handle);
    while (upload && upload->out->handle != handle)
        upload = upload->same;
    return upload;
}

bool upload_owns(const struct link *link, size_t service, struct sftp_span name)
{
    for (const struct upload *upload = link->uploads; upload; upload = upload->next) {
        const char *slash = strrchr(upload->temporary, '/');
        if (upload->out->service == service && strlen(slash + 1) == name.size &&
            memcmp(slash + 1, name.bytes, name.size) == 0)
            return true;
    }
    return false;
}

static void put_in(struct upload *upload)
{
    struct link *link = upload->link;
    struct upload **head = bucket(link, upload->out->handle);
    upload->same = *head;
    *head = upload;
    upload->next = link->uploads;
    upload->at = &link->uploads;
    if (upload->next)
        upload->next->at = &upload->next;
    link->uploads = upload;
}

static void take_out(struct upload *upload)
{
    struct upload **at = bucket(upload->link, upload->out->handle);
    while (*at != upload)
        at = &(*at)->same;
    *at = upload->same;
    *upload->at = upload->next;
    if (upload->next)
        upload->next->at = upload->at;
}

/* ---- one after the other ---- */

/* Two messages of one name, where a later one replaces the earlier: in their order. */
static struct upload *last_of_name(const struct upload *upload)
{
    if (upload->service->if_exists < EXISTS_REPLACE)
        return NULL;
    for (struct upload *other = upload->link->uploads; other; other = other->next)
        if (!other->behind && strcmp(other->final, upload->final) == 0)
            return other;
    return NULL;
}

static void join(struct upload *upload)
{
    upload->state = UPLOAD_WAITING;
    upload->use = (struct use){
        .kind = USE_SEND, .heavy = upload->out->envelope->size > HEAVY, .begin = begin, .broken = on_broken};
    pool_join(upload->link, &upload->use);
}

/* The next of its name may begin; or, when it has waited itself, waits for the one before. */
static void leave_row(struct upload *upload)
{
    struct upload *before = upload->state == UPLOAD_BEHIND ? upload->link->uploads : NULL;
    while (before && before->behind != upload)
        before = before->next;
    if (before)
        before->behind = upload->behind;
    else if (upload->behind)
        join(upload->behind);
}

/* ---- its beginning ---- */

static struct upload *allocate(struct link *link, const struct accord_outgoing *out)
{
    const struct service_options *service = link_service(link, out->service);
    const char *folder = service->directory, *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    size_t temporary = strlen(folder) + 1 + strlen(service->temporary) + strlen(out->envelope->id) + 5;
    size_t final = strlen(folder) + 1 + strlen(out->envelope->name) + 1;
    struct upload *upload = calloc(1, sizeof *upload + temporary + final);
    if (!upload)
        return NULL;
    upload->link = link;
    upload->out = out;
    upload->service = service;
    upload->final = upload->temporary + temporary;
    snprintf(upload->temporary, temporary, "%s%s%s%s.tmp", folder, slash, service->temporary,
             out->envelope->id);
    snprintf(upload->final, final, "%s%s%s", folder, slash, out->envelope->name);
    return upload;
}

bool upload_new(struct link *link, const struct accord_outgoing *out)
{
    struct upload *upload = allocate(link, out);
    if (!upload)
        return false;
    struct upload *before = last_of_name(upload);
    put_in(upload);
    if (before)
        before->behind = upload;
    else
        join(upload);
    return true;
}

static const char *missing_extension(const struct upload *upload)
{
    uint32_t offered = upload_client(upload)->extensions;
    if (upload->service->fsync == FSYNC_REQUIRE && !(offered & SFTP_EXT_FSYNC))
        return "does not offer fsync@openssh.com, and the service says fsync = require";
    if (upload->service->if_exists == EXISTS_REPLACE && !(offered & SFTP_EXT_POSIX_RENAME))
        return "does not offer posix-rename@openssh.com, without which a file cannot be replaced in one "
               "step: "
               "if-exists = replace-by-removing does it in two";
    return NULL;
}

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply);

/* Permissions are given here so that nobody has more meanwhile, and set once more at the end, for the umask. */
static void ask_open(struct upload *upload, bool resume)
{
    struct client *client = upload_client(upload);
    uint32_t flags = SFTP_OPEN_WRITE | SFTP_OPEN_CREATE | (resume ? SFTP_OPEN_READ : SFTP_OPEN_TRUNCATE);
    upload->made = true;
    sftp_put_open(&client->outbox, client_ask(client, on_opened, upload, resume), upload->temporary, flags,
                  service_mode(upload->service));
}

static void begin(struct use *use)
{
    struct upload *upload = (struct upload *)use;
    const char *missing = missing_extension(upload);
    upload->state = UPLOAD_OPENING;
    if (missing) {
        session_break(use->session, "sftp.missing-extension", "%s %s; nothing was sent",
                      use->link->setup->endpoint_host, missing);
        return;
    }
    stale_sweep(upload->link, upload->out->service);
    upload->looked = upload->service->if_exists >= EXISTS_REPLACE;
    if (!upload->looked)
        place_look(upload);
    /* Both at once; but what an earlier attempt may have brought there needs no temporary file beside it. */
    if (upload->looked || upload->out->attempt <= 1)
        ask_open(upload, resume_wanted(upload));
}

static void on_opened(void *arg, uint32_t resume, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    bool denied = reply->type == SFTP_STATUS && reply->status == SFTP_PERMISSION_DENIED;
    if (reply->type == SFTP_HANDLE) {
        upload->handle = reply->handle;
        upload->open = true;
        upload->resumable = resume;
        upload_opened(upload);
        return;
    }
    upload->made = false;
    if (upload->state != UPLOAD_OPENING)
        return; /* what has the final name is being compared, and decides */
    if (resume && denied) {
        ask_open(upload, false); /* we may write there and not read */
        return;
    }
    bool missing = reply->type == SFTP_STATUS && reply->status == SFTP_NO_SUCH_FILE;
    upload_refused(upload, missing ? "the directory does not exist at the partner: open" : "open",
                   upload->temporary, reply);
}

void upload_opened(struct upload *upload)
{
    if (upload->state != UPLOAD_OPENING || !upload->looked || (upload->made && !upload->open))
        return;
    if (!upload->made)
        ask_open(upload, resume_wanted(upload));
    else if (upload->resumable)
        resume_begin(upload);
    else
        flow_begin(upload);
}

/* ---- its endings ---- */

/* Finishes the delivery and frees the upload. */
static void end(struct upload *upload, enum accord_outcome outcome, const char *reason, const char *receipt)
{
    const struct accord_host *host = upload->link->host;
    struct accord_delivery *handle = upload->out->handle;
    if (upload->use.session)
        client_forget(upload_client(upload), upload);
    compare_free(upload->compare);
    resume_free(upload->resume);
    flow_end(upload);
    pool_leave(&upload->use);
    take_out(upload);
    leave_row(upload);
    free(upload);
    struct accord_result result = {.outcome = outcome, .reason = reason, .receipt = receipt};
    host->finish(handle, &result);
}

/* A close that was asked for already is not asked for again: `open` is false from then on. */
static void tidy(struct upload *upload)
{
    struct client *client = upload_client(upload);
    if (upload->open)
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &upload->handle);
    if (upload->made)
        sftp_put_remove(&client->outbox, client_ask(client, NULL, NULL, 0), upload->temporary);
    upload->open = upload->made = false;
}

void upload_give_up(struct upload *upload, enum accord_outcome outcome, const char *format, ...)
{
    char reason[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    tidy(upload);
    end(upload, outcome, reason, "");
}

void upload_refused(struct upload *upload, const char *what, const char *path, const struct sftp_reply *reply)
{
    char words[24];
    if (reply->type != SFTP_STATUS) {
        use_break(&upload->use, "%s was answered with something else (type %d)", what, (int)reply->type);
        return;
    }
    /* Only a bad message is the message's own fault; a full disk, a quota, a missing folder or right can be
     * mended on the other side. */
    upload_give_up(upload, reply->status == SFTP_BAD_MESSAGE ? ACCORD_REFUSED : ACCORD_RETRY,
                   "%s of %.200s: %s%s%s", what, path, sftp_status_text(reply->status, words),
                   reply->message[0] ? ": " : "", reply->message);
}

void upload_delivered(struct upload *upload, const char *how)
{
    const struct accord_envelope *envelope = upload->out->envelope;
    char receipt[SFTP_PATH_MAX + 192], resumed[48] = "";
    if (upload->resumed_at)
        snprintf(resumed, sizeof resumed, " resumed-at=%" PRId64, upload->resumed_at);
    snprintf(receipt, sizeof receipt, "path=%s size=%" PRId64 " sha256=%s%s%s", upload->final, envelope->size,
             envelope->sha256, resumed, how);
    tidy(upload);
    end(upload, ACCORD_DELIVERED, "", receipt);
}

static void on_broken(struct use *use, const char *reason)
{
    struct upload *upload = (struct upload *)use;
    char text[ACCORD_REASON_MAX];
    bool renaming = upload->state == UPLOAD_RENAMING;
    snprintf(text, sizeof text, "%s%.440s", renaming ? "cut before the answer to the rename: " : "", reason);
    end(upload, renaming ? ACCORD_UNCERTAIN : ACCORD_RETRY, text, "");
}

void upload_cancel(struct upload *upload)
{
    if (upload->state == UPLOAD_RENAMING)
        return; /* the answer is on its way, and decides */
    if (upload->state <= UPLOAD_WAITING)
        end(upload, ACCORD_RETRY, "cancelled before it was begun", "");
    else
        upload_give_up(upload, ACCORD_RETRY, "cancelled; the partner has seen no file of this name");
}

/* ---- from the last byte to the rename ---- */

static void ask_steps(struct upload *upload);

/* Version 3, section 6.1: requests that concern one file take effect in the order in which they were made. A
 * server whose answers say that it does otherwise is asked one thing at a time from now on. */
static bool out_of_order(struct upload *upload, enum upload_step step)
{
    struct link *link = upload->link;
    if ((step != STEP_SYNC && step != STEP_CLOSE) || upload->acknowledged == upload->offset)
        return false;
    if (!link->stepwise)
        link_log(link, ACCORD_WARNING, "sftp.out-of-order",
                 "%s answered %s before the writes that came first; from now on it is asked for one thing at "
                 "a time, "
                 "which is slower",
                 link->setup->endpoint_host, step == STEP_SYNC ? "fsync" : "close");
    link->stepwise = true;
    upload_give_up(upload, ACCORD_RETRY,
                   "the partner does not keep the order of requests; sent again step by step");
    return true;
}

static bool has_wrong_size(struct upload *upload, const struct sftp_reply *reply)
{
    if (!(reply->attrs.flags & SFTP_ATTR_SIZE) || reply->attrs.size == (uint64_t)upload->offset)
        return false;
    upload_give_up(upload, ACCORD_RETRY, "%.300s has %" PRIu64 " bytes at the partner, %" PRId64 " were sent",
                   upload->temporary, reply->attrs.size, upload->offset);
    return true;
}

static void on_step(void *arg, uint32_t step, struct sftp_reply *reply)
{
    static const char *const names[] = {"fsync", "size check", "setting the permissions", "close"};
    struct upload *upload = arg;
    bool ok = step == STEP_SIZE ? reply->type == SFTP_ATTRS : upload_is_ok(reply);
    upload->due--;
    if (out_of_order(upload, step))
        return;
    if (!ok) {
        upload_refused(upload, names[step], upload->temporary, reply);
        return;
    }
    if (step == STEP_SIZE && has_wrong_size(upload, reply))
        return;
    ask_steps(upload);
}

static void ask_step(struct upload *upload, enum upload_step step)
{
    struct client *client = upload_client(upload);
    struct outbox *outbox = &client->outbox;
    bool sync = (client->extensions & SFTP_EXT_FSYNC) && upload->service->fsync != FSYNC_NEVER;
    int32_t mode = service_mode(upload->service);
    bool wanted[] = {[STEP_SYNC] = sync,
                     [STEP_SIZE] = upload->writes > 1 || upload->resumed_at > 0,
                     [STEP_MODE] = mode >= 0,
                     [STEP_CLOSE] = true};
    if (!wanted[step])
        return;
    uint32_t id = client_ask(client, on_step, upload, step);
    upload->due++;
    if (step == STEP_SYNC)
        sftp_put_fsync(outbox, id, &upload->handle);
    else if (step == STEP_SIZE)
        sftp_put_fstat(outbox, id, &upload->handle);
    else if (step == STEP_MODE)
        sftp_put_fsetstat(outbox, id, &upload->handle, (uint32_t)mode);
    else
        sftp_put_close(outbox, id, &upload->handle);
    if (step == STEP_CLOSE)
        upload->open = false;
}

/* All at once, or each when the one before is answered; the rename never before all of them. */
static void ask_steps(struct upload *upload)
{
    while (upload->step < STEPS && !(upload->link->stepwise && upload->due > 0))
        ask_step(upload, upload->step++);
    if (upload->step == STEPS && upload->due == 0)
        place_rename(upload);
}

void upload_written(struct upload *upload)
{
    upload->state = UPLOAD_CLOSING;
    ask_steps(upload);
}
