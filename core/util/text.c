#include "util/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/word.h"

/* Length of the UTF-8 character at `p` of at most `size` bytes; 0 when malformed. RFC 3629. */
static size_t utf8_length(const unsigned char *p, size_t size)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

static size_t copy(char *to, size_t room, const char *from)
{
    size_t size = strlen(from);
    if (size >= room) {
        size = room - 1;
        while (size && ((unsigned char)from[size] & 0xc0) == 0x80)
            size--;
    }
    memmove(to, from, size);
    to[size] = 0;
    return size;
}

void text_copy_some(char *to, size_t room, const char *from)
{
    copy(to, room, from);
}

size_t text_join(char *to, size_t room, const char *a, const char *b, const char *c)
{
    size_t used = copy(to, room, a);
    used += copy(to + used, room - used, b);
    return used + copy(to + used, room - used, c);
}

static bool is_control(const unsigned char *p, size_t length)
{
    return p[0] < 0x20 || p[0] == 0x7f || (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* One of these eight bytes is NUL, above ASCII or, unless `controls`, a control character. */
static inline bool is_odd(const unsigned char *p, bool controls)
{
    uint64_t word = word_at(p);
    return word_is_odd(word, controls ? word_has(word, 0) : word_below(word, 0x20) | word_has(word, 0x7f));
}

/* How many bytes at the front are ASCII and neither NUL nor, unless `controls`, control characters; of what is longer
 * than a word, perhaps some less. */
static inline size_t plain_ascii(const unsigned char *p, size_t size, bool controls)
{
    size_t at = 0;
    for (; at + 8 <= size; at += 8)
        if (is_odd(p + at, controls))
            return at;
    if (at == size || (at && !is_odd(p + size - 8, controls)))
        return size;
    while (at < size && p[at] && p[at] < 0x80 && (controls || (p[at] >= 0x20 && p[at] != 0x7f)))
        at++;
    return at;
}

struct text_glyph text_glyph(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t size = utf8_length(p, strnlen(text, 4));
    if (size <= 1)
        return (struct text_glyph){1, size ? p[0] : 0};
    uint32_t code = p[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (p[i] & 0x3fu);
    return (struct text_glyph){size, code};
}

/* Soft hyphen, marks of direction, zero widths, separators of lines and paragraphs, byte order mark, tags. */
bool text_may_be_shown(uint32_t code)
{
    return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0xad && code != 0x61c &&
           !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
           !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff && !(code >= 0xfff9 && code <= 0xfffb) &&
           !(code >= 0xe0000 && code <= 0xe007f);
}

size_t text_make_visible(char *text)
{
    const char *begin = text;
    size_t size = strlen(text), plain = plain_ascii((const unsigned char *)text, size, false);
    if (plain == size)
        return size;
    text += plain;
    char *to = text;
    for (struct text_glyph glyph; *text; text += glyph.bytes) {
        glyph = text_glyph(text);
        if (text_may_be_shown(glyph.code)) {
            memmove(to, text, glyph.bytes);
            to += glyph.bytes;
        } else {
            *to++ = '?';
        }
    }
    *to = 0;
    return (size_t)(to - begin);
}

static inline bool is_utf8(const char *text, size_t size, bool controls)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t at = plain_ascii(p, size, controls), length; at < size; at += length) {
        length = utf8_length(p + at, size - at);
        if (!length || !p[at] || (!controls && is_control(p + at, length)))
            return false;
    }
    return true;
}

/* A loop for each, which does not ask again for every word. */
bool text_utf8(const char *text, size_t size, bool controls)
{
    return controls ? is_utf8(text, size, true) : is_utf8(text, size, false);
}

static bool may_be_in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool text_is_name(const char *text, size_t max)
{
    size_t size = 0;
    while (size <= max && may_be_in_name(text[size]))
        size++;
    return size >= 1 && size <= max && !text[size] && text[0] != '-';
}

/* Levenshtein distance, counting at most the first 63 characters of each. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    size_t alen = strnlen(a, 63), blen = strnlen(b, 63);
    for (size_t j = 0; j <= blen; j++)
        row[j] = j;
    for (size_t i = 1; i <= alen; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t above = row[j];
            size_t best = corner + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            corner = above;
            row[j] = best;
        }
    }
    return row[blen];
}

const char *text_nearest(const char *text, const char *const *names)
{
    const char *nearest = NULL;
    size_t best = strlen(text) / 3 + 2;
    for (; *names; names++) {
        size_t d = distance(text, *names);
        if (d < best) {
            best = d;
            nearest = *names;
        }
    }
    return nearest;
}

void text_safe_name(char *to, size_t room, const char *from)
{
    const unsigned char *p = (const unsigned char *)from;
    size_t size = strlen(from), used = 0;
    if (size && size < room && from[0] != '.' && plain_ascii(p, size, false) == size &&
        !memchr(from, '/', size) && !memchr(from, '\\', size)) {
        memcpy(to, from, size + 1);
        return;
    }
    for (size_t at = 0, length; at < size; at += length) {
        struct text_glyph glyph = text_glyph(from + at);
        length = glyph.bytes;
        bool bad =
            !text_may_be_shown(glyph.code) || p[at] == '/' || p[at] == '\\' || (used == 0 && p[at] == '.');
        if (used + (bad ? 1 : length) >= room)
            break;
        if (bad) {
            to[used++] = '_';
        } else {
            memcpy(to + used, p + at, length);
            used += length;
        }
    }
    to[used] = 0;
    if (!used)
        text_copy(to, room, "unnamed");
}

void text_size(char *to, size_t room, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(to, room, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void text_duration(char *to, size_t room, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *one, *many;
    } units[] = {{365LL * 86400000, "year", "years"},
                 {86400000, "day", "days"},
                 {3600000, "h", "h"},
                 {60000, "min", "min"},
                 {1000, "s", "s"},
                 {1, "ms", "ms"}};
    size_t i = 0;
    while (i < 5 && ms < units[i].ms)
        i++;
    int64_t n = ms / units[i].ms, rest = i < 5 ? ms % units[i].ms / units[i + 1].ms : 0;
    int used = snprintf(to, room, "%" PRId64 " %s", n, n == 1 ? units[i].one : units[i].many);
    if (rest && used > 0 && (size_t)used < room)
        snprintf(to + used, room - (size_t)used, " %" PRId64 " %s", rest,
                 rest == 1 ? units[i + 1].one : units[i + 1].many);
}

size_t text_decimal(char to[TEXT_DECIMAL], int64_t value)
{
    char digits[TEXT_DECIMAL];
    size_t at = sizeof digits, sign = value < 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    to[0] = '-';
    memcpy(to + sign, digits + at, sizeof digits - at);
    size_t size = sign + sizeof digits - at;
    to[size] = 0;
    return size;
}

void text_time(char *to, size_t room, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    int64_t us = wall_us % 1000000;
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t used = strftime(to, room, "%Y-%m-%dT%H:%M:%S", &tm);
    if (used)
        snprintf(to + used, room - used, ".%06dZ", (int)us);
}

bool text_is_below(const char *text, const char *head)
{
    size_t size = strlen(head);
    return !strncmp(text, head, size) && text[size] == '/';
}
