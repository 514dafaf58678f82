/* Retention: what has had its time is forgotten, and the oldest segment goes when nothing in it is live.
 *
 * Everything that this changes is in the journal as records of its own, so that the index can be made again at any
 * time: RECORD_FORGET says which interval of messages was looked at and with which limits, and what it forgets follows
 * from what came before it. What is live in a segment is written again at the end of the journal before the file goes.
 */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "util/clock.h"
#include "util/text.h"

#define NEED_LEAST (4u << 10)
#define NEED_USUAL (1u << 20) /* bytes of one step */
#define BUSY       1024       /* bytes a millisecond that others write */
#define JUDGED     100        /* milliseconds, at least, that this is looked at for */
#define NARROW     4          /* as many times what is reserved is left on the disk: what can go is needed */

void journal_cleaner_reset(struct cleaner *cleaner)
{
    cleaner->segment = cleaner->finished = 0;
    cleaner->carrying = false;
    cleaner->message[0] = 0;
    buf_clear(&cleaner->positions);
    buf_clear(&cleaner->kept_texts);
    if (cleaner->kept)
        cleaner->kept->kept = (struct record_kept){0};
}

void journal_cleaner_fini(struct cleaner *cleaner)
{
    buf_fini(&cleaner->positions);
    buf_fini(&cleaner->kept_texts);
    free(cleaner->kept);
    free(cleaner->standings);
}

/* Where there is no room for a usual step, one that is just large enough for the next item, or a small one, may still
 * free some. */
uint64_t journal_retention_need(void *state)
{
    struct journal *journal = state;
    struct cleaner *cleaner = &journal->cleaner;
    uint64_t usual = journal->segment_size / 4 < NEED_USUAL ? journal->segment_size / 4 : NEED_USUAL;
    cleaner->allowed = usual > cleaner->need ? usual : cleaner->need;
    if (cleaner->refused == 1 && cleaner->need > NEED_LEAST)
        cleaner->allowed = cleaner->need;
    else if (cleaner->refused)
        cleaner->allowed = NEED_LEAST;
    cleaner->refused++;
    return cleaner->allowed;
}

/* ---- forgetting ---- */

/* An id behind those of all messages that can have been settled by then. */
static void bound_of(char bound[ACCORD_ID_MAX], int64_t settled_before)
{
    struct id id;
    bool far = settled_before > INT64_MAX / 64 || id_make(&id, settled_before + 2000);
    text_copy(bound, ACCORD_ID_MAX, far ? "~" : id.text);
}

static int put_forget(struct journal *journal, const struct record_forget *forget, uint64_t *messages)
{
    size_t start = journal_start_record(journal);
    record_put_forget(&journal->bytes, forget);
    int result = journal_finish_record(journal, start, RECORD_FORGET);
    return result ? result : index_forget(&journal->index, forget, messages);
}

/* One batch; *last: the round is over. */
static int forget_some(struct journal *journal, struct store_retention *retention, bool *last)
{
    struct cleaner *cleaner = &journal->cleaner;
    const struct index_progress *progress = &journal->index.progress;
    struct record_forget forget = {.after = cleaner->after,
                                   .until = "",
                                   .settled_before = retention->settled_before,
                                   .seen_before = retention->seen_before,
                                   .keys_before = retention->keys_before};
    char bound[ACCORD_ID_MAX], until[ACCORD_ID_MAX];
    bool some;
    bound_of(bound, retention->settled_before);
    int result = index_forgettable(&journal->index, &forget, bound, until, &some, last);
    if (some)
        forget.until = until;
    if (!result && (some || retention->seen_before > progress->seen_before ||
                    retention->keys_before > progress->keys_before))
        result = put_forget(journal, &forget, &retention->messages);
    if (!result)
        text_copy(cleaner->after, sizeof cleaner->after, *last ? "" : until);
    return result;
}

/* What is looked at for this must be in the file. There is nothing to write for it as long as nothing is old enough. */
static int write_old(struct journal *journal, const struct store_retention *retention)
{
    char bound[ACCORD_ID_MAX];
    bool old = false;
    bound_of(bound, retention->settled_before);
    int result = index_has_old(&journal->index, journal->cleaner.after, bound, &old);
    return result || !old || !journal->index.changed ? result : journal_flush(journal);
}

/* ---- the verb ---- */

/* Whether others write so much that what need not be cleaned now waits until they do not. */
static void judge_load(struct journal *journal)
{
    struct cleaner *cleaner = &journal->cleaner;
    int64_t now = clock_ticks(), took = now - cleaner->judged_at;
    if (took < JUDGED)
        return;
    cleaner->busy =
        cleaner->judged_at && journal->written > cleaner->judged + cleaner->own + BUSY * (uint64_t)took;
    cleaner->judged_at = now;
    cleaner->judged = journal->written;
    cleaner->own = 0;
}

int journal_put_retention(void *state, struct store_retention *retention, uint64_t staged)
{
    struct journal *journal = state;
    struct cleaner *cleaner = &journal->cleaner;
    bool last = false;
    int result = journal->stuck || journal->index.ahead ? 0 : write_old(journal, retention);
    if (journal->stuck || journal->index.ahead)
        return 0; /* no file can go while the index cannot be written, and what is forgotten must be in it */
    judge_load(journal);
    retention->hurry = segments_available(&journal->segments) < NARROW * journal->reserve;
    /* What did not fit once is not asked for again as long as the disk has no more room. */
    bool tight = cleaner->refused > 1 && segments_available(&journal->segments) < journal->segment_size;
    cleaner->refused = tight;
    cleaner->need = 0;
    if (cleaner->open)
        journal_cleaner_reset(cleaner); /* its group failed */
    cleaner->open = true;
    if (!result)
        result = forget_some(journal, retention, &last);
    retention->more = !last;
    if (!result && last && !cleaner->finished)
        result = journal_clean(journal, retention, staged);
    cleaner->own += journal->bytes.size;
    return result;
}

/* The index must not come back after a power cut as it was before: it could not be filled up from what is gone. */
static int delete_segment(struct journal *journal, struct store_retention *retention)
{
    struct cleaner *cleaner = &journal->cleaner;
    const struct segment *segment = segments_find(&journal->segments, cleaner->finished);
    uint64_t size = segment ? segment->size : 0;
    int result = journal_flush(journal);
    if (!result)
        result = index_sync(&journal->index);
    if (result)
        return result;
    if (journal->fault)
        journal->fault("compact");
    result = segments_remove(&journal->segments, cleaner->finished);
    if (journal->fault)
        journal->fault("compact");
    if (!result) {
        retention->segments++;
        retention->bytes += size;
        retention->more = true; /* the next one may follow */
    }
    return result;
}

int journal_sweep(void *state, struct store_retention *retention)
{
    struct journal *journal = state;
    struct cleaner *cleaner = &journal->cleaner;
    cleaner->open = false;
    cleaner->forgotten += retention->messages;
    if (!cleaner->finished || journal_pinned(journal))
        return 0;
    if (delete_segment(journal, retention) == 0 || !segments_find(&journal->segments, cleaner->finished))
        journal_cleaner_reset(cleaner);
    return 0; /* else it is tried again with the next call */
}
