#include "lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

/* Where the next byte stands. AT: the token's kind is not known yet. */
enum { IN_TEXT, AT_MARKUP, IN_TAG, IN_END_TAG, IN_COMMENT, IN_INSTRUCTION, IN_CDATA, AT_CDATA_CLOSE };

static const char comment_open[] = "<!--", cdata_open[] = "<![CDATA[";

void lexer_init(struct lexer *l, const struct xml_limits *limits)
{
    *l = (struct lexer){.limits = limits, .state = IN_TEXT};
}

void lexer_fini(struct lexer *l)
{
    free(l->held);
    l->held = NULL;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct lexer *l, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(l->why, sizeof l->why, format, arguments);
    va_end(arguments);
    return error;
}

/* --- what is held of a token that the input cut --- */

static int hold(struct lexer *l, const uint8_t *bytes, size_t size)
{
    if (size > l->held_room - l->held_size) {
        size_t room = l->held_room ? l->held_room : LEXER_PIECE;
        while (room - l->held_size < size)
            room *= 2;
        uint8_t *more = realloc(l->held, room);
        if (!more)
            return refuse(l, ACCORD_ENOMEM, "out of memory");
        l->held = more;
        l->held_room = room;
    }
    if (size)
        memcpy(l->held + l->held_size, bytes, size);
    l->held_size += size;
    return 0;
}

static int hold_rest(struct lexer *l, const uint8_t **at, const uint8_t *end)
{
    int error = hold(l, *at, (size_t)(end - *at));
    *at = end;
    return error;
}

static void drop_spent(struct lexer *l)
{
    if (!l->spent)
        return;
    l->held_size -= l->spent;
    memmove(l->held, l->held + l->spent, l->held_size);
    l->spent = 0;
}

/* What is held and the input up to `to`: a token. */
static int take(struct lexer *l, const uint8_t **at, const uint8_t *to, enum lexer_kind kind,
                struct lexer_token *token)
{
    *token = (struct lexer_token){.kind = kind, .bytes = *at, .size = (size_t)(to - *at)};
    if (l->held_size) {
        int error = hold(l, *at, (size_t)(to - *at));
        if (error)
            return error;
        *token = (struct lexer_token){.kind = kind, .bytes = l->held, .size = l->held_size, .held = true};
        l->spent = l->held_size;
    }
    *at = to;
    return 0;
}

/* The token was taken `size` too long. */
static void give_back(struct lexer *l, const uint8_t **at, struct lexer_token *token, size_t size)
{
    token->size -= size;
    if (token->held)
        l->spent -= size;
    else
        *at -= size;
}

static uint8_t byte_at(const struct lexer *l, const uint8_t *at, size_t index)
{
    return index < l->held_size ? l->held[index] : at[index - l->held_size];
}

/* --- text --- */

/* Bytes at the end that must not be parted from what follows: of a character, of "]]>", of CR LF. */
static size_t unsafe_tail(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    if (size && end[-1] == '\r')
        return 1;
    if (size && end[-1] == ']')
        return size > 1 && end[-2] == ']' ? 2 : 1;
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = end[-(ptrdiff_t)back];
        if ((byte & 0xC0) != 0x80)
            return back < (byte >= 0xF0 ? 4U : byte >= 0xE0 ? 3U : byte >= 0xC0 ? 2U : 1U) ? back : 0;
    }
    return 0;
}

static int next_raw_text(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    const uint8_t *tag = memchr(*at, '<', (size_t)(end - *at));
    if (tag)
        l->state = AT_MARKUP;
    if (tag == *at)
        return 0;
    return take(l, at, tag ? tag : end, LEXER_TEXT, token);
}

static int next_text(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    size_t room = LEXER_PIECE - l->held_size, given = (size_t)(end - *at);
    const uint8_t *stop = given > room ? *at + room : end;
    const uint8_t *tag = memchr(*at, '<', (size_t)(stop - *at));
    if (tag) {
        l->state = AT_MARKUP;
        return l->held_size || tag > *at ? take(l, at, tag, LEXER_TEXT, token) : 0;
    }
    if (given < room)
        return hold_rest(l, at, end);
    int error = take(l, at, stop, LEXER_TEXT, token);
    if (!error)
        give_back(l, at, token, unsafe_tail(token->bytes, token->size));
    return error;
}

/* --- markup: each scanner looks at the bytes from `q` on, for the last byte of its token --- */

/* The first quote or angle of [q, stop), or `stop`. */
static const uint8_t *next_special(const uint8_t *q, const uint8_t *stop)
{
    static const bool special[256] = {['"'] = true, ['\''] = true, ['<'] = true, ['>'] = true};
    for (; stop - q >= LANES; q += LANES) {
        lanes bytes = lanes_load(q);
        if (lanes_any((bytes == '"') | (bytes == '\'') | (bytes == '<') | (bytes == '>')))
            break;
    }
    while (q < stop && !special[*q])
        q++;
    return q;
}

static const uint8_t *scan_value(struct lexer *l, const uint8_t *q, const uint8_t *stop, int *error)
{
    const uint8_t *close = memchr(q, l->quote, (size_t)(stop - q));
    size_t size = (size_t)((close ? close : stop) - q), room = l->limits->text - l->value;
    const uint8_t *tag = memchr(q, '<', size);
    if (size > room && (!tag || (size_t)(tag - q) > room))
        *error = refuse(l, ACCORD_ELIMIT, "an attribute's value is larger than %zu bytes", l->limits->text);
    else if (tag)
        *error = refuse(l, ACCORD_EFORMAT, "'<' stands in an attribute's value");
    l->value += size;
    if (close)
        l->quote = 0;
    return close ? close + 1 : stop;
}

static const uint8_t *scan_tag(struct lexer *l, const uint8_t *q, const uint8_t *stop, int *error)
{
    while (q < stop && !*error) {
        if (l->quote) {
            q = scan_value(l, q, stop, error);
            continue;
        }
        q = next_special(q, stop);
        if (q == stop)
            break;
        if (*q == '>')
            return q;
        if (*q == '<') {
            *error = refuse(l, ACCORD_EFORMAT, "'<' stands inside a tag");
            break;
        }
        l->quote = *q++;
        l->value = 0;
        if (++l->attributes > l->limits->attributes)
            *error =
                refuse(l, ACCORD_ELIMIT, "an element has more than %zu attributes", l->limits->attributes);
    }
    return NULL;
}

/* The '>' that ends a mark of two or three bytes: "?>", "-->", "]]>", not before `from` bytes of the token. */
static const uint8_t *scan_mark(const struct lexer *l, const uint8_t *at, const uint8_t *q,
                                const uint8_t *stop, const char *mark, size_t from)
{
    size_t before = strlen(mark) - 1;
    while ((q = memchr(q, '>', (size_t)(stop - q)))) {
        size_t index = l->held_size + (size_t)(q - at), i = 0;
        while (i < before && index >= from + before && byte_at(l, at, index - before + i) == (uint8_t)mark[i])
            i++;
        if (i == before)
            return q;
        q++;
    }
    return NULL;
}

static int next_markup(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    static const struct {
        const char *name;
        enum lexer_kind kind;
    } of[] = {[IN_TAG] = {"a tag", LEXER_START},
              [IN_END_TAG] = {"a tag", LEXER_END},
              [IN_COMMENT] = {"a comment", LEXER_COMMENT},
              [IN_INSTRUCTION] = {"an instruction", LEXER_INSTRUCTION}};
    size_t room = l->limits->tag - l->held_size;
    bool cut = (size_t)(end - *at) > room;
    const uint8_t *stop = cut ? *at + room : end, *q = *at + (l->seen - l->held_size), *last = NULL;
    int error = 0;
    if (q > stop)
        q = stop;
    if (l->state == IN_TAG)
        last = scan_tag(l, q, stop, &error);
    else if (l->state == IN_END_TAG)
        last = memchr(q, '>', (size_t)(stop - q));
    else if (l->state == IN_COMMENT)
        last = scan_mark(l, *at, q, stop, "-->", 4);
    else
        last = scan_mark(l, *at, q, stop, "?>", 2);
    if (error)
        return error;
    if (!last && (cut || (size_t)(end - *at) == room))
        return refuse(l, ACCORD_ELIMIT, "%s is larger than %zu bytes", of[l->state].name, l->limits->tag);
    if (!last) {
        error = hold_rest(l, at, end);
        l->seen = l->held_size;
        return error;
    }
    error = take(l, at, last + 1, of[l->state].kind, token);
    if (token->kind == LEXER_START && token->size > 2 && token->bytes[token->size - 2] == '/')
        token->kind = LEXER_EMPTY;
    l->state = IN_TEXT;
    return error;
}

/* `<!`: a comment or CDATA, or refused at its first byte that fits neither. */
static int next_declaration(struct lexer *l, const uint8_t **at, const uint8_t *end,
                            struct lexer_token *token)
{
    size_t known = l->held_size + (size_t)(end - *at);
    if (known < 3)
        return hold_rest(l, at, end);
    const char *mark = byte_at(l, *at, 2) == '[' ? cdata_open : comment_open;
    size_t size = strlen(mark);
    for (size_t i = 2; i < known && i < size; i++)
        if (byte_at(l, *at, i) != (uint8_t)mark[i])
            return refuse(l, ACCORD_EFORMAT, "%s",
                          (byte_at(l, *at, 2) | 0x20) == 'd' ? "DOCTYPE is not allowed"
                                                             : "neither a comment nor CDATA follows \"<!\"");
    if (known < size)
        return hold_rest(l, at, end);
    l->state = mark == cdata_open ? IN_CDATA : IN_COMMENT;
    if (l->state == IN_CDATA)
        return take(l, at, *at + (size - l->held_size), LEXER_CDATA_OPEN, token);
    l->seen = size;
    return 0;
}

static int begin_markup(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    if (l->held_size + (size_t)(end - *at) < 2)
        return hold_rest(l, at, end);
    uint8_t second = byte_at(l, *at, 1);
    if (second == '!')
        return next_declaration(l, at, end, token);
    l->state = second == '/' ? IN_END_TAG : second == '?' ? IN_INSTRUCTION : IN_TAG;
    l->seen = second == '/' || second == '?' ? 2 : 1;
    l->attributes = 0;
    l->quote = 0;
    return 0;
}

bool lexer_rests(const struct lexer *l)
{
    return l->state == IN_TEXT && l->held_size == l->spent;
}

size_t lexer_whole_tag(struct lexer *l, const uint8_t *tag, const uint8_t *end)
{
    int error = 0;
    l->attributes = 0;
    l->quote = 0;
    const uint8_t *stop = (size_t)(end - tag) > l->limits->tag ? tag + l->limits->tag : end;
    const uint8_t *last = scan_tag(l, tag + 1, stop, &error);
    return last && !error ? (size_t)(last + 1 - tag) : 0;
}

/* --- CDATA --- */

static int next_cdata(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    size_t room = LEXER_PIECE - l->held_size, given = (size_t)(end - *at);
    const uint8_t *stop = given > room ? *at + room : end;
    const uint8_t *last = scan_mark(l, *at, *at, stop, "]]>", 0);
    if (!last && given < room)
        return hold_rest(l, at, end);
    int error = take(l, at, last ? last + 1 : stop, LEXER_CDATA, token);
    if (error)
        return error;
    give_back(l, at, token, last ? 3 : unsafe_tail(token->bytes, token->size));
    if (last)
        l->state = AT_CDATA_CLOSE;
    if (!token->size)
        token->kind = LEXER_MORE;
    return 0;
}

static int close_cdata(struct lexer *l, const uint8_t **at, struct lexer_token *token)
{
    l->state = IN_TEXT;
    return take(l, at, *at + (3 - l->held_size), LEXER_CDATA_CLOSE, token);
}

int lexer_next(struct lexer *l, const uint8_t **at, const uint8_t *end, struct lexer_token *token)
{
    int error = 0;
    token->kind = LEXER_MORE;
    drop_spent(l);
    while (!error && token->kind == LEXER_MORE && (*at < end || l->state == AT_CDATA_CLOSE)) {
        if (l->state == IN_TEXT)
            error = (l->raw ? next_raw_text : next_text)(l, at, end, token);
        else if (l->state == AT_MARKUP)
            error = begin_markup(l, at, end, token);
        else if (l->state == IN_CDATA)
            error = next_cdata(l, at, end, token);
        else if (l->state == AT_CDATA_CLOSE)
            error = close_cdata(l, at, token);
        else
            error = next_markup(l, at, end, token);
    }
    return error;
}

int lexer_finish(struct lexer *l, struct lexer_token *token)
{
    static const char *const within[] = {[AT_MARKUP] = "a tag",
                                         [IN_TAG] = "a tag",
                                         [IN_END_TAG] = "a tag",
                                         [IN_COMMENT] = "a comment",
                                         [IN_INSTRUCTION] = "an instruction",
                                         [IN_CDATA] = "CDATA",
                                         [AT_CDATA_CLOSE] = "CDATA"};
    token->kind = LEXER_MORE;
    drop_spent(l);
    if (l->state != IN_TEXT)
        return refuse(l, ACCORD_EFORMAT, "the document is cut: it ends inside %s", within[l->state]);
    const uint8_t *nothing = l->held;
    return l->held_size ? take(l, &nothing, nothing, LEXER_TEXT, token) : 0;
}

/* --- inside a whole tag --- */

bool lexer_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static size_t name_end(const uint8_t *tag, size_t size, size_t at)
{
    static const bool ends[256] = {
        [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['/'] = true, ['>'] = true, ['='] = true};
    while (at < size && !ends[tag[at]])
        at++;
    return at;
}

const char *lexer_name(const struct lexer_token *token, size_t *size)
{
    size_t from = token->kind == LEXER_END ? 2 : 1;
    *size = name_end(token->bytes, token->size, from) - from;
    return (const char *)token->bytes + from;
}

static size_t skip_space(const uint8_t *tag, size_t size, size_t at)
{
    while (at < size && lexer_is_space(tag[at]))
        at++;
    return at;
}

int lexer_attribute(const uint8_t *tag, size_t size, size_t *offset, struct lexer_attribute *attribute)
{
    size_t at = *offset ? *offset : name_end(tag, size, 1), before = at;
    at = skip_space(tag, size, at);
    if (at >= size)
        return ACCORD_EFORMAT;
    if (tag[at] == '>' || (tag[at] == '/' && at + 1 < size && tag[at + 1] == '>'))
        return 0;
    size_t name = at, end = name_end(tag, size, at);
    at = skip_space(tag, size, end);
    if (name == before || end == name || at >= size || tag[at] != '=')
        return ACCORD_EFORMAT;
    at = skip_space(tag, size, at + 1);
    if (at >= size || (tag[at] != '"' && tag[at] != '\''))
        return ACCORD_EFORMAT;
    const uint8_t *value = tag + at + 1, *close = memchr(value, tag[at], size - at - 1);
    if (!close)
        return ACCORD_EFORMAT;
    *attribute = (struct lexer_attribute){(const char *)tag + name, (const char *)value, end - name,
                                          (size_t)(close - value)};
    *offset = (size_t)(close + 1 - tag);
    return 1;
}
