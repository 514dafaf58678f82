/* Deliveries that were over before the file heard of them. Nobody asks for them but by number, so that they need no
 * place in any list: they are packed (pack.h).
 */
#include <string.h>

#include "store/index.h"

struct settled { /* this machine's order of bytes, as all of the index */
    uint64_t number, message, detail, generation, size;
    int64_t not_before, changed, since;
    uint32_t place, state, attempts, before;
};

static const struct pack_kind settled_kind = {.find = INDEX_FIND_SETTLED,
                                              .put = INDEX_PUT_SETTLED,
                                              .drop = INDEX_DROP_SETTLED,
                                              .size = sizeof(struct settled)};

void index_init_settled(struct index *index)
{
    index->settled.kind = &settled_kind;
}

bool index_packs(const struct fresh_row *row)
{
    const struct index_delivery *d = &row->delivery;
    return (!row->stored || row->packed) && (d->state == STORE_DELIVERED || d->state == STORE_DISCARDED) &&
           !d->answer_by && d->place < UINT32_MAX && d->attempts >= 0 && d->attempts <= UINT32_MAX &&
           d->before >= 0 && d->before <= d->attempts;
}

static void pack(const struct index_delivery *from, struct settled *to)
{
    *to = (struct settled){.number = from->number,
                           .message = from->message,
                           .detail = from->detail,
                           .generation = from->generation,
                           .size = from->size,
                           .not_before = from->not_before,
                           .changed = from->changed,
                           .since = from->since,
                           .place = (uint32_t)from->place,
                           .state = (uint32_t)from->state,
                           .attempts = (uint32_t)from->attempts,
                           .before = (uint32_t)from->before};
}

int index_write_settled(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    int result = 0;
    for (uint32_t i = 0; !result && i < fresh->by_number.count; i++) {
        struct settled settled;
        if (!fresh->rows[i].dirty || !index_packs(&fresh->rows[i]))
            continue;
        pack(&fresh->rows[i].delivery, &settled);
        result = packs_put(index, &index->settled, &settled);
    }
    return result;
}

int index_find_settled(struct index *index, uint64_t number, struct index_delivery *found)
{
    struct settled from;
    int result = packs_find(index, &index->settled, (struct pack_key){number, 0}, &from);
    if (result <= 0)
        return result ? result : ACCORD_ENOENT;
    if (from.place >= index->place_count ||
        (from.state != STORE_DELIVERED && from.state != STORE_DISCARDED)) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    *found = (struct index_delivery){.number = number,
                                     .message = from.message,
                                     .detail = from.detail,
                                     .place = from.place,
                                     .state = (enum store_state)from.state,
                                     .attempts = from.attempts,
                                     .not_before = from.not_before,
                                     .changed = from.changed,
                                     .since = from.since,
                                     .before = from.before,
                                     .generation = from.generation,
                                     .size = from.size,
                                     .packed = true};
    return 0;
}

int index_drop_settled(struct index *index, uint64_t first, uint64_t count)
{
    int result = 0;
    for (uint64_t i = 0; !result && i < count; i++)
        result = packs_drop(index, &index->settled, (struct pack_key){first + i, 0});
    return result;
}
