#include "position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the text ---- */

static const char *time_text(int64_t stamp, char text[STAMP_TEXT])
{
    return stamp == STAMP_NONE ? "-" : stamp_write(stamp, text);
}

static bool plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '%';
}

/* False: no room. */
static bool write_id(const char *id, char *to, size_t room)
{
    size_t size = 0;
    for (; *id; id++) {
        if (size + 4 > room)
            return false;
        size += (size_t)snprintf(to + size, room - size, plain((unsigned char)*id) ? "%c" : "%%%02X",
                                 (unsigned char)*id);
    }
    to[size] = '\0';
    return true;
}

bool position_write(const struct position *position, char cursor[ACCORD_CURSOR_MAX])
{
    char begin[STAMP_TEXT], end[STAMP_TEXT], result[ACCORD_CURSOR_MAX - 96];
    bool kept = write_id(position->result, result, sizeof result);
    bool parts = kept && position->part > 1;
    snprintf(cursor, ACCORD_CURSOR_MAX, "1 %s %s %" PRId64 " %s", time_text(position->begin, begin),
             time_text(position->end, end), parts ? position->part : 1, parts ? result : "-");
    return kept;
}

static bool read_word(const char **at, char *word, size_t room)
{
    size_t size = strcspn(*at, " ");
    if (size == 0 || size >= room)
        return false;
    memcpy(word, *at, size);
    word[size] = '\0';
    *at += size;
    if (**at == ' ')
        ++*at;
    return true;
}

static bool read_time(const char **at, int64_t *stamp)
{
    char word[STAMP_TEXT], again[STAMP_TEXT];
    *stamp = STAMP_NONE;
    if (!read_word(at, word, sizeof word))
        return false;
    return strcmp(word, "-") == 0 ||
           (stamp_read(word, stamp) && strcmp(stamp_write(*stamp, again), word) == 0);
}

static int hex(char c)
{
    const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool read_id(const char *word, char result[POSITION_RESULT])
{
    size_t size = 0;
    for (; *word && size + 1 < POSITION_RESULT; word++) {
        int high = *word == '%' ? hex(word[1]) : 0, low = *word == '%' && high >= 0 ? hex(word[2]) : 0;
        if (high < 0 || low < 0 || (*word == '%' && !high && !low) ||
            (*word != '%' && !plain((unsigned char)*word)))
            return false;
        result[size++] = *word == '%' ? (char)(high * 16 + low) : *word;
        word += *word == '%' ? 2 : 0;
    }
    result[size] = '\0';
    return *word == '\0';
}

/* What is read must be what would be written: no other text means the same. */
bool position_read(struct position *position, const char *cursor)
{
    struct position read = {.part = 1};
    char word[ACCORD_CURSOR_MAX], number[24], again[ACCORD_CURSOR_MAX];
    const char *at = cursor;
    if (strlen(cursor) >= ACCORD_CURSOR_MAX || strncmp(at, "1 ", 2) != 0)
        return false;
    at += 2;
    if (!read_time(&at, &read.begin) || !read_time(&at, &read.end) ||
        !read_word(&at, number, sizeof number) || strspn(number, "0123456789") != strlen(number) ||
        strlen(number) > 18 || !read_word(&at, word, sizeof word) || *at)
        return false;
    read.part = strtoll(number, NULL, 10);
    if (strcmp(word, "-") != 0 && !read_id(word, read.result))
        return false;
    bool parts = read.part > 1;
    if (read.part < 1 || parts != (read.result[0] != '\0') ||
        (read.end != STAMP_NONE && read.begin != STAMP_NONE && read.end <= read.begin))
        return false;
    if (!position_write(&read, again) || strcmp(again, cursor) != 0)
        return false;
    *position = read;
    return true;
}

bool position_same(const struct position *a, const struct position *b)
{
    return a->begin == b->begin && a->end == b->end && a->part == b->part &&
           strcmp(a->result, b->result) == 0;
}

/* ---- moving on ---- */

bool position_window(struct position *position, int64_t window, int64_t now)
{
    int64_t begin = position->begin;
    if (begin == STAMP_NONE || begin >= now)
        return false;
    position->end = now - begin > window * 1000 ? begin + window * 1000 : now;
    return true;
}

void position_again(struct position *position)
{
    position->part = 1;
    position->result[0] = '\0';
    position->end = STAMP_NONE;
}

void position_next_window(struct position *position, const char *answered, int64_t now)
{
    int64_t end = STAMP_NONE, asked = position->end;
    bool said = *answered && stamp_read(answered, &end);
    if (asked != STAMP_NONE)
        position->begin = said && end > position->begin && end <= asked && end <= now ? end : asked;
    position_again(position);
}

bool position_next_part(struct position *position, const char *result, int64_t part)
{
    char cursor[ACCORD_CURSOR_MAX];
    if (strlen(result) >= POSITION_RESULT)
        return false;
    snprintf(position->result, sizeof position->result, "%s", result);
    position->part = part + 1;
    return position_write(position, cursor);
}
