#include "packets.h"

#include <accord/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum request {
    PUT_INIT = 1,
    PUT_OPEN = 3,
    PUT_CLOSE = 4,
    PUT_READ = 5,
    PUT_WRITE = 6,
    PUT_LSTAT = 7,
    PUT_FSTAT = 8,
    PUT_FSETSTAT = 10,
    PUT_OPENDIR = 11,
    PUT_READDIR = 12,
    PUT_REMOVE = 13,
    PUT_MKDIR = 14,
    PUT_REALPATH = 16,
    PUT_STAT = 17,
    PUT_RENAME = 18,
    PUT_EXTENDED = 200,
};

#define FSYNC        "fsync@openssh.com"
#define POSIX_RENAME "posix-rename@openssh.com"
#define LIMITS       "limits@openssh.com"

static const struct {
    const char *name, *version;
    uint32_t flag;
} extensions[] = {
    {POSIX_RENAME, "1", SFTP_EXT_POSIX_RENAME},
    {FSYNC, "1", SFTP_EXT_FSYNC},
    {LIMITS, "1", SFTP_EXT_LIMITS},
};

/* ---- encoding ---- */

void outbox_fini(struct outbox *outbox)
{
    free(outbox->bytes);
    *outbox = (struct outbox){0};
}

void outbox_sent(struct outbox *outbox, size_t size)
{
    outbox->start += size;
    if (outbox->start == outbox->end)
        outbox->start = outbox->end = 0;
}

static uint8_t *room(struct outbox *outbox, size_t size)
{
    if (outbox->failed)
        return NULL;
    if (outbox->end + size > outbox->capacity && outbox->start > 0) {
        memmove(outbox->bytes, outbox->bytes + outbox->start, outbox_size(outbox));
        outbox->end -= outbox->start;
        outbox->start = 0;
    }
    if (outbox->end + size > outbox->capacity) {
        size_t capacity = (outbox->end + size) * 2;
        uint8_t *bytes = realloc(outbox->bytes, capacity);
        if (!bytes) {
            outbox->failed = true;
            return NULL;
        }
        outbox->bytes = bytes;
        outbox->capacity = capacity;
    }
    uint8_t *at = outbox->bytes + outbox->end;
    outbox->end += size;
    return at;
}

static void put_u8(struct outbox *outbox, uint8_t value)
{
    uint8_t *at = room(outbox, 1);
    if (at)
        *at = value;
}

static void put_u32(struct outbox *outbox, uint32_t value)
{
    uint8_t *at = room(outbox, 4);
    for (int i = 0; at && i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_u64(struct outbox *outbox, uint64_t value)
{
    put_u32(outbox, (uint32_t)(value >> 32));
    put_u32(outbox, (uint32_t)value);
}

static void put_bytes(struct outbox *outbox, const void *bytes, size_t size)
{
    put_u32(outbox, (uint32_t)size);
    uint8_t *at = room(outbox, size);
    if (at && size)
        memcpy(at, bytes, size);
}

static void put_text(struct outbox *outbox, const char *text)
{
    put_bytes(outbox, text, strlen(text));
}

static void put_handle(struct outbox *outbox, const struct sftp_handle *handle)
{
    put_bytes(outbox, handle->bytes, handle->size);
}

/* `size` is that of what follows the id. */
static void put_head(struct outbox *outbox, enum request type, uint32_t id, size_t size)
{
    put_u32(outbox, (uint32_t)(1 + 4 + size));
    put_u8(outbox, (uint8_t)type);
    put_u32(outbox, id);
}

void sftp_put_init(struct outbox *outbox)
{
    put_head(outbox, PUT_INIT, 3, 0); /* the version stands where others have their id */
}

void sftp_put_open(struct outbox *outbox, uint32_t id, const char *path, uint32_t flags, int32_t mode)
{
    put_head(outbox, PUT_OPEN, id, 4 + strlen(path) + 4 + 4 + (mode < 0 ? 0 : 4));
    put_text(outbox, path);
    put_u32(outbox, flags);
    put_u32(outbox, mode < 0 ? 0 : SFTP_ATTR_PERMISSIONS);
    if (mode >= 0)
        put_u32(outbox, (uint32_t)mode);
}

static void put_with_handle(struct outbox *outbox, enum request type, uint32_t id,
                            const struct sftp_handle *handle)
{
    put_head(outbox, type, id, 4 + handle->size);
    put_handle(outbox, handle);
}

static void put_with_path(struct outbox *outbox, enum request type, uint32_t id, const char *path)
{
    put_head(outbox, type, id, 4 + strlen(path));
    put_text(outbox, path);
}

void sftp_put_close(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle)
{
    put_with_handle(outbox, PUT_CLOSE, id, handle);
}

void sftp_put_read(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle, uint64_t offset,
                   uint32_t size)
{
    put_head(outbox, PUT_READ, id, 4 + handle->size + 8 + 4);
    put_handle(outbox, handle);
    put_u64(outbox, offset);
    put_u32(outbox, size);
}

void sftp_put_write(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle, uint64_t offset,
                    const uint8_t *bytes, size_t size)
{
    put_head(outbox, PUT_WRITE, id, 4 + handle->size + 8 + 4 + size);
    put_handle(outbox, handle);
    put_u64(outbox, offset);
    put_bytes(outbox, bytes, size);
}

void sftp_put_lstat(struct outbox *outbox, uint32_t id, const char *path)
{
    put_with_path(outbox, PUT_LSTAT, id, path);
}

void sftp_put_fstat(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle)
{
    put_with_handle(outbox, PUT_FSTAT, id, handle);
}

void sftp_put_stat(struct outbox *outbox, uint32_t id, const char *path)
{
    put_with_path(outbox, PUT_STAT, id, path);
}

void sftp_put_fsetstat(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle, uint32_t mode)
{
    put_head(outbox, PUT_FSETSTAT, id, 4 + handle->size + 4 + 4);
    put_handle(outbox, handle);
    put_u32(outbox, SFTP_ATTR_PERMISSIONS);
    put_u32(outbox, mode);
}

void sftp_put_realpath(struct outbox *outbox, uint32_t id, const char *path)
{
    put_with_path(outbox, PUT_REALPATH, id, path);
}

void sftp_put_opendir(struct outbox *outbox, uint32_t id, const char *path)
{
    put_with_path(outbox, PUT_OPENDIR, id, path);
}

void sftp_put_readdir(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle)
{
    put_with_handle(outbox, PUT_READDIR, id, handle);
}

void sftp_put_remove(struct outbox *outbox, uint32_t id, const char *path)
{
    put_with_path(outbox, PUT_REMOVE, id, path);
}

static void put_two_paths(struct outbox *outbox, const char *from, const char *to)
{
    put_text(outbox, from);
    put_text(outbox, to);
}

void sftp_put_rename(struct outbox *outbox, uint32_t id, const char *from, const char *to)
{
    put_head(outbox, PUT_RENAME, id, 4 + strlen(from) + 4 + strlen(to));
    put_two_paths(outbox, from, to);
}

void sftp_put_mkdir(struct outbox *outbox, uint32_t id, const char *path)
{
    put_head(outbox, PUT_MKDIR, id, 4 + strlen(path) + 4);
    put_text(outbox, path);
    put_u32(outbox, 0); /* no attributes: the server's own */
}

/* `size` is that of what follows the name. */
static void put_extended(struct outbox *outbox, uint32_t id, const char *name, size_t size)
{
    put_head(outbox, PUT_EXTENDED, id, 4 + strlen(name) + size);
    put_text(outbox, name);
}

void sftp_put_fsync(struct outbox *outbox, uint32_t id, const struct sftp_handle *handle)
{
    put_extended(outbox, id, FSYNC, 4 + handle->size);
    put_handle(outbox, handle);
}

void sftp_put_posix_rename(struct outbox *outbox, uint32_t id, const char *from, const char *to)
{
    put_extended(outbox, id, POSIX_RENAME, 4 + strlen(from) + 4 + strlen(to));
    put_two_paths(outbox, from, to);
}

void sftp_put_limits(struct outbox *outbox, uint32_t id)
{
    put_extended(outbox, id, LIMITS, 0);
}

/* ---- decoding ---- */

/* What is left to read; `bad` once something did not fit, and stays so. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->bad || size > reader->left) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    reader->left -= size;
    return at;
}

static uint32_t get_u32(struct reader *reader)
{
    const uint8_t *at = take(reader, 4);
    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

static uint64_t get_u64(struct reader *reader)
{
    uint64_t high = get_u32(reader);
    return high << 32 | get_u32(reader);
}

static struct sftp_span get_span(struct reader *reader, size_t limit)
{
    struct sftp_span span = {0};
    uint32_t size = get_u32(reader);
    if (size > limit)
        reader->bad = true;
    span.bytes = take(reader, size);
    span.size = span.bytes ? size : 0;
    return span;
}

static bool span_is(struct sftp_span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static void get_attrs(struct reader *reader, struct sftp_attrs *attrs)
{
    const uint32_t known =
        SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES | SFTP_ATTR_EXTENDED;
    *attrs = (struct sftp_attrs){.flags = get_u32(reader)};
    if (attrs->flags & ~known)
        reader->bad = true; /* version 3 gives no way to skip what one does not know */
    if (attrs->flags & SFTP_ATTR_SIZE)
        attrs->size = get_u64(reader);
    if (attrs->flags & SFTP_ATTR_OWNER)
        take(reader, 8);
    if (attrs->flags & SFTP_ATTR_PERMISSIONS)
        attrs->permissions = get_u32(reader);
    if (attrs->flags & SFTP_ATTR_TIMES) {
        take(reader, 4);
        attrs->modified = get_u32(reader);
    }
    uint32_t count = attrs->flags & SFTP_ATTR_EXTENDED ? get_u32(reader) : 0;
    if (count > SFTP_EXTENSIONS_MAX)
        reader->bad = true;
    for (; count > 0 && !reader->bad; count--) {
        get_span(reader, SFTP_PATH_MAX);
        get_span(reader, SFTP_PATH_MAX);
    }
}

static void get_entry(struct reader *reader, struct sftp_entry *entry)
{
    entry->name = get_span(reader, SFTP_PATH_MAX);
    get_span(reader, 2 * SFTP_PATH_MAX); /* the line for people, as `ls -l` */
    get_attrs(reader, &entry->attrs);
}

static void get_names(struct reader *reader, struct sftp_reply *reply)
{
    reply->count = get_u32(reader);
    if (reply->count > reader->left / 12) /* each needs two lengths and the flags */
        reader->bad = true;
    reply->names = (struct sftp_span){.bytes = reader->at, .size = reader->left};
    struct sftp_entry entry;
    for (uint32_t i = 0; i < reply->count && !reader->bad; i++)
        get_entry(reader, &entry);
}

static void get_status(struct reader *reader, struct sftp_reply *reply)
{
    reply->status = get_u32(reader);
    if (reader->left == 0)
        return; /* servers of drafts before the second send no words */
    struct sftp_span words = get_span(reader, SFTP_PATH_MAX);
    get_span(reader, 64); /* language */
    size_t size = words.size < sizeof reply->message ? words.size : sizeof reply->message - 1;
    for (size_t i = 0; i < size; i++)
        reply->message[i] = words.bytes[i] >= ' ' && words.bytes[i] < 0x7f ? (char)words.bytes[i] : '?';
    reply->message[size] = '\0';
}

static void get_version(struct reader *reader, struct sftp_reply *reply)
{
    reply->version = get_u32(reader);
    for (int count = 0; reader->left > 0 && !reader->bad; count++) {
        if (count == SFTP_EXTENSIONS_MAX)
            reader->bad = true;
        struct sftp_span name = get_span(reader, SFTP_PATH_MAX);
        struct sftp_span value = get_span(reader, SFTP_PATH_MAX);
        for (size_t i = 0; i < sizeof extensions / sizeof extensions[0] && !reader->bad; i++)
            if (span_is(name, extensions[i].name) && span_is(value, extensions[i].version))
                reply->extensions |= extensions[i].flag;
    }
}

static void get_handle(struct reader *reader, struct sftp_reply *reply)
{
    struct sftp_span handle = get_span(reader, SFTP_HANDLE_MAX);
    if (handle.size == 0)
        reader->bad = true;
    reply->handle.size = (uint32_t)handle.size;
    if (handle.size)
        memcpy(reply->handle.bytes, handle.bytes, handle.size);
}

int sftp_frame(const uint8_t *bytes, size_t available, size_t *size)
{
    struct reader reader = {.at = bytes, .left = available};
    if (available < 4)
        return 0;
    *size = get_u32(&reader);
    if (*size < 5 || *size > SFTP_REPLY_MAX)
        return ACCORD_EPROTO;
    return reader.left >= *size;
}

int sftp_decode(const uint8_t *bytes, size_t size, struct sftp_reply *reply)
{
    struct reader reader = {.at = bytes, .left = size};
    memset(reply, 0, sizeof *reply);
    const uint8_t *type = take(&reader, 1);
    reply->type = type ? (enum sftp_type) * type : 0;
    if (reply->type != SFTP_VERSION)
        reply->id = get_u32(&reader);
    switch (reply->type) {
    case SFTP_VERSION:
        get_version(&reader, reply);
        break;
    case SFTP_STATUS:
        get_status(&reader, reply);
        break;
    case SFTP_HANDLE:
        get_handle(&reader, reply);
        break;
    case SFTP_DATA:
        reply->data = get_span(&reader, SFTP_REPLY_MAX);
        break;
    case SFTP_NAME:
        get_names(&reader, reply);
        break;
    case SFTP_ATTRS:
        get_attrs(&reader, &reply->attrs);
        break;
    case SFTP_EXTENDED_REPLY:
        reply->data = (struct sftp_span){.bytes = reader.at, .size = reader.left};
        take(&reader, reader.left);
        break;
    default:
        return ACCORD_EPROTO;
    }
    return reader.bad || reader.left > 0 ? ACCORD_EPROTO : ACCORD_OK;
}

bool sftp_next_name(struct sftp_reply *reply, struct sftp_entry *entry)
{
    if (reply->count == 0)
        return false;
    struct reader reader = {.at = reply->names.bytes, .left = reply->names.size};
    get_entry(&reader, entry);
    reply->count--;
    reply->names = (struct sftp_span){.bytes = reader.at, .size = reader.left};
    return !reader.bad;
}

bool sftp_get_limits(const struct sftp_reply *reply, struct sftp_limits *limits)
{
    struct reader reader = {.at = reply->data.bytes, .left = reply->data.size};
    if (reply->type != SFTP_EXTENDED_REPLY)
        return false;
    limits->packet = get_u64(&reader);
    limits->read = get_u64(&reader);
    limits->write = get_u64(&reader);
    limits->handles = get_u64(&reader);
    return !reader.bad;
}

const char *sftp_status_text(uint32_t status, char words[24])
{
    static const char *const texts[] = {
        "ok",          "end of file",   "no such file",    "permission denied",    "failure",
        "bad message", "no connection", "connection lost", "unsupported operation"};
    if (status < sizeof texts / sizeof texts[0])
        return texts[status];
    snprintf(words, 24, "status %u", status);
    return words;
}
