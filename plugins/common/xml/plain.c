#include "plain.h"

#include <stdlib.h>
#include <string.h>

#include "lanes.h"

#define XMLNS_NAME "http://www.w3.org/2000/xmlns/"

enum { BEGINS = 1, NAME = 2, BLANK = 4, VALUE = 8, MIXED = 16 };

/* VALUE: may stand in a value, MIXED: not for itself. */
static const uint8_t classes[256] = {
    ['\t'] = BLANK | VALUE | MIXED,
    ['\n'] = BLANK | VALUE | MIXED,
    ['\r'] = BLANK,
    [' '] = BLANK | VALUE,
    ['!'] = VALUE,
    ['"'] = VALUE,
    ['#' ... '%'] = VALUE,
    ['&'] = VALUE | MIXED,
    ['\'' ... ','] = VALUE,
    ['-'] = VALUE | NAME,
    ['.'] = VALUE | NAME,
    ['/'] = VALUE,
    ['0' ... '9'] = VALUE | NAME,
    [':' ... ';'] = VALUE,
    ['=' ... '@'] = VALUE,
    ['A' ... 'Z'] = VALUE | NAME | BEGINS,
    ['[' ... '^'] = VALUE,
    ['_'] = VALUE | NAME | BEGINS,
    ['`'] = VALUE,
    ['a' ... 'z'] = VALUE | NAME | BEGINS,
    ['{' ... 0x7f] = VALUE,
    [0x80 ... 0xff] = VALUE | MIXED,
};

/* ---- parsing a tag: nothing of the reader changes but what it has found ---- */

/* NULL: no NCName begins there. */
static const uint8_t *part_end(const uint8_t *at, const uint8_t *end)
{
    if (at == end || !(classes[*at] & BEGINS))
        return NULL;
    while (at < end && classes[*at] & NAME)
        at++;
    return at;
}

/* NULL: no qualified name begins there. */
static const uint8_t *name_end(const uint8_t *at, const uint8_t *end)
{
    at = part_end(at, end);
    return at && at < end && *at == ':' ? part_end(at + 1, end) : at;
}

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end, int64_t *lines)
{
    for (; at < end && classes[*at] & BLANK; at++)
        *lines += *at == '\n';
    return at;
}

/* Over whole lanes in which every byte stands for itself, and is no quote. */
static const uint8_t *skip_letters(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= LANES; at += LANES) {
        lanes bytes = lanes_load(at);
        if (lanes_any((bytes < ' ') | (bytes == '"') | (bytes == '\'') | (bytes == '&') | (bytes == '<') |
                      (bytes >= 0x80)))
            break;
    }
    return at;
}

/* Behind the closing quote. */
static const uint8_t *scan_value(const uint8_t *at, const uint8_t *end, struct plain_attribute *found,
                                 int64_t *lines)
{
    uint8_t quote = *at++, seen = 0;
    found->value = at;
    at = skip_letters(at, end);
    for (; at < end && *at != quote; at++) {
        uint8_t class = classes[*at];
        if (!(class & VALUE))
            return NULL;
        seen |= class;
        if (class & BLANK)
            *lines += *at == '\n';
    }
    found->size = (size_t)(at - found->value);
    found->mixed = seen & MIXED;
    return at < end ? at + 1 : NULL;
}

/* name = "value" */
static const uint8_t *scan_attribute(struct xml_reader *r, const uint8_t *at, const uint8_t *end,
                                     struct plain_tag *tag)
{
    struct plain_attribute *found = &r->found[tag->count];
    const uint8_t *name = at;
    at = tag->count < r->limits.attributes ? name_end(at, end) : NULL;
    if (!at)
        return NULL;
    size_t size = (size_t)(at - name);
    at = skip_blanks(at, end, &tag->lines);
    if (at == end || *at != '=')
        return NULL;
    at = skip_blanks(at + 1, end, &tag->lines);
    if (at == end || (*at != '"' && *at != '\''))
        return NULL;
    at = scan_value(at, end, found, &tag->lines);
    if (!at || found->size > r->limits.text)
        return NULL;
    found->name = names_keep(&r->kept, NAMES_ATTRIBUTE, name, size);
    if (!found->name)
        return NULL;
    tag->count++;
    tag->declared += found->name->declares != NAMES_NOTHING;
    tag->room += found->size + 1;
    return at;
}

/* The start tag or empty one that begins at `at`. False: it is not whole there, or not plain. */
static bool scan_tag(struct xml_reader *r, const uint8_t *at, const uint8_t *end, struct plain_tag *tag)
{
    const uint8_t *name = at + 1;
    *tag = (struct plain_tag){0};
    at = name_end(name, end);
    if (!at || at - name > READER_NAME)
        return false;
    tag->name = names_keep(&r->kept, NAMES_ELEMENT, name, (size_t)(at - name));
    while (at && at < end && tag->name) {
        const uint8_t *before = at;
        at = skip_blanks(at, end, &tag->lines);
        tag->empty = end - at >= 2 && *at == '/' && at[1] == '>';
        if (tag->empty || (at < end && *at == '>')) {
            tag->after = at + 1 + tag->empty;
            return true;
        }
        at = at > before ? scan_attribute(r, at, end, tag) : NULL;
    }
    return false;
}

/* ---- namespaces ---- */

static const char *find_space(const struct xml_reader *r, const char *prefix)
{
    for (size_t i = r->scope_count; i-- > 0;)
        if (r->scope[i].prefix == prefix)
            return r->scope[i].name;
    if (prefix == names_none)
        return names_none;
    return strcmp(prefix, "xml") ? NULL : (const char *)XML_XML_NAMESPACE;
}

/* False: its prefix is not declared. */
static bool resolve(const struct xml_reader *r, struct names_entry *name)
{
    if (name->version == r->scope_version)
        return true;
    bool bare = name->kind == NAMES_ATTRIBUTE && name->prefix == names_none;
    const char *space = bare ? names_none : find_space(r, name->prefix);
    if (!space)
        return false;
    if (name->space != space)
        name->word = 0;
    name->space = space;
    name->version = r->scope_version;
    return true;
}

/* Whether libxml2 has nothing to say of it. */
static bool may_declare(const struct plain_attribute *a)
{
    const char *prefix = a->name->prefix;
    if (a->mixed || (a->name->declares == NAMES_PREFIX &&
                     (!a->size || !strcmp(prefix, "xml") || !strcmp(prefix, "xmlns"))))
        return false;
    const char *const reserved[] = {(const char *)XML_XML_NAMESPACE, XMLNS_NAME};
    for (size_t i = 0; i < 2; i++)
        if (a->size == strlen(reserved[i]) && !memcmp(a->value, reserved[i], a->size))
            return false;
    return true;
}

static bool declare(struct xml_reader *r, const struct plain_attribute *a, size_t first)
{
    if (r->scope_count == READER_SCOPE || !may_declare(a))
        return false;
    struct names_entry *name = a->size ? names_keep(&r->kept, NAMES_TEXT, a->value, a->size) : NULL;
    for (size_t i = first; i < r->scope_count; i++)
        if (r->scope[i].prefix == a->name->prefix)
            return false;
    if (a->size && !name)
        return false;
    r->scope[r->scope_count++] = (struct xml_namespace){a->name->prefix, name ? name->text : names_none};
    r->scope_version++;
    return true;
}

static void leave_scope(struct xml_reader *r, size_t count)
{
    if (r->scope_count != count)
        r->scope_version++;
    r->scope_count = count;
}

/* ---- an element ---- */

/* Two names are one if they are written alike, or if two prefixes mean the same. */
static bool stands_once(const struct xml_reader *r, size_t count)
{
    const struct xml_name *last = &r->attributes[count].name;
    for (size_t i = 0; i < count; i++) {
        const struct xml_name *name = &r->attributes[i].name;
        if (name->word == last->word ||
            (name->space == last->space && name->prefix != last->prefix && !strcmp(name->local, last->local)))
            return false;
    }
    return true;
}

static bool make_room(struct xml_reader *r, size_t need)
{
    if (need <= r->values_room)
        return true;
    free(r->values);
    r->values = malloc(2 * need);
    r->values_room = r->values ? 2 * need : 0;
    return r->values;
}

static bool copy_attributes(struct xml_reader *r, const struct plain_tag *tag)
{
    if (!make_room(r, tag->room))
        return false;
    char *to = r->values;
    size_t count = 0;
    for (size_t i = 0; i < tag->count; i++) {
        const struct plain_attribute *a = &r->found[i];
        if (a->name->declares)
            continue;
        if (!resolve(r, a->name))
            return false;
        r->attributes[count] =
            (struct xml_attribute){{a->name->space, a->name->local, a->name->prefix, &a->name->word}, to};
        if (!a->mixed)
            to = (char *)memcpy(to, a->value, a->size) + a->size;
        else if (!(to = plain_value(to, a->value, a->size)))
            return false;
        *to++ = 0;
        if (!stands_once(r, count++))
            return false;
    }
    return true;
}

/* Its declarations come into scope and its names are resolved; false: nothing has changed. */
static bool understand(struct xml_reader *r, const struct plain_tag *tag)
{
    size_t before = r->scope_count;
    bool good = true;
    for (size_t i = 0; tag->declared && good && i < tag->count; i++)
        good = !r->found[i].name->declares || declare(r, &r->found[i], before);
    good = good && resolve(r, tag->name) && copy_attributes(r, tag);
    if (!good)
        leave_scope(r, before);
    return good;
}

static struct xml_name name_of(struct names_entry *name)
{
    return (struct xml_name){name->space, name->local, name->prefix, &name->word};
}

static int report_start(struct xml_reader *r, const struct plain_tag *tag)
{
    size_t from = r->scope_count - tag->declared;
    r->scope_at[r->depth] = from;
    r->open[r->depth] = tag->name;
    r->run = 0;
    if (!r->events.start)
        return 0;
    const struct xml_element element = {
        .name = name_of(tag->name),
        .attributes = r->attributes,
        .attribute_count = tag->count - tag->declared,
        .declared = r->scope + from,
        .declared_count = tag->declared,
        .depth = r->depth,
        .line = r->line,
    };
    int error = r->events.start(r->arg, r, &element);
    return error ? xml_refuse(r, error, "refused") : r->error;
}

int plain_end(struct xml_reader *r)
{
    struct names_entry *entry = r->open[r->depth];
    r->run = 0;
    resolve(r, entry); /* as at its start */
    const struct xml_name name = name_of(entry);
    int error = r->events.end ? r->events.end(r->arg, r, &name, r->depth) : 0;
    if (error)
        return xml_refuse(r, error, "refused");
    leave_scope(r, r->scope_at[r->depth]);
    return r->error;
}

static int take_start(struct xml_reader *r, const struct plain_tag *tag, const uint8_t *at)
{
    if (!understand(r, tag))
        return PLAIN_DECLINES;
    int error = reader_open(r, (const char *)at + 1, tag->name->size);
    if (!error)
        error = report_start(r, tag);
    return !error && tag->empty ? plain_end(r) : error;
}

int plain_start(struct xml_reader *r, const struct lexer_token *token)
{
    struct plain_tag tag;
    const uint8_t *end = token->bytes + token->size;
    bool plain = scan_tag(r, token->bytes, end, &tag) && tag.after == end;
    return plain ? take_start(r, &tag, token->bytes) : PLAIN_DECLINES;
}

/* ---- straight from the input ---- */

static int skim_text(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    size_t given = (size_t)(end - *at), room = r->limits.text - r->run;
    const uint8_t *tag = memchr(*at, '<', given < LEXER_PIECE ? given : LEXER_PIECE);
    size_t size = tag ? (size_t)(tag - *at) : 0;
    if (!tag || size > room)
        return PLAIN_DECLINES;
    int result = plain_text(r, *at, size);
    if (result)
        return result;
    r->run += size;
    r->line += reader_lines(*at, tag);
    *at = tag;
    return 0;
}

static int skim_end(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    size_t from = r->name_at[r->depth - 1], size = r->names_used - from;
    if ((size_t)(end - *at) < size + 3 || size + 3 > r->limits.tag || (*at)[size + 2] != '>' ||
        memcmp(*at + 2, r->names + from, size) != 0)
        return PLAIN_DECLINES;
    int error = plain_end(r);
    if (!error)
        reader_settle(r, true);
    *at += size + 3;
    return error;
}

static int skim_start(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    struct plain_tag tag;
    if ((size_t)(end - *at) > r->limits.tag)
        end = *at + r->limits.tag;
    if (!scan_tag(r, *at, end, &tag))
        return PLAIN_DECLINES;
    int result = take_start(r, &tag, *at);
    if (result)
        return result;
    reader_settle(r, tag.empty);
    r->line += tag.lines;
    *at = tag.after;
    return 0;
}

int plain_skim(struct xml_reader *r, const uint8_t **at, const uint8_t *end)
{
    int result = 0;
    while (!result && r->depth && !r->raw && end - *at >= 4) {
        r->from = r->here = *at;
        if (**at != '<')
            result = skim_text(r, at, end);
        else
            result = ((*at)[1] == '/' ? skim_end : skim_start)(r, at, end);
    }
    r->from = r->here = *at;
    return result == PLAIN_DECLINES ? 0 : result;
}
