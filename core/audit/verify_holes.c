#include "audit/verify_holes.h"

#include <stdlib.h>
#include <string.h>

int holes_init(struct holes *holes)
{
    *holes = (struct holes){.room = 16, .count = 1};
    holes->holes = calloc(holes->room, sizeof *holes->holes);
    if (!holes->holes)
        return ACCORD_ENOMEM;
    /* The first record's predecessor is 64 zeros. */
    holes->holes[0] = (struct hole){.from = 1, .to = UINT64_MAX};
    return 0;
}

void holes_fini(struct holes *holes)
{
    free(holes->holes);
    *holes = (struct holes){0};
}

/* Index of the hole that holds the sequence; count when it is none. Mostly the last one. */
static size_t find(const struct holes *holes, uint64_t sequence)
{
    size_t low = 0, high = holes->count;
    if (high && sequence >= holes->holes[high - 1].from)
        return sequence <= holes->holes[high - 1].to ? high - 1 : high;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sequence > holes->holes[middle].to)
            low = middle + 1;
        else
            high = middle;
    }
    return low < holes->count && sequence >= holes->holes[low].from ? low : holes->count;
}

static bool make_room(struct holes *holes)
{
    if (holes->count < holes->room)
        return true;
    if (holes->room >= HOLES_MAX)
        return false;
    struct hole *more = realloc(holes->holes, 2 * holes->room * sizeof *more);
    if (!more)
        return false;
    holes->holes = more;
    holes->room *= 2;
    return true;
}

static void close_hole(struct holes *holes, size_t at)
{
    holes->count--;
    memmove(&holes->holes[at], &holes->holes[at + 1], (holes->count - at) * sizeof *holes->holes);
}

/* The record stands inside: what is before it becomes a hole of its own. */
static void split(struct holes *holes, size_t at, const struct audit_seal_facts *record, size_t file,
                  uint64_t line, uint64_t unreadable)
{
    struct hole *hole = &holes->holes[at];
    memmove(hole + 1, hole, (holes->count - at) * sizeof *hole);
    holes->count++;
    hole->to = record->sequence - 1;
    hole->after_known = true;
    memcpy(hole->after, record->previous, DIGEST_SIZE);
    hole->file = file;
    hole->line = line;
    hole->unreadable = unreadable;
}

enum holes_result holes_fill(struct holes *holes, const struct audit_seal_facts *record, size_t file,
                             uint64_t line, uint64_t unreadable)
{
    enum holes_result result = HOLES_FILLED;
    size_t at = find(holes, record->sequence);
    if (at == holes->count)
        return HOLES_TWICE;
    if (record->sequence != holes->holes[at].from) {
        if (!make_room(holes))
            return HOLES_FULL;
        split(holes, at, record, file, line, unreadable);
        at++;
    } else if (memcmp(holes->holes[at].before, record->previous, DIGEST_SIZE) != 0) {
        result = HOLES_BEFORE;
    }
    struct hole *hole = &holes->holes[at];
    if (record->sequence == hole->to && hole->after_known &&
        memcmp(hole->after, record->hash, DIGEST_SIZE) != 0)
        result = HOLES_AFTER;
    hole->from = record->sequence + 1;
    memcpy(hole->before, record->hash, DIGEST_SIZE);
    if (record->sequence == hole->to)
        close_hole(holes, at);
    return result;
}

uint64_t holes_last(const struct holes *holes)
{
    /* The last hole goes to the end of numbers, unless a record claims the very last one. */
    const struct hole *last = holes->count ? &holes->holes[holes->count - 1] : NULL;
    return last && last->to == UINT64_MAX ? last->from - 1 : UINT64_MAX;
}
