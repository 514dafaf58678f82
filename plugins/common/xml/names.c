#include "names.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK      (8 << 10)
#define PROBES_MAX 32 /* names that somebody chose to fall together cost no more than this */

struct names_chunk {
    struct names_chunk *next;
    char bytes[];
};

const char names_none[1] = "";

/* The first and the last eight bytes; shorter names whole, in the first. */
static void ends_of(const uint8_t *name, size_t size, uint64_t *first, uint64_t *last)
{
    *first = *last = 0;
    if (size >= 8) {
        memcpy(first, name, 8);
        memcpy(last, name + size - 8, 8);
        return;
    }
    for (size_t i = 0; i < size; i++)
        *first = *first << 8 | name[i];
}

static size_t slot_of(uint64_t first, uint64_t last, size_t size, enum names_kind kind)
{
    uint64_t mixed = (first ^ (last << 23 | last >> 41) ^ (size << 3 | kind)) * 0x9e3779b97f4a7c15;
    return (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9 >> 54;
}

static void *room_for(struct names *names, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > NAMES_BYTES - names->spent)
        return NULL;
    if (size > names->left) {
        size_t room = size > CHUNK ? size : CHUNK;
        struct names_chunk *chunk = malloc(sizeof *chunk + room + 8);
        if (!chunk)
            return NULL;
        chunk->next = names->chunks;
        names->chunks = chunk;
        names->at = chunk->bytes + 8; /* aligned to 16 */
        names->left = room;
    }
    void *taken = names->at;
    names->at += size;
    names->left -= size;
    names->spent += size;
    return taken;
}

static bool keep_text(struct names *names, const char *text, size_t size, const char **to)
{
    struct names_entry *kept = size ? names_keep(names, NAMES_TEXT, (const uint8_t *)text, size) : NULL;
    *to = kept ? kept->text : names_none;
    return !size || kept;
}

/* "local", "prefix:local", "xmlns", "xmlns:prefix" */
static bool split(struct names *names, struct names_entry *name)
{
    const char *colon = memchr(name->text, ':', name->size), *end = name->text + name->size;
    bool attribute = name->kind == NAMES_ATTRIBUTE;
    name->local = colon ? colon + 1 : name->text;
    if (attribute && !colon && !strcmp(name->text, "xmlns"))
        name->declares = NAMES_DEFAULT;
    else if (attribute && colon && name->local - name->text == 6 && !memcmp(name->text, "xmlns", 5))
        name->declares = NAMES_PREFIX;
    if (name->declares == NAMES_PREFIX)
        return keep_text(names, name->local, (size_t)(end - name->local), &name->prefix);
    return keep_text(names, name->text, colon ? (size_t)(colon - name->text) : 0, &name->prefix);
}

/* The name; NULL: it is not there, and `slot` is where to put it, NULL without a place. */
static struct names_entry *find(struct names *names, const struct names_entry *like, const uint8_t *text,
                                struct names_entry ***slot)
{
    size_t at = slot_of(like->first, like->last, like->size, like->kind);
    for (int probes = 0; probes < PROBES_MAX; probes++, at = (at + 1) % NAMES_SLOTS) {
        struct names_entry *name = names->slots[at];
        *slot = &names->slots[at];
        if (!name)
            return NULL;
        if (name->first == like->first && name->last == like->last && name->size == like->size &&
            name->kind == like->kind &&
            (name->size <= 16 || !memcmp(name->text + 8, text + 8, name->size - 16)))
            return name;
    }
    *slot = NULL;
    return NULL;
}

static struct names_entry *add(struct names *names, const struct names_entry *like, const uint8_t *text,
                               struct names_entry **slot)
{
    bool room = slot && 2 * names->count < NAMES_SLOTS;
    struct names_entry *name = room ? room_for(names, sizeof *name + like->size + 1) : NULL;
    if (!name)
        return NULL;
    *name = *like;
    memcpy(name->text, text, like->size);
    name->text[like->size] = 0;
    if (name->kind != NAMES_TEXT && !split(names, name))
        return NULL;
    if (*slot) /* split() has put a prefix there */
        find(names, like, text, &slot);
    if (!slot)
        return NULL;
    names->count++;
    return *slot = name;
}

struct names_entry *names_keep(struct names *names, enum names_kind kind, const uint8_t *text, size_t size)
{
    struct names_entry like = {.size = size, .kind = kind}, **slot;
    ends_of(text, size, &like.first, &like.last);
    struct names_entry *name = find(names, &like, text, &slot);
    return name ? name : add(names, &like, text, slot);
}

void names_fini(struct names *names)
{
    while (names->chunks) {
        struct names_chunk *chunk = names->chunks;
        names->chunks = chunk->next;
        free(chunk);
    }
}
