/* Being rid of the oldest segment: its records are looked through, and what is live is written again at the end of
 * the journal. A segment in which much is live stays, unless half of the whole journal is garbage: so no byte is
 * written again more often than another one is freed.
 */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "store/scan.h"
#include "util/text.h"

#define STEP_RECORDS 2048
#define STEP_BYTES   (4u << 20) /* of the segment, looked through in one step */
#define OVERHEAD     1024       /* bytes that a message takes beside its payload, about */
#define FEW          4          /* segments that may be full of live data */

#define LATER 1 /* of the functions below: it did not fit into this group */

static bool fits(const struct journal *journal, uint64_t more)
{
    const struct cleaner *cleaner = &journal->cleaner;
    uint64_t kept = cleaner->kept ? cleaner->kept_texts.size +
                                        64 * (cleaner->kept->kept.echo_count + cleaner->kept->kept.key_count)
                                  : 0;
    return journal->bytes.size + kept + more + 256 <= cleaner->allowed;
}

/* The next group gets the room that this one lacks. */
static int later(struct journal *journal, uint64_t more)
{
    journal->cleaner.need = more + 4096;
    return LATER;
}

/* Finishes a record whose body has been put, if it still fits; otherwise takes it back. */
static int finish_if_it_fits(struct journal *journal, size_t start, enum record_type type)
{
    uint64_t size = journal->bytes.size - start;
    if (journal->bytes.failed)
        return ACCORD_ENOMEM;
    if (fits(journal, 0))
        return journal_finish_record(journal, start, type);
    journal->bytes.size = start;
    return later(journal, size);
}

/* ---- what is kept of messages that are gone ---- */

static int kept_init(struct cleaner *cleaner)
{
    if (!cleaner->kept && !(cleaner->kept = calloc(1, sizeof *cleaner->kept)))
        return ACCORD_ENOMEM;
    return 0;
}

static const char *keep_text(struct cleaner *cleaner, const char *text)
{
    size_t at = cleaner->kept_texts.size;
    buf_put(&cleaner->kept_texts, text, strlen(text) + 1);
    return (const char *)(uintptr_t)(at + 1);
}

static void fix_texts(struct cleaner *cleaner)
{
    struct record_kept_room *room = cleaner->kept;
    const char *texts = (const char *)cleaner->kept_texts.data - 1;
    for (size_t i = 0; i < room->kept.echo_count; i++)
        room->echoes[i].id = texts + (uintptr_t)room->echoes[i].id;
    for (size_t i = 0; i < room->kept.key_count; i++)
        room->keys[i].key = texts + (uintptr_t)room->keys[i].key;
    room->kept.echoes = room->echoes;
    room->kept.keys = room->keys;
}

static int put_kept(struct journal *journal)
{
    struct cleaner *cleaner = &journal->cleaner;
    struct record_kept_room *room = cleaner->kept;
    if (!room || (!room->kept.echo_count && !room->kept.key_count))
        return 0;
    if (cleaner->kept_texts.failed)
        return ACCORD_ENOMEM;
    fix_texts(cleaner);
    size_t start = journal_start_record(journal);
    record_put_kept(&journal->bytes, &room->kept);
    int result = journal_finish_record(journal, start, RECORD_KEPT);
    if (!result)
        result = index_kept(&journal->index, &room->kept);
    room->kept = (struct record_kept){0};
    buf_clear(&cleaner->kept_texts);
    return result;
}

static int make_way(struct journal *journal, size_t count)
{
    return count == RECORD_KEPT_MAX ? put_kept(journal) : 0;
}

static int keep_echo(struct journal *journal, const struct record_echo *echo)
{
    struct cleaner *cleaner = &journal->cleaner;
    if (echo->time < journal->index.progress.seen_before)
        return index_drop_echo(&journal->index, echo);
    int result = make_way(journal, cleaner->kept->kept.echo_count);
    struct record_echo *to = &cleaner->kept->echoes[cleaner->kept->kept.echo_count++];
    *to = *echo;
    to->id = keep_text(cleaner, echo->id);
    return result;
}

static int keep_key(struct journal *journal, const struct record_used *used)
{
    struct cleaner *cleaner = &journal->cleaner;
    if (used->time < journal->index.progress.keys_before)
        return index_drop_key(&journal->index, used);
    int result = make_way(journal, cleaner->kept->kept.key_count);
    struct record_used *to = &cleaner->kept->keys[cleaner->kept->kept.key_count++];
    *to = *used;
    to->key = keep_text(cleaner, used->key);
    return result;
}

/* The message is forgotten; that it was here may still matter. */
static int keep_echoes(struct journal *journal, const struct record_admission *a)
{
    struct record_echo echo = {.key = index_repeat_key(a->origin, "", a->sha256),
                               .hash = index_short_hash(a->sha256),
                               .time = a->time,
                               .id = a->id};
    if (a->time < journal->index.progress.seen_before)
        return 0;
    int result = keep_echo(journal, &echo);
    if (result || !a->source_id[0])
        return result;
    echo.key = index_repeat_key(a->origin, a->source_id, a->sha256);
    return keep_echo(journal, &echo);
}

static int keep_keys(struct journal *journal, const struct record_admission *a)
{
    int result = 0;
    for (size_t i = 0; !result && i < a->key_count; i++)
        result = keep_key(journal, &(struct record_used){a->keys[i], a->time});
    return result;
}

static int keep_again(struct journal *journal, const struct record_kept *kept)
{
    int result = 0;
    for (size_t i = 0; !result && i < kept->echo_count; i++)
        result = keep_echo(journal, &kept->echoes[i]);
    for (size_t i = 0; !result && i < kept->key_count; i++)
        result = keep_key(journal, &kept->keys[i]);
    return result;
}

/* ---- messages ---- */

/* Copies a piece as it is, sealed; a damaged one stays where it was, and is missed as before. */
static int carry_piece(struct journal *journal, uint64_t position)
{
    struct cleaner *cleaner = &journal->cleaner;
    const uint8_t *body;
    size_t size;
    int result =
        scan_passed(cleaner->scan, position, RECORD_PIECE, &body, &size) /* it was read a moment ago */
            ? 0
            : journal_record(journal, position, RECORD_PIECE, &journal->second, &body, &size);
    if (result == ACCORD_EFORMAT) {
        record_add_number(&cleaner->positions, position);
        return 0;
    }
    if (result)
        return result;
    size_t start = journal_start_record(journal);
    buf_put(&journal->bytes, body, size);
    if (!(result = finish_if_it_fits(journal, start, RECORD_PIECE)))
        record_add_number(&cleaner->positions, journal->at + start);
    return result;
}

static int carry_pieces(struct journal *journal, const struct record_admission *a)
{
    struct cleaner *cleaner = &journal->cleaner;
    int result = 0;
    if (strcmp(cleaner->message, a->id)) {
        text_copy(cleaner->message, sizeof cleaner->message, a->id);
        buf_clear(&cleaner->positions);
    }
    for (size_t i = cleaner->positions.size / 8; !result && i < a->piece_count; i++) {
        uint64_t position = record_piece_position(a, i);
        if (POSITION_SEGMENT(position) <= cleaner->segment)
            result = carry_piece(journal, position);
        else
            record_add_number(&cleaner->positions, position);
    }
    return cleaner->positions.failed ? ACCORD_ENOMEM : result;
}

static void describe_standing(struct record_standing *to, const struct index_delivery *row,
                              const struct store_delivery *delivery)
{
    *to = (struct record_standing){.number = row->number,
                                   .agreement = delivery->agreement,
                                   .service = delivery->service,
                                   .state = row->state == STORE_SENDING ? STORE_WAITING : row->state,
                                   .attempts = row->attempts,
                                   .attempts_before = row->before,
                                   .not_before = row->not_before,
                                   .changed = row->changed,
                                   .since = row->since,
                                   .answer_by = row->answer_by,
                                   .generation = row->generation,
                                   .rule = delivery->rule,
                                   .reason = delivery->reason,
                                   .receipt = delivery->receipt};
}

struct standings {
    struct record_standing rows[RECORD_STANDINGS_MAX];
    struct store_delivery deliveries[RECORD_STANDINGS_MAX];
    size_t count;
};

static int look_up(struct journal *journal, const struct record_admission_room *room, uint64_t first,
                   uint64_t count, struct standings *standings)
{
    int result = 0;
    for (uint64_t i = 0; !result && i < count && standings->count < RECORD_STANDINGS_MAX; i++) {
        struct index_delivery row;
        result = index_find_delivery(&journal->index, first + i, &row);
        if (result == ACCORD_ENOENT) {
            result = 0;
            continue;
        }
        if (result)
            break;
        struct store_delivery *delivery = &standings->deliveries[standings->count];
        journal_fill_delivery(journal, room, &row, delivery);
        describe_standing(&standings->rows[standings->count++], &row, delivery);
    }
    return result;
}

static int put_carried(struct journal *journal, const struct record_carried *carried)
{
    size_t start = journal_start_record(journal);
    record_put_carried(&journal->bytes, carried);
    int result = finish_if_it_fits(journal, start, RECORD_CARRIED);
    return result ? result : index_carried(&journal->index, journal->at + start, carried);
}

static int carry(struct journal *journal, const struct record_admission_room *room,
                 const struct index_entry *entry)
{
    const struct record_admission *a = &room->admission;
    struct cleaner *cleaner = &journal->cleaner;
    struct record_admission now = *a;
    int result = carry_pieces(journal, a);
    struct standings *standings = cleaner->standings;
    if (!standings && !(standings = cleaner->standings = malloc(sizeof *standings)))
        return ACCORD_ENOMEM;
    if (result)
        return result;
    standings->count = 0;
    result = look_up(journal, room, entry->first, entry->count, standings);
    if (!result)
        result = look_up(journal, room, entry->released, entry->releases, standings);
    now.flags = entry->flags;
    now.origin = entry->origin;
    now.cursor = NULL;
    now.key_count = 0;
    now.pieces = cleaner->positions.data;
    struct record_carried carried = {.admission = &now,
                                     .released = entry->released,
                                     .releases = entry->releases,
                                     .released_at = entry->released_at,
                                     .standings = standings->rows,
                                     .standing_count = standings->count};
    if (!result)
        result = put_carried(journal, &carried);
    if (!result)
        cleaner->message[0] = 0;
    return result;
}

/* ---- one record of the segment ---- */

static int clean_message(struct journal *journal, uint64_t position, const struct record_admission_room *room)
{
    const struct record_admission *a = &room->admission;
    struct index_entry entry;
    if (!fits(journal, 64 * (a->key_count + 2) + (a->key_count * RECORD_KEY_MAX)))
        return later(journal, (a->key_count + 2) * (64 + RECORD_KEY_MAX));
    int result = index_find_entry(&journal->index, a->id, &entry);
    if (!result && entry.position == position)
        result = carry(journal, room, &entry);
    else if (result == ACCORD_ENOENT)
        result = keep_echoes(journal, a);

    return result ? result : keep_keys(journal, a);
}

static int clean_record(struct journal *journal, const struct scanned *found)
{
    struct record_admission_room room;
    struct record_kept_room *kept;
    if (!found->good)
        return 0; /* set aside and told when it was found */
    room.carried = found->head.type == RECORD_CARRIED;
    if (found->head.type == RECORD_ADMISSION)
        return record_get_admission(found->body, found->head.size, &room)
                   ? 0
                   : clean_message(journal, found->head.position, &room);
    if (found->head.type == RECORD_CARRIED)
        return record_get_carried_admission(found->body, found->head.size, &room)
                   ? 0
                   : clean_message(journal, found->head.position, &room);
    if (found->head.type != RECORD_KEPT)
        return 0;
    if (!fits(journal, 2 * found->head.size))
        return later(journal, 2 * found->head.size);
    if (!(kept = malloc(sizeof *kept)))
        return ACCORD_ENOMEM;
    int result = record_get_kept(found->body, found->head.size, kept) ? 0 : keep_again(journal, &kept->kept);
    free(kept);
    return result;
}

/* How many bytes of it are live. */
static int survey_record(struct journal *journal, const struct scanned *found, uint64_t *live)
{
    struct record_admission_room room;
    struct index_entry entry;
    if (!found->good)
        return 0;
    if (found->head.type == RECORD_KEPT)
        *live += found->head.size;
    if (found->head.type != RECORD_ADMISSION && found->head.type != RECORD_CARRIED)
        return 0;
    if (found->head.type == RECORD_ADMISSION
            ? record_get_admission(found->body, found->head.size, &room)
            : record_get_carried_admission(found->body, found->head.size, &room))
        return 0;
    if (room.admission.time >= journal->index.progress.keys_before)
        for (size_t i = 0; i < room.admission.key_count; i++)
            *live += strlen(room.admission.keys[i]) + 16;
    int result = index_find_entry(&journal->index, room.admission.id, &entry);
    if (!result && entry.position == found->head.position)
        *live += OVERHEAD + (uint64_t)room.admission.size;
    return result == ACCORD_ENOENT ? 0 : result;
}

/* Walks on in the segment; *end: it was come to. */
static int walk_on(struct journal *journal, bool *end)
{
    struct cleaner *cleaner = &journal->cleaner;
    struct scan scan;
    struct scanned found;
    uint64_t start = cleaner->at;
    int result = 0, got = 0;
    scan_init(&scan, &journal->segments, start, POSITION(cleaner->segment + 1, 0));
    scan.skip_pieces = true;
    cleaner->scan = &scan;
    for (int i = 0; !result && i < STEP_RECORDS && cleaner->at - start < STEP_BYTES; i++) {
        if ((got = scan_next(&scan, &found)) <= 0)
            break;
        result = cleaner->carrying ? clean_record(journal, &found)
                                   : survey_record(journal, &found, &cleaner->live);
        if (!result)
            cleaner->at = scan.at;
    }
    *end = !result && !got;
    cleaner->scan = NULL;
    scan_fini(&scan);
    return got < 0 ? got : result;
}

/* ---- the end of a segment ---- */

/* Messages that were admitted later and whose payload begins in the segment. */
static int carry_spans(struct journal *journal)
{
    struct cleaner *cleaner = &journal->cleaner;
    struct record_admission_room room;
    struct index_entry entry;
    char id[ACCORD_ID_MAX];
    int result;
    while (!(result = index_span(&journal->index, cleaner->segment, id))) {
        result = index_find_entry(&journal->index, id, &entry);
        if (!result)
            result = journal_admission(journal, entry.position, &room);
        if (!result)
            result = carry(journal, &room, &entry);
        if (result && result != ACCORD_ENOENT && result != ACCORD_EFORMAT)
            return result;
        if ((result = index_drop_span(&journal->index, cleaner->segment, id)))
            return result;
    }
    return result == ACCORD_ENOENT ? 0 : result;
}

static int put_notes(struct journal *journal)
{
    const struct index *index = &journal->index;
    int result = 0;
    for (size_t i = 0; !result && i < index->name_count; i++) {
        if (!index->names[i].cursor[0])
            continue;
        size_t start = journal_start_record(journal);
        record_put_note(&journal->bytes, &(struct record_note){index->names[i].text, index->names[i].cursor});
        result = journal_finish_record(journal, start, RECORD_NOTE);
    }
    return result;
}

static int put_snapshot(struct journal *journal)
{
    const struct index *index = &journal->index;
    struct record_chain *chains = malloc((index->head_count + 1) * sizeof *chains);
    int result = chains ? 0 : ACCORD_ENOMEM;
    for (size_t at = 0; !result && at <= index->head_count; at += RECORD_CHAINS_MAX) {
        size_t count = index->head_count - at;
        struct record_snapshot snapshot = {.epoch = index->progress.epoch,
                                           .seen_before = index->progress.seen_before,
                                           .keys_before = index->progress.keys_before,
                                           .chains = chains,
                                           .chain_count =
                                               count < RECORD_CHAINS_MAX ? count : RECORD_CHAINS_MAX};
        for (size_t i = 0; i < snapshot.chain_count; i++)
            chains[i] =
                (struct record_chain){index->heads[at + i].head.chain, index->heads[at + i].head.head};
        size_t start = journal_start_record(journal);
        record_put_snapshot(&journal->bytes, &snapshot);
        result = journal_finish_record(journal, start, RECORD_SNAPSHOT);
    }
    free(chains);
    return result;
}

/* Cursors, notes, chain heads and limits, whose last records may be in the segment. */
static int put_small(struct journal *journal)
{
    const struct index *index = &journal->index;
    uint64_t need = 256 + index->head_count * (STORE_NAME_MAX + 64);
    for (size_t i = 0; i < index->name_count; i++)
        if (index->names[i].cursor[0])
            need += RECORD_HEAD + 16 + strlen(index->names[i].text) + strlen(index->names[i].cursor);
    if (!fits(journal, need))
        return later(journal, need);
    int result = put_notes(journal);
    return result ? result : put_snapshot(journal);
}

static int finish_segment(struct journal *journal)
{
    int result = carry_spans(journal);
    if (!result)
        result = put_small(journal);
    if (!result)
        journal->cleaner.finished = journal->cleaner.segment;
    return result;
}

/* ---- which segment ---- */

static bool may_go(struct journal *journal, const struct store_retention *retention, uint64_t staged)
{
    uint32_t oldest = journal->segments.count > 1 ? journal->segments.items[0].number : UINT32_MAX;
    return oldest < POSITION_SEGMENT(journal->at) && oldest < POSITION_SEGMENT(retention->trail_position) &&
           oldest < POSITION_SEGMENT(staged) && !journal_pinned(journal);
}

/* Half of the journal is garbage, or three quarters while others write much: it is worth writing even a full segment again
 * to come to it. */
static bool crowded(const struct journal *journal)
{
    const struct index_progress *progress = &journal->index.progress;
    uint64_t total = 0;
    for (size_t i = 0; i < journal->segments.count; i++)
        total += journal->segments.items[i].size;
    uint64_t unused =
        journal->segments.items[journal->segments.count - 1].size - POSITION_OFFSET(journal->at);
    uint64_t live = progress->bytes + progress->messages * OVERHEAD;
    return journal->segments.count > FEW && (journal->cleaner.busy ? 4 : 2) * live < total - unused;
}

static void begin_segment(struct cleaner *cleaner, uint32_t number, bool carrying)
{
    journal_cleaner_reset(cleaner);
    cleaner->segment = number;
    cleaner->carrying = carrying;
    cleaner->at = POSITION(number, SEGMENT_DATA);
    if (!carrying)
        cleaner->live = 0;
}

static bool worth_it(struct journal *journal)
{
    const struct cleaner *cleaner = &journal->cleaner;
    return cleaner->live <= journal->segments.items[0].size / 4 || crowded(journal);
}

int journal_clean(struct journal *journal, struct store_retention *retention, uint64_t staged)
{
    struct cleaner *cleaner = &journal->cleaner;
    bool end = false;
    if (!may_go(journal, retention, staged)) {
        journal_cleaner_reset(cleaner);
        return 0;
    }
    uint32_t oldest = journal->segments.items[0].number;
    if (cleaner->blocked == oldest && cleaner->blocked_at == cleaner->forgotten && !crowded(journal))
        return 0;
    if (cleaner->segment != oldest)
        begin_segment(cleaner, oldest, false);
    int result = kept_init(cleaner);
    if (!result)
        result = walk_on(journal, &end);
    if (!result && end && !cleaner->carrying) {
        end = false;
        cleaner->blocked = worth_it(journal) ? 0 : oldest;
        cleaner->blocked_at = cleaner->forgotten;
        if (cleaner->blocked)
            return 0;
        begin_segment(cleaner, oldest, true);
    }
    if (!result && end)
        result = finish_segment(journal);
    if (!result || result == LATER) {
        int put = put_kept(journal);
        result = put ? put : 0;
    }
    retention->more = true;
    return result;
}
