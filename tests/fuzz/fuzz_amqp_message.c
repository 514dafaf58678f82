/* What a broker gives us as a message (connectors/mq/sections.h), in pieces of several sizes: the same is read of it in
 * whatever pieces it comes, the payload is a part of the bytes, and nothing is longer than it may be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mq/sections.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint8_t *body;
    size_t size;
    bool failed;
};

static void expect(bool fine)
{
    if (!fine)
        abort();
}

static void read_in_pieces(struct sections *sections, const uint8_t *data, size_t size, size_t piece,
                           struct outcome *outcome)
{
    static const char *const names[] = {"name", "batch"};
    const uint8_t *body;
    size_t part;
    sections_begin(sections, names, 2);
    *outcome = (struct outcome){.body = malloc(size + 1)};
    for (size_t at = 0; at < size && !outcome->failed;) {
        size_t here = size - at < piece ? size - at : piece;
        size_t taken = sections_take(sections, data + at, here, &body, &part);
        outcome->failed = taken == 0;
        expect(taken <= here && part <= here && outcome->size + part <= size);
        expect(!outcome->failed || sections->wrong[0]);
        expect(!part || (body >= data + at && body + part <= data + at + here));
        if (part)
            memcpy(outcome->body + outcome->size, body, part);
        outcome->size += part;
        at += taken;
    }
    if (!outcome->failed)
        outcome->failed = sections_end(sections) < 0;
}

static void expect_text(const char *text, size_t room)
{
    size_t size = strnlen(text, room);
    expect(size < room);
    for (size_t i = 0; i < size; i++)
        expect((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 7, 100};
    static struct sections whole, parts;
    struct outcome first, other;
    read_in_pieces(&whole, data, size, size ? size : 1, &first);
    expect_text(whole.message_id, sizeof whole.message_id);
    expect_text(whole.correlation_id, sizeof whole.correlation_id);
    expect_text(whole.subject, sizeof whole.subject);
    expect_text(whole.reply_to, sizeof whole.reply_to);
    expect_text(whole.content_type, sizeof whole.content_type);
    for (size_t i = 0; i < whole.property_count; i++)
        expect_text(whole.properties[i].value, sizeof whole.properties[i].value);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        read_in_pieces(&parts, data, size, pieces[i], &other);
        expect(first.failed == other.failed && strcmp(whole.wrong, parts.wrong) == 0);
        expect(first.failed || (first.size == other.size && memcmp(first.body, other.body, first.size) == 0));
        expect(first.failed || strcmp(whole.message_id, parts.message_id) == 0);
        free(other.body);
    }
    free(first.body);
    return 0;
}
