/* Payload on its way in: the tail is in memory; whole pieces beyond two go to the journal, where an admission
 * finds them again by position. */
#include <stdlib.h>
#include <string.h>

#include "store/front.h"
#include "util/buf_pool.h"
#include "util/pool.h"
#include "util/text.h"

#define TAIL_MAX    (2 * (size_t)ACCORD_PIECE_MAX)
#define LONG_TAIL   (2 * TAIL_MAX) /* bytes: TAIL_MAX, and a piece that comes before it is spilled */
#define HASH_AT_END 16384          /* bytes: what is not longer is hashed when all of it is there */

static struct pool payloads = {.size = sizeof(struct store_payload), .most = 512};
static struct buf_pool tails = {.usual = 2048};
/* Of payloads that come in pieces: memory that is new each time costs more than what is put into it. */
static struct buf_pool long_tails = {.usual = LONG_TAIL, .most = 16};

struct store_payload *store_payload_new(struct store *store, const char *agreement)
{
    struct store_payload *payload = pool_take(&payloads);
    if (!payload)
        return NULL;
    payload->store = store;
    text_copy(payload->agreement, sizeof payload->agreement, agreement);
    payload->first = UINT64_MAX;
    payload->tail = buf_pool_take(&tails);
    if ((payload->next = store->payloads))
        payload->next->previous = payload;
    store->payloads = payload;
    return payload;
}

/* Store thread: its first piece is in the journal. */
static void stage(struct store *store, struct store_payload *payload, uint64_t first)
{
    uv_mutex_lock(&store->lock);
    payload->first = first;
    if ((payload->next_staged = store->staged))
        payload->next_staged->previous_staged = payload;
    store->staged = payload;
    uv_mutex_unlock(&store->lock);
}

static void unstage(struct store *store, struct store_payload *payload)
{
    uv_mutex_lock(&store->lock);
    if (payload->next_staged)
        payload->next_staged->previous_staged = payload->previous_staged;
    if (payload->previous_staged)
        payload->previous_staged->next_staged = payload->next_staged;
    else
        store->staged = payload->next_staged;
    uv_mutex_unlock(&store->lock);
}

/* No call on it is under way. */
static void unlist(struct store *store, struct store_payload *payload)
{
    if (payload->next)
        payload->next->previous = payload->previous;
    if (payload->previous)
        payload->previous->next = payload->next;
    else
        store->payloads = payload->next;
    if (payload->first != UINT64_MAX)
        unstage(store, payload);
}

void payloads_abandon(struct store *store)
{
    for (struct store_payload *payload = store->payloads; payload; payload = payload->next)
        payload->store = NULL;
}

uint64_t payload_staged(struct store *store)
{
    uint64_t oldest = UINT64_MAX;
    uv_mutex_lock(&store->lock);
    for (const struct store_payload *payload = store->staged; payload; payload = payload->next_staged)
        oldest = payload->first < oldest ? payload->first : oldest;
    uv_mutex_unlock(&store->lock);
    return oldest;
}

static void payload_release(struct store_payload *payload)
{
    if (payload->store)
        unlist(payload->store, payload);
    digest_free(payload->digest);
    buf_pool_give(payload->tail.room == LONG_TAIL ? &long_tails : &tails, &payload->tail);
    buf_fini(&payload->pieces);
    buf_fini(&payload->fresh);
    pool_give(&payloads, payload);
}

void store_payload_free(struct store_payload *payload)
{
    if (!payload)
        return;
    if (payload->pending || payload->telling)
        payload->orphan = true;
    else
        payload_release(payload);
}

/* Ends a call on the payload; the owner may have let go of it meanwhile. */
static void payload_done(struct store_payload *payload, int result, store_done done, void *arg)
{
    payload->pending--;
    payload->telling++;
    done(arg, result);
    payload->telling--;
    if (payload->orphan && !payload->pending && !payload->telling)
        payload_release(payload);
}

const uint8_t *store_payload_memory(const struct store_payload *payload, size_t *size)
{
    static const uint8_t nothing[1];
    if (!payload->sealed || payload->failed || payload->pieces.size)
        return NULL;
    *size = payload->tail.size;
    return *size ? payload->tail.data : nothing;
}

/* ---- adding ---- */

/* Store thread. Puts the whole pieces of the tail, but never what may be the last piece: that one is sealed with the
 * message's id. */
int payload_spill(struct store *store, struct store_payload *payload)
{
    struct seal_bond bond = {.agreement = payload->agreement, .payload = payload->id};
    size_t size = payload->tail.size - 1 - (payload->tail.size - 1) % ACCORD_PIECE_MAX;
    buf_clear(&payload->fresh);
    for (size_t at = 0; at < size; at += ACCORD_PIECE_MAX) {
        uint64_t position;
        struct record_piece piece = {.index = (uint32_t)((payload->pieces.size + payload->fresh.size) / 8),
                                     .data = payload->tail.data + at,
                                     .size = ACCORD_PIECE_MAX,
                                     .bond = &bond};
        int result = store->backend->put_piece(store->state, &piece, &position);
        if (result)
            return result;
        record_add_number(&payload->fresh, position);
    }
    return payload->fresh.failed ? ACCORD_ENOMEM : 0;
}

/* Store thread, after the group. */
void payload_spilled(struct store_payload *payload, int result)
{
    if (!result) {
        buf_put(&payload->pieces, payload->fresh.data, payload->fresh.size);
        result = payload->pieces.failed ? ACCORD_ENOMEM : 0;
    }
    if (!result && payload->first == UINT64_MAX && payload->pieces.size) {
        struct record_admission list = {.pieces = payload->pieces.data};
        stage(payload->store, payload, record_piece_position(&list, 0));
    }
    if (result)
        payload->failed = result;
    else
        buf_drop(&payload->tail, payload->fresh.size / 8 * ACCORD_PIECE_MAX);
}

struct adding {
    struct store_payload *payload;
    store_done done;
    void *arg;
};

static void on_spilled(void *arg, int result)
{
    struct adding adding = *(struct adding *)arg;
    free(arg);
    payload_done(adding.payload, result ? result : adding.payload->failed, adding.done, adding.arg);
}

/* Of what is long all is hashed as it comes. */
static void hash(struct store_payload *payload, const void *bytes, size_t size)
{
    if (payload->digest) {
        digest_add(payload->digest, bytes, size);
    } else if (payload->tail.size > HASH_AT_END) {
        if ((payload->digest = digest_new()))
            digest_add(payload->digest, payload->tail.data, payload->tail.size);
        else
            payload->failed = ACCORD_ENOMEM;
    }
}

/* It will be long: its first piece comes. */
static void lengthen(struct store_payload *payload)
{
    struct buf longer = buf_pool_take(&long_tails);
    if (!buf_reserve(&longer, LONG_TAIL))
        return; /* it grows as it must */
    buf_put(&longer, payload->tail.data, payload->tail.size);
    buf_pool_give(&tails, &payload->tail);
    payload->tail = longer;
}

static void append(struct store_payload *payload, const void *bytes, size_t size)
{
    if (payload->sealed && !payload->failed)
        payload->failed = ACCORD_ESTATE;
    if (payload->failed)
        return;
    if (payload->tail.size + size >= ACCORD_PIECE_MAX && payload->tail.room < LONG_TAIL)
        lengthen(payload);
    buf_put(&payload->tail, bytes, size);
    payload->size += (int64_t)size;
    if (payload->tail.failed)
        payload->failed = ACCORD_ENOMEM;
    else
        hash(payload, bytes, size);
}

void store_payload_add(struct store_payload *payload, const void *bytes, size_t size, store_done done,
                       void *arg)
{
    struct adding *adding = NULL;
    append(payload, bytes, size);
    if (!payload->failed && payload->tail.size > TAIL_MAX && !(adding = malloc(sizeof *adding)))
        payload->failed = ACCORD_ENOMEM;
    if (!adding) {
        store_finish_later(payload->store, payload->failed, done, arg);
        return;
    }
    *adding = (struct adding){payload, done, arg};
    payload->pending++;
    store_call(payload->store, CALL_SPILL, payload, on_spilled, adding);
}

bool store_payload_take(struct store_payload *payload, const void *bytes, size_t size)
{
    if (payload->pending || payload->failed || payload->sealed || payload->tail.size + size > TAIL_MAX)
        return false;
    append(payload, bytes, size);
    return true;
}

void store_payload_seal(struct store_payload *payload, uint8_t sha256[DIGEST_SIZE], int64_t *size)
{
    if (payload->digest)
        digest_end(payload->digest, payload->sha256);
    else if (!payload->sealed && digest_of(payload->tail.data, payload->tail.size, payload->sha256) < 0)
        payload->failed = ACCORD_EIO;
    payload->digest = NULL;
    payload->sealed = true;
    memcpy(sha256, payload->sha256, DIGEST_SIZE);
    *size = payload->size;
}

/* ---- reading back ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Store thread. */
int payload_look(struct store *store, struct peek *peek)
{
    struct store_payload *payload = peek->payload;
    uint64_t index = (uint64_t)peek->offset / ACCORD_PIECE_MAX;
    struct seal_bond bond = {.payload = payload->id, .index = (uint32_t)index};
    struct record_admission list = {.pieces = payload->pieces.data};
    return store->backend->peek(store->state, record_piece_position(&list, (size_t)index), &bond,
                                (size_t)(peek->offset % ACCORD_PIECE_MAX), peek->to, peek->room, peek->got);
}

static void on_peeked(void *arg, int result)
{
    struct peek peek = *(struct peek *)arg;
    free(arg);
    payload_done(peek.payload, result, peek.done, peek.arg);
}

static void peek_tail(const struct store_payload *payload, int64_t offset, void *to, size_t room, size_t *got)
{
    size_t at = (size_t)(offset - (payload->size - (int64_t)payload->tail.size));
    *got = at < payload->tail.size ? least(payload->tail.size - at, room) : 0;
    if (*got)
        memcpy(to, payload->tail.data + at, *got);
}

void store_payload_peek(struct store_payload *payload, int64_t offset, void *to, size_t room, size_t *got,
                        store_done done, void *arg)
{
    struct peek *peek;
    int result = payload->failed ? payload->failed : offset < 0 ? ACCORD_EINVAL : 0;
    *got = 0;
    if (!result && (uint64_t)offset < payload->pieces.size / 8 * ACCORD_PIECE_MAX) {
        if ((peek = malloc(sizeof *peek))) {
            *peek = (struct peek){payload, offset, to, room, got, done, arg};
            payload->pending++;
            store_call(payload->store, CALL_PEEK, peek, on_peeked, peek);
            return;
        }
        result = ACCORD_ENOMEM;
    }
    if (!result)
        peek_tail(payload, offset, to, room, got);
    store_finish_later(payload->store, result, done, arg);
}
