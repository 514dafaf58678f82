#include "conf/arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_piece {
    struct arena_piece *before;
    _Alignas(max_align_t) unsigned char bytes[];
};

void *arena_array(struct arena *arena, size_t count, size_t item)
{
    size_t size;
    struct arena_piece *piece = NULL;
    if (!__builtin_mul_overflow(count, item, &size) && size < (size_t)1 << 31)
        piece = calloc(1, sizeof *piece + size);
    if (!piece) {
        arena->failed = true;
        return NULL;
    }
    piece->before = arena->last;
    arena->last = piece;
    return piece->bytes;
}

char *arena_bytes(struct arena *arena, const char *bytes, size_t size)
{
    char *copy = arena_array(arena, size + 1, 1);
    if (copy)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
    return arena_bytes(arena, text, strlen(text));
}

void arena_fini(struct arena *arena)
{
    while (arena->last) {
        struct arena_piece *piece = arena->last;
        arena->last = piece->before;
        free(piece);
    }
}
