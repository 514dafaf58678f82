#include "encode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST 76 /* RFC 2045, 6.7 and 6.8 */

static const char hex[] = "0123456789ABCDEF";

/* ---- bytes that grow ---- */

void text_put(struct text *text, const void *bytes, size_t size)
{
    if (text->failed || size == 0)
        return;
    if (size > text->room - text->size) {
        size_t room = 2 * text->room + size + 256;
        char *more = malloc(room);
        text->failed = !more;
        if (!more)
            return;
        if (text->size)
            memcpy(more, text->bytes, text->size);
        if (text->bytes)
            explicit_bzero(text->bytes, text->room);
        free(text->bytes);
        text->bytes = more;
        text->room = room;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

void text_print_list(struct text *text, const char *format, va_list args)
{
    char *line = NULL;
    int size = vasprintf(&line, format, args);
    text->failed = text->failed || size < 0;
    if (size >= 0) {
        text_put(text, line, (size_t)size);
        explicit_bzero(line, (size_t)size);
        free(line);
    }
}

void text_print(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_print_list(text, format, args);
    va_end(args);
}

void text_wipe(struct text *text)
{
    if (text->bytes)
        explicit_bzero(text->bytes, text->room);
    free(text->bytes);
    *text = (struct text){0};
}

/* ---- base64 ---- */

void encode_base64(struct text *to, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char four[4];
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t three = (uint32_t)bytes[at] << 16 | (uint32_t)(left > 1 ? bytes[at + 1] : 0) << 8 |
                         (left > 2 ? bytes[at + 2] : 0);
        four[0] = digits[three >> 18];
        four[1] = digits[three >> 12 & 63];
        four[2] = left > 1 ? digits[three >> 6 & 63] : '=';
        four[3] = left > 2 ? digits[three & 63] : '=';
        text_put(to, four, 4);
    }
}

static void put_line(struct encoder *encoder, struct text *to, const uint8_t *bytes, size_t size)
{
    (void)encoder;
    encode_base64(to, bytes, size);
    text_put(to, "\r\n", 2);
}

static void put_base64(struct encoder *encoder, struct text *to, const uint8_t *bytes, size_t size)
{
    const size_t full = sizeof encoder->kept;
    while (size) {
        if (encoder->kept_size == 0 && size >= full) {
            put_line(encoder, to, bytes, full);
            bytes += full;
            size -= full;
            continue;
        }
        size_t more = full - encoder->kept_size < size ? full - encoder->kept_size : size;
        memcpy(encoder->kept + encoder->kept_size, bytes, more);
        encoder->kept_size += more;
        bytes += more;
        size -= more;
        if (encoder->kept_size == full) {
            put_line(encoder, to, encoder->kept, full);
            encoder->kept_size = 0;
        }
    }
}

/* ---- quoted-printable ---- */

static void put_break(struct encoder *encoder, struct text *to, const char *end)
{
    text_put(to, end, strlen(end));
    encoder->column = 0;
}

/* A dot at the beginning of a line is written as =2E: so no line is a single dot, and none needs stuffing. */
static void put_quoted(struct encoder *encoder, struct text *to, uint8_t byte, bool plainly)
{
    const char code[3] = {'=', hex[byte >> 4], hex[byte & 15]};
    bool plain =
        plainly && byte >= ' ' && byte <= '~' && byte != '=' && !(byte == '.' && encoder->column == 0);
    size_t size = plain ? 1 : 3;
    if (encoder->column + size > LINE_MOST - 1) {
        put_break(encoder, to, "=\r\n");
        put_quoted(encoder, to, byte, plainly);
        return;
    }
    text_put(to, plain ? (const char *)&byte : code, size);
    encoder->column += size;
}

/* A space, a tab or a CR waits for what follows: CRLF ends a line, and nothing blank may stand before it. */
static void put_one(struct encoder *encoder, struct text *to, uint8_t byte)
{
    uint8_t kept = encoder->kept_size ? encoder->kept[0] : 0;
    bool waits = encoder->kept_size;
    encoder->kept_size = 0;
    if (waits && kept == '\r' && byte == '\n') {
        put_break(encoder, to, "\r\n");
        return;
    }
    if (waits)
        put_quoted(encoder, to, kept, kept == ' ' && byte != '\r');
    if (byte == ' ' || byte == '\t' || byte == '\r') {
        encoder->kept[0] = byte;
        encoder->kept_size = 1;
    } else {
        put_quoted(encoder, to, byte, true);
    }
}

/* ---- both ---- */

void encoder_put(struct encoder *encoder, struct text *to, const uint8_t *bytes, size_t size)
{
    if (encoder->encoding == ENCODING_BASE64)
        put_base64(encoder, to, bytes, size);
    else
        for (size_t i = 0; i < size; i++)
            put_one(encoder, to, bytes[i]);
}

void encoder_end(struct encoder *encoder, struct text *to)
{
    if (encoder->encoding == ENCODING_BASE64) {
        if (encoder->kept_size)
            put_line(encoder, to, encoder->kept, encoder->kept_size);
    } else {
        if (encoder->kept_size)
            put_quoted(encoder, to, encoder->kept[0], false);
        if (encoder->column)
            put_break(encoder, to, "=\r\n"); /* the bytes end without one */
    }
    encoder->kept_size = encoder->column = 0;
}

int64_t encoder_size(enum encoding encoding, int64_t bytes)
{
    int64_t lines = (bytes + 56) / 57;
    return encoding == ENCODING_BASE64 ? (bytes + 2) / 3 * 4 + 2 * lines : bytes + bytes / 20;
}

/* ---- headers ---- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text > '~')
            return false;
    return true;
}

/* How many bytes the character at `text` has, as far as they are there. */
static size_t character(const char *text)
{
    size_t size = 1;
    while (((unsigned char)text[size] & 0xC0) == 0x80)
        size++;
    return size;
}

static char printable(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
}

/* As encoded words of whole characters, each at most 75 long, each on a line of its own. */
static void put_words(struct text *to, const char *value)
{
    uint8_t word[45];
    size_t size = 0;
    for (bool first = true; *value || size; first = false) {
        for (size_t more; *value && size + (more = character(value)) <= sizeof word; value += more)
            for (size_t i = 0; i < more; i++)
                word[size++] = (uint8_t)printable(value[i]);
        if (size == 0)
            word[size++] = (uint8_t)*value++; /* no character is that long */
        text_print(to, "%s=?UTF-8?B?", first ? "" : "\r\n ");
        encode_base64(to, word, size);
        text_put(to, "?=", 2);
        size = 0;
    }
}

/* Folded at spaces; a word longer than a line stays whole, up to what a line can hold at all (RFC 5322, 2.1.1). */
static void put_folded(struct text *to, size_t column, const char *value)
{
    while (*value) {
        size_t word = strcspn(value + 1, " ") + 1;
        if (column > 1 && column + word > LINE_MOST && *value == ' ' && word > 1) {
            text_put(to, "\r\n", 2);
            column = 0;
        }
        for (size_t i = 0; i < word; i++) {
            char c = printable(value[i]);
            text_put(to, &c, 1);
        }
        column += word;
        value += word;
    }
}

static bool has_long_word(const char *value)
{
    while (*value) {
        size_t word = strcspn(value, " ");
        if (word > 200)
            return true;
        value += word + (value[word] == ' ');
    }
    return false;
}

void encode_header(struct text *to, const char *name, const char *value)
{
    text_print(to, "%s: ", name);
    /* What looks like an encoded word is not to be taken for one. */
    if (is_plain(value) && !strstr(value, "=?") && !has_long_word(value))
        put_folded(to, strlen(name) + 2, value);
    else
        put_words(to, value);
    text_put(to, "\r\n", 2);
}

static bool is_attribute(char c) /* RFC 2231, 7 */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$&+-.^_`{|}~", c));
}

/* For readers who know no other: what cannot stand between quotes becomes "_". */
static void put_plain_name(struct text *to, const char *value)
{
    size_t size = 0;
    for (; *value && size < 60; value++, size++) {
        char c = printable(*value);
        bool good = (unsigned char)c <= '~' && c != '"' && c != '\\';
        text_put(to, good ? &c : "_", 1);
    }
}

void encode_parameter(struct text *to, const char *name, const char *value)
{
    bool plain = is_plain(value) && strlen(value) <= 60 && !strpbrk(value, "\"\\");
    text_print(to, ";\r\n %s=\"", name);
    put_plain_name(to, value);
    text_put(to, "\"", 1);
    for (int part = 0; !plain && *value; part++) {
        text_print(to, ";\r\n %s*%d*=%s", name, part, part ? "" : "UTF-8''");
        for (size_t column = 0; *value && column + 3 <= 54; value++) {
            char c = printable(*value);
            if (is_attribute(c))
                text_put(to, &c, 1);
            else
                text_print(to, "%%%c%c", hex[(unsigned char)c >> 4], hex[(unsigned char)c & 15]);
            column += is_attribute(c) ? 1 : 3;
        }
    }
}
