/* Which delivery is next: from the file, read ahead, and from memory. A delivery that memory knows is asked there. */
#include <stdlib.h>

#include "store/index.h"

/* ---- due ---- */

static int read_page(struct index *index, size_t place, uint64_t after)
{
    struct place *of = &index->places[place];
    if (!of->page && !(of->page = malloc(sizeof *of->page)))
        return ACCORD_ENOMEM;
    sqlite3_stmt *row = index_bind(index, INDEX_NEXT_DUE, "ii", (int64_t)place + 1, (int64_t)after);
    struct due_page *page = of->page;
    int result = 0;
    page->after = after;
    page->count = 0;
    page->end = false;
    while (page->count < INDEX_PAGE && (result = index_step(index, row)) > 0 &&
           !(result = index_read_row(index, row, &page->rows[page->count])))
        page->count++;
    page->end = !result && page->count < INDEX_PAGE;
    sqlite3_reset(row);
    if (result < 0) {
        index_forget_ahead(of);
        return result;
    }
    return 0;
}

static bool page_covers(const struct due_page *page, uint64_t after)
{
    return page && after >= page->after &&
           (page->end || (page->count && after < page->rows[page->count - 1].number));
}

static int next_stored(struct index *index, size_t place, uint64_t after, struct index_delivery *found)
{
    for (;;) {
        struct due_page *page = index->places[place].page;
        int result = page_covers(page, after) ? 0 : read_page(index, place, after);
        if (result)
            return result;
        page = index->places[place].page;
        for (size_t i = 0; i < page->count; i++)
            if (page->rows[i].number > after && !fresh_row(&index->fresh, page->rows[i].number)) {
                *found = page->rows[i];
                return 0;
            }
        found->number = 0;
        if (page->end)
            return 0;
        after = page->rows[page->count - 1].number;
    }
}

static const struct fresh_row *next_fresh(const struct index *index, size_t place, uint64_t after,
                                          int64_t now)
{
    const struct fresh_row *row = fresh_at(&index->fresh, index->places[place].fresh.first[FRESH_WAITING]);
    while (row && (row->delivery.number <= after || row->delivery.not_before > now))
        row = fresh_at(&index->fresh, row->next);
    return row;
}

int index_next_due(struct index *index, size_t place, uint64_t after, int64_t now,
                   struct index_delivery *found)
{
    uint64_t claimed = index->places[place].claimed;
    int result = next_stored(index, place, after > claimed ? after : claimed, found);
    const struct fresh_row *fresh = result ? NULL : next_fresh(index, place, after, now);
    if (fresh && (!found->number || fresh->delivery.number < found->number))
        *found = fresh->delivery;
    return result;
}

/* ---- later ---- */

/* Steps over the rows of a statement that memory knows; 1: a row is in *found. */
static int next_unknown(struct index *index, sqlite3_stmt *row, struct index_delivery *found)
{
    int result;
    while ((result = index_step(index, row)) > 0) {
        int bad = index_read_row(index, row, found);
        if (bad) {
            sqlite3_reset(row);
            return bad;
        }
        if (!fresh_row(&index->fresh, found->number))
            return 1;
    }
    return result;
}

int index_promote(struct index *index, size_t place, int64_t now, size_t limit)
{
    struct place *of = &index->places[place];
    struct index_delivery found;
    if (of->later == 0 || of->later > now)
        return 0;
    sqlite3_stmt *row = index_bind(index, INDEX_NEXT_LATER, "i", (int64_t)place + 1);
    int result;
    while ((result = next_unknown(index, row, &found)) > 0) {
        of->later = found.not_before;
        if (found.not_before > now || of->fresh.promoted >= limit)
            break;
        struct fresh_row *added = fresh_add_row(&index->fresh, &found, true);
        if (!added) {
            result = ACCORD_ENOMEM;
            break;
        }
        fresh_relist(&index->fresh, &of->fresh, added);
    }
    if (!result)
        of->later = 0;
    sqlite3_reset(row);
    return result < 0 ? result : 0;
}

int64_t index_next_later(const struct index *index, size_t place)
{
    const struct place *of = &index->places[place];
    int64_t next = of->later > 0 ? of->later : 0;
    const struct fresh_row *row =
        of->fresh.later ? fresh_at(&index->fresh, of->fresh.first[FRESH_WAITING]) : NULL;
    for (; row; row = fresh_at(&index->fresh, row->next))
        if (row->later && (!next || row->delivery.not_before < next))
            next = row->delivery.not_before;
    return next;
}

/* ---- in order ---- */

static void take_older(struct index_delivery *oldest, const struct index_delivery *delivery)
{
    if (!oldest->number || delivery->number < oldest->number)
        *oldest = *delivery;
}

static int block_stored(struct index *index, enum index_statement which, size_t place, int64_t now, bool all,
                        struct index_delivery *oldest)
{
    sqlite3_stmt *row = index_bind(index, which, "i", (int64_t)place + 1);
    struct index_delivery found;
    int result;
    while ((result = next_unknown(index, row, &found)) > 0) {
        if (which != INDEX_NEXT_LATER || found.not_before > now)
            take_older(oldest, &found);
        if (!all)
            break; /* they come in the order of their numbers */
    }
    sqlite3_reset(row);
    return result < 0 ? result : 0;
}

static void block_fresh(const struct index *index, size_t place, int64_t now, bool dead,
                        struct index_delivery *oldest)
{
    for (size_t list = 0; list < FRESH_LISTS; list++) {
        const struct fresh_row *row = fresh_at(&index->fresh, index->places[place].fresh.first[list]);
        for (; row; row = fresh_at(&index->fresh, row->next)) {
            const struct index_delivery *d = &row->delivery;
            if (list == FRESH_SENDING || (list == FRESH_WAITING && d->not_before > now) ||
                d->state == STORE_HELD || (dead && d->state == STORE_DEAD))
                take_older(oldest, d);
        }
    }
}

int index_blocker(struct index *index, size_t place, int64_t now, bool dead, struct index_delivery *oldest)
{
    oldest->number = 0;
    block_fresh(index, place, now, dead, oldest);
    int result = block_stored(index, INDEX_NEXT_HELD, place, now, false, oldest);
    if (!result && dead)
        result = block_stored(index, INDEX_NEXT_DEAD, place, now, false, oldest);
    if (!result)
        result = block_stored(index, INDEX_NEXT_LATER, place, now, true, oldest);
    return result;
}

/* ---- the oldest that is open ---- */

static void open_fresh(const struct index *index, size_t place, struct index_delivery *oldest)
{
    for (size_t list = 0; list < FRESH_LISTS; list++) {
        const struct fresh_row *row = fresh_at(&index->fresh, index->places[place].fresh.first[list]);
        for (; row; row = fresh_at(&index->fresh, row->next))
            if (row->delivery.state != STORE_DEAD)
                take_older(oldest, &row->delivery);
    }
}

/* All of them are looked at when memory knows the oldest. */
static int open_later(struct index *index, size_t place, struct index_delivery *oldest)
{
    sqlite3_stmt *row = index_bind(index, INDEX_FIRST_LATER, "i", (int64_t)place + 1);
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    struct index_delivery found = {.number = (uint64_t)sqlite3_column_int64(row, 0), /* NULL reads as 0 */
                                   .message = (uint64_t)sqlite3_column_int64(row, 1)};
    sqlite3_reset(row);
    if (found.number && fresh_row(&index->fresh, found.number))
        return block_stored(index, INDEX_NEXT_LATER, place, 0, true, oldest);
    if (found.number)
        take_older(oldest, &found);
    return 0;
}

int index_oldest(struct index *index, size_t place, uint64_t *message)
{
    struct index_delivery oldest = {0};
    open_fresh(index, place, &oldest);
    int result = block_stored(index, INDEX_FIRST_READY, place, 0, false, &oldest);
    if (!result)
        result = block_stored(index, INDEX_NEXT_HELD, place, 0, false, &oldest);
    if (!result)
        result = open_later(index, place, &oldest);
    *message = oldest.message;
    return result;
}

/* ---- sending ---- */

static void set_sending(struct index *index, struct fresh_row *row, bool sending)
{
    struct place *place = &index->places[row->delivery.place];
    place->sending += (uint64_t)sending - (uint64_t)row->sending;
    row->sending = sending;
    index_relist(index, row);
}

int index_claimed(struct index *index, const struct index_delivery *delivery)
{
    struct place *place = &index->places[delivery->place];
    struct fresh_row *row = fresh_row(&index->fresh, delivery->number);
    if (!row) {
        if (!(row = fresh_add_row(&index->fresh, delivery, true)))
            return ACCORD_ENOMEM;
        if (place->claimed < delivery->number)
            place->claimed = delivery->number; /* it was the oldest of those in the file */
    }
    set_sending(index, row, true);
    return 0;
}

void index_set_sending(struct index *index, uint64_t number, bool sending)
{
    struct fresh_row *row = fresh_row(&index->fresh, number);
    if (row && (row->sending || sending))
        set_sending(index, row, sending && row->delivery.state == STORE_WAITING);
}
