#include "sections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define BODIES_MOST (1 << 20)

enum {
    HEADER = 0x70,
    DELIVERY_ANNOTATIONS = 0x71,
    MESSAGE_ANNOTATIONS = 0x72,
    PROPERTIES = 0x73,
    APPLICATION_PROPERTIES = 0x74,
    DATA = 0x75,
    SEQUENCE = 0x76,
    VALUE = 0x77,
    FOOTER = 0x78,
};

static const char *const names[] = {
    "header", "delivery-annotations", "message-annotations", "properties", "application-properties",
    "data",   "amqp-sequence",        "amqp-value",          "footer"};

static const char *name_of(int section)
{
    return names[section - HEADER];
}

static void wrong(struct sections *sections, const char *what, const char *of)
{
    if (!sections->wrong[0])
        snprintf(sections->wrong, sizeof sections->wrong, "%s%s%s", what, of[0] ? ": " : "", of);
}

void sections_begin(struct sections *sections, const char *const *properties, size_t count)
{
    sections->message_id[0] = sections->correlation_id[0] = sections->subject[0] = '\0';
    sections->reply_to[0] = sections->content_type[0] = sections->wrong[0] = '\0';
    sections->has_body = false;
    sections->started = sections->have = sections->want = sections->bodies = 0;
    sections->section = sections->last = 0;
    sections->before = 0;
    sections->property_count = count < SECTIONS_PROPERTIES ? count : SECTIONS_PROPERTIES;
    for (size_t i = 0; i < sections->property_count; i++) {
        sections->properties[i].name = properties[i];
        sections->properties[i].found = false;
        sections->properties[i].value[0] = '\0';
    }
}

void sections_fini(struct sections *sections)
{
    free(sections->bytes);
    sections->bytes = NULL;
}

/* ---- what stands in a section ---- */

static bool read_properties(struct sections *sections, struct value_reader *reader)
{
    struct value value;
    for (size_t field = 0; field < reader->count; field++) {
        if (!value_read(reader, &value))
            return false;
        if (field == 0)
            value_id(&value, sections->message_id, sizeof sections->message_id);
        else if (field == 3)
            value_text(&value, sections->subject, sizeof sections->subject);
        else if (field == 4)
            value_text(&value, sections->reply_to, sizeof sections->reply_to);
        else if (field == 5)
            value_id(&value, sections->correlation_id, sizeof sections->correlation_id);
        else if (field == 6)
            value_text(&value, sections->content_type, sizeof sections->content_type);
    }
    return true;
}

static void keep_property(struct sections *sections, const struct value *name, const struct value *value)
{
    for (size_t i = 0; i < sections->property_count; i++) {
        struct sections_property *property = &sections->properties[i];
        if (!value_is(name, property->name) || property->found)
            continue;
        property->found = value_text(value, property->value, sizeof property->value);
        return;
    }
}

static bool read_application_properties(struct sections *sections, struct value_reader *reader)
{
    struct value name, value;
    if (reader->count % 2)
        return false;
    for (size_t i = 0; i < reader->count; i += 2) {
        if (!value_read(reader, &name) || !value_read(reader, &value))
            return false;
        keep_property(sections, &name, &value);
    }
    return true;
}

/* Header and annotations are only looked at for being whole. */
static void read_section(struct sections *sections)
{
    struct value_reader reader;
    bool map = sections->section != HEADER && sections->section != PROPERTIES;
    uint8_t code = sections->start[sections->started - 1];
    bool fine = value_open(&reader, code, sections->bytes, sections->have, map);
    if (fine && sections->section == PROPERTIES)
        fine = read_properties(sections, &reader);
    else if (fine && sections->section == APPLICATION_PROPERTIES)
        fine = read_application_properties(sections, &reader);
    else if (fine)
        fine = value_skip_all(&reader);
    if (!fine || reader.at != reader.end)
        wrong(sections, "a section that is not what it says", name_of(sections->section));
}

/* ---- where a section begins ---- */

/* Properties come once, in the order of their codes; data may come again and again. */
static bool may_follow(const struct sections *sections, int section)
{
    bool body = sections->last == DATA || sections->last == VALUE;
    if (section == DATA)
        return sections->last <= DATA;
    return section > sections->last && !(body && section != FOOTER);
}

static bool is_bytes(uint8_t code)
{
    return code == 0xa0 || code == 0xb0;
}

static bool is_text(uint8_t code)
{
    return code == 0xa1 || code == 0xb1 || code == 0xa3 || code == 0xb3;
}

static void begin_body(struct sections *sections, uint8_t code)
{
    sections->has_body = true;
    if (++sections->bodies > BODIES_MOST)
        wrong(sections, "more data sections than anybody needs", "");
    if (sections->section == SEQUENCE)
        wrong(sections, "its body is an amqp-sequence, which has no bytes to hand on", "");
    else if (!is_bytes(code) && !(sections->section == VALUE && (is_text(code) || code == 0x40)))
        wrong(sections,
              sections->section == VALUE ? "its body is an amqp-value that is neither text nor bytes"
                                         : "its data is not binary",
              "");
}

static void begin_section(struct sections *sections, int section, uint8_t code)
{
    sections->section = section;
    if (!may_follow(sections, section)) {
        wrong(sections, "a section out of its place", name_of(section));
        return;
    }
    sections->last = section;
    sections->have = 0;
    if (section >= DATA && section <= VALUE) {
        begin_body(sections, code);
        return;
    }
    sections->before += (int64_t)sections->want;
    if (sections->want > SECTIONS_EACH || sections->before > 4 * SECTIONS_EACH)
        wrong(sections, "a section that is too large", name_of(section));
    else if (!sections->bytes && !(sections->bytes = malloc(SECTIONS_EACH)))
        wrong(sections, "out of memory", "");
}

/* True: a section begins, or it is wrong. False: more of it is needed. */
static bool read_start(struct sections *sections)
{
    const uint8_t *start = sections->start;
    size_t size = sections->started, value;
    uint64_t code = 0;
    if (start[0] != 0x00) {
        wrong(sections, "something that is no section", "");
        return true;
    }
    if (size < 2)
        return false;
    if (start[1] == 0x53 || start[1] == 0x80) {
        value = start[1] == 0x53 ? 3 : 10;
        if (size < value)
            return false;
        for (size_t i = 2; i < value; i++)
            code = code << 8 | start[i];
    } else {
        wrong(sections, "a section without a number", "");
        return true;
    }
    if (code < HEADER || code > FOOTER) {
        wrong(sections, "a section that nobody knows", "");
        return true;
    }
    if (size < value + 1)
        return false;
    /* How many bytes say how long it is, by the constructor's upper half */
    size_t width = start[value] >= 0xa0 ? (start[value] >> 4 & 1 ? 4 : 1) : 0;
    if (size < value + 1 + width)
        return false;
    uint8_t constructor = start[value];
    sections->want = 0;
    for (size_t i = 0; i < width; i++)
        sections->want = sections->want << 8 | start[value + 1 + i];
    if (width == 0 && constructor != 0x40 && constructor != 0x45) {
        wrong(sections, "a section that holds something else", name_of((int)code));
        return true;
    }
    sections->start[0] = constructor; /* for read_section(), which looks at the last byte */
    sections->started = 1;
    begin_section(sections, (int)code, constructor);
    return true;
}

/* ---- bytes ---- */

static bool in_body(const struct sections *sections)
{
    return sections->section >= DATA && sections->section <= VALUE;
}

static void end_section(struct sections *sections)
{
    if (!in_body(sections))
        read_section(sections);
    sections->section = 0;
    sections->started = 0;
}

static size_t take_content(struct sections *sections, const uint8_t *bytes, size_t size, const uint8_t **body,
                           size_t *body_size)
{
    size_t part = sections->want - sections->have < size ? sections->want - sections->have : size;
    if (in_body(sections)) {
        *body = bytes;
        *body_size = part;
    } else if (part) {
        memcpy(sections->bytes + sections->have, bytes, part);
    }
    sections->have += part;
    if (sections->have == sections->want)
        end_section(sections);
    return part;
}

size_t sections_take(struct sections *sections, const uint8_t *bytes, size_t size, const uint8_t **body,
                     size_t *body_size)
{
    size_t taken = 0;
    *body = NULL;
    *body_size = 0;
    while (!sections->section && taken < size && !sections->wrong[0]) {
        sections->start[sections->started++] = bytes[taken++];
        if (read_start(sections) && !sections->wrong[0] && sections->want == 0)
            end_section(sections);
    }
    if (sections->section && !sections->wrong[0])
        taken += take_content(sections, bytes + taken, size - taken, body, body_size);
    return sections->wrong[0] ? 0 : taken;
}

int sections_end(struct sections *sections)
{
    if (sections->section || sections->started)
        wrong(sections, "it ends in the middle of a section", "");
    sections->has_body = true; /* a message without body has no bytes, which is a payload too */
    return sections->wrong[0] ? ACCORD_EFORMAT : 0;
}
