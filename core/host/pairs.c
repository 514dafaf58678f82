#include "host/pairs.h"

#include <stdlib.h>
#include <string.h>

static size_t aligned(size_t size)
{
    return (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
}

static const char *copy_text(char **to, const char *text)
{
    char *start = *to;
    size_t size = strlen(text) + 1;
    memcpy(start, text, size);
    *to += size;
    return start;
}

size_t pairs_room(const struct wire_pairs *pairs)
{
    return aligned(pairs->count * sizeof(struct accord_pair) + pairs->raw.size);
}

const struct accord_pair *pairs_copy(const struct wire_pairs *pairs, void *room)
{
    struct accord_pair *items = room, pair;
    char *texts = (char *)(items + pairs->count);
    size_t count = 0;
    for (size_t at = 0; wire_pairs_next(pairs, &at, &pair); count++) {
        items[count].name = copy_text(&texts, pair.name);
        items[count].value = copy_text(&texts, pair.value);
    }
    return items;
}

struct accord_pair *pairs_keep(const struct wire_pairs *pairs)
{
    void *room = malloc(pairs_room(pairs) + 1);
    if (room)
        pairs_copy(pairs, room);
    return room;
}

size_t envelope_room(const struct wire_envelope *from)
{
    return aligned(from->headers.count * sizeof(struct accord_pair) + from->encoded.size);
}

/* Its texts are copied all at once, as they lie in the frame. */
void envelope_copy(struct accord_envelope *to, const struct wire_envelope *from, void *room)
{
    struct accord_pair *headers = room, pair;
    char *texts = (char *)(headers + from->headers.count);
    const char *begin = (const char *)from->encoded.data;
    size_t count = 0;
    memcpy(texts, begin, from->encoded.size);
    for (size_t at = 0; wire_pairs_next(&from->headers, &at, &pair); count++)
        headers[count] = (struct accord_pair){texts + (pair.name - begin), texts + (pair.value - begin)};
    *to = (struct accord_envelope){
        .id = texts + (from->id - begin),
        .type = texts + (from->type - begin),
        .name = texts + (from->name - begin),
        .origin = texts + (from->origin - begin),
        .source_id = texts + (from->source_id - begin),
        .time = from->time,
        .size = from->size,
        .sha256 = texts + (from->sha256 - begin),
        .headers = headers,
        .header_count = count,
    };
}
