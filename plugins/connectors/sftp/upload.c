/* One delivery, from the look at its final name to the rename that makes it visible there.
 *
 *   waiting -> looking -> opening -> writing -> (syncing) -> sizing -> closing -> renaming -> delivered
 *                 |                                                       |
 *                 +-> comparing <------------- looking again <------------+   (something has that name)
 *
 * The partner sees nothing under the final name before all of it is there. The temporary name holds the message
 * id, so that another attempt overwrites what an interrupted one left. */
#include "sftp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum upload_state {
    UPLOAD_WAITING,
    UPLOAD_LOOKING,
    UPLOAD_OPENING,
    UPLOAD_WRITING,
    UPLOAD_SYNCING,
    UPLOAD_SIZING,
    UPLOAD_CLOSING,
    UPLOAD_RENAMING, /* from here to the answer a cut leaves it uncertain */
    UPLOAD_LOOKING_AGAIN,
    UPLOAD_COMPARING,
};

struct upload {
    struct use use;
    struct link *link;
    struct upload *next;
    const struct accord_outgoing *out;
    const struct service_options *service;
    enum upload_state state;
    bool open;     /* `handle` is */
    bool made;     /* the temporary file exists, as far as we know */
    bool complete; /* the host gave the last byte */
    struct sftp_handle handle;
    uint8_t *chunk; /* collects payload until a whole write is there */
    size_t chunk_size;
    int64_t pulled, given; /* asked of the host, got from it */
    int64_t offset;        /* sent in writes */
    int64_t acknowledged;
    struct compare *compare;
    char temporary[SFTP_PATH_MAX];
    char final[SFTP_PATH_MAX];
};

/* Payload that makes an upload wait for a session of its own while there are not yet enough. */
#define HEAVY (1 << 20)

static void begin_upload(struct use *);
static void on_broken(struct use *, const char *reason);
static void fill_all(struct link *);

static struct client *client_of(const struct upload *upload)
{
    return use_client(&upload->use);
}

/* ---- the list ---- */

struct upload *upload_find(struct link *link, struct accord_delivery *handle)
{
    struct upload *upload = link->uploads;
    while (upload && upload->out->handle != handle)
        upload = upload->next;
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

static bool join(char to[SFTP_PATH_MAX], const char *folder, const char *name, const char *end)
{
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    return snprintf(to, SFTP_PATH_MAX, "%s%s%s%s", folder, slash, name, end) < SFTP_PATH_MAX;
}

struct upload *upload_new(struct link *link, const struct accord_outgoing *out)
{
    struct upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return NULL;
    upload->link = link;
    upload->out = out;
    upload->service = link_service(link, out->service);
    char name[ACCORD_NAME_MAX];
    snprintf(name, sizeof name, "%s%s", upload->service->temporary, out->envelope.id);
    if (!join(upload->temporary, upload->service->directory, name, ".tmp") ||
        !join(upload->final, upload->service->directory, out->envelope.name, "")) {
        free(upload);
        return NULL;
    }
    struct upload **at = &link->uploads;
    while (*at)
        at = &(*at)->next;
    *at = upload;
    upload->use = (struct use){
        .kind = USE_SEND, .heavy = out->envelope.size > HEAVY, .begin = begin_upload, .broken = on_broken};
    pool_join(link, &upload->use);
    return upload;
}

/* ---- endings ---- */

static void free_upload(struct upload *upload)
{
    struct upload **at = &upload->link->uploads;
    while (*at != upload)
        at = &(*at)->next;
    *at = upload->next;
    free(upload->chunk);
    free(upload);
}

/* Finishes the delivery and frees the upload. */
static void end(struct upload *upload, enum accord_outcome outcome, const char *reason, const char *receipt)
{
    const struct accord_host *host = upload->link->host;
    struct accord_delivery *handle = upload->out->handle;
    if (upload->use.session)
        client_forget(client_of(upload), upload);
    compare_free(upload->compare);
    pool_leave(&upload->use);
    free_upload(upload);
    struct accord_result result = {.outcome = outcome, .reason = reason, .receipt = receipt};
    host->finish(handle, &result);
}

/* Ends it while the session lives: closes and removes what it made on the partner's side. */
static void give_up(struct upload *upload, enum accord_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void give_up(struct upload *upload, enum accord_outcome outcome, const char *format, ...)
{
    struct client *client = client_of(upload);
    char reason[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (upload->open)
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &upload->handle);
    if (upload->made)
        sftp_put_remove(&client->outbox, client_ask(client, NULL, NULL, 0), upload->temporary);
    end(upload, outcome, reason, "");
}

static void delivered(struct upload *upload, bool already)
{
    const struct accord_envelope *envelope = &upload->out->envelope;
    char receipt[SFTP_PATH_MAX + 128];
    snprintf(receipt, sizeof receipt, "path=%s size=%" PRId64 " sha256=%s%s", upload->final, envelope->size,
             envelope->sha256, already ? " found=yes" : "");
    if (upload->made) {
        struct client *client = client_of(upload);
        sftp_put_remove(&client->outbox, client_ask(client, NULL, NULL, 0), upload->temporary);
    }
    end(upload, ACCORD_DELIVERED, "", receipt);
}

static void on_broken(struct use *use, const char *reason)
{
    struct upload *upload = (struct upload *)use; /* its first member */
    char text[ACCORD_REASON_MAX];
    bool renaming = upload->state == UPLOAD_RENAMING;
    snprintf(text, sizeof text, "%s%.440s", renaming ? "cut before the answer to the rename: " : "", reason);
    end(upload, renaming ? ACCORD_UNCERTAIN : ACCORD_RETRY, text, "");
}

void upload_cancel(struct upload *upload)
{
    if (upload->state == UPLOAD_RENAMING)
        return; /* the answer is on its way, and decides */
    if (upload->state == UPLOAD_WAITING) {
        end(upload, ACCORD_RETRY, "cancelled before it was begun", "");
        return;
    }
    give_up(upload, ACCORD_RETRY, "cancelled; the partner has seen no file of this name");
}

/* Handles a status that says no; `what` tells a person which step it was. */
static void refused_step(struct upload *upload, const char *what, const char *path,
                         const struct sftp_reply *reply)
{
    char words[24];
    if (reply->type != SFTP_STATUS) {
        use_break(&upload->use, "%s was answered with something else (type %d)", what, (int)reply->type);
        return;
    }
    /* Only a bad message is the message's own fault; a full disk, a quota, a missing folder or right can be
     * mended on the other side. */
    give_up(upload, reply->status == SFTP_BAD_MESSAGE ? ACCORD_REFUSED : ACCORD_RETRY, "%s of %.200s: %s%s%s",
            what, path, sftp_status_text(reply->status, words), reply->message[0] ? ": " : "",
            reply->message);
}

static bool is_ok(const struct sftp_reply *reply)
{
    return reply->type == SFTP_STATUS && reply->status == SFTP_OK;
}

/* ---- something has the final name ---- */

static void on_compared(void *arg, int result, const char *reason)
{
    struct upload *upload = arg;
    if (result < 0)
        give_up(upload, ACCORD_RETRY, "%.200s exists and cannot be compared: %.200s", upload->final, reason);
    else if (result > 0)
        delivered(upload, true);
    else
        give_up(upload, ACCORD_REFUSED, "%.300s exists with other content (%.100s)", upload->final, reason);
}

/* With if-exists = fail a file of this name refuses the message, but not on a later attempt: an earlier one may
 * have put it there and lost only the answer (the outcome was then UNCERTAIN), so that the same content at the
 * final name is this very delivery. */
static void settle_existing(struct upload *upload)
{
    const struct accord_outgoing *out = upload->out;
    if (upload->service->if_exists == EXISTS_FAIL && out->attempt <= 1) {
        give_up(upload, ACCORD_REFUSED, "%.300s exists already (if-exists = fail)", upload->final);
        return;
    }
    upload->state = UPLOAD_COMPARING;
    upload->compare = compare_new(client_of(upload), upload->final, out->envelope.size, out->envelope.sha256,
                                  on_compared, upload);
    if (!upload->compare)
        give_up(upload, ACCORD_RETRY, "out of memory");
}

static void on_looked_again(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    if (reply->type == SFTP_ATTRS)
        settle_existing(upload);
    else
        give_up(upload, ACCORD_RETRY, "rename to %.300s: the partner refuses it (status %u)", upload->final,
                note);
}

/* ---- the way there, last step first ---- */

static void on_renamed(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (is_ok(reply)) {
        upload->made = false;
        delivered(upload, false);
        return;
    }
    if (reply->type != SFTP_STATUS || reply->status != SFTP_FAILURE) {
        refused_step(upload, "rename", upload->final, reply);
        return;
    }
    /* Version 3 has no status of its own for "exists". */
    struct client *client = client_of(upload);
    upload->state = UPLOAD_LOOKING_AGAIN;
    sftp_put_lstat(&client->outbox, client_ask(client, on_looked_again, upload, reply->status),
                   upload->final);
}

static void on_closed(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    upload->open = false;
    if (!is_ok(reply)) {
        refused_step(upload, "close", upload->temporary, reply);
        return;
    }
    struct client *client = client_of(upload);
    upload->state = UPLOAD_RENAMING;
    sftp_put_rename(&client->outbox, client_ask(client, on_renamed, upload, 0), upload->temporary,
                    upload->final);
}

static void on_sized(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (reply->type != SFTP_ATTRS) {
        refused_step(upload, "size check", upload->temporary, reply);
        return;
    }
    if ((reply->attrs.flags & SFTP_ATTR_SIZE) && reply->attrs.size != (uint64_t)upload->offset) {
        give_up(upload, ACCORD_RETRY, "%.300s has %" PRIu64 " bytes at the partner, %" PRId64 " were sent",
                upload->temporary, reply->attrs.size, upload->offset);
        return;
    }
    struct client *client = client_of(upload);
    upload->state = UPLOAD_CLOSING;
    sftp_put_close(&client->outbox, client_ask(client, on_closed, upload, 0), &upload->handle);
}

static void check_size(struct upload *upload)
{
    struct client *client = client_of(upload);
    upload->state = UPLOAD_SIZING;
    sftp_put_fstat(&client->outbox, client_ask(client, on_sized, upload, 0), &upload->handle);
}

static void on_synced(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (is_ok(reply))
        check_size(upload);
    else
        refused_step(upload, "fsync", upload->temporary, reply);
}

static void all_written(struct upload *upload)
{
    struct client *client = client_of(upload);
    if (!(client->extensions & SFTP_EXT_FSYNC) || upload->service->fsync == FSYNC_NEVER) {
        check_size(upload);
        return;
    }
    upload->state = UPLOAD_SYNCING;
    sftp_put_fsync(&client->outbox, client_ask(client, on_synced, upload, 0), &upload->handle);
}

static void on_written(void *arg, uint32_t size, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    struct link *link = upload->link;
    if (!is_ok(reply)) {
        refused_step(upload, "write", upload->temporary, reply);
        return;
    }
    upload->acknowledged += size;
    if (upload->complete && upload->acknowledged == upload->offset && upload->chunk_size == 0)
        all_written(upload);
    fill_all(link);
}

static void write_chunk(struct upload *upload)
{
    struct client *client = client_of(upload);
    uint32_t size = (uint32_t)upload->chunk_size;
    sftp_put_write(&client->outbox, client_ask(client, on_written, upload, size), &upload->handle,
                   (uint64_t)upload->offset, upload->chunk, size);
    upload->offset += size;
    upload->chunk_size = 0;
}

void upload_payload(struct upload *upload, const uint8_t *bytes, size_t size, bool last)
{
    if (upload->state != UPLOAD_WRITING || upload->complete)
        return;
    upload->given += (int64_t)size;
    upload->complete = last;
    while (size > 0) {
        size_t part = SFTP_CHUNK - upload->chunk_size;
        part = part < size ? part : size;
        memcpy(upload->chunk + upload->chunk_size, bytes, part);
        upload->chunk_size += part;
        bytes += part;
        size -= part;
        if (upload->chunk_size == SFTP_CHUNK)
            write_chunk(upload);
    }
    if (last && upload->chunk_size > 0)
        write_chunk(upload);
    if (last && upload->given != upload->out->envelope.size)
        give_up(upload, ACCORD_RETRY, "the host gave %" PRId64 " bytes of %" PRId64, upload->given,
                upload->out->envelope.size);
    else if (last && upload->acknowledged == upload->offset)
        all_written(upload); /* an empty file, or every write is answered */
}

/* ---- the window ---- */

static bool pulling(const struct upload *upload)
{
    return upload->state == UPLOAD_WRITING && upload->pulled < upload->out->envelope.size;
}

/* The window is shared evenly; what one upload does not use, because another holds it, is asked for when that
 * one's writes are answered. Small steps are not worth a message between the processes. */
static void fill(struct upload *upload, int64_t share, int64_t *room)
{
    int64_t left = upload->out->envelope.size - upload->pulled;
    int64_t bytes = share - (upload->pulled - upload->acknowledged);
    bytes = bytes < *room ? bytes : *room;
    bytes = bytes < left ? bytes : left;
    if (bytes <= 0 || (bytes < 2 * SFTP_CHUNK && bytes < left))
        return;
    upload->pulled += bytes;
    *room -= bytes;
    upload->link->host->pull(upload->out->handle, use_session(&upload->use), bytes);
}

static void fill_all(struct link *link)
{
    int64_t room = SFTP_WINDOW, count = 0;
    for (const struct upload *upload = link->uploads; upload; upload = upload->next) {
        room -= upload->pulled - upload->acknowledged;
        count += pulling(upload);
    }
    for (struct upload *upload = link->uploads; upload; upload = upload->next)
        if (pulling(upload))
            fill(upload, SFTP_WINDOW / count, &room);
}

/* ---- the beginning ---- */

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    struct link *link = upload->link;
    (void)note;
    if (reply->type != SFTP_HANDLE) {
        upload->made = false;
        refused_step(upload,
                     reply->type == SFTP_STATUS && reply->status == SFTP_NO_SUCH_FILE
                         ? "the directory does not exist at the partner: open"
                         : "open",
                     upload->temporary, reply);
        return;
    }
    upload->handle = reply->handle;
    upload->open = true;
    upload->state = UPLOAD_WRITING;
    upload->chunk = malloc(SFTP_CHUNK);
    if (!upload->chunk)
        give_up(upload, ACCORD_RETRY, "out of memory");
    else if (upload->out->envelope.size == 0) /* credit of nothing: one byte brings the last, empty piece */
        link->host->pull(upload->out->handle, use_session(&upload->use), 1);
    else
        fill_all(link);
}

static void on_looked(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (reply->type == SFTP_ATTRS) {
        settle_existing(upload);
        return;
    }
    if (reply->type != SFTP_STATUS || reply->status != SFTP_NO_SUCH_FILE) {
        refused_step(upload, "look", upload->final, reply);
        return;
    }
    struct client *client = client_of(upload);
    upload->state = UPLOAD_OPENING;
    upload->made = true;
    sftp_put_open(&client->outbox, client_ask(client, on_opened, upload, 0), upload->temporary,
                  SFTP_OPEN_WRITE | SFTP_OPEN_CREATE | SFTP_OPEN_TRUNCATE, -1);
}

static void begin_upload(struct use *use)
{
    struct upload *upload = (struct upload *)use;
    struct client *client = client_of(upload);
    upload->state = UPLOAD_LOOKING;
    if (upload->service->fsync == FSYNC_REQUIRE && !(client->extensions & SFTP_EXT_FSYNC)) {
        give_up(upload, ACCORD_RETRY,
                "%s does not offer fsync@openssh.com, and the service says fsync = require; nothing was sent",
                upload->link->setup->endpoint_host);
        return;
    }
    stale_sweep(upload->link, upload->out->service);
    sftp_put_lstat(&client->outbox, client_ask(client, on_looked, upload, 0), upload->final);
}
