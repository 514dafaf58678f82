/* Claiming: which deliveries are next, then their records and small payloads, which stand in the journal about as they
 * came in: they are read together. */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "util/text.h"

#define WINDOW_MAX (256u << 10) /* bytes that are read at once */
#define WINDOW_GAP (32u << 10)  /* bytes that nobody asks for, and that are read rather than left out */

/* ---- reading ahead ---- */

/* Bytes of payload that may still be handed out. */
static size_t payload_room(const struct store_claim *claim)
{
    return claim->payload_room - claim->payload_bytes;
}

/* A small payload stands before its admission. */
static uint64_t start_of(const struct store_claim *claim, const struct index_delivery *pick)
{
    uint64_t before = 0;
    if (pick->size && pick->size <= STORE_SMALL && pick->size <= payload_room(claim))
        before = record_span(RECORD_PIECE_HEAD + (size_t)pick->size);
    return POSITION_OFFSET(pick->message) >= SEGMENT_DATA + before ? pick->message - before : pick->message;
}

static bool covers(const struct journal_window *window, uint64_t position)
{
    return position >= window->at && position < window->at + window->bytes.size;
}

/* How far to read for the first of these, and for those that follow closely. */
static uint64_t end_of_run(const struct store_claim *claim, const struct index_delivery *picks, size_t count)
{
    uint64_t from = start_of(claim, picks), end = picks->message + ADMISSION_USUAL;
    for (size_t i = 1; i < count; i++) {
        uint64_t start = start_of(claim, &picks[i]), stop = picks[i].message + ADMISSION_USUAL;
        if (start < from || start > end + WINDOW_GAP || stop > from + WINDOW_MAX)
            break;
        end = stop > end ? stop : end;
    }
    return end;
}

/* What comes next is likely to follow: the disk may fetch it while this is worked on, unless it is cached. */
static void prefetch(struct journal *journal, uint64_t from, uint64_t end)
{
    uint64_t written = journal->cached_from > end ? journal->cached_from - end : 0;
    if (end - from > WINDOW_MAX / 2 && written)
        segments_prefetch(&journal->segments, end, written < WINDOW_MAX ? written : WINDOW_MAX);
}

/* What is not in the window, for whatever reason, is read alone. */
static void read_ahead(struct journal *journal, const struct store_claim *claim,
                       const struct index_delivery *picks, size_t count)
{
    struct journal_window *window = &journal->window;
    uint64_t from = start_of(claim, picks), end = end_of_run(claim, picks, count);
    if (covers(window, picks->message) && covers(window, from))
        return;
    buf_clear(&window->bytes);
    if (picks->message >= journal->last_at && picks->message < journal->last_at + journal->last.size)
        return;
    if (end > journal->at)
        end = journal->at; /* what stands behind is not written yet */
    window->at = from;
    if (end > from && buf_reserve(&window->bytes, (size_t)(end - from)) &&
        segments_read(&journal->segments, from, window->bytes.data, (size_t)(end - from),
                      &window->bytes.size) < 0)
        buf_clear(&window->bytes);
    prefetch(journal, from, end);
}

/* ---- one delivery ---- */

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

/* Without it the payload is read when it is wanted; then whatever is wrong with it is found again. */
static void hand_out_payload(struct journal *journal, struct store_claim *claim,
                             const struct record_admission *a, struct store_claimed *claimed)
{
    size_t size = (size_t)a->size;
    if (!size || a->size != claimed->size || a->size > STORE_SMALL || size > payload_room(claim))
        return;
    uint8_t *payload = malloc(size);
    if (!payload || journal_small_payload(journal, a, payload)) {
        free(payload);
        return;
    }
    claimed->payload = payload;
    claim->payload_bytes += size;
}

static int claim_one(struct journal *journal, struct store_claim *claim,
                     const struct index_delivery *delivery)
{
    struct record_admission_room room;
    struct store_claimed *claimed = &claim->claimed[claim->count];
    int result = journal_admission(journal, delivery->message, &room);
    claimed->size = (int64_t)delivery->size;
    claimed->payload = NULL;
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
    if (result || (result = index_claimed(&journal->index, delivery))) {
        store_message_free(claimed->message);
        return result;
    }
    hand_out_payload(journal, claim, &room.admission, claimed);
    claim->count++;
    return 0;
}

/* Those that were picked, in their order. */
static int claim_picks(struct journal *journal, struct store_claim *claim)
{
    const struct index_delivery *picks = (const struct index_delivery *)journal->picks.data;
    size_t count = journal->picks.size / sizeof *picks;
    int result = journal->picks.failed ? ACCORD_ENOMEM : 0;
    for (size_t i = 0; !result && i < count; i++) {
        read_ahead(journal, claim, picks + i, count - i);
        result = claim_one(journal, claim, &picks[i]);
    }
    buf_clear(&journal->window.bytes);
    return result;
}

/* ---- which ---- */

struct candidate {
    size_t place;
    struct index_delivery delivery; /* number 0: none */
};

static bool pick(struct journal *journal, const struct store_claim *claim,
                 const struct index_delivery *delivery)
{
    if (journal->picks.size / sizeof *delivery >= claim->limit)
        return false;
    buf_put(&journal->picks, delivery, sizeof *delivery);
    return true;
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
    while (!result && (found = oldest(&journal->numbers)) && pick(journal, claim, &found->delivery))
        result = index_next_due(&journal->index, found->place, found->delivery.number, claim->now,
                                &found->delivery);
    int failed = claim_picks(journal, claim);
    result = failed ? failed : result;
    find_next(journal, claim);
    if (result || oldest(&journal->numbers))
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
    while (!result && found.number && (!blocker.number || found.number < blocker.number) &&
           pick(journal, claim, &found))
        result = index_next_due(index, place, found.number, claim->now, &found);
    int failed = claim_picks(journal, claim);
    result = failed ? failed : result;
    find_next(journal, claim);
    if (!result && !found.number)
        return 0;
    if (result || !blocker.number || found.number < blocker.number) {
        claim->next = claim->now > 0 ? claim->now : 1;
        return result;
    }
    return name_blocker(journal, claim, &blocker);
}

int journal_claim(void *state, struct store_claim *claim)
{
    struct journal *journal = state;
    claim->count = 0;
    claim->payload_bytes = 0;
    claim->next = 0;
    claim->blocked_by[0] = 0;
    claim->stopped = false;
    buf_clear(&journal->picks);
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
