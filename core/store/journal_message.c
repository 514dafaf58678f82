/* A message with its deliveries, put together from the records that tell of them. */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "util/text.h"

static bool read_standing(struct journal *journal, const struct index_delivery *from,
                          struct store_delivery *to)
{
    struct record_carried_room room;
    const uint8_t *body;
    size_t size;
    if (journal_record(journal, from->detail, RECORD_CARRIED, &journal->second, &body, &size) ||
        record_get_carried(body, size, &room))
        return false;
    for (size_t i = 0; i < room.carried.standing_count; i++)
        if (room.standings[i].number == from->number) {
            text_copy(to->rule, sizeof to->rule, room.standings[i].rule);
            text_copy(to->reason, sizeof to->reason, room.standings[i].reason);
            text_copy(to->receipt, sizeof to->receipt, room.standings[i].receipt);
            return true;
        }
    return false;
}

/* False: its last change is no move, or cannot be read. */
static bool read_move(struct journal *journal, const struct index_delivery *from, struct store_delivery *to)
{
    struct record_move move;
    const uint8_t *body;
    size_t size;
    if (journal->moved.position != from->detail) {
        if (journal_record(journal, from->detail, RECORD_MOVE, &journal->second, &body, &size) ||
            record_get_move(body, size, &move))
            return false;
        journal->moved.position = from->detail;
        text_copy(journal->moved.reason, sizeof journal->moved.reason, move.reason);
    }
    text_copy(to->reason, sizeof to->reason, journal->moved.reason);
    return true;
}

static bool read_release(struct journal *journal, const struct index_delivery *from,
                         struct store_delivery *to)
{
    struct record_release_room release;
    const uint8_t *body;
    size_t size;
    if (journal_record(journal, from->detail, RECORD_RELEASE, &journal->second, &body, &size) ||
        record_get_release(body, size, &release) ||
        from->number - release.release.first >= release.release.delivery_count)
        return false;
    const struct record_delivery *detail = &release.release.deliveries[from->number - release.release.first];
    text_copy(to->rule, sizeof to->rule, detail->rule);
    text_copy(to->reason, sizeof to->reason, detail->reason);
    return true;
}

static bool read_settlement(struct journal *journal, const struct index_delivery *from,
                            struct store_delivery *to)
{
    struct record_settlement settlement;
    const uint8_t *body;
    size_t size;
    if (journal_record(journal, from->detail, RECORD_SETTLEMENT, &journal->second, &body, &size) ||
        record_get_settlement(body, size, &settlement))
        return false;
    text_copy(to->rule, sizeof to->rule, settlement.rule);
    text_copy(to->reason, sizeof to->reason, settlement.reason);
    text_copy(to->receipt, sizeof to->receipt, settlement.receipt);
    return true;
}

/* Rule, reason and receipt are in the record that made the last change. */
static void read_detail(struct journal *journal, const struct index_delivery *from, struct store_delivery *to)
{
    if (journal->moved.position == from->detail)
        read_move(journal, from, to);
    else if (!read_settlement(journal, from, to) && !read_move(journal, from, to) &&
             !read_release(journal, from, to) && !read_standing(journal, from, to))
        text_copy(to->reason, sizeof to->reason, "the store's record of this is damaged");
}

void journal_fill_delivery(struct journal *journal, const struct record_admission_room *room,
                           const struct index_delivery *from, struct store_delivery *to)
{
    const struct record_admission *a = &room->admission;
    const struct place *place = &journal->index.places[from->place];
    to->number = from->number;
    to->state = from->state;
    to->attempts = from->attempts;
    to->attempts_before = from->before;
    to->not_before = from->not_before;
    to->changed = from->changed;
    to->since = from->since;
    to->generation = from->generation;
    to->rule[0] = to->reason[0] = to->receipt[0] = 0; /* the room behind them is left as it is */
    text_copy(to->message, sizeof to->message, a->id);
    text_copy(to->agreement, sizeof to->agreement, place->agreement);
    text_copy(to->service, sizeof to->service, place->service);
    uint64_t at = from->number - a->first;
    if (from->detail != from->message || room->carried) {
        read_detail(journal, from, to);
    } else if (at < a->delivery_count) {
        text_copy(to->rule, sizeof to->rule, a->deliveries[at].rule);
        text_copy(to->reason, sizeof to->reason, a->deliveries[at].reason);
    }
}

int journal_refresh(struct journal *journal, const struct record_admission_room *room,
                    struct store_message *message, struct index_entry *entry)
{
    *entry = (struct index_entry){0};
    if (!room->carried && !(room->admission.flags & STORE_QUARANTINED))
        return 0;
    int result = index_find_entry(&journal->index, room->admission.id, entry);
    if (result)
        return result;
    message->flags = entry->flags;
    text_copy(message->origin, sizeof message->origin, entry->origin);
    return 0;
}

static int load_deliveries(struct journal *journal, const struct record_admission_room *room,
                           const struct index_entry *entry, struct store_message *message)
{
    size_t own = room->admission.delivery_count, count = own + entry->releases;
    int result = 0;
    if (count && !(message->deliveries = calloc(count, sizeof *message->deliveries)))
        return ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < count; i++) {
        struct index_delivery delivery;
        uint64_t number = i < own ? room->admission.first + i : entry->released + i - own;
        result = index_find_delivery(&journal->index, number, &delivery);
        if (!result)
            journal_fill_delivery(journal, room, &delivery, &message->deliveries[i]);
    }
    message->delivery_count = count;
    return result;
}

/* The message at a position, with its deliveries. */
int journal_load_message(struct journal *journal, uint64_t position, struct store_message **out)
{
    struct record_admission_room room;
    struct index_entry entry;
    int result = journal_admission(journal, position, &room);
    struct store_message *message = result ? NULL : message_new(&room.admission);
    *out = NULL;
    if (!message)
        return result ? journal_damaged(result) : ACCORD_ENOMEM;
    result = journal_refresh(journal, &room, message, &entry);
    if (!result)
        result = load_deliveries(journal, &room, &entry, message);
    if (result)
        store_message_free(message);
    else
        *out = message;
    return journal_damaged(result);
}
