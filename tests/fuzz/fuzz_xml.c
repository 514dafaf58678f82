/* Safe XML over any bytes: whole, and in pieces whose size the last byte says; both must end the same, and where they end
 * well the calls must be the same. An element whose name begins with 'r' is taken raw. */
#include <stdlib.h>
#include <string.h>

#include "common/xml/xml.h"
#include "seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was called, hashed; runs of text and of raw content as one however they are cut. */
struct seen {
    uint64_t hash;
    size_t depth;
};

static void see_text(struct seen *seen, const char *text)
{
    see(&seen->hash, text, strlen(text) + 1);
}

static int on_raw(void *arg, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    struct seen *seen = arg;
    enum xml_part part = xml_raw_part(reader);
    if (!size || (part == XML_PART_ELEMENT && *bytes != '<'))
        abort();
    see(&seen->hash, bytes, size);
    return 0;
}

static int on_start(void *arg, struct xml_reader *reader, const struct xml_element *element)
{
    struct seen *seen = arg;
    const struct xml_namespace *all;
    if (element->depth != ++seen->depth || element->line < 1 || !*element->name.local)
        abort();
    if (*element->name.prefix && strcmp(xml_namespace_of(reader, element->name.prefix), element->name.space))
        abort();
    see_text(seen, element->name.local);
    see_text(seen, element->name.space);
    for (size_t i = 0; i < element->attribute_count; i++) {
        see_text(seen, element->attributes[i].name.local);
        see_text(seen, element->attributes[i].value);
    }
    for (size_t count = xml_in_scope(reader, &all); count-- > 0;)
        see_text(seen, all[count].name);
    if (element->name.local[0] == 'r')
        xml_take_raw(reader, on_raw);
    return 0;
}

static int on_end(void *arg, struct xml_reader *reader, const struct xml_name *name, size_t depth)
{
    struct seen *seen = arg;
    (void)reader;
    if (depth != seen->depth--)
        abort();
    see_text(seen, name->local);
    return 0;
}

static int on_text(void *arg, struct xml_reader *reader, const char *bytes, size_t size)
{
    struct seen *seen = arg;
    (void)reader;
    see(&seen->hash, bytes, size);
    return 0;
}

static int run(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    static const struct xml_events events = {on_start, on_end, on_text};
    const struct xml_limits limits = {
        .size = 100000, .depth = 20, .attributes = 10, .text = 5000, .tag = 1000, .elements = 1000};
    struct xml_reader *reader = xml_reader_new(&limits, &events, seen);
    int error = 0;
    for (size_t at = 0; reader && at < size && !error; at += piece)
        error = xml_feed(reader, data + at, piece < size - at ? piece : size - at);
    if (reader && !error)
        error = xml_finish(reader);
    if (!reader || error > 0 || !error != !*xml_why(reader) || (!error && seen->depth))
        abort();
    xml_reader_free(reader);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, cut = {0};
    int error = run(data, size, size ? size : 1, &whole);
    if (run(data, size, size ? data[size - 1] % 16 + 1U : 1, &cut) != error)
        abort();
    if (!error && whole.hash != cut.hash)
        abort();
    return 0;
}
