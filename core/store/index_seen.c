/* Which messages were seen: entries by a key that is a hash, in runs. Each flush writes its entries as one run, sorted
 * and cut into parts by the first bits of the key, a row of the file for each; runs of about one size are merged, eight
 * into one, a few parts with each flush. So an entry costs no place of its own in a tree, and a question, which the
 * filter lets through only when there is something to find, one row for each run.
 */
#include <stdlib.h>
#include <string.h>

#include "store/index.h"

#define FAN        8     /* runs that are merged into one */
#define TIER_MAX   6     /* larger runs, of more than 8^7 entries, are not merged */
#define MERGE_STEP 32768 /* entries that are merged with each flush */
#define POSITIONS  (sizeof(((struct index_seen *)NULL)->positions) / 8)
#define FEW        32 /* entries that are sorted at once faster than by parts */
#define PART_BITS  24 /* of a row's number: the part; the others are the run */

uint64_t index_spread(uint64_t key)
{
    return lookup_hash_number(lookup_hash_number(key));
}

static int tier_of(uint64_t count)
{
    int tier = 0;
    for (; count >= FAN; count /= FAN)
        tier++;
    return tier;
}

/* So that a part has some hundreds of entries at most. */
static int bits_of(const struct seen_run *run)
{
    int bits = 3 * (run->tier <= TIER_MAX + 1 ? run->tier : TIER_MAX + 1) - 7;
    return bits > 0 ? bits : 0;
}

static uint32_t part_of(uint64_t key, int bits)
{
    return bits ? (uint32_t)(key >> (64 - bits)) : 0;
}

static int64_t row_of(int64_t run, uint32_t part)
{
    return run << PART_BITS | part;
}

static struct seen_run *add_run(struct index *index, int64_t run, uint64_t count, int64_t newest)
{
    struct seen_runs *runs = &index->runs;
    if (runs->count == runs->room) {
        size_t room = runs->room ? 2 * runs->room : 32;
        struct seen_run *items = realloc(runs->items, room * sizeof *items);
        if (!items)
            return NULL;
        runs->items = items;
        runs->room = room;
    }
    struct seen_run *added = &runs->items[runs->count++];
    *added = (struct seen_run){.run = run, .tier = tier_of(count), .count = count, .newest = newest};
    if (runs->last < run)
        runs->last = run;
    return added;
}

bool index_load_run(struct index *index, sqlite3_stmt *row)
{
    struct seen_run *run = add_run(index, sqlite3_column_int64(row, 0),
                                   (uint64_t)sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2));
    if (run)
        run->into = sqlite3_column_int64(row, 3);
    return run != NULL;
}

static int store_run(struct index *index, const struct seen_run *run)
{
    return index_run(index, index_bind(index, INDEX_SET_RUN, "iiii", run->run, (int64_t)run->count,
                                       run->newest, run->into));
}

/* ---- writing ---- */

static int put_part(struct index *index, int64_t id, const struct fresh_seen *entries, size_t count)
{
    sqlite3_stmt *put = index_bind(index, INDEX_PUT_SEEN, "i", id);
    sqlite3_bind_blob(put, 2, entries, (int)(count * sizeof *entries), SQLITE_STATIC);
    return index_run(index, put);
}

/* Sorted entries, those of each part in a row of their own. */
static int put_parts(struct index *index, const struct seen_run *run, const struct fresh_seen *entries,
                     size_t count)
{
    int bits = bits_of(run), result = 0;
    for (size_t i = 0, from = 0; !result && from < count; from = i) {
        uint32_t part = part_of(entries[from].key, bits);
        while (i < count && part_of(entries[i].key, bits) == part)
            i++;
        result = put_part(index, row_of(run->run, part), entries + from, i - from);
    }
    return result;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct fresh_seen *)a)->key, y = ((const struct fresh_seen *)b)->key;
    return x < y ? -1 : x > y;
}

static void sort_few(struct fresh_seen *entries, size_t count)
{
    if (count > FEW) {
        qsort(entries, count, sizeof *entries, by_key);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct fresh_seen entry = entries[i];
        size_t at = i;
        for (; at && entries[at - 1].key > entry.key; at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

/* Keys are spread evenly: their first bits say nearly where they belong. */
static int sort(struct fresh_seen *to, const struct fresh_seen *from, size_t count)
{
    int bits = 1;
    while (bits < 20 && (size_t)4 << bits < count)
        bits++;
    size_t *ends = calloc(((size_t)1 << bits) + 1, sizeof *ends);
    if (!ends)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        ends[(from[i].key >> (64 - bits)) + 1]++;
    for (size_t i = 0; i < (size_t)1 << bits; i++)
        ends[i + 1] += ends[i]; /* where each part begins, until it is filled */
    for (size_t i = 0; i < count; i++)
        to[ends[from[i].key >> (64 - bits)]++] = from[i];
    for (size_t i = 0, begin = 0; i < (size_t)1 << bits; begin = ends[i++])
        sort_few(to + begin, ends[i] - begin);
    free(ends);
    return 0;
}

static int write_run(struct index *index)
{
    const struct fresh *fresh = &index->fresh;
    size_t count = fresh->by_key.count;
    struct fresh_seen *sorted = count ? malloc(count * sizeof *sorted) : NULL;
    int64_t newest = INT64_MIN;
    if (!sorted || sort(sorted, fresh->seen, count)) {
        free(sorted);
        return count ? ACCORD_ENOMEM : 0;
    }
    for (size_t i = 0; i < count; i++)
        if (sorted[i].time > newest)
            newest = sorted[i].time;
    struct seen_run *run = add_run(index, index->runs.last + 1, count, newest);
    int result = run ? put_parts(index, run, sorted, count) : ACCORD_ENOMEM;
    free(sorted);
    return result ? result : store_run(index, run);
}

/* ---- merging ---- */

static bool takes_in(const struct seen_runs *runs, int64_t run)
{
    for (size_t i = 0; i < runs->count; i++)
        if (runs->items[i].into == run)
            return true;
    return false;
}

static struct seen_run *find_run(struct seen_runs *runs, int64_t run)
{
    for (size_t i = 0; i < runs->count; i++)
        if (runs->items[i].run == run)
            return &runs->items[i];
    return NULL;
}

/* Chooses eight runs of one size; their entries go into a new one. 1: chosen. */
static int choose(struct index *index, int tier)
{
    struct seen_runs *runs = &index->runs;
    struct seen_run *chosen[FAN], sum = {.newest = INT64_MIN};
    size_t count = 0;
    for (size_t i = 0; i < runs->count && count < FAN; i++)
        if (runs->items[i].tier == tier)
            chosen[count++] = &runs->items[i];
    if (count < FAN)
        return 0;
    int result = 0;
    for (size_t i = 0; !result && i < count; i++) {
        chosen[i]->into = runs->last + 1;
        sum.count += chosen[i]->count;
        sum.newest = sum.newest > chosen[i]->newest ? sum.newest : chosen[i]->newest;
        result = store_run(index, chosen[i]);
    }
    struct seen_run *added = result ? NULL : add_run(index, runs->last + 1, sum.count, sum.newest);
    if (!result)
        result = added ? store_run(index, added) : ACCORD_ENOMEM;
    runs->part = 0;
    return result ? result : 1;
}

/* The run that others are being merged into; when there is none, one may be begun. */
static int current_merge(struct index *index, int64_t *target)
{
    struct seen_runs *runs = &index->runs;
    int result = 0;
    for (*target = 0; !*target;) {
        for (size_t i = 0; i < runs->count && !*target; i++)
            *target = runs->items[i].into;
        for (int tier = 0; tier <= TIER_MAX && !*target && !result; tier++)
            result = choose(index, tier);
        if (result != 1)
            return result;
        result = 0;
    }
    return 0;
}

/* Merges what a row has into sorted entries. */
static int gather(struct index *index, int64_t id, struct buf *entries, struct buf *merged)
{
    sqlite3_stmt *row = index_bind(index, INDEX_SEEN_PART, "i", id);
    int result = index_step(index, row);
    if (result <= 0)
        return result;
    const struct fresh_seen *a = (const struct fresh_seen *)entries->data, *b = sqlite3_column_blob(row, 0);
    size_t a_left = entries->size / sizeof *a, b_left = (size_t)sqlite3_column_bytes(row, 0) / sizeof *b;
    struct fresh_seen *to = (struct fresh_seen *)buf_reserve(merged, (a_left + b_left) * sizeof *to + 1);
    merged->size = to ? (a_left + b_left) * sizeof *to : 0;
    while (to && a_left + b_left) {
        bool first = a_left && (!b_left || a->key <= b->key);
        memcpy(to++, first ? a++ : b++, sizeof *to); /* a row's bytes may stand anywhere */
        *(first ? &a_left : &b_left) -= 1;
    }
    sqlite3_reset(row);
    struct buf swapped = *entries;
    *entries = *merged;
    *merged = swapped;
    buf_clear(merged);
    return to ? 0 : ACCORD_ENOMEM;
}

/* One part of the sources, which is one or more parts of the target. Sets how many entries it had. */
static int merge_part(struct index *index, const struct seen_run *target, uint32_t part, size_t *count)
{
    struct seen_runs *runs = &index->runs;
    struct buf entries = {0}, merged = {0};
    int result = 0;
    for (size_t i = 0; !result && i < runs->count; i++) {
        int64_t id = row_of(runs->items[i].run, part);
        if (runs->items[i].into != target->run)
            continue;
        result = gather(index, id, &entries, &merged);
        if (!result)
            result = index_run(index, index_bind(index, INDEX_DROP_SEEN, "ii", id, id + 1));
    }
    *count = entries.size / sizeof(struct fresh_seen);
    if (!result)
        result = put_parts(index, target, (const struct fresh_seen *)entries.data, *count);
    buf_fini(&entries);
    buf_fini(&merged);
    return result;
}

static int end_merge(struct index *index, int64_t target)
{
    struct seen_runs *runs = &index->runs;
    size_t kept = 0;
    int result = 0;
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->items[i].into != target)
            runs->items[kept++] = runs->items[i];
        else if (!result)
            result = index_run(index, index_bind(index, INDEX_DROP_RUN, "i", runs->items[i].run));
    }
    runs->count = kept;
    return result;
}

/* A bounded piece. The sources lose each part as the target gets it, so that every state can be asked. */
static int merge_some(struct index *index)
{
    struct seen_runs *runs = &index->runs;
    int64_t target;
    int result = current_merge(index, &target);
    for (size_t done = 0; !result && target && done < MERGE_STEP;) {
        const struct seen_run *to = find_run(runs, target), *from = NULL;
        for (size_t i = 0; i < runs->count && !from; i++)
            from = runs->items[i].into == target ? &runs->items[i] : NULL;
        if (!to || !from)
            return ACCORD_EFORMAT;
        if (runs->part >> bits_of(from))
            return end_merge(index, target);
        size_t count;
        result = merge_part(index, to, runs->part++, &count);
        done += count + 64;
    }
    return result;
}

int index_write_seen(struct index *index)
{
    int result = index->fresh.by_key.count ? write_run(index) : 0;
    return result ? result : merge_some(index);
}

/* ---- asking ---- */

/* The first entry of sorted ones that has this key or a greater one. */
static size_t lower_bound(const uint8_t *entries, size_t count, uint64_t key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint64_t there;
        memcpy(&there, entries + middle * sizeof(struct fresh_seen), sizeof there);
        if (there < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool seen_fits(const struct fresh_seen *seen, const int64_t *hash, int64_t since)
{
    return seen->time >= since && (!hash || seen->hash == *hash);
}

static void find_in_part(const uint8_t *entries, size_t count, uint64_t key, struct index_seen *ask)
{
    for (size_t i = lower_bound(entries, count, key); i < count && ask->count < POSITIONS; i++) {
        struct fresh_seen seen;
        memcpy(&seen, entries + i * sizeof seen, sizeof seen);
        if (seen.key != key)
            return;
        if (seen_fits(&seen, ask->hash, ask->since))
            ask->positions[ask->count++] = seen.position;
    }
}

static void find_fresh(const struct fresh *fresh, uint64_t key, struct index_seen *ask)
{
    uint32_t at = lookup_first(&fresh->by_key, lookup_hash_number(key));
    for (; at != LOOKUP_NONE && ask->count < POSITIONS; at = lookup_next(&fresh->by_key, at))
        if (fresh->seen[at].key == key && seen_fits(&fresh->seen[at], ask->hash, ask->since))
            ask->positions[ask->count++] = fresh->seen[at].position;
}

/* The filter has the keys in memory, too, and those of the echoes. */
bool index_may_have_seen(const struct index *index, uint64_t key)
{
    return filter_may_have(&index->filter, index_spread(key));
}

int index_find_seen(struct index *index, struct index_seen *ask)
{
    const struct seen_runs *runs = &index->runs;
    uint64_t key = index_spread(ask->key);
    ask->count = 0;
    find_fresh(&index->fresh, key, ask);
    if (!filter_may_have(&index->filter, key))
        return 0;
    for (size_t i = runs->count; i-- > 0 && ask->count < POSITIONS;) {
        const struct seen_run *run = &runs->items[i];
        if (run->newest < ask->since)
            continue;
        sqlite3_stmt *row =
            index_bind(index, INDEX_SEEN_PART, "i", row_of(run->run, part_of(key, bits_of(run))));
        int result = index_step(index, row);
        if (result < 0)
            return result;
        if (!result)
            continue;
        find_in_part(sqlite3_column_blob(row, 0),
                     (size_t)sqlite3_column_bytes(row, 0) / sizeof(struct fresh_seen), key, ask);
        sqlite3_reset(row);
    }
    return 0;
}

/* ---- forgetting ---- */

int index_forget_seen(struct index *index, int64_t before)
{
    struct seen_runs *runs = &index->runs;
    int result = 0;
    for (size_t i = runs->count; !result && i-- > 0;) {
        const struct seen_run run = runs->items[i];
        if (run.newest >= before || run.into || takes_in(runs, run.run))
            continue;
        if ((result = index_write_through(index)))
            break;
        result = index_run(
            index, index_bind(index, INDEX_DROP_SEEN, "ii", row_of(run.run, 0), row_of(run.run + 1, 0)));
        if (!result)
            result = index_run(index, index_bind(index, INDEX_DROP_RUN, "i", run.run));
        memmove(&runs->items[i], &runs->items[i + 1], (--runs->count - i) * sizeof *runs->items);
    }
    return result;
}
