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

/* A record that is longer than `want` is read in two steps. */
static int read_record(struct journal *journal, uint64_t position, enum record_type type, size_t want,
                       struct buf *to, const uint8_t **body, size_t *size)
{
    struct record_head head;
    size_t got = 0;
    const uint8_t *bytes = in_group(&journal->bytes, journal->at, position, &got);
    if (!bytes)
        bytes = in_group(&journal->last, journal->last_at, position, &got);
    if (!bytes) {
        buf_clear(to);
        if (!buf_reserve(to, want))
            return ACCORD_ENOMEM;
        int result = segments_read(&journal->segments, position, to->data, want, &got);
        if (!result && !(result = check_record(to->data, position, type, got, &head)) &&
            RECORD_HEAD + head.size > got) {
            want = RECORD_HEAD + head.size;
            if (!buf_reserve(to, want))
                return ACCORD_ENOMEM;
            result = segments_read(&journal->segments, position, to->data, want, &got);
        }
        if (result)
            return result == ACCORD_ENOENT ? ACCORD_EFORMAT : result;
        bytes = to->data;
    }
    if (check_record(bytes, position, type, got, &head) || RECORD_HEAD + head.size > got ||
        !record_body_good(&head, bytes + RECORD_HEAD))
        return ACCORD_EFORMAT;
    *body = bytes + RECORD_HEAD;
    *size = head.size;
    return 0;
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

/* ---- claiming ---- */

struct candidate {
    size_t place;
    struct index_delivery delivery; /* number 0: none */
};

/* The message is lost: whoever claims this can only end it. */
static int claim_lost(struct journal *journal, struct store_claim *claim,
                      const struct index_delivery *delivery)
{
    struct store_claimed *claimed = &claim->claimed[claim->count];
    const struct place *place = &journal->index.places[delivery->place];
    int result = index_claimed(&journal->index, delivery);
    if (result)
        return result;
    claimed->message = NULL;
    claimed->delivery = (struct store_delivery){.number = delivery->number, .state = STORE_SENDING};
    text_copy(claimed->delivery.agreement, sizeof claimed->delivery.agreement, place->agreement);
    text_copy(claimed->delivery.service, sizeof claimed->delivery.service, place->service);
    claim->count++;
    return 0;
}

static int claim_one(struct journal *journal, struct store_claim *claim,
                     const struct index_delivery *delivery)
{
    struct record_admission_room room;
    struct store_claimed *claimed = &claim->claimed[claim->count];
    int result = journal_admission(journal, delivery->message, &room);
    claimed->size = (int64_t)delivery->size;
    if (result == ACCORD_EFORMAT)
        return claim_lost(journal, claim, delivery);
    if (result)
        return result;
    if (!(claimed->message = message_new(&room.admission)))
        return ACCORD_ENOMEM;
    struct index_entry entry;
    journal_fill_delivery(journal, &room, delivery, &claimed->delivery);
    claimed->delivery.state = STORE_SENDING;
    result = journal_refresh(journal, &room, claimed->message, &entry);
    if (result || (result = index_claimed(&journal->index, delivery)))
        store_message_free(claimed->message);
    else
        claim->count++;
    return result;
}

static void earlier(int64_t *next, int64_t when)
{
    if (when > 0 && (!*next || when < *next))
        *next = when;
}

static bool place_matches(const struct place *place, const struct store_claim *claim)
{
    return !strcmp(place->agreement, claim->agreement) &&
           (!claim->service || !strcmp(place->service, claim->service));
}

/* The first due delivery of every place that matches. */
static int candidates(struct journal *journal, struct store_claim *claim, struct buf *out)
{
    int result = 0;
    for (size_t i = 0; !result && i < journal->index.place_count; i++) {
        struct place *place = &journal->index.places[i];
        struct candidate candidate = {.place = i};
        if (!place_matches(place, claim) || place->states[STORE_WAITING] == place->sending)
            continue;
        result = index_promote(&journal->index, i, claim->now, claim->limit);
        if (!result)
            result = index_next_due(&journal->index, i, 0, claim->now, &candidate.delivery);
        if (!result && candidate.delivery.number)
            buf_put(out, &candidate, sizeof candidate);
    }
    return out->failed ? ACCORD_ENOMEM : result;
}

static struct candidate *oldest(struct buf *list)
{
    struct candidate *items = (struct candidate *)list->data, *found = NULL;
    for (size_t i = 0; i < list->size / sizeof *items; i++)
        if (items[i].delivery.number && (!found || items[i].delivery.number < found->delivery.number))
            found = &items[i];
    return found;
}

static void find_next(struct journal *journal, struct store_claim *claim)
{
    int64_t now = claim->now > 0 ? claim->now : 1;
    for (size_t i = 0; i < journal->index.place_count; i++)
        if (place_matches(&journal->index.places[i], claim))
            earlier(&claim->next, index_next_later(&journal->index, i));
    if (claim->next && claim->next < now)
        claim->next = now;
}

static int claim_any(struct journal *journal, struct store_claim *claim)
{
    struct candidate *found;
    buf_clear(&journal->numbers);
    int result = candidates(journal, claim, &journal->numbers);
    while (!result && (found = oldest(&journal->numbers)) && claim->count < claim->limit) {
        struct index_delivery delivery = found->delivery;
        result = claim_one(journal, claim, &delivery);
        if (!result)
            result =
                index_next_due(&journal->index, found->place, delivery.number, claim->now, &found->delivery);
    }
    find_next(journal, claim);
    if (!result && oldest(&journal->numbers))
        claim->next = claim->now > 0 ? claim->now : 1;
    return result;
}

static int name_blocker(struct journal *journal, struct store_claim *claim,
                        const struct index_delivery *blocker)
{
    struct record_admission_room room;
    int result = journal_admission(journal, blocker->message, &room);
    if (!result)
        text_copy(claim->blocked_by, sizeof claim->blocked_by, room.admission.id);
    return result == ACCORD_EFORMAT ? 0 : result;
}

/* Those without an older one that they must wait for; what one claim hands out follows each other. */
static int claim_ordered(struct journal *journal, struct store_claim *claim, size_t place)
{
    struct index *index = &journal->index;
    struct index_delivery blocker, found;
    int result = index_blocker(index, place, claim->now, claim->order == STORE_ORDERED, &blocker);
    claim->stopped = blocker.number;
    if (!result)
        result = index_promote(index, place, claim->now, claim->limit);
    if (!result)
        result = index_next_due(index, place, 0, claim->now, &found);
    while (!result && found.number && claim->count < claim->limit &&
           (!blocker.number || found.number < blocker.number)) {
        struct index_delivery delivery = found;
        result = claim_one(journal, claim, &delivery);
        if (!result)
            result = index_next_due(index, place, delivery.number, claim->now, &found);
    }
    find_next(journal, claim);
    if (result || !found.number)
        return result;
    if (!blocker.number || found.number < blocker.number) {
        claim->next = claim->now > 0 ? claim->now : 1;
        return 0;
    }
    return name_blocker(journal, claim, &blocker);
}

int journal_claim(void *state, struct store_claim *claim)
{
    struct journal *journal = state;
    claim->count = 0;
    claim->next = 0;
    claim->blocked_by[0] = 0;
    claim->stopped = false;
    int result = claim->order && !claim->service ? ACCORD_EINVAL : journal_ready(journal);
    if (result)
        return journal_damaged(result);
    if (!claim->order) {
        result = claim_any(journal, claim);
    } else {
        const struct place *place = index_place(&journal->index, claim->agreement, claim->service);
        if (place)
            result = claim_ordered(journal, claim, (size_t)(place - journal->index.places));
    }
    return claim->count ? 0 : journal_damaged(result); /* what was claimed is handed over first */
}

/* ---- payload ---- */

/* `size`: what it is thought to hold. */
static int read_piece(struct journal *journal, uint64_t position, size_t size, struct record_piece *piece)
{
    const uint8_t *body;
    size_t want = RECORD_HEAD + RECORD_PIECE_HEAD + (size < ACCORD_PIECE_MAX ? size : ACCORD_PIECE_MAX);
    int result = read_record(journal, position, RECORD_PIECE, want > READ_FIRST ? want : READ_FIRST,
                             &journal->second, &body, &size);
    return result ? result : record_get_piece(body, size, piece);
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
