/* The durable back end: groups of records in segment files, and the index behind them.
 *
 * Order of a commit: the group with its commit record is written, then fdatasync, then it counts. The index
 * changes in memory and is flushed later; should that be lost, the journal is replayed into it.
 */
#include "store/journal.h"

#include <string.h>

#include "store/crc.h"
#include "util/clock.h"

#define GROUP_MAX   (4u << 20)   /* bytes after which a group takes no more verbs */
#define COMMIT_SPAN 128          /* room for the commit record */
#define PATIENCE    64           /* groups */
#define SMALL       (32u << 10)  /* bytes of a group of which many may follow, each with its own sync */
#define PREPARED    (64u << 10)  /* bytes that are prepared for such */
#define KEPT_MAX    (2u << 20)   /* bytes of room of a group that stays in memory until the next */
#define SMALL_RUN   8            /* of them make it worth while */
#define LEARN_IDLE  32           /* pieces that the index's filter learns in a pause */
#define FLUSH_ROOM  (256u << 10) /* bytes on the disk that a flush is tried with after one that lacked room */

static void fault(const struct journal *journal, const char *point)
{
    if (journal->fault)
        journal->fault(point);
}

static uint64_t remaining(struct journal *journal)
{
    const struct segment *segment = segments_find(&journal->segments, POSITION_SEGMENT(journal->at));
    uint64_t used = POSITION_OFFSET(journal->at) + journal->bytes.size;
    return segment && segment->size > used ? segment->size - used : 0;
}

/* ---- groups ---- */

static void clear_group(struct journal *journal)
{
    buf_clear(&journal->bytes);
    buf_clear(&journal->changes);
    journal_newest_undo(journal);
    journal->count = journal->heads_crc = 0;
    journal->durable = false;
    journal->room = 0;
    journal->next_number = journal->index.progress.next_number;
}

/* Payload pieces may have been written without a sync: no group in a later file may count before they do. */
int journal_roll_over(struct journal *journal, uint64_t need)
{
    uint64_t old = journal->at;
    if (segments_sync(&journal->segments, old)) {
        journal->broken = true;
        return ACCORD_EIO;
    }
    int result = segments_add(&journal->segments, journal->segment_size, need);
    if (result)
        return result;
    journal->at = POSITION(journal->segments.items[journal->segments.count - 1].number, SEGMENT_DATA);
    segments_trim(&journal->segments, old);
    return 0;
}

int journal_write_index(struct journal *journal)
{
    int result = index_flush(&journal->index);
    journal->stuck = result != 0;
    journal->cramped = result == ACCORD_ELIMIT;
    journal->patience = result ? PATIENCE : 0;
    if (!result)
        journal->unflushed = 0;
    return result;
}

static void undo_index(struct journal *journal)
{
    journal->behind = true;
    index_undo(&journal->index);
    journal_cleaner_reset(&journal->cleaner); /* what is forgotten may be there again */
}

int journal_flush(struct journal *journal)
{
    fault(journal, "index");
    int result = journal_write_index(journal);
    if (result && journal->index.ahead)
        undo_index(journal);
    return result; /* otherwise all is in memory still, and is tried again later */
}

/* One that failed is tried again after a while, or as soon as there is room. */
static bool may_flush(struct journal *journal)
{
    if (!journal->patience || (journal->cramped && segments_available(&journal->segments) >= FLUSH_ROOM))
        return true;
    journal->patience--;
    return false;
}

/* Between groups: what the index puts off, a bounded piece of it. */
static int keep_index(struct journal *journal)
{
    if (journal->behind)
        return journal_catch_up(journal);
    if (may_flush(journal) && index_due(&journal->index, journal->at))
        journal_flush(journal);
    index_learn(&journal->index);
    if (journal->behind)
        return journal_catch_up(journal);
    return index_full(&journal->index) ? journal_flush(journal) : 0;
}

/* What a failed write left must be gone before anything is written there: behind records of a later group it
 * would look like a group that had been synced. Without room even for that, it is tried again. */
static int clean_tail(struct journal *journal)
{
    int result = segments_zero(&journal->segments, journal->at);
    journal->tail_dirty = result == ACCORD_ELIMIT;
    journal->broken |= result && result != ACCORD_ELIMIT;
    return result;
}

/* Whoever opens the store again makes the index anew. */
static void end_with_index(struct journal *journal)
{
    journal->broken = true;
    index_delete(journal->segments.folder, NULL);
}

int journal_begin(void *state, uint64_t need)
{
    struct journal *journal = state;
    int result = journal->broken ? ACCORD_EIO : 0;
    if (!result && journal->tail_dirty)
        result = clean_tail(journal);
    if (!result)
        result = keep_index(journal);
    if (!journal->broken && index_lost(&journal->index)) {
        end_with_index(journal);
        result = ACCORD_EFORMAT;
    }
    if (result)
        return result;
    clear_group(journal);
    return remaining(journal) < need + COMMIT_SPAN ? journal_roll_over(journal, need + COMMIT_SPAN) : 0;
}

static bool journal_fits(void *state, uint64_t need)
{
    struct journal *journal = state;
    return journal->bytes.size < GROUP_MAX && need + COMMIT_SPAN <= remaining(journal);
}

static bool journal_roomy(void *state)
{
    struct journal *journal = state;
    if (!journal->room) {
        uint64_t available = segments_available(&journal->segments), left = remaining(journal);
        bool roomy = available > UINT64_MAX - left || available + left >= journal->reserve;
        journal->room = roomy ? 1 : -1;
    }
    return journal->room > 0;
}

static void journal_rollback(void *state)
{
    struct journal *journal = state;
    undo_index(journal);
    clear_group(journal);
}

/* ---- records ---- */

size_t journal_start_record(struct journal *journal)
{
    size_t start = journal->bytes.size;
    if (buf_reserve(&journal->bytes, RECORD_HEAD))
        journal->bytes.size += RECORD_HEAD;
    return start;
}

int journal_finish_record(struct journal *journal, size_t start, enum record_type type)
{
    uint8_t crc[4];
    uint32_t head_crc = record_finish(&journal->bytes, start, journal->at + start, journal->group + 1, type);
    for (int i = 0; i < 4; i++)
        crc[i] = (uint8_t)(head_crc >> 8 * i);
    if (journal->bytes.failed)
        return ACCORD_ENOMEM;
    if (journal->bytes.size - start > RECORD_HEAD + RECORD_MAX)
        return ACCORD_ELIMIT;
    if (type == RECORD_COMMIT)
        return 0;
    journal->heads_crc = crc32c(journal->heads_crc, crc, sizeof crc);
    journal->count++;
    journal->durable |= type != RECORD_PIECE;
    return 0;
}

static int journal_put_piece(void *state, const struct record_piece *piece, uint64_t *position)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    *position = journal->at + start;
    int result = sealer_put(journal->keys.sealer, &journal->bytes, piece);
    journal->large |= piece->size == ACCORD_PIECE_MAX;
    fault(journal, "seal");
    return result ? result : journal_finish_record(journal, start, RECORD_PIECE);
}

static int note_change(struct journal *journal, uint64_t number, bool sending)
{
    buf_put(&journal->changes, &(struct journal_change){number, sending}, sizeof(struct journal_change));
    return journal->changes.failed ? ACCORD_ENOMEM : 0;
}

static int note_sending(struct journal *journal, const struct record_admission *a)
{
    int result = 0;
    for (size_t i = 0; !result && i < a->delivery_count; i++)
        if (a->deliveries[i].state == STORE_SENDING)
            result = note_change(journal, a->first + i, true);
    return result;
}

static int journal_put_admission(void *state, const struct record_admission *a)
{
    struct journal *journal = state;
    size_t start = journal->bytes.size;
    int result = index_admission(&journal->index, journal->at + start, a);
    if (result)
        return result;
    journal_start_record(journal);
    record_put_admission(&journal->bytes, a);
    journal->next_number = a->first + a->delivery_count;
    result = journal_finish_record(journal, start, RECORD_ADMISSION);
    return result ? result : note_sending(journal, a);
}

int journal_put_settlement(void *state, const struct record_settlement *s)
{
    struct journal *journal = state;
    size_t start = journal->bytes.size;
    int result = index_settlement(&journal->index, journal->at + start, s);
    if (result)
        return result;
    journal_start_record(journal);
    record_put_settlement(&journal->bytes, s);
    result = journal_finish_record(journal, start, RECORD_SETTLEMENT);
    return result ? result : note_change(journal, s->number, s->state == STORE_SENDING);
}

static bool place_matches(const struct place *place, const char *agreement, const char *service)
{
    return !strcmp(place->agreement, agreement) && (!service || !strcmp(place->service, service));
}

static int put_move_part(struct journal *journal, const struct record_move *move)
{
    size_t start = journal_start_record(journal);
    record_put_move(&journal->bytes, move);
    int result = journal_finish_record(journal, start, RECORD_MOVE);
    if (!result)
        result = index_move(&journal->index, journal->at + start, move);
    for (size_t i = 0; !result && i < move->count; i++)
        result = note_change(journal, record_move_number(move, i), false);
    return result;
}

static int move_place(struct journal *journal, struct store_move *move, size_t place, int64_t now)
{
    buf_clear(&journal->numbers);
    int result = index_list(&journal->index, place, move->from, &journal->numbers);
    size_t count = journal->numbers.size / 8;
    if (journal->numbers.failed)
        result = ACCORD_ENOMEM;
    for (size_t at = 0; !result && at < count; at += RECORD_MOVE_MAX) {
        struct record_move part = {.to = move->to,
                                   .changed = now,
                                   .reason = move->reason ? move->reason : "",
                                   .numbers = journal->numbers.data + 8 * at,
                                   .count = count - at < RECORD_MOVE_MAX ? count - at : RECORD_MOVE_MAX};
        result = put_move_part(journal, &part);
    }
    move->moved += count;
    return result;
}

static int journal_put_move(void *state, struct store_move *move, int64_t now)
{
    struct journal *journal = state;
    int result = 0;
    for (size_t i = 0; !result && i < journal->index.place_count; i++)
        if (place_matches(&journal->index.places[i], move->agreement, move->service))
            result = move_place(journal, move, i, now);
    return result;
}

static uint64_t journal_movable(void *state, const struct store_move *move)
{
    const struct journal *journal = state;
    uint64_t count = 0;
    if (move->agreement)
        for (size_t i = 0; i < journal->index.place_count; i++)
            if (place_matches(&journal->index.places[i], move->agreement, move->service))
                count += journal->index.places[i].states[STORE_WAITING] +
                         journal->index.places[i].states[STORE_HELD] +
                         RECORD_MOVE_MAX; /* each place begins a record of its own */
    return count;
}

static int journal_put_audit(void *state, struct record_audit *audit, struct audit_head *head)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    int result = record_put_unsealed(&journal->bytes, audit, head);
    if (result)
        return result;
    journal_newest_add(journal, audit); /* before anything moves the record */
    result = journal_finish_record(journal, start, RECORD_AUDIT);
    return result ? result : index_audit(&journal->index, audit);
}

static int journal_put_epoch(void *state, uint64_t epoch)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    record_put_epoch(&journal->bytes, epoch);
    journal->index.progress.epoch = epoch;
    return journal_finish_record(journal, start, RECORD_EPOCH);
}

/* ---- commit ---- */

static int put_commit(struct journal *journal)
{
    struct record_commit commit = {.start = journal->at,
                                   .count = journal->count,
                                   .heads_crc = journal->heads_crc,
                                   .flags = journal->durable ? RECORD_SYNCED : 0,
                                   .next_number = journal->next_number,
                                   .time = clock_wall()};
    size_t start = journal_start_record(journal);
    record_put_commit(&journal->bytes, &commit);
    return journal_finish_record(journal, start, RECORD_COMMIT);
}

static int write_group(struct journal *journal)
{
    int result = segments_write(&journal->segments, journal->at, journal->bytes.data, journal->bytes.size);
    if (result) {
        clean_tail(journal);
        return result;
    }
    if (!journal->durable)
        return 0;
    fault(journal, "commit");
    if (segments_sync(&journal->segments, journal->at)) {
        /* What reached the disk is unknown, and asking again would not tell: the kernel has dropped the
         * pages. */
        journal->broken = true;
        return ACCORD_EIO;
    }
    fault(journal, "committed");
    return 0;
}

static void apply_changes(struct journal *journal)
{
    const struct journal_change *changes = (const struct journal_change *)journal->changes.data;
    for (size_t i = 0; i < journal->changes.size / sizeof *changes; i++)
        index_set_sending(&journal->index, changes[i].number, changes[i].sending);
}

/* What was admitted last is often claimed next: then it need not be read. */
static void keep_group(struct journal *journal)
{
    struct buf spare = journal->last;
    if (journal->bytes.room > KEPT_MAX) {
        buf_clear(&journal->last);
    } else {
        journal->last = journal->bytes;
        journal->last_at = journal->at - journal->bytes.size;
        journal->bytes = spare;
    }
    buf_clear(&journal->bytes);
}

int journal_commit(void *state)
{
    struct journal *journal = state;
    struct index_progress *progress = &journal->index.progress;
    if (!journal->count)
        return 0;
    size_t start = journal->bytes.size;
    int result = put_commit(journal);
    if (!result)
        result = write_group(journal);
    journal->group++; /* also when it failed: what is left of it must not look like the next */
    if (result) {
        undo_index(journal);
        clear_group(journal);
        return result;
    }
    progress->marker = journal->at + start;
    journal->at += journal->bytes.size;
    journal->written += journal->bytes.size;
    progress->position = journal->at;
    progress->group = journal->group;
    progress->next_number = journal->next_number;
    journal_newest_keep(journal);
    journal->small = journal->bytes.size <= SMALL ? journal->small + 1 : 0;
    journal_release(journal, journal->bytes.size);
    keep_group(journal);
    apply_changes(journal);
    journal->unflushed++;
    return 0;
}

/* An empty group behind the last one: a later damage to that one is then known for what it is, and not taken
 * for a torn end. */
void journal_finish(struct journal *journal)
{
    clear_group(journal);
    journal->durable = true;
    if (remaining(journal) >= COMMIT_SPAN && !put_commit(journal))
        write_group(journal);
}

/* Where few messages come at a time, the sync of each is all that its source waits for. */
static void journal_pause(void *state)
{
    struct journal *journal = state;
    uint64_t from = (journal->at + 4095) & ~(uint64_t)4095;
    if (journal->broken || journal->small < SMALL_RUN ||
        (POSITION_SEGMENT(journal->prepared) == POSITION_SEGMENT(journal->at) &&
         journal->prepared > journal->at + PREPARED / 4))
        return;
    if (journal->prepared > from && POSITION_SEGMENT(journal->prepared) == POSITION_SEGMENT(from))
        from = journal->prepared;
    segments_prepare(&journal->segments, from, PREPARED);
    journal->prepared = from + PREPARED;
}

static void journal_idle(void *state)
{
    struct journal *journal = state;
    buf_fini(&journal->window.bytes);
    if (journal->unflushed && !journal->behind && may_flush(journal))
        journal_flush(journal);
    for (int i = 0; i < LEARN_IDLE && index_learn(&journal->index); i++)
        ;
}

static void journal_settle_down(void *state)
{
    struct journal *journal = state;
    if (!journal_ready(journal) && journal->stuck && may_flush(journal))
        journal_flush(journal); /* when it fails, nothing is forgotten for now */
}

/* ---- questions ---- */

static int journal_find_key(void *state, const char *key, bool *used)
{
    return index_find_key(&((struct journal *)state)->index, key, used);
}

static int journal_find_delivery(void *state, uint64_t number, struct backend_delivery *found)
{
    struct fresh_row *row;
    int result = index_row(&((struct journal *)state)->index, number, &row);
    if (!result)
        *found = (struct backend_delivery){
            row->sending && row->delivery.state == STORE_WAITING ? STORE_SENDING : row->delivery.state,
            row->delivery.not_before, row->delivery.answer_by};
    return result;
}

const struct backend store_journal = {
    .name = "journal",
    .open = journal_open,
    .close = journal_close,
    .settle_down = journal_settle_down,
    .begin = journal_begin,
    .fits = journal_fits,
    .roomy = journal_roomy,
    .commit = journal_commit,
    .rollback = journal_rollback,
    .find_repeat = journal_find_repeat,
    .find_key = journal_find_key,
    .find_delivery = journal_find_delivery,
    .put_piece = journal_put_piece,
    .put_admission = journal_put_admission,
    .put_settlement = journal_put_settlement,
    .put_move = journal_put_move,
    .movable = journal_movable,
    .find_quarantined = journal_find_quarantined,
    .find_expected = journal_find_expected,
    .put_release = journal_put_release,
    .put_adoption = journal_put_adoption,
    .put_note = journal_put_note,
    .put_answered = journal_put_answered,
    .put_retention = journal_put_retention,
    .retention_need = journal_retention_need,
    .sweep = journal_sweep,
    .stale = journal_stale,
    .overdue = journal_overdue,
    .usage = journal_usage,
    .rotate = journal_rotate,
    .put_audit = journal_put_audit,
    .put_epoch = journal_put_epoch,
    .claim = journal_claim,
    .read = journal_read,
    .peek = journal_peek,
    .get = journal_get,
    .scan = journal_scan,
    .counts = journal_counts,
    .cursor = journal_cursor,
    .trail = journal_trail,
    .trail_waiting = journal_trail_waiting,
    .heads = journal_heads,
    .backup = journal_backup,
    .pause = journal_pause,
    .idle = journal_idle,
};
