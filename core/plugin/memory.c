#include "plugin/memory.h"

#include <stdlib.h>
#include <string.h>

#include "util/digest.h"
#include "util/text.h"

struct remembered {
    char key[DIGEST_HEX];
    uint64_t used;
    char **texts;
    size_t count;
};

struct check_memory {
    struct remembered items[MEMORY_MAX];
    size_t count;
    uint64_t now;
};

struct check_memory *check_memory_new(void)
{
    return calloc(1, sizeof(struct check_memory));
}

static void forget(struct remembered *item)
{
    for (size_t i = 0; i < item->count; i++)
        free(item->texts[i]);
    free(item->texts);
}

void check_memory_free(struct check_memory *memory)
{
    for (size_t i = 0; memory && i < memory->count; i++)
        forget(&memory->items[i]);
    free(memory);
}

char **check_memory_get(struct check_memory *memory, const char *key, size_t count)
{
    for (size_t i = 0; i < memory->count; i++) {
        struct remembered *item = &memory->items[i];
        if (item->count != count || strcmp(item->key, key) != 0)
            continue;
        item->used = ++memory->now;
        return item->texts;
    }
    return NULL;
}

void check_memory_put(struct check_memory *memory, const char *key, char **texts, size_t count)
{
    struct remembered *item = memory->items;
    if (memory->count < MEMORY_MAX) {
        item = &memory->items[memory->count++];
    } else {
        for (size_t i = 1; i < MEMORY_MAX; i++)
            if (memory->items[i].used < item->used)
                item = &memory->items[i];
        forget(item);
    }
    *item = (struct remembered){.used = ++memory->now, .texts = texts, .count = count};
    text_copy(item->key, sizeof item->key, key);
}
