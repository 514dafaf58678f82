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

size_t envelope_room(const struct accord_envelope *from, const struct wire_pairs *headers)
{
    return pairs_room(headers) +
           aligned(strlen(from->id) + strlen(from->type) + strlen(from->name) + strlen(from->origin) +
                   strlen(from->source_id) + strlen(from->sha256) + 6);
}

void envelope_copy(struct accord_envelope *to, const struct accord_envelope *from,
                   const struct wire_pairs *headers, void *room)
{
    char *texts = (char *)room + pairs_room(headers);
    *to = *from;
    to->headers = pairs_copy(headers, room);
    to->header_count = headers->count;
    to->id = copy_text(&texts, from->id);
    to->type = copy_text(&texts, from->type);
    to->name = copy_text(&texts, from->name);
    to->origin = copy_text(&texts, from->origin);
    to->source_id = copy_text(&texts, from->source_id);
    to->sha256 = copy_text(&texts, from->sha256);
}
