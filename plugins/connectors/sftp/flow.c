/* Payload: asked of the host as far as the session's window goes, hashed as it comes, and put into writes.
 *
 * The window is what was asked for and is not acknowledged by the partner. It grows while it alone holds things
 * up: everything that came is sent, and there could be more. What waits here to be sent has a limit of its own, so
 * that a thin line or a slow partner costs no more memory than that. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "upload.h"

#define WINDOW_LEAST (4 << 20)
#define WINDOW_MOST  SFTP_WINDOW
#define AHEAD_MOST   (4 << 20)        /* on its way from the host, or here and not sent yet */
#define PULL_LEAST   ACCORD_PIECE_MAX /* whole pieces, as the store keeps them, but for the last */
#define EARLY        (64 * 1024)      /* payload up to here is asked for before the file is open */

/* ---- writes ---- */

static void on_written(void *arg, uint32_t size, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    upload->due--;
    if (!upload_is_ok(reply)) {
        upload_refused(upload, "write", upload->temporary, reply);
        return;
    }
    flow_acknowledge(upload, size);
    if (upload->state == UPLOAD_CLOSING)
        upload_written(upload);
}

static void put_writes(struct upload *upload, const uint8_t *bytes, size_t size)
{
    struct client *client = upload_client(upload);
    const uint32_t most = client_write_size(client);
    while (size > 0) {
        uint32_t part = size < most ? (uint32_t)size : most;
        sftp_put_write(&client->outbox, client_ask(client, on_written, upload, part), &upload->handle,
                       (uint64_t)upload->offset, bytes, part);
        upload->offset += part;
        upload->writes++;
        upload->due++;
        bytes += part;
        size -= part;
    }
}

static void flush(struct upload *upload)
{
    put_writes(upload, upload->chunk, upload->chunk_size);
    upload->chunk_size = 0;
}

static bool collect(struct upload *upload, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return true;
    if (upload->chunk_size + size > upload->chunk_room) {
        size_t room = upload->chunk_size + size;
        room = room < SFTP_CHUNK && upload->out->envelope->size > SFTP_CHUNK ? SFTP_CHUNK : room;
        uint8_t *chunk = realloc(upload->chunk, room);
        if (!chunk) {
            upload_give_up(upload, ACCORD_RETRY, "out of memory");
            return false;
        }
        upload->chunk = chunk;
        upload->chunk_room = room;
    }
    memcpy(upload->chunk + upload->chunk_size, bytes, size);
    upload->chunk_size += size;
    return true;
}

/* What is large enough goes out as it is; small pieces are collected. */
static bool put_payload(struct upload *upload, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        if (upload->chunk_size == 0 && (size >= SFTP_CHUNK || upload->complete)) {
            put_writes(upload, bytes, size);
            return true;
        }
        size_t part = SFTP_CHUNK - upload->chunk_size;
        part = part < size ? part : size;
        if (!collect(upload, bytes, part))
            return false;
        if (upload->chunk_size == SFTP_CHUNK)
            flush(upload);
        bytes += part;
        size -= part;
    }
    if (upload->complete)
        flush(upload);
    return true;
}

/* ---- what is sent is what was announced ---- */

static bool digest_update(struct upload *upload, const uint8_t *bytes, size_t size)
{
    if (!upload->digest) {
        upload->digest = EVP_MD_CTX_new();
        if (!upload->digest || EVP_DigestInit_ex(upload->digest, upload->link->sha256, NULL) != 1)
            return false;
    }
    return EVP_DigestUpdate(upload->digest, bytes, size) == 1;
}

bool flow_verify(struct upload *upload)
{
    const struct accord_envelope *envelope = upload->out->envelope;
    char hash[65];
    if (upload->given != envelope->size) {
        upload_give_up(upload, ACCORD_RETRY, "the host gave %" PRId64 " bytes of %" PRId64, upload->given,
                       envelope->size);
        return false;
    }
    if (sha256_text(upload->digest, hash) && (!envelope->sha256[0] || strcmp(hash, envelope->sha256) == 0))
        return true;
    upload_give_up(upload, ACCORD_RETRY,
                   "the payload that came from the store has SHA-256 %s, not %s; it was not put in place",
                   hash, envelope->sha256);
    return false;
}

/* ---- from the host ---- */

void flow_take(struct upload *upload, const uint8_t *bytes, size_t size, bool last)
{
    if (upload->complete || upload->state < UPLOAD_OPENING || upload->state > UPLOAD_WRITING)
        return; /* the outcome does not depend on it any more */
    upload->given += (int64_t)size;
    upload->use.session->awaited -= (int64_t)size;
    upload->complete = last;
    if (!digest_update(upload, bytes, size)) {
        upload_give_up(upload, ACCORD_RETRY, "out of memory");
        return;
    }
    if (upload->state == UPLOAD_RESUMING) {
        resume_take(upload, bytes, size);
        return;
    }
    if (upload->state == UPLOAD_OPENING) {
        collect(upload, bytes, size);
        return;
    }
    if (put_payload(upload, bytes, size) && last && flow_verify(upload))
        upload_written(upload);
}

void flow_begin(struct upload *upload)
{
    upload->state = UPLOAD_WRITING;
    if (upload->chunk_size >= SFTP_CHUNK || upload->complete)
        flush(upload);
    if (upload->complete && flow_verify(upload))
        upload_written(upload);
}

/* The line is idle, and there would be more to send. */
static bool window_is_short(const struct session *session)
{
    return outbox_size(&session->client.outbox) == 0 &&
           session->window - session->unacknowledged < session->window / 4;
}

void flow_acknowledge(struct upload *upload, int64_t bytes)
{
    struct session *session = upload->use.session;
    if (window_is_short(session) && session->window < WINDOW_MOST)
        session->window += bytes; /* as slow start does: twice as much each round trip */
    upload->acknowledged += bytes;
    session->unacknowledged -= bytes;
}

void flow_end(struct upload *upload)
{
    if (upload->link->leader == upload)
        upload->link->leader = NULL;
    if (upload->use.session) {
        upload->use.session->unacknowledged -= upload->pulled - upload->acknowledged;
        upload->use.session->awaited -= upload->pulled - upload->given;
    }
    free(upload->chunk);
    EVP_MD_CTX_free(upload->digest);
}

/* ---- which large file goes first ---- */

static bool is_led(const struct upload *upload)
{
    return upload->use.heavy && upload->state == UPLOAD_WRITING &&
           upload->pulled < upload->out->envelope->size;
}

static int64_t left_of(const struct upload *upload)
{
    return upload->out->envelope->size - upload->pulled;
}

static struct upload *choose_leader(const struct link *link)
{
    struct upload *best = NULL;
    for (const struct session *session = link->pool.sessions; session; session = session->next)
        for (struct use *use = session->users; use; use = use->next) {
            struct upload *upload = use->kind == USE_SEND ? (struct upload *)use : NULL;
            if (upload && is_led(upload) && (!best || left_of(upload) < left_of(best)))
                best = upload;
        }
    return best;
}

/* Of several large files one goes first while the host gives less than the partners take. They end one after another
 * then, and while the partner syncs one, the next is on its way; otherwise all end, and are synced, at the same time. */
static bool goes_first(struct upload *upload)
{
    struct link *link = upload->link;
    if (!upload->use.heavy || link->pool.heavy < 2)
        return true;
    if (!link->leader || !is_led(link->leader))
        link->leader = choose_leader(link);
    return !link->leader || link->leader == upload ||
           link->leader->use.session->awaited < link->leader->use.session->window / 4;
}

/* ---- the window ---- */

/* How far this one may be asked for now. */
static int64_t reach(const struct upload *upload)
{
    int64_t size = upload->out->envelope->size;
    if (upload->state == UPLOAD_WRITING)
        return size;
    if (upload->state == UPLOAD_RESUMING)
        return resume_end(upload->resume);
    return upload->state == UPLOAD_OPENING && size <= EARLY ? size : 0;
}

static bool wants(const struct upload *upload)
{
    return upload->pulled < reach(upload) || (upload->out->envelope->size == 0 && !upload->asked);
}

static void pull(struct upload *upload, int64_t bytes)
{
    upload->asked = true;
    upload->pulled += bytes;
    upload->use.session->unacknowledged += bytes;
    upload->use.session->awaited += bytes;
    /* credit of nothing: one byte brings the last, empty piece */
    upload->link->host->pull(upload->out->handle, use_session(&upload->use), bytes ? bytes : 1);
}

static int64_t room_of(const struct session *session)
{
    int64_t window = session->window - session->unacknowledged;
    int64_t ahead = AHEAD_MOST - session->awaited - (int64_t)outbox_size(&session->client.outbox);
    return window < ahead ? window : ahead;
}

/* The window is shared evenly; what one does not use, because another holds it, is asked for when that one's writes
 * are answered. */
static void fill(struct upload *upload, int64_t share)
{
    int64_t room = room_of(upload->use.session), left = reach(upload) - upload->pulled;
    if (!goes_first(upload))
        share = PULL_LEAST;
    int64_t bytes = share - (upload->pulled - upload->acknowledged);
    bytes = bytes < room ? bytes : room;
    if (bytes >= left)
        pull(upload, left);
    else if (bytes >= PULL_LEAST)
        pull(upload, bytes / PULL_LEAST * PULL_LEAST);
}

static struct upload *next_of(struct use **use)
{
    while (*use && (*use)->kind != USE_SEND)
        *use = (*use)->next;
    struct upload *upload = (struct upload *)*use;
    if (*use)
        *use = (*use)->next;
    return upload;
}

void flow_fill(struct session *session)
{
    int64_t count = 0;
    struct use *use = session->users;
    for (const struct upload *upload; (upload = next_of(&use));)
        count += wants(upload);
    if (count == 0)
        return;
    if (session->window == 0)
        session->window = WINDOW_LEAST;
    int64_t share = session->window / count;
    use = session->users;
    for (struct upload *upload; (upload = next_of(&use));)
        if (wants(upload))
            fill(upload, share > PULL_LEAST ? share : PULL_LEAST);
}
