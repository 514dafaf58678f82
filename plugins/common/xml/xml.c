#include "reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "declaration.h"
#include "lanes.h"

/* --- why --- */

/* For one line of a log: what a document holds must not break out of it, nor be cut within a character. */
static void plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            *text = (unsigned char)*text < 0x20 ? ' ' : '?';
}

static int64_t newlines(const uint8_t *bytes, const uint8_t *end)
{
    int64_t count = 0;
    while (end - bytes >= LANES) {
        lanes_mask found = {0};
        for (int i = 0; i < 127 && end - bytes >= LANES; i++, bytes += LANES) /* a lane holds no more */
            found -= lanes_load(bytes) == '\n';
        for (int i = 0; i < LANES; i++)
            count += found[i];
    }
    while (bytes < end)
        count += *bytes++ == '\n';
    return count;
}

int xml_refuse(struct xml_reader *r, int error, const char *format, ...)
{
    if (r->error)
        return r->error;
    r->error = error;
    r->line += newlines(r->from, r->here);
    r->from = r->here = NULL;
    int used = snprintf(r->why, sizeof r->why, "line %" PRId64 ": ", r->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->why + used, sizeof r->why - (size_t)used, format, arguments);
    va_end(arguments);
    plain(r->why);
    return error;
}

const char *xml_why(const struct xml_reader *r)
{
    return r->why;
}

int64_t xml_line(const struct xml_reader *r)
{
    return r->line;
}

/* --- elements: names are matched here, for what libxml2 sees and for what it does not --- */

static int open_tag(struct xml_reader *r, const struct lexer_token *token)
{
    size_t size;
    const char *name = lexer_name(token, &size);
    if (!r->depth && r->rooted)
        return xml_refuse(r, ACCORD_EFORMAT, "a second root element");
    if (!size)
        return xml_refuse(r, ACCORD_EFORMAT, "a tag without a name");
    if (size > READER_NAME)
        return xml_refuse(r, ACCORD_ELIMIT, "an element's name is longer than %d bytes", READER_NAME);
    if (++r->elements > r->limits.elements)
        return xml_refuse(r, ACCORD_ELIMIT, "more than %" PRId64 " elements", r->limits.elements);
    if (r->depth == r->limits.depth)
        return xml_refuse(r, ACCORD_ELIMIT, "elements are nested deeper than %zu", r->limits.depth);
    if (r->names_room - r->names_used < size) {
        size_t room = 2 * r->names_room + READER_NAME;
        char *more = realloc(r->names, room);
        if (!more)
            return xml_refuse(r, ACCORD_ENOMEM, "out of memory");
        r->names = more;
        r->names_room = room;
    }
    r->rooted = true;
    r->name_at[r->depth++] = r->names_used;
    memcpy(r->names + r->names_used, name, size);
    r->names_used += size;
    return 0;
}

static int check_close(struct xml_reader *r, const struct lexer_token *token)
{
    size_t size, from = r->depth ? r->name_at[r->depth - 1] : 0;
    const char *open = r->depth ? r->names + from : "";
    size_t open_size = r->names_used - from;
    if (r->depth && token->size == open_size + 3 && !memcmp(token->bytes + 2, open, open_size))
        return 0;
    const char *name = lexer_name(token, &size);
    if (!r->depth)
        return xml_refuse(r, ACCORD_EFORMAT, "</%.*s> closes nothing", (int)(size < 60 ? size : 60), name);
    if (size != open_size || memcmp(name, open, size))
        return xml_refuse(r, ACCORD_EFORMAT, "</%.*s> stands where </%.*s> must",
                          (int)(size < 60 ? size : 60), name, (int)(open_size < 60 ? open_size : 60), open);
    for (const uint8_t *rest = (const uint8_t *)name + size; *rest != '>'; rest++)
        if (!lexer_is_space(*rest))
            return xml_refuse(r, ACCORD_EFORMAT, "an end tag holds more than its name");
    return 0;
}

static void close_tag(struct xml_reader *r)
{
    r->names_used = r->name_at[--r->depth];
}

/* --- tokens that libxml2 gets --- */

static int take_tag(struct xml_reader *r, const struct lexer_token *token)
{
    bool opens = token->kind != LEXER_END, closes = token->kind != LEXER_START;
    int64_t starts = r->starts + opens, ends = r->ends + closes;
    r->run = 0;
    int error = opens ? open_tag(r, token) : check_close(r, token);
    if (!error)
        error = sax_feed(r, token->bytes, token->size);
    if (error)
        return error;
    /* Never seen; but no tag may pass that it has not read as one. */
    if (r->starts != starts || r->ends != ends)
        return xml_refuse(r, ACCORD_EFORMAT, "malformed before this tag");
    if (closes) {
        close_tag(r);
        r->raw = NULL;
    }
    if (r->raw)
        r->raw_depth = r->depth;
    return 0;
}

static int take_outside(struct xml_reader *r, const struct lexer_token *token)
{
    size_t at = 0;
    while (at < token->size && lexer_is_space(token->bytes[at]))
        at++;
    if (at == token->size)
        return 0;
    r->line += newlines(token->bytes, token->bytes + at);
    size_t size = token->size - at < 24 ? token->size - at : 24;
    return xml_refuse(r, ACCORD_EFORMAT, "%s: \"%.*s\"",
                      r->rooted ? "text stands after the root element" : "this is not XML", (int)size,
                      (const char *)token->bytes + at);
}

/* libxml2 waits for a reference's ';' and looks through all that it has meanwhile, again and again. */
static int check_reference(struct xml_reader *r, const struct lexer_token *token)
{
    bool text = token->kind == LEXER_TEXT;
    if (r->open_reference && !(text && memchr(token->bytes, ';', token->size)))
        return xml_refuse(r, ACCORD_EFORMAT, "text holds a reference without ';'");
    const uint8_t *last = text ? memrchr(token->bytes, '&', token->size) : NULL;
    r->open_reference = last && !memchr(last, ';', (size_t)(token->bytes + token->size - last));
    return 0;
}

static int take_text(struct xml_reader *r, const struct lexer_token *token)
{
    if (!r->depth)
        return take_outside(r, token);
    if (token->size > r->limits.text - r->run)
        return xml_refuse(r, ACCORD_ELIMIT, "a run of text is larger than %zu bytes", r->limits.text);
    r->run += token->size;
    return sax_feed(r, token->bytes, token->size);
}

/* Each piece as a CDATA section of its own. */
static int take_cdata(struct xml_reader *r, const struct lexer_token *token)
{
    int error = sax_feed(r, "<![CDATA[", 9);
    if (!error)
        error = take_text(r, token);
    return error ? error : sax_feed(r, "]]>", 3);
}

static int take_instruction(struct xml_reader *r, const struct lexer_token *token, bool first)
{
    char why[96];
    if (!declaration_target(token))
        return r->raw ? 0 : sax_feed(r, token->bytes, token->size);
    if (!first)
        return xml_refuse(r, ACCORD_EFORMAT, "an XML declaration stands elsewhere than at the beginning");
    int error = declaration_check(token, why, sizeof why);
    return error ? xml_refuse(r, error, "%s", why) : 0;
}

static int take(struct xml_reader *r, const struct lexer_token *token)
{
    bool first = !r->begun;
    if (token->kind == LEXER_MORE)
        return 0;
    r->begun = true;
    int error = check_reference(r, token);
    if (error)
        return error;
    switch (token->kind) {
    case LEXER_TEXT:
        return take_text(r, token);
    case LEXER_START:
    case LEXER_EMPTY:
    case LEXER_END:
        return take_tag(r, token);
    case LEXER_COMMENT:
        return sax_feed(r, token->bytes, token->size);
    case LEXER_INSTRUCTION:
        return take_instruction(r, token, first);
    case LEXER_CDATA_OPEN:
        return r->depth ? 0 : xml_refuse(r, ACCORD_EFORMAT, "CDATA stands outside of the root element");
    case LEXER_CDATA:
        return take_cdata(r, token);
    default:
        return 0;
    }
}

/* --- raw content --- */

void xml_take_raw(struct xml_reader *r, xml_raw_fn raw)
{
    r->raw = raw;
}

enum xml_part xml_raw_part(const struct xml_reader *r)
{
    return r->part;
}

static int hand_over(struct xml_reader *r, const uint8_t *bytes, const uint8_t *end)
{
    if (bytes >= end)
        return 0;
    int error = r->raw(r->arg, r, bytes, (size_t)(end - bytes));
    if (error)
        return xml_refuse(r, error, "refused");
    r->line += newlines(bytes, end);
    r->part = XML_PART_MORE;
    return r->error;
}

static int check_raw(struct xml_reader *r, const struct lexer_token *token)
{
    int error = 0;
    if (token->kind == LEXER_START || token->kind == LEXER_EMPTY)
        error = open_tag(r, token);
    else if (token->kind == LEXER_END)
        error = check_close(r, token);
    else if (token->kind == LEXER_INSTRUCTION)
        error = take_instruction(r, token, false);
    if (!error && (token->kind == LEXER_EMPTY || token->kind == LEXER_END))
        close_tag(r);
    return error;
}

static int hand_token(struct xml_reader *r, const struct lexer_token *token, const uint8_t *at)
{
    int error = hand_over(r, token->bytes, token->bytes + token->size);
    r->from = r->here = at;
    return error;
}

/* Beside elements every token is handed over by itself. */
static int take_beside(struct xml_reader *r, const struct lexer_token *token, const uint8_t *at)
{
    static const enum xml_part parts[] = {
        [LEXER_TEXT] = XML_PART_TEXT,         [LEXER_START] = XML_PART_ELEMENT,
        [LEXER_EMPTY] = XML_PART_ELEMENT,     [LEXER_COMMENT] = XML_PART_ASIDE,
        [LEXER_INSTRUCTION] = XML_PART_ASIDE, [LEXER_CDATA] = XML_PART_CDATA,
        [LEXER_CDATA_OPEN] = XML_PART_MARK,   [LEXER_CDATA_CLOSE] = XML_PART_MARK,
    };
    if (token->kind == LEXER_END) {
        r->raw = NULL;
        return take(r, token);
    }
    int error = check_raw(r, token);
    r->part = parts[token->kind];
    r->lexer.raw = token->kind == LEXER_START;
    if (error || (token->kind == LEXER_START && !token->held))
        return error;
    return hand_token(r, token, at);
}

/* What is one piece in the input stays one, up to the end of the element. */
static int take_within(struct xml_reader *r, const struct lexer_token *token, const uint8_t *at)
{
    int error = check_raw(r, token);
    if (error)
        return error;
    if (r->depth == r->raw_depth)
        r->lexer.raw = false;
    if (token->held)
        return hand_token(r, token, at);
    if (r->depth > r->raw_depth)
        return 0;
    error = hand_over(r, r->from, at);
    r->from = r->here = at;
    return error;
}

static int take_raw(struct xml_reader *r, const struct lexer_token *token, const uint8_t *at)
{
    bool beside = r->depth == r->raw_depth;
    if (token->kind == LEXER_MORE) {
        size_t given = (size_t)(at - r->from), kept = r->lexer.held_size;
        return beside || given <= kept ? 0 : hand_over(r, r->from, r->from + (given - kept));
    }
    r->here = token->held ? r->from : token->bytes;
    return (beside ? take_beside : take_within)(r, token, at);
}

/* --- the same, faster: tags within raw content that are whole in the input, and what stands between them --- */

static bool skim_end(struct xml_reader *r, const uint8_t **tag, const uint8_t *end)
{
    size_t from = r->name_at[r->depth - 1], size = r->names_used - from;
    if (r->depth == r->raw_depth + 1 || (size_t)(end - *tag) < size + 3 || (*tag)[size + 2] != '>' ||
        memcmp(*tag + 2, r->names + from, size) != 0)
        return false;
    close_tag(r);
    *tag += size + 3;
    return true;
}

static bool skim_start(struct xml_reader *r, const uint8_t **tag, const uint8_t *end, int *error)
{
    size_t size = lexer_whole_tag(&r->lexer, *tag, end);
    struct lexer_token token = {.kind = LEXER_START, .bytes = *tag, .size = size};
    if (size < 3)
        return false;
    *error = open_tag(r, &token);
    if (*error)
        return false;
    if (token.bytes[size - 2] == '/')
        close_tag(r);
    *tag += size;
    return true;
}

/* Moves on to the first token that needs more care than this, or to the end of the input. */
static int skim(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *tag = *at;
    int error = 0;
    for (bool goes_on = true; goes_on;) {
        *at = r->here = memchr(tag, '<', (size_t)(end - tag));
        if (!*at)
            *at = r->here = end;
        tag = *at;
        if (end - tag < 3 || tag[1] == '!' || tag[1] == '?')
            break;
        goes_on = tag[1] == '/' ? skim_end(r, &tag, end) : skim_start(r, &tag, end, &error);
    }
    return error;
}

/* --- bytes --- */

static int read_tokens(struct xml_reader *r, const uint8_t *at, const uint8_t *end)
{
    struct lexer_token token;
    int error;
    r->from = r->here = at;
    do {
        if (r->raw && r->depth > r->raw_depth && lexer_rests(&r->lexer) && (error = skim(r, &at, end)))
            return error;
        error = lexer_next(&r->lexer, &at, end, &token);
        if (error) {
            r->here = r->raw ? at : r->from;
            return xml_refuse(r, error, "%s", r->lexer.why);
        }
        bool raw = r->raw;
        error = raw ? take_raw(r, &token, at) : take(r, &token);
        if (!error && token.kind != LEXER_MORE && !(raw && r->raw)) {
            r->line += newlines(token.bytes, token.bytes + token.size);
            r->from = r->here = at;
        }
    } while (!error && token.kind != LEXER_MORE);
    r->from = r->here = NULL;
    return error;
}

/* Passes a UTF-8 byte order mark over; those of other encodings are refused. */
static int read_lead(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};
    for (; r->lead < 3 && *at < end; r->lead++, ++*at) {
        if (!r->lead && (**at == 0xFE || **at == 0xFF))
            return xml_refuse(r, ACCORD_EFORMAT, "UTF-16 is not allowed, only UTF-8 and US-ASCII");
        if (!r->lead && **at != mark[0]) {
            r->lead = 3;
            break;
        }
        if (**at != mark[r->lead])
            return xml_refuse(r, ACCORD_EFORMAT, "this is not XML");
    }
    return 0;
}

static int read_bytes(struct xml_reader *r, const uint8_t *at, const uint8_t *end)
{
    int error = read_lead(r, &at, end);
    const uint8_t *bad = error ? NULL : memchr(at, 0, (size_t)(end - at));
    if (!error)
        error = read_tokens(r, at, bad ? bad : end);
    if (!error && bad)
        error = xml_refuse(r, ACCORD_EFORMAT, "a NUL byte: binary data, or UTF-16, which is not allowed");
    return error;
}

int xml_feed(struct xml_reader *r, const uint8_t *bytes, size_t size)
{
    if (r->error || !size)
        return r->error;
    if (r->finished)
        return xml_refuse(r, ACCORD_ESTATE, "bytes come after the document's end");
    int64_t room = r->limits.size - r->size;
    size_t given = (uint64_t)room < size ? (size_t)room : size;
    r->size += (int64_t)given;
    int error = read_bytes(r, bytes, bytes + given);
    if (!error && given < size)
        error = xml_refuse(r, ACCORD_ELIMIT, "the document is larger than %" PRId64 " bytes", r->limits.size);
    return error;
}

int xml_finish(struct xml_reader *r)
{
    struct lexer_token token;
    if (r->error || r->finished)
        return r->error;
    r->finished = true;
    int error = lexer_finish(&r->lexer, &token);
    if (error)
        return xml_refuse(r, error, "%s", r->lexer.why);
    if (r->depth && token.kind != LEXER_MORE)
        r->line += newlines(token.bytes, token.bytes + token.size);
    if (r->depth) {
        size_t from = r->name_at[r->depth - 1], size = r->names_used - from;
        return xml_refuse(r, ACCORD_EFORMAT, "the document is cut: it ends inside <%.*s>",
                          (int)(size < 60 ? size : 60), r->names + from);
    }
    if (token.kind != LEXER_MORE && (error = take(r, &token)))
        return error;
    if (!r->rooted)
        return xml_refuse(r, ACCORD_EFORMAT, "the document is empty");
    return sax_finish(r);
}

/* --- life --- */

/* To make a reader costs more than to read a short answer: some are kept for the next document. What libxml2 keeps of names
 * grows with each, so none reads on for ever. */
#define KEPT_MOST   4
#define KEPT_SIZE   (32 << 10) /* bytes of the last document */
#define KEPT_PARSED (1 << 20)  /* and of all */

static struct xml_reader *kept;
static size_t kept_count, keepers;

static void destroy(struct xml_reader *r)
{
    sax_close(r);
    lexer_fini(&r->lexer);
    free(r->names);
    free(r);
}

/* Only one that has read a whole document without complaint: all else may have left something behind. */
static bool keep(struct xml_reader *r)
{
    r->parsed += r->size;
    if (!keepers || r->error || !r->finished || r->size > KEPT_SIZE || r->parsed > KEPT_PARSED || kept_count == KEPT_MOST)
        return false;
    lexer_fini(&r->lexer);
    memset(r, 0, offsetof(struct xml_reader, next));
    words_forget(&r->words); /* they are of whoever read */
    r->next = kept;
    kept = r;
    kept_count++;
    return true;
}

static struct xml_reader *take_kept(size_t attributes)
{
    struct xml_reader **at = &kept, *r;
    while (*at && (*at)->attributes_room != attributes)
        at = &(*at)->next;
    if ((r = *at)) {
        *at = r->next;
        kept_count--;
    }
    return r;
}

struct xml_reader *xml_reader_new(const struct xml_limits *limits, const struct xml_events *events, void *arg)
{
    struct xml_reader *r = take_kept(limits->attributes);
    if (!r && !(r = calloc(1, sizeof *r)))
        return NULL;
    r->limits = *limits;
    if (r->limits.depth > READER_DEPTH)
        r->limits.depth = READER_DEPTH;
    if (r->limits.text > READER_TEXT)
        r->limits.text = READER_TEXT;
    if (r->limits.tag > READER_TEXT)
        r->limits.tag = READER_TEXT;
    if (r->limits.tag < 16)
        r->limits.tag = 16; /* "<![CDATA[" must be seen */
    r->events = *events;
    r->arg = arg;
    r->line = 1;
    lexer_init(&r->lexer, &r->limits);
    if (sax_open(r)) {
        destroy(r);
        return NULL;
    }
    return r;
}

void xml_reader_free(struct xml_reader *r)
{
    if (r && !keep(r))
        destroy(r);
}

void xml_readers_keep(void)
{
    keepers++;
}

void xml_readers_drop(void)
{
    if (--keepers)
        return;
    while (kept) {
        struct xml_reader *r = kept;
        kept = r->next;
        destroy(r);
    }
    kept_count = 0;
}
