#include "plugin/cache.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"

#define FILE_MAX (ANSWERS_BYTES_MAX + 8192)

/* A line that names the format and the program, the SHA-256 of the rest as a line, then datagrams, each behind its size
 * in four bytes, little-endian. */
static void put_head(struct buf *to)
{
    buf_format(to, "accord describe 1 %s abi %d.%d wire %d\n", ACCORD_VERSION, ACCORD_ABI_MAJOR,
               ACCORD_ABI_MINOR, WIRE_VERSION);
}

void cache_add(struct buf *said, struct wire_bytes datagram)
{
    for (int shift = 0; shift < 32; shift += 8)
        buf_byte(said, (uint8_t)(datagram.size >> shift));
    buf_put(said, datagram.data, datagram.size);
}

static bool same_head(const uint8_t **at, size_t *left)
{
    struct buf head = {0};
    put_head(&head);
    bool same = !head.failed && head.size <= *left && !memcmp(*at, head.data, head.size);
    *at += same ? head.size : 0;
    *left -= same ? head.size : 0;
    buf_fini(&head);
    return same;
}

static bool same_sum(const uint8_t **at, size_t *left)
{
    uint8_t digest[DIGEST_SIZE];
    char hex[DIGEST_HEX];
    if (*left < DIGEST_HEX || (*at)[DIGEST_HEX - 1] != '\n' ||
        digest_of(*at + DIGEST_HEX, *left - DIGEST_HEX, digest) < 0)
        return false;
    hex_encode(hex, digest, sizeof digest);
    bool same = !memcmp(*at, hex, DIGEST_HEX - 1);
    *at += DIGEST_HEX;
    *left -= DIGEST_HEX;
    return same;
}

bool cache_decode(const uint8_t *bytes, size_t size, struct answers *answers)
{
    struct reason why;
    int more = 1;
    if (!same_head(&bytes, &size) || !same_sum(&bytes, &size))
        return false;
    while (more == 1 && size >= 4) {
        size_t datagram =
            (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
        bytes += 4;
        size -= 4;
        if (datagram > size)
            return false;
        more = answers_take(answers, (struct wire_bytes){bytes, datagram}, &why);
        bytes += datagram;
        size -= datagram;
    }
    return !more && !size;
}

bool cache_get(const char *folder, const char *sha256, struct answers *answers)
{
    char path[1024];
    struct buf bytes = {0};
    struct reason why;
    answers_init(answers);
    bool found = !file_path(path, sizeof path, folder, sha256) && !file_read(path, FILE_MAX, &bytes, &why) &&
                 bytes.data && cache_decode(bytes.data, bytes.size, answers);
    buf_fini(&bytes);
    if (!found)
        answers_fini(answers);
    return found;
}

bool cache_encode(const struct buf *said, struct buf *file)
{
    uint8_t digest[DIGEST_SIZE];
    char hex[DIGEST_HEX];
    if (said->failed || !said->size || digest_of(said->data, said->size, digest) < 0)
        return false;
    hex_encode(hex, digest, sizeof digest);
    put_head(file);
    buf_format(file, "%s\n", hex);
    buf_put(file, said->data, said->size);
    return !file->failed;
}

void cache_put(const char *folder, const char *sha256, const struct buf *said)
{
    char path[1024];
    struct buf file = {0};
    struct reason why;
    if (cache_encode(said, &file) && !file_path(path, sizeof path, folder, sha256) &&
        !file_make_folder(folder, &why))
        (void)file_replace(path, file.data, file.size, 0600, &why);
    buf_fini(&file);
}

static bool is_used(const char *name, const struct conf_plugins *plugins)
{
    for (size_t i = 0; i < plugins->count; i++)
        if (!strcmp(plugins->items[i].sha256, name))
            return true;
    return false;
}

void cache_tidy(const char *folder, const struct conf_plugins *plugins)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    uint8_t digest[DIGEST_SIZE];
    while (dir && (entry = readdir(dir)))
        if (hex_decode(digest, sizeof digest, entry->d_name) && !is_used(entry->d_name, plugins))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
