#include "answer11_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer11_grammar.h"
#include "common/xml/lexer.h"

static int hand_on(struct content11 *c, const void *bytes, size_t size)
{
    return size ? c->take(c->arg, bytes, size) : 0;
}

static size_t leading_white(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    while (count < size && lexer_is_space(bytes[count]))
        count++;
    return count;
}

/* --- namespaces --- */

static bool belongs_to_envelope(const char *space)
{
    return !strncmp(space, "http://taxii.mitre.org/", 23) || !strcmp(space, TAXII111_SPACE) ||
           !strcmp(space, XMLDSIG_SPACE);
}

static int by_prefix(const void *a, const void *b)
{
    return strcmp(((const struct xml_namespace *)a)->prefix, ((const struct xml_namespace *)b)->prefix);
}

int content11_begin(struct content11 *c, struct xml_reader *reader)
{
    const struct xml_namespace *all;
    size_t count = xml_in_scope(reader, &all);
    if (count > CONTENT11_NAMESPACES)
        return xml_refuse(reader, ACCORD_ELIMIT, "the envelope declares more than %d namespaces",
                          CONTENT11_NAMESPACES);
    memcpy(c->outer, all, count * sizeof *all);
    qsort(c->outer, count, sizeof *c->outer, by_prefix);
    c->outer_count = count;
    c->kind = CONTENT11_NONE;
    c->reference_size = c->white_size = 0;
    return 0;
}

/* Whether the attribute is the declaration of a prefix. */
static bool declares(const struct lexer_attribute *attribute, const char *prefix)
{
    size_t size = strlen(prefix);
    if (attribute->name_size < 5 || memcmp(attribute->name, "xmlns", 5))
        return false;
    if (!size)
        return attribute->name_size == 5;
    return attribute->name_size == 6 + size && attribute->name[5] == ':' &&
           !memcmp(attribute->name + 6, prefix, size);
}

/* Leaves in `outer` what the tag needs: not what it declares itself, nor what belongs to the envelope alone. */
static void strike_declared(struct content11 *c, const struct lexer_attribute *attribute)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->outer_count; i++)
        if (!declares(attribute, c->outer[i].prefix))
            c->outer[kept++] = c->outer[i];
    c->outer_count = kept;
}

static void strike_envelope(struct content11 *c, const char *name, size_t size)
{
    const char *colon = memchr(name, ':', size);
    size_t prefix = colon ? (size_t)(colon - name) : 0, kept = 0;
    for (size_t i = 0; i < c->outer_count; i++) {
        const char *given = c->outer[i].prefix;
        bool own = prefix && strlen(given) == prefix && !memcmp(given, name, prefix);
        if (own || !belongs_to_envelope(c->outer[i].name))
            c->outer[kept++] = c->outer[i];
    }
    c->outer_count = kept;
}

static size_t put_value(char *to, size_t room, const char *value)
{
    size_t used = 0;
    for (; *value && used + 8 < room; value++) {
        if (strchr("&<\"\t\n\r", *value))
            used += (size_t)sprintf(to + used, "&#%d;", *value);
        else
            to[used++] = *value;
    }
    return *value ? room : used;
}

static int inject(struct content11 *c, struct xml_reader *reader)
{
    char text[CONTENT11_INJECTED];
    size_t used = 0;
    for (size_t i = 0; i < c->outer_count; i++) {
        const struct xml_namespace *one = &c->outer[i];
        int head =
            snprintf(text + used, sizeof text - used, " xmlns%s%s=\"", *one->prefix ? ":" : "", one->prefix);
        used = (size_t)head < sizeof text - used ? used + (size_t)head : sizeof text;
        used += put_value(text + used, sizeof text - used, one->name);
        if (used >= sizeof text)
            return xml_refuse(reader, ACCORD_ELIMIT, "the envelope's namespaces are larger than %d bytes",
                              CONTENT11_INJECTED);
        text[used++] = '"';
    }
    return hand_on(c, text, used);
}

static int first_tag(struct content11 *c, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    const struct lexer_token tag = {.kind = LEXER_START, .bytes = bytes, .size = size};
    struct lexer_attribute attribute;
    size_t name_size, offset = 0;
    const char *name = lexer_name(&tag, &name_size);
    int more;
    while ((more = lexer_attribute(bytes, size, &offset, &attribute)) == 1)
        strike_declared(c, &attribute);
    if (more < 0)
        return xml_refuse(reader, ACCORD_EFORMAT, "the first tag of a content is malformed: <%.*s",
                          (int)(name_size < 60 ? name_size : 60), name);
    strike_envelope(c, name, name_size);
    if (!offset)
        offset = 1 + name_size;
    int error = hand_on(c, bytes, offset);
    if (!error)
        error = inject(c, reader);
    return error ? error : hand_on(c, bytes + offset, size - offset);
}

/* --- text --- */

/* Unescaped text, of which the white space at both ends is kept back. */
static int put_text(struct content11 *c, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    if (c->kind != CONTENT11_TEXT) {
        size_t white = leading_white(bytes, size);
        if (white == size)
            return 0;
        if (c->kind == CONTENT11_ELEMENT)
            return xml_refuse(reader, ACCORD_EFORMAT, "a content holds text beside its element");
        c->kind = CONTENT11_TEXT;
        bytes += white;
        size -= white;
    }
    size_t end = size;
    while (end && lexer_is_space(bytes[end - 1]))
        end--;
    int error = 0;
    if (end || c->white_size + size > sizeof c->white) {
        error = hand_on(c, c->white, c->white_size);
        c->white_size = 0;
    }
    if (size - end > sizeof c->white)
        end = size;
    if (!error)
        error = hand_on(c, bytes, end);
    memcpy(c->white + c->white_size, bytes + end, size - end);
    c->white_size += size - end;
    return error;
}

static size_t encode(uint32_t code, uint8_t to[4])
{
    if (code < 0x80)
        return to[0] = (uint8_t)code, 1;
    if (code < 0x800)
        return to[0] = (uint8_t)(0xC0 | code >> 6), to[1] = (uint8_t)(0x80 | (code & 63)), 2;
    if (code < 0x10000)
        return to[0] = (uint8_t)(0xE0 | code >> 12), to[1] = (uint8_t)(0x80 | (code >> 6 & 63)),
               to[2] = (uint8_t)(0x80 | (code & 63)), 3;
    return to[0] = (uint8_t)(0xF0 | code >> 18), to[1] = (uint8_t)(0x80 | (code >> 12 & 63)),
           to[2] = (uint8_t)(0x80 | (code >> 6 & 63)), to[3] = (uint8_t)(0x80 | (code & 63)), 4;
}

/* The character of a reference, "&lt;" or "&#60;"; 0: it is none (XML 1.0, 2.2 and 4.1). */
static uint32_t referred(const char *reference)
{
    static const struct {
        const char *text;
        char character;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(reference, known[i].text))
            return (uint32_t)known[i].character;
    if (reference[1] != '#')
        return 0;
    bool hex = reference[2] == 'x';
    const char *digits = reference + 2 + hex;
    size_t count = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (!count || strcmp(digits + count, ";"))
        return 0;
    unsigned long code = strtoul(digits, NULL, hex ? 16 : 10);
    bool allowed = code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0xD800) ||
                   (code >= 0xE000 && code < 0xFFFE) || (code >= 0x10000 && code < 0x110000);
    return allowed ? (uint32_t)code : 0;
}

/* Bytes of a reference that is begun; how many of them were taken. */
static int put_reference(struct content11 *c, struct xml_reader *reader, const uint8_t *bytes, size_t size,
                         size_t *taken)
{
    for (*taken = 0; *taken < size;) {
        char byte = (char)bytes[(*taken)++];
        if (c->reference_size == sizeof c->reference - 1)
            return xml_refuse(reader, ACCORD_EFORMAT, "a content holds '&' that begins no reference");
        c->reference[c->reference_size++] = byte;
        if (byte != ';')
            continue;
        c->reference[c->reference_size] = 0;
        c->reference_size = 0;
        uint8_t encoded[4];
        uint32_t code = referred(c->reference);
        if (!code)
            return xml_refuse(reader, ACCORD_EFORMAT, "a content holds \"%s\", which is no reference",
                              c->reference);
        return put_text(c, reader, encoded, encode(code, encoded));
    }
    return 0;
}

/* As written: references (not in CDATA), CR LF and CR for a line's end (2.11). */
static int put_written(struct content11 *c, struct xml_reader *reader, const uint8_t *bytes, size_t size,
                       bool references)
{
    const uint8_t *end = bytes + size;
    int error = 0;
    while (bytes < end && !error) {
        size_t plain = 0, left = (size_t)(end - bytes);
        if (references && (c->reference_size || *bytes == '&')) {
            error = put_reference(c, reader, bytes, left, &plain);
        } else if (*bytes == '\r') {
            plain = left > 1 && bytes[1] == '\n' ? 2 : 1;
            error = put_text(c, reader, (const uint8_t *)"\n", 1);
        } else {
            while (plain < left && bytes[plain] != '\r' && !(references && bytes[plain] == '&'))
                plain++;
            error = put_text(c, reader, bytes, plain);
        }
        bytes += plain;
    }
    return error;
}

static int whole_reference(struct content11 *c, struct xml_reader *reader)
{
    return c->reference_size ? xml_refuse(reader, ACCORD_EFORMAT, "a content holds a reference without ';'")
                             : 0;
}

int content11_piece(struct content11 *c, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    enum xml_part part = xml_raw_part(reader);
    if (part == XML_PART_MORE)
        return hand_on(c, bytes, size);
    if (part == XML_PART_TEXT) {
        if (memmem(bytes, size, "]]>", 3))
            return xml_refuse(reader, ACCORD_EFORMAT, "a content holds \"]]>\" outside of CDATA");
        return put_written(c, reader, bytes, size, true);
    }
    int error = whole_reference(c, reader);
    if (error || part == XML_PART_MARK || part == XML_PART_ASIDE)
        return error;
    if (part == XML_PART_CDATA)
        return put_written(c, reader, bytes, size, false);
    if (c->kind != CONTENT11_NONE)
        return xml_refuse(reader, ACCORD_EFORMAT, "a content holds %s",
                          c->kind == CONTENT11_TEXT ? "an element beside its text" : "more than one element");
    c->kind = CONTENT11_ELEMENT;
    return first_tag(c, reader, bytes, size);
}

int content11_end(struct content11 *c, struct xml_reader *reader)
{
    return whole_reference(c, reader);
}
