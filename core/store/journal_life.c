/* The journal's side of persons' decisions, expected answers and notes. */
#include <string.h>

#include "store/journal.h"
#include "util/text.h"

#define ID_GRAIN 2000 /* microseconds: ids are in the order of time, but for those of one millisecond */

static int put(struct journal *journal, size_t start, enum record_type type)
{
    return journal_finish_record(journal, start, type);
}

/* ---- quarantine ---- */

int journal_find_quarantined(void *state, const char *message, bool *quarantined, int64_t *size)
{
    struct journal *journal = state;
    struct record_admission_room room;
    struct index_entry entry;
    int result = index_find_entry(&journal->index, message, &entry);
    if (!result)
        result = journal_damaged(journal_admission(journal, entry.position, &room));
    if (result)
        return result;
    *quarantined = entry.flags & STORE_QUARANTINED;
    *size = room.admission.size;
    return 0;
}

int journal_put_release(void *state, const struct record_release *release)
{
    struct journal *journal = state;
    size_t start = journal->bytes.size;
    int result = index_release(&journal->index, journal->at + start, release);
    if (result)
        return result;
    journal_start_record(journal);
    record_put_release(&journal->bytes, release);
    journal->next_number = release->first + release->delivery_count;
    return put(journal, start, RECORD_RELEASE);
}

struct staleness {
    struct journal *journal;
    struct store_stale *stale;
    int result;
};

static int on_quarantined(void *arg, const char *id, const char *origin, uint64_t position)
{
    struct staleness *staleness = arg;
    struct store_stale *stale = staleness->stale;
    struct record_admission_room room;
    if (stale->count == stale->limit)
        return 1;
    if (!text_is_below(origin, stale->agreement))
        return 0;
    int result = journal_admission(staleness->journal, position, &room);
    if (result == ACCORD_EFORMAT)
        return 0; /* damaged: nobody can release it, and it is told elsewhere */
    staleness->result = result;
    if (result || room.admission.time >= stale->before)
        return result || room.admission.time - stale->before > ID_GRAIN; /* those behind it are newer */
    text_copy(stale->found[stale->count++], ACCORD_ID_MAX, id);
    return 0;
}

int journal_stale(void *state, struct store_stale *stale)
{
    struct staleness staleness = {state, stale, 0};
    stale->count = 0;
    int result = journal_ready(state);
    if (!result)
        result = index_stale(&staleness.journal->index, on_quarantined, &staleness);
    return result ? journal_damaged(result) : staleness.result;
}

/* ---- adoption and notes ---- */

int journal_put_adoption(void *state, const struct record_adoption *adoption, uint64_t *moved)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    record_put_adoption(&journal->bytes, adoption);
    int result = put(journal, start, RECORD_ADOPTION);
    return result ? result : index_adopt(&journal->index, adoption, moved);
}

int journal_put_note(void *state, const struct record_note *note)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    record_put_note(&journal->bytes, note);
    int result = put(journal, start, RECORD_NOTE);
    return result ? result : index_note(&journal->index, note);
}

/* ---- answers ---- */

static int add_expected(struct journal *journal, uint64_t first, uint64_t count, const char *agreement,
                        struct buf *numbers)
{
    int result = 0;
    for (uint64_t i = 0; !result && i < count; i++) {
        struct index_delivery delivery;
        result = index_find_delivery(&journal->index, first + i, &delivery);
        if (!result && delivery.answer_by &&
            !strcmp(journal->index.places[delivery.place].agreement, agreement))
            record_add_number(numbers, first + i);
    }
    return result == ACCORD_ENOENT ? 0 : result;
}

int journal_find_expected(void *state, const char *message, const char *agreement, struct buf *numbers)
{
    struct journal *journal = state;
    struct index_entry entry;
    int result = index_find_entry(&journal->index, message, &entry);
    if (!result)
        result = add_expected(journal, entry.first, entry.count, agreement, numbers);
    if (!result)
        result = add_expected(journal, entry.released, entry.releases, agreement, numbers);
    return result == ACCORD_ENOENT ? 0 : result;
}

int journal_overdue(void *state, struct store_overdue *overdue)
{
    struct journal *journal = state;
    struct index_delivery found[STORE_PAGE_MAX];
    size_t count = 0;
    overdue->count = 0;
    if (overdue->limit > STORE_PAGE_MAX)
        return ACCORD_ELIMIT;
    int result = index_overdue(&journal->index, overdue->now, found, overdue->limit, &count);
    for (size_t i = 0; !result && i < count; i++) {
        struct record_admission_room room;
        struct store_delivery *to = &overdue->found[overdue->count];
        result = journal_admission(journal, found[i].message, &room);
        if (!result) {
            journal_fill_delivery(journal, &room, &found[i], to);
        } else if (result ==
                   ACCORD_EFORMAT) { /* the message is lost; that its answer is missing is told once */
            *to = (struct store_delivery){.number = found[i].number, .state = found[i].state};
            text_copy(to->agreement, sizeof to->agreement, journal->index.places[found[i].place].agreement);
            text_copy(to->service, sizeof to->service, journal->index.places[found[i].place].service);
            result = 0;
        }
        overdue->count += !result;
    }
    return result;
}

int journal_put_answered(void *state, const struct record_answered *answered)
{
    struct journal *journal = state;
    size_t start = journal_start_record(journal);
    record_put_answered(&journal->bytes, answered);
    int result = put(journal, start, RECORD_ANSWERED);
    return result ? result : index_answered(&journal->index, answered);
}

/* ---- usage ---- */

int journal_usage(void *state, backend_usage usage, void *arg)
{
    const struct index *index = &((struct journal *)state)->index;
    for (size_t i = 0; i < index->place_count; i++) {
        const struct place *place = &index->places[i];
        usage(arg, place->agreement,
              &(struct store_usage){.open_bytes = place->open_bytes,
                                    .open_deliveries =
                                        place->states[STORE_WAITING] + place->states[STORE_HELD]});
    }
    for (size_t i = 0; i < index->name_count; i++) {
        char agreement[STORE_ROUTE_MAX];
        const struct name *name = &index->names[i];
        if (!name->quarantined)
            continue;
        text_copy(agreement, sizeof agreement, name->text);
        agreement[strcspn(agreement, "/")] = 0;
        usage(arg, agreement,
              &(struct store_usage){.quarantine_bytes = name->quarantine_bytes,
                                    .quarantined = name->quarantined});
    }
    return 0;
}
