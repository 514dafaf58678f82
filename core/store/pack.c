#include "store/pack.h"

#include <string.h>

#include "store/index.h"

#define ROW_BYTES 4032 /* of entries: with its head a row fills a page of 4 KiB, and needs no other */

/* ---- in a row ---- */

static size_t count_of(const struct packs *packs)
{
    return packs->entries.size / packs->kind->size;
}

static uint8_t *entry_at(const struct packs *packs, size_t at)
{
    return packs->entries.data + at * packs->kind->size;
}

static struct id_number key_of(const struct packs *packs, const void *entry)
{
    struct id_number key = {0};
    memcpy(&key.high, entry, sizeof key.high);
    if (packs->kind->wide)
        memcpy(&key.low, (const uint8_t *)entry + sizeof key.high, sizeof key.low);
    return key;
}

static int64_t row_for(struct id_number key)
{
    return (int64_t)(key.high >> 1);
}

static int64_t row_at(const struct packs *packs, size_t at)
{
    return row_for(key_of(packs, entry_at(packs, at)));
}

/* The first entry whose key is not smaller. Most that are put go to the end. */
static size_t place_of(const struct packs *packs, struct id_number key)
{
    size_t low = 0, high = count_of(packs);
    if (high && id_compare(key_of(packs, entry_at(packs, high - 1)), key) < 0)
        return high;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (id_compare(key_of(packs, entry_at(packs, middle)), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct packs *packs, size_t at, struct id_number key)
{
    return at < count_of(packs) && !id_compare(key_of(packs, entry_at(packs, at)), key);
}

/* ---- rows ---- */

static int put_row(struct index *index, const struct packs *packs, size_t count)
{
    sqlite3_stmt *put = index_bind(index, (enum index_statement)packs->kind->put, "i", packs->row);
    sqlite3_bind_blob(put, 2, packs->entries.data, (int)(count * packs->kind->size), SQLITE_STATIC);
    return index_run(index, put);
}

int packs_write(struct index *index, struct packs *packs)
{
    size_t count = count_of(packs);
    int result = 0;
    if (!packs->loaded || !packs->dirty)
        return 0;
    if (count)
        result = put_row(index, packs, count);
    else if (packs->stored)
        result =
            index_run(index, index_bind(index, (enum index_statement)packs->kind->drop, "i", packs->row));
    packs->stored = count > 0;
    packs->dirty = result != 0;
    return result;
}

static bool is_sound(const struct packs *packs)
{
    size_t count = count_of(packs);
    if (!count || packs->entries.size % packs->kind->size || row_at(packs, 0) < packs->row ||
        (row_at(packs, count - 1) >= packs->next && packs->next != INT64_MAX))
        return false;
    for (size_t i = 1; i < count; i++)
        if (id_compare(key_of(packs, entry_at(packs, i - 1)), key_of(packs, entry_at(packs, i))) >= 0)
            return false;
    return true;
}

static int read_row(struct index *index, struct packs *packs, int64_t row)
{
    sqlite3_stmt *found = index_bind(index, (enum index_statement)packs->kind->find, "i", row);
    int result = index_step(index, found);
    packs->row = row;
    packs->next = INT64_MAX;
    packs->stored = result > 0 && sqlite3_column_int64(found, 0) <= row;
    buf_clear(&packs->entries);
    if (packs->stored) {
        packs->row = sqlite3_column_int64(found, 0);
        buf_put(&packs->entries, sqlite3_column_blob(found, 1), (size_t)sqlite3_column_bytes(found, 1));
        result = index_step(index, found);
    }
    if (result > 0)
        packs->next = sqlite3_column_int64(found, 0);
    sqlite3_reset(found);
    return packs->entries.failed ? ACCORD_ENOMEM : result < 0 ? result : 0;
}

/* What may have entries of this number; empty, and of this number, when there is no row for it. */
static int load(struct index *index, struct packs *packs, int64_t row)
{
    if (packs->loaded && row >= packs->row && (row < packs->next || packs->next == INT64_MAX))
        return 0;
    int result = packs_write(index, packs);
    if (result)
        return result;
    packs->loaded = false;
    if ((result = read_row(index, packs, row))) {
        packs->entries.failed = false;
        return result;
    }
    if (packs->stored && !is_sound(packs)) {
        index->corrupt = true;
        return ACCORD_EFORMAT;
    }
    packs->loaded = true;
    return 0;
}

/* Where a row that has become too large is cut; 0: all have one number. */
static size_t cut_of(const struct packs *packs, size_t wanted)
{
    size_t count = count_of(packs), cut = wanted;
    if (row_at(packs, 0) == row_at(packs, count - 1))
        return 0;
    while (cut < count && row_at(packs, cut - 1) == row_at(packs, cut))
        cut++;
    if (cut < count)
        return cut;
    for (cut = wanted; cut && row_at(packs, cut - 1) == row_at(packs, count - 1);)
        cut--;
    return cut;
}

/* When the last was put the row stays full, otherwise it is halved. What is behind the cut is the row in memory then. */
static int split(struct index *index, struct packs *packs, size_t added)
{
    size_t count = count_of(packs), cut = cut_of(packs, added + 1 == count ? count - 1 : count / 2);
    if (!cut)
        return 0;
    int result = put_row(index, packs, cut);
    if (result)
        return result;
    packs->row = row_at(packs, cut);
    packs->stored = false;
    buf_drop(&packs->entries, cut * packs->kind->size);
    return 0;
}

/* ---- entries ---- */

/* The place of the first entry whose key is not smaller, in the row that it belongs to. */
static int seek(struct index *index, struct packs *packs, struct id_number key, size_t *at)
{
    int result = load(index, packs, row_for(key));
    *at = result ? 0 : place_of(packs, key);
    return result;
}

int packs_find(struct index *index, struct packs *packs, struct id_number key, void *entry)
{
    size_t at;
    int result = seek(index, packs, key, &at);
    if (result || !is_at(packs, at, key))
        return result;
    memcpy(entry, entry_at(packs, at), packs->kind->size);
    return 1;
}

int packs_after(struct index *index, struct packs *packs, struct id_number key, void *entry)
{
    size_t at;
    int result = seek(index, packs, key, &at);
    if (!result && is_at(packs, at, key))
        at++;
    while (!result && at == count_of(packs) && packs->next != INT64_MAX) {
        result = load(index, packs, packs->next);
        at = 0;
    }
    if (result || at == count_of(packs))
        return result;
    memcpy(entry, entry_at(packs, at), packs->kind->size);
    return 1;
}

int packs_before(struct index *index, struct packs *packs, struct id_number key, void *entry)
{
    size_t at;
    int result = seek(index, packs, key, &at);
    while (!result && !at && packs->row > 0) {
        result = load(index, packs, packs->row - 1);
        at = result ? 0 : count_of(packs);
        if (!packs->stored)
            break; /* nothing is in front of it */
    }
    if (result || !at)
        return result;
    memcpy(entry, entry_at(packs, at - 1), packs->kind->size);
    return 1;
}

int packs_put(struct index *index, struct packs *packs, const void *entry)
{
    struct id_number key = key_of(packs, entry);
    size_t size = packs->kind->size;
    size_t at;
    int result = seek(index, packs, key, &at);
    if (result)
        return result;
    if (!is_at(packs, at, key)) {
        if (!buf_reserve(&packs->entries, size)) {
            packs->entries.failed = false;
            return ACCORD_ENOMEM;
        }
        memmove(entry_at(packs, at + 1), entry_at(packs, at), packs->entries.size - at * size);
        packs->entries.size += size;
    }
    memcpy(entry_at(packs, at), entry, size);
    packs->dirty = true;
    return packs->entries.size > ROW_BYTES ? split(index, packs, at) : 0;
}

int packs_drop(struct index *index, struct packs *packs, struct id_number key)
{
    size_t size = packs->kind->size;
    size_t at;
    int result = seek(index, packs, key, &at);
    if (result || !is_at(packs, at, key))
        return result;
    packs->entries.size -= size;
    memmove(entry_at(packs, at), entry_at(packs, at + 1), packs->entries.size - at * size);
    packs->dirty = true;
    return 0;
}

void packs_forget(struct packs *packs)
{
    packs->loaded = packs->dirty = false;
}

void packs_fini(struct packs *packs)
{
    buf_fini(&packs->entries);
    packs_forget(packs);
}
