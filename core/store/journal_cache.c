/* What of the journal stays in the page cache. */
#include "store/journal.h"

#define CACHED_MAX  (32u << 20) /* bytes of the journal's end, besides what waits */
#define CACHED_STEP (1u << 20)

/* What waits will be read again. How much of the journal that is: its newest bytes, about, for the oldest are claimed
 * first. Not more than a share of the memory: what waits beyond that comes from the disk. */
static uint64_t kept_cached(const struct journal *journal)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < journal->index.place_count; i++) {
        const struct place *place = &journal->index.places[i];
        waiting +=
            place->open_bytes + (place->states[STORE_WAITING] + place->states[STORE_HELD]) * ADMISSION_USUAL;
    }
    return CACHED_MAX + (waiting < journal->cached_most ? waiting : journal->cached_most);
}

/* Lets go of the oldest step of what is cached. */
static void release_step(struct journal *journal)
{
    const struct segment *segment = segments_find(&journal->segments, POSITION_SEGMENT(journal->cached_from));
    uint64_t offset = POSITION_OFFSET(journal->cached_from), left = 0;
    if (segment && segment->size > offset)
        left = segment->size - offset;
    uint64_t size = left < CACHED_STEP ? left : CACHED_STEP;
    segments_release(&journal->segments, journal->cached_from, size);
    journal->cached -= size;
    journal->cached_from += size;
    if (left > CACHED_STEP)
        return;
    segment = segments_after(&journal->segments, POSITION_SEGMENT(journal->cached_from));
    if (segment) {
        journal->cached_from = POSITION(segment->number, 0);
    } else {
        journal->cached_from = journal->at;
        journal->cached = 0;
    }
}

/* Pages that are used again and again are cheaper than ever new ones (on virtual machines whose host takes free memory
 * back), and what is hardly read again must not push out the pages of others: so what is written lets go of what was
 * written before. Not of what waits to be claimed, and when that goes away, of two bytes for each new one, so that
 * a backlog's end is not paid for at once. Large payload is read again, by those who inspect it and for each delivery: it
 * stays until then (journal_read), or as long as the kernel likes. */
void journal_release(struct journal *journal, size_t written)
{
    if (journal->large) {
        journal->cached_from = journal->at;
        journal->cached = 0;
        journal->large = false;
        return;
    }
    journal->cached += written;
    journal->releasable += 2 * written;
    if (journal->releasable < 2 * CACHED_STEP)
        return;
    for (uint64_t kept = kept_cached(journal); journal->releasable >= CACHED_STEP;
         journal->releasable -= CACHED_STEP)
        if (journal->cached > kept + CACHED_STEP)
            release_step(journal);
}
