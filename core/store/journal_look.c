/* Reading the journal through its index. */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "util/clock.h"
#include "util/text.h"

#define READ_FIRST 2048 /* most records fit, and the pieces of small payloads */

/* ---- records ---- */

static int check_record(const uint8_t *bytes, uint64_t position, enum record_type type, size_t got,
                        struct record_head *head)
{
    return got < RECORD_HEAD || !record_read_head(bytes, position, head) || head->type != type
               ? ACCORD_EFORMAT
               : 0;
}

/* The bytes from a position on, when they are of this group. */
static const uint8_t *in_group(const struct buf *group, uint64_t at, uint64_t position, size_t *got)
{
    if (position < at || position >= at + group->size)
        return NULL;
    *got = group->size - (size_t)(position - at);
    return group->data + (position - at);
}

/* NULL: not all of the record is there. */
static const uint8_t *in_window(const struct journal *journal, uint64_t position, size_t *got)
{
    struct record_head head;
    const uint8_t *bytes = in_group(&journal->window.bytes, journal->window.at, position, got);
    return bytes && *got >= RECORD_HEAD && record_read_head(bytes, position, &head) &&
                   RECORD_HEAD + head.size <= *got
               ? bytes
               : NULL;
}

/* A record that is longer than `want` is read in two steps. Its body has not been checked. */
static int fetch_record(struct journal *journal, uint64_t position, enum record_type type, size_t want,
                        struct buf *to, struct record_head *head, const uint8_t **body)
{
    size_t got = 0;
    const uint8_t *bytes = in_group(&journal->bytes, journal->at, position, &got);
    if (!bytes)
        bytes = in_group(&journal->last, journal->last_at, position, &got);
    if (!bytes)
        bytes = in_window(journal, position, &got);
    if (!bytes) {
        buf_clear(to);
        if (!buf_reserve(to, want))
            return ACCORD_ENOMEM;
        int result = segments_read(&journal->segments, position, to->data, want, &got);
        if (!result && !(result = check_record(to->data, position, type, got, head)) &&
            RECORD_HEAD + head->size > got) {
            want = RECORD_HEAD + head->size;
            if (!buf_reserve(to, want))
                return ACCORD_ENOMEM;
            result = segments_read(&journal->segments, position, to->data, want, &got);
        }
        if (result)
            return result == ACCORD_ENOENT ? ACCORD_EFORMAT : result;
        bytes = to->data;
    }
    if (check_record(bytes, position, type, got, head) || RECORD_HEAD + head->size > got)
        return ACCORD_EFORMAT;
    *body = bytes + RECORD_HEAD;
    return 0;
}

static int read_record(struct journal *journal, uint64_t position, enum record_type type, size_t want,
                       struct buf *to, const uint8_t **body, size_t *size)
{
    struct record_head head;
    int result = fetch_record(journal, position, type, want, to, &head, body);
    if (result)
        return result;
    *size = head.size;
    return record_body_good(&head, *body) ? 0 : ACCORD_EFORMAT;
}

int journal_record(struct journal *journal, uint64_t position, enum record_type type, struct buf *to,
                   const uint8_t **body, size_t *size)
{
    return read_record(journal, position, type, READ_FIRST, to, body, size);
}

int journal_admission(struct journal *journal, uint64_t position, struct record_admission_room *room)
{
    const uint8_t *body;
    size_t size;
    int result = journal_record(journal, position, RECORD_ADMISSION, &journal->first, &body, &size);
    room->carried = false;
    if (result != ACCORD_EFORMAT)
        return result ? result : record_get_admission(body, size, room);
    result = journal_record(journal, position, RECORD_CARRIED, &journal->first, &body, &size);
    room->carried = true;
    return result ? result : record_get_carried_admission(body, size, room);
}

int journal_damaged(int result)
{
    return result == ACCORD_EFORMAT ? ACCORD_EIO : result;
}

int journal_ready(struct journal *journal)
{
    buf_clear(&journal->bytes); /* no group is open */
    return journal->behind ? journal_damaged(journal_catch_up(journal)) : 0;
}

/* ---- repeats ---- */

static bool same_source(const struct record_admission *a, const struct backend_repeat *repeat)
{
    return !strcmp(a->origin, repeat->origin) &&
           (!repeat->source_id[0] || !strcmp(a->source_id, repeat->source_id));
}

static bool any_matches(struct journal *journal, const struct index_seen *seen, bool same_hash,
                        struct backend_repeat *repeat)
{
    struct record_admission_room room;
    for (size_t i = 0; i < seen->count; i++)
        if (!journal_admission(journal, seen->positions[i], &room) && same_source(&room.admission, repeat) &&
            (!same_hash || !memcmp(room.admission.sha256, repeat->sha256, DIGEST_SIZE))) {
            memcpy(repeat->id, room.admission.id, ACCORD_ID_MAX);
            return true;
        }
    return false;
}

/* Among the messages that are here, then among those that are forgotten. */
static int look_for(struct journal *journal, struct backend_repeat *repeat, struct index_seen *seen,
                    enum backend_match as, enum backend_match *match)
{
    bool found = false;
    int result = index_find_seen(&journal->index, seen);
    if (!result && any_matches(journal, seen, seen->hash != NULL, repeat))
        found = true;
    else if (!result)
        result = index_find_echo(&journal->index, seen->key, seen->hash, seen->since, repeat->id, &found);
    if (found)
        *match = as;
    return result;
}

int journal_find_repeat(void *state, struct backend_repeat *repeat, enum backend_match *match)
{
    struct journal *journal = state;
    *match = BACKEND_UNSEEN;
    int64_t hash = index_short_hash(repeat->sha256), forgotten = journal->index.progress.seen_before;
    struct index_seen seen = {.key = index_repeat_key(repeat->origin, repeat->source_id, repeat->sha256),
                              .hash = &hash,
                              .since = repeat->since > forgotten ? repeat->since : forgotten};
    if (!index_may_have_seen(&journal->index, seen.key))
        return 0;
    int result = look_for(journal, repeat, &seen, BACKEND_SEEN, match);
    if (result || *match || !repeat->source_id[0])
        return result;
    seen.hash = NULL;
    return look_for(journal, repeat, &seen, BACKEND_CHANGED, match);
}

/* ---- payload ---- */

static size_t span_of_piece(size_t size)
{
    size_t span = RECORD_HEAD + RECORD_PIECE_HEAD + (size < ACCORD_PIECE_MAX ? size : ACCORD_PIECE_MAX);
    return span > READ_FIRST ? span : READ_FIRST;
}

/* `size`: what it is thought to hold. */
static int read_piece(struct journal *journal, uint64_t position, size_t size, struct record_piece *piece)
{
    const uint8_t *body;
    int result =
        read_record(journal, position, RECORD_PIECE, span_of_piece(size), &journal->second, &body, &size);
    return result ? result : record_get_piece(body, size, piece);
}

/* The seal says of all that is in a piece whether it is as it was: only what is not sealed needs the checksum. */
int journal_small_payload(struct journal *journal, const struct record_admission *a, uint8_t *to)
{
    struct record_piece piece;
    struct record_head head;
    const uint8_t *body;
    const struct seal_bond bond = {.message = a->id};
    if (a->piece_count != 1)
        return ACCORD_ENOENT;
    int result = fetch_record(journal, record_piece_position(a, 0), RECORD_PIECE,
                              span_of_piece((size_t)a->size), &journal->second, &head, &body);
    if (!result)
        result = record_get_piece(body, head.size, &piece);
    if (!result &&
        (piece.size != (size_t)a->size || (piece.seal == SEAL_NONE && !record_body_good(&head, body))))
        result = ACCORD_EFORMAT;
    return result ? result : sealer_take_whole(journal->keys.sealer, &piece, &bond, to);
}

int journal_peek(void *state, uint64_t position, const struct seal_bond *bond, size_t offset, void *to,
                 size_t room, size_t *got)
{
    struct journal *journal = state;
    struct record_piece piece;
    const uint8_t *plain = NULL;
    int result = read_piece(journal, position, offset + room, &piece);
    if (result)
        return journal_damaged(result);
    if (!offset && room >= piece.size)
        result = sealer_take_whole(journal->keys.sealer, &piece, bond, to);
    else
        result = sealer_take(journal->keys.sealer, &piece, bond, &plain);
    if (result == ACCORD_EFORMAT)
        segments_set_aside(&journal->segments, position, record_span(RECORD_PIECE_HEAD + piece.size));
    if (result || offset > piece.size)
        return result ? journal_damaged(result) : ACCORD_EIO;
    *got = piece.size - offset < room ? piece.size - offset : room;
    if (plain)
        memcpy(to, plain + offset, *got);
    return 0;
}

/* Which payload the pieces before its last one, which is at `position`, belong to: the last piece says so, and is bound to the
 * message itself. Remembered, because the pieces of several payloads are read by turns. */
static int payload_at(struct journal *journal, uint64_t position, struct journal_payload **found)
{
    for (size_t i = 0; i < PAYLOADS_KNOWN; i++)
        if (journal->payloads[i].position == position) {
            *found = &journal->payloads[i];
            return 0;
        }
    struct record_piece last;
    int result = read_piece(journal, position, 0, &last);
    if (result)
        return result;
    struct journal_payload *payload = &journal->payloads[journal->payload_next++ % PAYLOADS_KNOWN];
    payload->position = position;
    payload->sealed = last.seal != SEAL_NONE;
    seal_payload_of(&last, payload->id);
    *found = payload;
    return 0;
}

/* What the piece that holds `at` must be bound to. */
static int bond_of(struct journal *journal, const struct record_admission *a, uint64_t at,
                   struct seal_bond *bond)
{
    struct journal_payload *payload;
    *bond = (struct seal_bond){.index = (uint32_t)(at / ACCORD_PIECE_MAX)};
    if (bond->index + 1 == a->piece_count) {
        bond->message = a->id;
        return 0;
    }
    int result = payload_at(journal, record_piece_position(a, a->piece_count - 1), &payload);
    if (!result)
        bond->payload = payload->sealed ? payload->id : NULL;
    return result;
}

/* Large payload that goes to one partner is hardly read again: the partner's copy, or whatever comes next, may have its
 * pages. */
static void release_piece(struct journal *journal, uint64_t position)
{
    segments_release(&journal->segments, position, record_span(RECORD_PIECE_HEAD + ACCORD_PIECE_MAX));
}

int journal_read(void *state, struct store_read *read)
{
    struct journal *journal = state;
    struct record_admission_room room;
    uint64_t position;
    read->got = 0;
    int result = read->offset < 0 ? ACCORD_EINVAL : journal_ready(journal);
    if (!result)
        result = index_find_message(&journal->index, read->message, &position);
    if (!result)
        result = journal_admission(journal, position, &room);
    const struct record_admission *a = &room.admission;
    while (!result && read->got < read->room && read->offset + (int64_t)read->got < a->size) {
        uint64_t at = (uint64_t)read->offset + read->got;
        struct seal_bond bond;
        size_t got = 0;
        if ((result = bond_of(journal, a, at, &bond)))
            break;
        result = journal_peek(journal, record_piece_position(a, bond.index), &bond,
                              (size_t)(at % ACCORD_PIECE_MAX), (uint8_t *)read->to + read->got,
                              read->room - read->got, &got);
        if (!result && !got)
            result = ACCORD_EIO;
        if (got == ACCORD_PIECE_MAX && a->delivery_count == 1)
            release_piece(journal, record_piece_position(a, bond.index));
        read->got += got;
    }
    if (result)
        read->got = 0;
    return journal_damaged(result);
}

/* ---- looking ---- */

int journal_get(void *state, struct store_get *get)
{
    struct journal *journal = state;
    uint64_t position;
    get->found = NULL;
    int result = journal_ready(journal);
    if (!result)
        result = index_find_message(&journal->index, get->message, &position);
    return result ? journal_damaged(result) : journal_load_message(journal, position, &get->found);
}

struct page {
    struct journal *journal;
    struct store_scan *scan;
    int result;
};

static void match_deliveries(const struct page *page, uint64_t first, uint64_t count, bool *agreement,
                             bool *state)
{
    const struct store_scan *scan = page->scan;
    for (uint64_t i = 0; i < count && !(*agreement && *state); i++) {
        struct index_delivery delivery;
        if (index_find_delivery(&page->journal->index, first + i, &delivery))
            continue;
        *agreement |= scan->agreement &&
                      !strcmp(page->journal->index.places[delivery.place].agreement, scan->agreement);
        *state |= (int)delivery.state == scan->state;
    }
}

static bool delivery_matches(const struct page *page, const struct index_message *message)
{
    const struct store_scan *scan = page->scan;
    struct index_entry entry;
    bool agreement = !scan->agreement || text_is_below(message->origin, scan->agreement),
         state = scan->state <= 0;
    match_deliveries(page, message->first, message->count, &agreement, &state);
    /* Out of quarantine it got deliveries of its own. */
    if (!(agreement && state) && !index_find_entry(&page->journal->index, message->id, &entry))
        match_deliveries(page, entry.released, entry.releases, &agreement, &state);
    return agreement && state;
}

static int on_message(void *arg, const struct index_message *message)
{
    struct page *page = arg;
    struct store_scan *scan = page->scan;
    if (scan->count == scan->limit)
        return 1;
    if ((scan->type && strcmp(message->type, scan->type)) ||
        (scan->state < 0 && !(message->flags & STORE_QUARANTINED)) || !delivery_matches(page, message))
        return 0;
    int result = journal_load_message(page->journal, message->position, &scan->found[scan->count]);
    if (!result)
        scan->count++;
    page->result = result == ACCORD_ENOMEM ? result : 0; /* a damaged message is left out */
    return page->result;
}

int journal_scan(void *state, struct store_scan *scan)
{
    struct page page = {state, scan, 0};
    scan->count = 0;
    int result = journal_ready(state);
    if (!result)
        result = index_walk(&page.journal->index, scan->before, on_message, &page);
    return result ? journal_damaged(result) : page.result;
}

static int count_place(struct journal *journal, size_t at, struct store_count *row)
{
    const struct place *place = &journal->index.places[at];
    struct record_admission_room room;
    uint64_t position = 0;
    *row = (struct store_count){0};
    memcpy(row->agreement, place->agreement, sizeof row->agreement);
    memcpy(row->service, place->service, sizeof row->service);
    memcpy(row->states, place->states, sizeof row->states);
    row->states[STORE_WAITING] -= place->sending;
    row->states[STORE_SENDING] = place->sending;
    int result = index_oldest(&journal->index, at, &position);
    if (!result && position && !journal_admission(journal, position, &room))
        row->oldest = room.admission.time;
    return result;
}

int journal_counts(void *state, struct store_counts *counts)
{
    struct journal *journal = state;
    *counts = (struct store_counts){0};
    int result = journal_ready(journal);
    if (result)
        return result;
    counts->messages = journal->index.progress.messages;
    counts->quarantined = journal->index.progress.quarantined;
    counts->bytes = journal->index.progress.bytes;
    counts->rows = calloc(journal->index.place_count + 1, sizeof *counts->rows);
    if (!counts->rows)
        return ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < journal->index.place_count; i++)
        result = count_place(journal, i, &counts->rows[counts->count++]);
    return journal_damaged(result);
}

int journal_cursor(void *state, struct store_cursor *cursor)
{
    struct journal *journal = state;
    int result = journal_ready(journal);
    text_copy(cursor->value, sizeof cursor->value,
              result ? "" : index_cursor(&journal->index, cursor->route));
    return result;
}

/* ---- audit ---- */

int journal_heads(void *state, struct store_heads *heads)
{
    struct journal *journal = state;
    *heads = (struct store_heads){0};
    int result = journal_ready(journal);
    if (result)
        return result;
    heads->rows = calloc(journal->index.head_count + 1, sizeof *heads->rows);
    if (!heads->rows)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < journal->index.head_count; i++)
        heads->rows[heads->count++] = journal->index.heads[i].head;
    return 0;
}
