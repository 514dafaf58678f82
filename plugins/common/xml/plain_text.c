/* Characters, references and line ends (XML 1.0, 2.2, 2.11, 3.3.3, 4.1, 4.6). */
#include <string.h>

#include "lanes.h"
#include "plain.h"

/* Bytes that text cannot be handed over with unseen. */
static const bool special[256] = {
    [0 ... 8] = true, [11 ... 31] = true, ['&'] = true, ['<'] = true, [']'] = true, [128 ... 255] = true};

/* The first of them in [at, end), or `end`. */
static const uint8_t *next_special(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= LANES; at += LANES) {
        lanes bytes = lanes_load(at);
        lanes_mask low = (bytes < ' ') & (bytes != '\n') & (bytes != '\t');
        if (lanes_any(low | (bytes == '&') | (bytes == '<') | (bytes == ']') | (bytes >= 0x80)))
            break;
    }
    while (at < end && !special[*at])
        at++;
    return at;
}

static bool is_character(uint32_t c)
{
    if (c < ' ')
        return c == '\t' || c == '\n' || c == '\r';
    return c < 0xD800 || (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

/* The size of the character of more than one byte at `at`; 0: there is none. */
static size_t wide(const uint8_t *at, const uint8_t *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = *at >= 0xF8 ? 0 : *at >= 0xF0 ? 4 : *at >= 0xE0 ? 3 : *at >= 0xC0 ? 2 : 0;
    if (!size || (size_t)(end - at) < size)
        return 0;
    uint32_t c = *at & (0xFFU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3F);
    }
    return c >= least[size] && is_character(c) ? size : 0;
}

static size_t put_character(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; --i; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(0xF00 >> size | c);
    return size;
}

/* "&#38;", "&#x26;": what stands between '#' and ';'. 0: no character. */
static uint32_t numbered(const uint8_t *at, size_t size)
{
    bool hex = size && *at == 'x';
    uint32_t c = 0;
    if (size - hex > 8 || size == hex)
        return 0;
    for (size_t i = hex; i < size; i++) {
        uint32_t low = at[i] | 0x20U;
        if (at[i] >= '0' && at[i] <= '9')
            c = c * (hex ? 16 : 10) + (low - '0');
        else if (hex && low >= 'a' && low <= 'f')
            c = c * 16 + (low - 'a' + 10);
        else
            return 0;
    }
    return is_character(c) ? c : 0;
}

/* What the reference at `at` stands for, in UTF-8, as `size` bytes, and its end; NULL: unknown or not whole. */
static const uint8_t *reference(const uint8_t *at, const uint8_t *end, char to[4], size_t *size)
{
    static const struct {
        char name[5], means;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    size_t room = (size_t)(end - at) < 16 ? (size_t)(end - at) : 16;
    const uint8_t *stop = memchr(at, ';', room), *name = at + 1;
    if (!stop)
        return NULL;
    size_t length = (size_t)(stop - name);
    uint32_t c = length && *name == '#' ? numbered(name + 1, length - 1) : 0;
    for (size_t i = 0; !c && i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == length && !memcmp(known[i].name, name, length))
            c = (uint8_t)known[i].means;
    *size = c ? put_character(to, c) : 0;
    return c ? stop + 1 : NULL;
}

/* ---- text ---- */

/* Behind the special byte at `at`, if it is as it should be; NULL: it is not. */
static const uint8_t *pass(const uint8_t *at, const uint8_t *end)
{
    char to[4];
    size_t size;
    if (*at == '&')
        return reference(at, end, to, &size);
    if (*at == ']')
        return end - at >= 3 && at[1] == ']' && at[2] == '>' ? NULL : at + 1;
    if (*at == '\r')
        return at + 1;
    size = *at >= 0x80 ? wide(at, end) : 0;
    return size ? at + size : NULL;
}

static bool is_good_text(const uint8_t *at, const uint8_t *end)
{
    while (at && (at = next_special(at, end)) < end)
        at = pass(at, end);
    return at;
}

static int hand_over(struct xml_reader *r, const void *bytes, size_t size)
{
    int error = size && r->events.text ? r->events.text(r->arg, r, bytes, size) : 0;
    return error ? xml_refuse(r, error, "refused") : 0;
}

/* Text that is good: its references resolved and its lines ended by LF alone. */
static int resolve_text(struct xml_reader *r, const uint8_t *from, const uint8_t *at, const uint8_t *end)
{
    int error = 0;
    for (const uint8_t *next; !error && at < end; at = next) {
        char to[4] = "\n";
        size_t size = 1;
        next = at + 1;
        if (*at == '&')
            next = reference(at, end, to, &size);
        else if (*at != '\r')
            continue;
        else if (next < end && *next == '\n')
            next++;
        error = hand_over(r, from, (size_t)(at - from));
        if (!error)
            error = hand_over(r, to, size);
        from = next;
    }
    return error ? error : hand_over(r, from, (size_t)(end - from));
}

int plain_text(struct xml_reader *r, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size, *at = next_special(bytes, end);
    if (at == end)
        return hand_over(r, bytes, size);
    return is_good_text(at, end) ? resolve_text(r, bytes, at, end) : PLAIN_DECLINES;
}

/* ---- what holds no references ---- */

static bool is_good(const uint8_t *at, const uint8_t *end, bool may_return)
{
    while (at && (at = next_special(at, end)) < end)
        if (*at >= 0x80)
            at = wide(at, end) ? at + wide(at, end) : NULL;
        else
            at = *at >= ' ' || (*at == '\r' && may_return) ? at + 1 : NULL;
    return at;
}

int plain_cdata(struct xml_reader *r, const uint8_t *bytes, size_t size)
{
    return is_good(bytes, bytes + size, false) ? hand_over(r, bytes, size) : PLAIN_DECLINES;
}

bool plain_comment(const struct lexer_token *token)
{
    const uint8_t *from = token->bytes + 4, *end = token->bytes + token->size - 3;
    for (const uint8_t *at = from; (at = memchr(at, '-', (size_t)(end - at))); at++)
        if (at + 1 == end || at[1] == '-')
            return false;
    return is_good(from, end, true);
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

bool plain_instruction(const struct lexer_token *token)
{
    const uint8_t *at = token->bytes + 2, *from = at, *end = token->bytes + token->size - 2;
    while (at < end && (is_letter(*at) || (at > from && ((*at >= '0' && *at <= '9') || *at == '-'))))
        at++;
    return at > from && (at == end || lexer_is_space(*at)) && is_good(at, end, true);
}

/* ---- values ---- */

char *plain_value(char *to, const uint8_t *at, size_t length)
{
    for (const uint8_t *end = at + length; at < end;) {
        size_t size = 1;
        if (*at == '&') {
            at = reference(at, end, to, &size);
            if (!at)
                return NULL;
        } else if (*at >= 0x80) {
            size = wide(at, end);
            if (!size)
                return NULL;
            memcpy(to, at, size);
            at += size;
        } else {
            *to = *at == '\t' || *at == '\n' ? ' ' : (char)*at;
            at++;
        }
        to += size;
    }
    return to;
}
