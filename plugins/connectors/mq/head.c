#include "head.h"

#include <stdlib.h>
#include <string.h>

/* Constructors, AMQP 1.0 part 1 */
enum {
    DESCRIBED = 0x00,
    NULL_VALUE = 0x40,
    TRUE_VALUE = 0x41,
    SMALL_ULONG = 0x53,
    BINARY = 0xa0, /* and 0xb0 with a size of 4 bytes; so the next two */
    STRING = 0xa1,
    SYMBOL = 0xa3,
    LIST8 = 0xc0,
    LIST32 = 0xd0,
    MAP32 = 0xd1,
};

enum { HEADER = 0x70, PROPERTIES = 0x73, APPLICATION_PROPERTIES = 0x74, DATA = 0x75 };

static bool reserve(struct head *head, size_t more)
{
    if (head->size + more <= head->room)
        return true;
    size_t room = (head->size + more) * 2 + 256;
    uint8_t *bytes = head->failed ? NULL : realloc(head->bytes, room);
    head->failed = !bytes;
    if (!bytes)
        return false;
    head->bytes = bytes;
    head->room = room;
    return true;
}

static void put(struct head *head, const void *bytes, size_t size)
{
    if (!reserve(head, size))
        return;
    memcpy(head->bytes + head->size, bytes, size);
    head->size += size;
}

static void put_byte(struct head *head, unsigned byte)
{
    put(head, &(uint8_t){(uint8_t)byte}, 1);
}

static void write32(uint8_t *to, size_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void put32(struct head *head, size_t number)
{
    uint8_t bytes[4];
    write32(bytes, number);
    put(head, bytes, 4);
}

/* The constructor and the size of what follows; `code` is that of the short form. */
static void put_size(struct head *head, unsigned code, size_t size)
{
    put_byte(head, size < 256 ? code : code + 0x10);
    if (size < 256)
        put_byte(head, (unsigned)size);
    else
        put32(head, size);
}

static void put_text(struct head *head, unsigned code, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    if (!size) {
        put_byte(head, NULL_VALUE);
        return;
    }
    put_size(head, code, size);
    put(head, text, size);
}

static void begin_section(struct head *head, unsigned section)
{
    put_byte(head, DESCRIBED);
    put_byte(head, SMALL_ULONG);
    put_byte(head, section);
}

/* A list or map of 4-byte sizes; returns where they are to be written. */
static size_t begin_compound(struct head *head, unsigned code)
{
    put_byte(head, code);
    size_t at = head->size;
    put32(head, 0);
    put32(head, 0);
    return at;
}

static void end_compound(struct head *head, size_t at, size_t count)
{
    if (head->failed)
        return;
    write32(head->bytes + at, head->size - at - 4);
    write32(head->bytes + at + 4, count);
}

static void put_properties(struct head *head, const struct head_fields *fields)
{
    unsigned id = fields->binary_ids ? BINARY : STRING;
    begin_section(head, PROPERTIES);
    size_t at = begin_compound(head, LIST32);
    put_text(head, id, fields->message_id);
    put_byte(head, NULL_VALUE); /* user-id */
    put_byte(head, NULL_VALUE); /* to */
    put_text(head, STRING, fields->subject);
    put_text(head, STRING, fields->reply_to);
    put_text(head, id, fields->correlation_id);
    put_text(head, SYMBOL, fields->content_type);
    end_compound(head, at, 7);
}

static void put_application_properties(struct head *head, const struct head_fields *fields)
{
    begin_section(head, APPLICATION_PROPERTIES);
    size_t at = begin_compound(head, MAP32);
    for (size_t i = 0; i < fields->property_count; i++) {
        const char *value = fields->properties[i].value;
        put_text(head, STRING, fields->properties[i].name);
        put_size(head, STRING, strlen(value));
        put(head, value, strlen(value));
    }
    end_compound(head, at, 2 * fields->property_count);
}

void head_write(struct head *head, const struct head_fields *fields)
{
    static const uint8_t durable[] = {LIST8, 2, 1, TRUE_VALUE};
    head->size = 0;
    head->failed = false;
    begin_section(head, HEADER);
    put(head, durable, sizeof durable);
    put_properties(head, fields);
    if (fields->property_count)
        put_application_properties(head, fields);
    begin_section(head, DATA);
    put_size(head, BINARY, fields->payload);
}

void head_fini(struct head *head)
{
    free(head->bytes);
    *head = (struct head){0};
}
