/* Files of the journal that are gone when it is opened. Retention deletes the oldest alone, and nothing that the index
 * knows is in it then: a gap between two files, or an old message in front of the first, is damage. What is missing at
 * the end, recovery finds: the index is ahead of the journal then.
 */
#include "store/journal.h"

static void add_missing(struct journal *journal, uint32_t first, uint32_t last,
                        struct store_recovery *recovery)
{
    uint64_t lost = 0;
    if (!segments_note_missing(&journal->segments, last))
        return; /* told at an earlier start */
    index_count_lost(&journal->index, first, last, &lost);
    if (!recovery->missing_segments)
        recovery->missing_first = first;
    recovery->missing_segments += last - first + 1;
    recovery->missing_messages += lost;
}

/* An index that cannot be read is found and made again later: here it only knows less. */
void journal_find_missing(struct journal *journal, struct store_recovery *recovery)
{
    const struct segments *segments = &journal->segments;
    uint64_t oldest = 0;
    index_oldest_position(&journal->index, &oldest);
    uint32_t next = oldest ? POSITION_SEGMENT(oldest) : UINT32_MAX;
    for (size_t i = 0; i < segments->count; i++) {
        uint32_t number = segments->items[i].number;
        if (number > next)
            add_missing(journal, next, number - 1, recovery);
        next = number + 1;
    }
}
