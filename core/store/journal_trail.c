/* The sealed lines of the trail: the newest from memory, the others from the journal. */
#include "store/journal.h"

#define NEWEST_MAX (1u << 20) /* bytes kept for a reader that keeps up */

static void stop(struct journal_newest *newest)
{
    buf_fini(&newest->lines);
    newest->kept = false;
    newest->count = newest->whole = newest->whole_count = 0;
}

void journal_newest_add(struct journal *journal, const struct record_audit *audit)
{
    struct journal_newest *newest = &journal->newest;
    if (!newest->kept)
        return;
    buf_put(&newest->lines, audit->line, audit->size);
    buf_byte(&newest->lines, '\n');
    newest->count++;
    if (newest->lines.failed || newest->lines.size > NEWEST_MAX)
        stop(newest); /* the reader is slow, or there is none */
}

void journal_newest_keep(struct journal *journal)
{
    struct journal_newest *newest = &journal->newest;
    newest->end = journal->at;
    newest->whole = newest->lines.size;
    newest->whole_count = newest->count;
}

void journal_newest_undo(struct journal *journal)
{
    struct journal_newest *newest = &journal->newest;
    newest->lines.size = newest->whole;
    newest->count = newest->whole_count;
}

void journal_newest_fini(struct journal *journal)
{
    stop(&journal->newest);
}

size_t journal_trail_waiting(void *state)
{
    const struct journal *journal = state;
    return journal->newest.whole;
}

/* Hands over what is kept, and begins anew behind it. */
static void take_newest(struct journal_newest *newest, struct store_trail *trail)
{
    if (trail->lines->size) {
        buf_put(trail->lines, newest->lines.data, newest->lines.size);
    } else {
        struct buf empty = *trail->lines;
        *trail->lines = newest->lines;
        newest->lines = empty;
    }
    trail->count = newest->count;
    trail->position = newest->end;
    buf_clear(&newest->lines);
    newest->begin = newest->end;
    newest->kept = true;
    newest->count = newest->whole = newest->whole_count = 0;
}

static int read_lines(struct journal *journal, struct store_trail *trail, uint64_t end)
{
    struct scan scan;
    struct scanned found;
    struct record_audit audit;
    int result = 0;
    scan_init(&scan, &journal->segments, trail->position, end);
    scan.skip_pieces = true;
    while (trail->count < trail->limit && (result = scan_next(&scan, &found)) > 0) {
        trail->position = scan.at;
        if (found.head.type != RECORD_AUDIT || !found.good ||
            record_get_audit(found.body, found.head.size, &audit))
            continue;
        buf_put(trail->lines, audit.line, audit.size);
        buf_byte(trail->lines, '\n');
        trail->count++;
    }
    scan_fini(&scan);
    if (!result && trail->count < trail->limit && trail->position < end)
        trail->position = end;
    return result < 0 ? result : trail->lines->failed ? ACCORD_ENOMEM : 0;
}

/* A reader that has come to the end finds what follows in memory. */
int journal_trail(void *state, struct store_trail *trail)
{
    struct journal *journal = state;
    struct journal_newest *newest = &journal->newest;
    bool known = newest->kept && trail->position <= newest->begin;
    int result = 0;
    trail->count = 0;
    if (!newest->kept || trail->position != newest->begin)
        result = read_lines(journal, trail, known ? newest->begin : newest->end);
    if (!result && newest->kept && trail->position == newest->begin &&
        trail->count + newest->count <= trail->limit) {
        size_t before = trail->count;
        take_newest(newest, trail);
        trail->count += before;
    } else if (!result && !newest->kept && trail->position == newest->end) {
        newest->kept = true;
        newest->begin = newest->end;
    }
    return result;
}
