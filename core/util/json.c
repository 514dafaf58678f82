#include "util/json.h"

#include <string.h>

#include "util/text.h"
#include "util/word.h"

struct json json_begin(struct buf *buf)
{
    buf_byte(buf, '{');
    return (struct json){.buf = buf};
}

void json_end(struct json *json)
{
    buf_byte(json->buf, '}');
}

static void quote_byte(struct buf *buf, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_format(buf, "\\%c", c);
    else if (c == '\n')
        buf_text(buf, "\\n");
    else
        buf_format(buf, "\\u%04x", c);
}

static bool plain(unsigned char c)
{
    static const bool plains[256] = {[' ' ... '!'] = true, ['#' ... '['] = true, [']' ... '~'] = true};
    return plains[c];
}

/* A character above ASCII, as it is if it may be shown; returns its bytes. */
static size_t quote_wide(struct buf *buf, const char *text)
{
    struct text_glyph glyph = text_glyph(text);
    if (text_may_be_shown(glyph.code))
        buf_put(buf, text, glyph.bytes);
    else if (glyph.code && glyph.code < 0x10000)
        buf_format(buf, "\\u%04x", (unsigned)glyph.code);
    else if (glyph.code)
        buf_format(buf, "\\u%04x\\u%04x", 0xd800 + (unsigned)((glyph.code - 0x10000) >> 10),
                   0xdc00 + (unsigned)(glyph.code & 0x3ff));
    else
        buf_text(buf, "\\ufffd");
    return glyph.bytes;
}

/* A byte of these eight is a control character, a quote, a backslash, DEL or above ASCII. */
static bool is_odd(uint64_t word)
{
    return word_is_odd(word, word_below(word, 0x20) | word_has(word, '"') | word_has(word, '\\') |
                                 word_has(word, 0x7f));
}

bool json_is_plain(const char *text, size_t size)
{
    size_t at = 0;
    for (; at + 8 <= size; at += 8)
        if (is_odd(word_at(text + at)))
            return false;
    if (size >= 8)
        return at == size || !is_odd(word_at(text + size - 8));
    while (at < size && plain((unsigned char)text[at]))
        at++;
    return at == size;
}

/* What needs no escapes, as most does, is written at once. */
static bool quote_plain(struct buf *buf, const char *text)
{
    size_t size = strlen(text);
    uint8_t *to = json_is_plain(text, size) ? buf_reserve(buf, size + 2) : NULL;
    if (!to)
        return false;
    to[0] = '"';
    memcpy(to + 1, text, size);
    to[size + 1] = '"';
    buf->size += size + 2;
    return true;
}

void json_quote(struct buf *buf, const char *text)
{
    if (quote_plain(buf, text))
        return;
    buf_byte(buf, '"');
    while (*text) {
        size_t run = 0;
        while (plain((unsigned char)text[run]))
            run++;
        buf_put(buf, text, run);
        text += run;
        if (!*text)
            break;
        unsigned char c = (unsigned char)*text;
        if (c >= 0x80) {
            text += quote_wide(buf, text);
        } else {
            quote_byte(buf, c);
            text++;
        }
    }
    buf_byte(buf, '"');
}

static void name(struct json *json, const char *text)
{
    if (json->more)
        buf_byte(json->buf, ',');
    json->more = true;
    json_quote(json->buf, text);
    buf_byte(json->buf, ':');
}

void json_text(struct json *json, const char *key, const char *value)
{
    name(json, key);
    json_quote(json->buf, value);
}

void json_text_if(struct json *json, const char *key, const char *value)
{
    if (value && *value)
        json_text(json, key, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
    char digits[TEXT_DECIMAL];
    name(json, key);
    buf_put(json->buf, digits, text_decimal(digits, value));
}
