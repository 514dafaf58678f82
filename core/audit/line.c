#include "audit/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/chain.h"
#include "util/text.h"

struct cursor {
    const char *at, *end;
    struct buf *text;
};

static bool take(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

/* Four hexadecimal digits; -1 when they are not. */
static int32_t hex4(struct cursor *cursor)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        char c = cursor->at < cursor->end ? *cursor->at++ : 0;
        const char *found = c ? strchr(digits, c) : NULL;
        if (!found)
            return -1;
        value = value << 4 | (int32_t)((found - digits) & 15);
    }
    return value;
}

static void put_utf8(struct buf *to, int32_t c)
{
    if (c < 0x80) {
        buf_byte(to, (uint8_t)c);
    } else if (c < 0x800) {
        buf_byte(to, (uint8_t)(0xc0 | c >> 6));
        buf_byte(to, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        if (c < 0x10000) {
            buf_byte(to, (uint8_t)(0xe0 | c >> 12));
        } else {
            buf_byte(to, (uint8_t)(0xf0 | c >> 18));
            buf_byte(to, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        buf_byte(to, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_byte(to, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* The second half of a surrogate pair; the character, or -1 when it is none. */
static int32_t pair(struct cursor *cursor, int32_t high)
{
    int32_t low = take(cursor, '\\') && take(cursor, 'u') ? hex4(cursor) : -1;
    return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : -1;
}

static bool unescape(struct cursor *cursor)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = cursor->at < cursor->end ? *cursor->at++ : 0;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        buf_byte(cursor->text, (uint8_t)to[found - from]);
        return true;
    }
    int32_t code = c == 'u' ? hex4(cursor) : -1;
    if (code >= 0xd800 && code <= 0xdbff)
        code = pair(cursor, code);
    if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    put_utf8(cursor->text, code);
    return true;
}

/* Appends the decoded text and a NUL. */
static bool read_text(struct cursor *cursor)
{
    size_t begin = cursor->text->size;
    if (!take(cursor, '"'))
        return false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        char c = *cursor->at++;
        if ((unsigned char)c < 0x20)
            return false;
        if (c != '\\')
            buf_byte(cursor->text, (uint8_t)c);
        else if (!unescape(cursor))
            return false;
    }
    if (!take(cursor, '"') ||
        !text_utf8((const char *)cursor->text->data + begin, cursor->text->size - begin, true))
        return false;
    buf_byte(cursor->text, 0);
    return true;
}

/* A number or a boolean, kept as written. */
static bool read_word(struct cursor *cursor)
{
    const char *begin = cursor->at;
    while (cursor->at < cursor->end && strchr("-0123456789truefalse", *cursor->at) && *cursor->at)
        cursor->at++;
    size_t size = (size_t)(cursor->at - begin);
    bool word = (size == 4 && !memcmp(begin, "true", 4)) || (size == 5 && !memcmp(begin, "false", 5));
    size_t sign = size && begin[0] == '-';
    for (size_t i = sign; !word && i < size; i++)
        if (begin[i] < '0' || begin[i] > '9')
            return false;
    if (!word && (size == sign || size > 20))
        return false;
    buf_put(cursor->text, begin, size);
    buf_byte(cursor->text, 0);
    return true;
}

static bool read_field(struct cursor *cursor)
{
    return read_text(cursor) && take(cursor, ':') &&
           (cursor->at < cursor->end && *cursor->at == '"' ? read_text(cursor) : read_word(cursor));
}

static int order(const void *a, const void *b)
{
    return strcmp(((const struct accord_pair *)a)->name, ((const struct accord_pair *)b)->name);
}

/* A record that says one thing twice could say different things to two readers. */
static bool names_differ(const struct line *line)
{
    struct accord_pair sorted[LINE_FIELDS_MAX];
    memcpy(sorted, line->fields, line->count * sizeof *sorted);
    qsort(sorted, line->count, sizeof *sorted, order);
    for (size_t i = 1; i < line->count; i++)
        if (!strcmp(sorted[i - 1].name, sorted[i].name))
            return false;
    return true;
}

/* The texts stand one after the other, each with its NUL: name, value, name, value. */
static int point_fields(struct line *line, size_t count, struct reason *why)
{
    line->fields = calloc(count, sizeof *line->fields);
    if (!line->fields || line->text.failed)
        return fail(why, ACCORD_ENOMEM, "out of memory reading an audit record");
    line->count = count;
    const char *at = (const char *)line->text.data;
    for (size_t i = 0; i < count; i++) {
        line->fields[i].name = at;
        at += strlen(at) + 1;
        line->fields[i].value = at;
        at += strlen(at) + 1;
    }
    return names_differ(line) ? 0 : fail(why, ACCORD_EFORMAT, "a field name stands twice in the record");
}

int line_parse(struct line *line, const char *bytes, size_t size, struct reason *why)
{
    *line = (struct line){0};
    struct cursor cursor = {.at = bytes, .end = bytes + size, .text = &line->text};
    size_t count = 0;
    if (size > AUDIT_LINE_MAX)
        return fail(why, ACCORD_ELIMIT, "the record is longer than %d bytes", AUDIT_LINE_MAX);
    if (!take(&cursor, '{'))
        return fail(why, ACCORD_EFORMAT, "the line is not a record: it does not begin with {");
    do {
        if (++count > LINE_FIELDS_MAX)
            return fail(why, ACCORD_ELIMIT, "the record has more than %d fields", LINE_FIELDS_MAX);
        if (!read_field(&cursor))
            return fail(why, ACCORD_EFORMAT, "the record is not readable at byte %zu",
                        (size_t)(cursor.at - bytes) + 1);
    } while (take(&cursor, ','));
    if (!take(&cursor, '}') || cursor.at != cursor.end)
        return fail(why, ACCORD_EFORMAT, "the record does not end at byte %zu",
                    (size_t)(cursor.at - bytes) + 1);
    return point_fields(line, count, why);
}

void line_fini(struct line *line)
{
    free(line->fields);
    buf_fini(&line->text);
    *line = (struct line){0};
}

const char *line_get(const struct line *line, const char *name)
{
    for (size_t i = 0; i < line->count; i++)
        if (!strcmp(line->fields[i].name, name))
            return line->fields[i].value;
    return NULL;
}

bool line_is_date(const char *text)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != '-')
            return false;
    int month = (text[5] - '0') * 10 + text[6] - '0', day = (text[8] - '0') * 10 + text[9] - '0';
    return text[10] == 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool line_date(const char *bytes, size_t size, char date[LINE_DATE_SIZE])
{
    static const char prefix[] = "{\"@timestamp\":\"";
    const size_t skip = sizeof prefix - 1;
    if (size < skip + LINE_DATE_SIZE || memcmp(bytes, prefix, skip) != 0 || bytes[skip + 10] != 'T')
        return false;
    memcpy(date, bytes + skip, LINE_DATE_SIZE - 1);
    date[LINE_DATE_SIZE - 1] = 0;
    return line_is_date(date);
}

/* ---- reading files ---- */

#define ROOM (4 * AUDIT_LINE_MAX)

int line_reader_init(struct line_reader *reader, int fd, int64_t offset)
{
    *reader = (struct line_reader){.fd = fd, .end = offset, .room = malloc(ROOM)};
    return reader->room ? 0 : ACCORD_ENOMEM;
}

/* Moves what is unread to the front and reads behind it: the bytes read, 0 at the end. */
static ssize_t refill(struct line_reader *reader, int64_t offset)
{
    memmove(reader->room, reader->room + reader->from, reader->to - reader->from);
    reader->to -= reader->from;
    reader->from = 0;
    ssize_t n;
    do
        n = pread(reader->fd, reader->room + reader->to, ROOM - reader->to, offset + (int64_t)reader->to);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        reader->to += (size_t)n;
    return n;
}

int line_read(struct line_reader *reader)
{
    size_t skipped = 0, looked = 0;
    const char *newline;
    for (;;) {
        char *from = reader->room + reader->from;
        size_t have = reader->to - reader->from;
        if ((newline = memchr(from + looked, '\n', have - looked)))
            break;
        if (have > AUDIT_LINE_MAX) {
            skipped += have;
            reader->from = reader->to;
            have = 0;
        }
        looked = have;
        ssize_t n = refill(reader, reader->end + (int64_t)skipped);
        if (n < 0)
            return ACCORD_EIO;
        if (n == 0)
            break;
    }
    reader->bytes = reader->room + reader->from;
    reader->size = (newline ? (size_t)(newline - reader->bytes) : reader->to - reader->from);
    reader->whole = newline != NULL;
    size_t taken = reader->size + reader->whole;
    reader->from += taken;
    reader->end += (int64_t)(skipped + taken);
    reader->too_long = skipped || reader->size > AUDIT_LINE_MAX;
    reader->number += skipped || taken;
    return skipped || taken ? 1 : 0;
}

void line_reader_fini(struct line_reader *reader)
{
    free(reader->room);
    reader->room = NULL;
}
