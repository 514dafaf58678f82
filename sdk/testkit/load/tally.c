#include "tally.h"

#include "content.h"

#include <accord/base.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

int tally_open(struct tally *tally, const char *folder, const char *name, const char *suffix, char *why,
               size_t room)
{
    char path[4096];
    *tally = (struct tally){.fd = -1};
    if (snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix) >= (int)sizeof path) {
        snprintf(why, room, "the folder's name is too long");
        return ACCORD_EINVAL;
    }
    tally->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (tally->fd >= 0)
        return 0;
    snprintf(why, room, "cannot open %.300s: %s", path, strerror(errno));
    return ACCORD_EIO;
}

int tally_each(struct tally *tally, void (*each)(void *arg, const char *), void *arg)
{
    char block[65536];
    off_t whole = 0;
    for (;;) {
        ssize_t got = pread(tally->fd, block, sizeof block, whole);
        if (got <= 0)
            return got || ftruncate(tally->fd, whole) ? ACCORD_EIO : 0;
        char *at = block, *end;
        while ((end = memchr(at, '\n', (size_t)(block + got - at)))) {
            *end = 0;
            if (each)
                each(arg, at);
            at = end + 1;
        }
        if (at == block) /* the cut line, which is the last */
            return ftruncate(tally->fd, whole) ? ACCORD_EIO : 0;
        whole += at - block;
    }
}

void tally_begin(struct tally *tally)
{
    if (tally->room - tally->size < LINE_MAX_BYTES) {
        size_t room = tally->room ? 2 * tally->room : 16 * LINE_MAX_BYTES;
        char *lines = realloc(tally->lines, room);
        if (!lines)
            abort(); /* a count that is not exact is worse than none */
        tally->lines = lines;
        tally->room = room;
    }
    tally->begin = tally->size;
}

/* How much of so many bytes there is room for, with a space before them and the newline. */
static size_t room_for(const struct tally *tally, size_t size)
{
    size_t used = tally->size - tally->begin, most = LINE_MAX_BYTES - 3;
    size_t left = used < most ? most - used : 0;
    return size < left ? size : left;
}

static void put_space(struct tally *tally)
{
    if (tally->size > tally->begin)
        tally->lines[tally->size++] = ' ';
}

void tally_word(struct tally *tally, const char *word)
{
    size_t size = room_for(tally, strlen(word));
    if (!size)
        return;
    put_space(tally);
    memcpy(tally->lines + tally->size, word, size);
    tally->size += size;
}

void tally_number(struct tally *tally, int64_t number)
{
    if (room_for(tally, 24) < 24)
        return;
    put_space(tally);
    char *at = tally->lines + tally->size;
    tally->size += (size_t)(content_number(at, number, 1) - at);
}

void tally_end(struct tally *tally)
{
    tally->lines[tally->size++] = '\n';
}

bool tally_write(struct tally *tally)
{
    size_t done = 0;
    while (done < tally->size) {
        ssize_t n = write(tally->fd, tally->lines + done, tally->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    bool whole = done == tally->size;
    tally->size -= done;
    if (tally->size)
        memmove(tally->lines, tally->lines + done, tally->size);
    return whole && (!tally->sync || !done || fdatasync(tally->fd) == 0);
}

void tally_close(struct tally *tally)
{
    if (tally->fd >= 0)
        close(tally->fd);
    free(tally->lines);
    *tally = (struct tally){.fd = -1};
}
