#include "found.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* ---- one file ---- */

static void hash(const char *path, const uint8_t *more, size_t size, uint8_t out[EVP_MAX_MD_SIZE])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    memset(out, 0, EVP_MAX_MD_SIZE);
    if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1) {
        EVP_DigestUpdate(digest, path, strlen(path) + 1);
        EVP_DigestUpdate(digest, more, size);
        EVP_DigestFinal_ex(digest, out, NULL);
    }
    EVP_MD_CTX_free(digest);
}

uint64_t found_key(const char *path)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    uint64_t key;
    hash(path, NULL, 0, bytes);
    memcpy(&key, bytes, sizeof key);
    return key ? key : 1;
}

void found_id(const struct found *found, char id[FOUND_ID])
{
    uint8_t more[12], bytes[EVP_MAX_MD_SIZE];
    char text[16];
    for (int i = 0; i < 8; i++)
        more[i] = (uint8_t)(found->size >> (8 * i));
    for (int i = 0; i < 4; i++)
        more[8 + i] = (uint8_t)(found->modified >> (8 * i));
    hash(found->path, more, sizeof more, bytes);
    EVP_EncodeBlock((unsigned char *)text, bytes, 9); /* 12 characters, the last of which is left out */
    memcpy(id, text, FOUND_ID - 1);
    id[FOUND_ID - 1] = 0;
}

struct found *found_new(const char *path, uint64_t size, uint32_t modified, bool typed)
{
    size_t length = strlen(path);
    struct found *found = malloc(sizeof *found + length + 1);
    if (!found)
        return NULL;
    const char *slash = strrchr(path, '/');
    *found = (struct found){.key = found_key(path),
                            .size = size,
                            .modified = modified,
                            .typed = typed,
                            .name = slash ? (size_t)(slash + 1 - path) : 0};
    memcpy(found->path, path, length + 1);
    return found;
}

/* Bytes of the character at the front; 0: not UTF-8, or a control character. */
static size_t character(const uint8_t *at)
{
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    uint32_t code = at[0] & (0x7fu >> size);
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool shortest = code >= (size == 4 ? 0x10000u : size == 3 ? 0x800u : 0xa0u);
    return shortest && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? size : 0;
}

void found_text(const char *path, char *to, size_t room)
{
    size_t length = strlen(path), used = 0;
    const uint8_t *at = (const uint8_t *)path;
    if (length >= room)
        at += length - room + 1;
    while (*at && (const char *)at != path && (*at & 0xc0) == 0x80)
        at++; /* not in the middle of a character */
    while (*at) {
        size_t size = character(at);
        if (size)
            memcpy(to + used, at, size);
        else
            to[used] = '?';
        used += size ? size : 1;
        at += size ? size : 1;
    }
    to[used] = 0;
}

/* ---- the oldest of many: a heap whose top is the one that comes last ---- */

static bool before(const struct found *a, const struct found *b)
{
    return a->modified != b->modified ? a->modified < b->modified : strcmp(a->path, b->path) < 0;
}

static void swap(struct queue *queue, size_t a, size_t b)
{
    struct found *kept = queue->items[a];
    queue->items[a] = queue->items[b];
    queue->items[b] = kept;
}

static void sink(struct queue *queue, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(queue->items[child], queue->items[child + 1]))
            child++;
        if (!before(queue->items[at], queue->items[child]))
            return;
        swap(queue, at, child);
    }
}

static size_t weight(const struct found *found)
{
    return sizeof *found + strlen(found->path) + 1;
}

static void drop_last(struct queue *queue)
{
    queue->bytes -= weight(queue->items[0]);
    free(queue->items[0]);
    queue->items[0] = queue->items[--queue->count];
    sink(queue, 0, queue->count);
    queue->more = true;
}

void queue_add(struct queue *queue, struct found *found)
{
    if (!queue->items)
        queue->items = malloc((QUEUE_MOST + 1) * sizeof(struct found *));
    if (!queue->items) {
        queue->more = true;
        free(found);
        return;
    }
    size_t at = queue->count++;
    queue->items[at] = found;
    queue->bytes += weight(found);
    for (; at && before(queue->items[(at - 1) / 2], queue->items[at]); at = (at - 1) / 2)
        swap(queue, at, (at - 1) / 2);
    while (queue->count > QUEUE_MOST || (queue->bytes > QUEUE_BYTES && queue->count > 1))
        drop_last(queue);
}

void queue_sort(struct queue *queue)
{
    for (size_t left = queue->count; left > 1;) {
        swap(queue, 0, --left);
        sink(queue, 0, left);
    }
    queue->at = 0;
}

struct found *queue_next(struct queue *queue)
{
    if (queue->at < queue->count)
        return queue->items[queue->at++];
    free(queue->items);
    *queue = (struct queue){0};
    return NULL;
}

void queue_fini(struct queue *queue)
{
    while (queue->at < queue->count)
        free(queue->items[queue->at++]);
    queue_next(queue);
}
