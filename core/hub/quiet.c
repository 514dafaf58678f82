#include "hub/quiet.h"

#include <string.h>

void quiet_note(struct quiet *quiet, int64_t ticks)
{
    if (!quiet->pending)
        quiet->first = ticks;
    quiet->pending = true;
    quiet->last = ticks;
}

bool quiet_due(struct quiet *quiet, int64_t ticks)
{
    if (!quiet->pending || (ticks < quiet->last + QUIET_FOR && ticks < quiet->first + QUIET_MOST))
        return false;
    quiet->pending = false;
    return true;
}

static void forget(struct refusals *refusals, int at)
{
    refusals->items[at] = refusals->items[--refusals->count];
}

bool refusals_note(struct refusals *refusals, const uint8_t key[DIGEST_SIZE], int64_t ticks)
{
    for (int i = 0; i < refusals->count; i++) {
        struct refusal *item = &refusals->items[i];
        if (memcmp(item->key, key, DIGEST_SIZE) != 0)
            continue;
        if (ticks < item->since + REFUSAL_WINDOW) {
            item->repeated++;
            return false;
        }
        forget(refusals, i);
        break;
    }
    if (refusals->count == REFUSALS_MAX)
        return true; /* too many different ones to know them all: rather one record too many */
    struct refusal *item = &refusals->items[refusals->count++];
    *item = (struct refusal){.since = ticks};
    memcpy(item->key, key, DIGEST_SIZE);
    return true;
}

uint64_t refusals_over(struct refusals *refusals, int64_t ticks, bool all)
{
    for (int i = 0; i < refusals->count; i++) {
        uint64_t repeated = refusals->items[i].repeated;
        if (!all && ticks < refusals->items[i].since + REFUSAL_WINDOW)
            continue;
        forget(refusals, i--);
        if (repeated)
            return repeated;
    }
    return 0;
}
