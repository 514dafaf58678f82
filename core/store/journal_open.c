/* Opening and closing the journal: recovery. */
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "store/restored.h"

#define SEGMENT_MIN   (64u * 1024)
#define SEGMENT_USUAL (64u << 20)
#define LEARN         8 /* pieces that the index's filter learns before work begins; the others follow */
#define VERIFY_MAX    (64u << 20) /* bytes before the index's position that are read again at each start */

/* ---- replaying into the index ---- */

struct replay {
    struct journal *journal;
    struct recover *run;
};

/* A record that is whole but makes no sense was written by a mistake of ours or by something else. */
static int set_aside(struct replay *replay, const struct record_head *head)
{
    uint64_t size = record_span(head->size);
    if (segments_set_aside(&replay->journal->segments, head->position, size)) {
        replay->run->damaged_records++;
        replay->run->damaged_bytes += size;
    }
    return 0;
}

static int replay_admission(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_admission_room room;
    if (record_get_admission(body, head->size, &room))
        return set_aside(replay, head);
    int result = index_admission(&replay->journal->index, head->position, &room.admission);
    return result == ACCORD_EEXIST ? set_aside(replay, head) : result;
}

static int replay_settlement(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_settlement settlement;
    if (record_get_settlement(body, head->size, &settlement))
        return set_aside(replay, head);
    int result = index_settlement(&replay->journal->index, head->position, &settlement);
    return result == ACCORD_ENOENT ? 0 : result; /* its admission was damaged */
}

static int replay_move(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_move move;
    return record_get_move(body, head->size, &move)
               ? set_aside(replay, head)
               : index_move(&replay->journal->index, head->position, &move);
}

static int replay_audit(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_audit audit;
    return record_get_audit(body, head->size, &audit) ? set_aside(replay, head)
                                                      : index_audit(&replay->journal->index, &audit);
}

static int replay_epoch(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    return record_get_epoch(body, head->size, &replay->journal->index.progress.epoch)
               ? set_aside(replay, head)
               : 0;
}

static int replay_person(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct index *index = &replay->journal->index;
    struct record_release_room release;
    struct record_note note;
    struct record_answered answered;
    int result;
    switch (head->type) {
    case RECORD_RELEASE:
        if (record_get_release(body, head->size, &release))
            return set_aside(replay, head);
        result = index_release(index, head->position, &release.release);
        return result == ACCORD_ENOENT ? 0 : result; /* its admission was damaged */
    case RECORD_NOTE:
        return record_get_note(body, head->size, &note) ? set_aside(replay, head) : index_note(index, &note);
    default:
        return record_get_answered(body, head->size, &answered) ? set_aside(replay, head)
                                                                : index_answered(index, &answered);
    }
}

static int replay_adoption(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_adoption adoption;
    uint64_t moved = 0;
    return record_get_adoption(body, head->size, &adoption)
               ? set_aside(replay, head)
               : index_adopt(&replay->journal->index, &adoption, &moved);
}

/* While the index cannot be written it is filled in memory alone: a flush that fails would lose what it is ahead by. */
static int write_out(struct journal *journal)
{
    if (journal->stuck)
        return 0;
    int result = journal_write_index(journal);
    return journal->index.ahead ? result : 0;
}

/* It is the first of its group, and walks the index's file: all before it goes there. What cannot is not forgotten yet. */
static int replay_forget(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_forget forget;
    uint64_t messages = 0;
    if (record_get_forget(body, head->size, &forget))
        return set_aside(replay, head);
    int result = write_out(replay->journal);
    return result ? result : index_forget(&replay->journal->index, &forget, &messages);
}

static int replay_kept(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_kept_room room;
    return record_get_kept(body, head->size, &room) ? set_aside(replay, head)
                                                    : index_kept(&replay->journal->index, &room.kept);
}

static int replay_snapshot(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_snapshot_room room;
    return record_get_snapshot(body, head->size, &room)
               ? set_aside(replay, head)
               : index_snapshot(&replay->journal->index, &room.snapshot);
}

static int replay_carried(struct replay *replay, const struct record_head *head, const uint8_t *body)
{
    struct record_carried_room room;
    return record_get_carried(body, head->size, &room)
               ? set_aside(replay, head)
               : index_carried(&replay->journal->index, head->position, &room.carried);
}

static int on_record(void *arg, const struct record_head *head, const uint8_t *body)
{
    struct replay *replay = arg;
    if (head->group <= replay->journal->index.progress.group)
        return 0; /* the index knows it */
    switch (head->type) {
    case RECORD_ADMISSION:
        return replay_admission(replay, head, body);
    case RECORD_SETTLEMENT:
        return replay_settlement(replay, head, body);
    case RECORD_MOVE:
        return replay_move(replay, head, body);
    case RECORD_AUDIT:
        return replay_audit(replay, head, body);
    case RECORD_EPOCH:
        return replay_epoch(replay, head, body);
    case RECORD_RELEASE:
    case RECORD_NOTE:
    case RECORD_ANSWERED:
        return replay_person(replay, head, body);
    case RECORD_ADOPTION:
        return replay_adoption(replay, head, body);
    case RECORD_FORGET:
        return replay_forget(replay, head, body);
    case RECORD_KEPT:
        return replay_kept(replay, head, body);
    case RECORD_SNAPSHOT:
        return replay_snapshot(replay, head, body);
    case RECORD_CARRIED:
        return replay_carried(replay, head, body);
    default:
        return set_aside(replay, head);
    }
}

static int on_taken(void *arg, const struct recover_group *taken)
{
    struct replay *replay = arg;
    struct index_progress *progress = &replay->journal->index.progress;
    if (taken->group <= progress->group)
        return 0;
    progress->position = taken->end;
    progress->marker = taken->marker;
    progress->group = taken->group;
    if (progress->next_number < taken->next_number)
        progress->next_number = taken->next_number;
    return index_due(&replay->journal->index, progress->position) ? write_out(replay->journal) : 0;
}

int journal_replay(struct journal *journal, struct recover *run)
{
    struct replay replay = {.journal = journal, .run = run};
    run->segments = &journal->segments;
    run->record = on_record;
    run->taken = on_taken;
    run->arg = &replay;
    return recover_run(run);
}

static int catch_up(struct journal *journal)
{
    int result = index_reload(&journal->index);
    if (result)
        return result;
    struct recover run = {
        .from = journal->index.progress.position, .end = journal->at, .durable = journal->group};
    result = journal_replay(journal, &run);
    if (!result)
        result = index_resume(&journal->index);
    if (!result)
        journal->behind = false;
    else
        index_undo(&journal->index);
    return result;
}

int journal_catch_up(struct journal *journal)
{
    bool written = !journal->stuck;
    int result = catch_up(journal);
    return result && written && journal->stuck ? catch_up(journal) : result; /* then in memory alone */
}

/* ---- opening ---- */

/* The index is of use when the group that it came to is in the journal where it says. */
static bool index_matches(struct journal *journal)
{
    const struct index_progress *progress = &journal->index.progress;
    uint8_t bytes[128];
    struct record_head head;
    struct record_commit commit;
    size_t got = 0;
    if (!progress->group)
        return true;
    return !segments_read(&journal->segments, progress->marker, bytes, sizeof bytes, &got) &&
           got >= RECORD_HEAD && record_read_head(bytes, progress->marker, &head) &&
           head.type == RECORD_COMMIT && head.group == progress->group && got >= record_span(head.size) &&
           record_body_good(&head, bytes + RECORD_HEAD) &&
           !record_get_commit(bytes + RECORD_HEAD, head.size, &commit) &&
           progress->marker + record_span(head.size) == progress->position;
}

static uint64_t audit_total(const struct index *index)
{
    uint64_t total = 0;
    for (size_t i = 0; i < index->head_count; i++)
        total += index->heads[i].head.head.sequence;
    return total;
}

static int open_index(struct journal *journal, const char *folder, struct reason *why)
{
    int result = index_open(&journal->index, folder, why);
    journal->index_opened = true;
    if (result != ACCORD_EFORMAT && (result || index_matches(journal)))
        return result;
    if (!result) {
        journal->known_messages = journal->index.progress.messages;
        journal->known_audit = audit_total(&journal->index);
    }
    index_close(&journal->index);
    journal->index_opened = false;
    if ((result = index_delete(folder, why)))
        return result;
    journal->index_opened = true;
    return index_open(&journal->index, folder, why);
}

/* From some way before the index's position, so that damage there is noticed. */
static uint64_t verify_from(struct journal *journal)
{
    const struct index_progress *progress = &journal->index.progress;
    uint64_t bytes = POSITION_OFFSET(progress->position), from = 0;
    if (!progress->group)
        return 0;
    from = POSITION(POSITION_SEGMENT(progress->position), SEGMENT_DATA);
    for (size_t i = journal->segments.count; i-- > 0;) {
        const struct segment *segment = &journal->segments.items[i];
        if (segment->number >= POSITION_SEGMENT(progress->position))
            continue;
        if ((bytes += segment->size) > VERIFY_MAX)
            break;
        from = POSITION(segment->number, SEGMENT_DATA);
    }
    return from;
}

/* Where writing goes on: behind the last group, on clean zeros, in the last file. */
static int resume(struct journal *journal, const struct recover *run)
{
    uint64_t end =
        run->last_end > journal->index.progress.position ? run->last_end : journal->index.progress.position;
    int result = 0;
    if (!journal->segments.count && (result = segments_add(&journal->segments, journal->segment_size, 4096)))
        return result;
    const struct segment *last = &journal->segments.items[journal->segments.count - 1];
    if (!end)
        end = POSITION(journal->segments.items[0].number, SEGMENT_DATA);
    for (size_t i = 0; run->data_end > end && i < journal->segments.count && !result; i++) {
        uint64_t start = POSITION(journal->segments.items[i].number, SEGMENT_DATA);
        if (journal->segments.items[i].number >= POSITION_SEGMENT(end))
            result = segments_zero(&journal->segments, start > end ? start : end);
    }
    /* What a killed process had written counts from now on, so it must not hang on the page cache alone. */
    if (!result && segments_sync(&journal->segments, end))
        result = ACCORD_EIO;
    if (!result && last->number != POSITION_SEGMENT(end))
        result = segments_sync(&journal->segments, POSITION(last->number, 0));
    journal->at = POSITION_SEGMENT(end) == last->number ? end : POSITION(last->number, SEGMENT_DATA);
    journal->group =
        run->last_group > journal->index.progress.group ? run->last_group : journal->index.progress.group;
    journal->opened_at = journal->group;
    journal->cached_from = journal->at;
    journal->cached_most = segments_memory() / CACHED_SHARE;
    segments_extend(&journal->segments, last->number, journal->segment_size);
    return result;
}

static uint64_t excess(uint64_t known, uint64_t found)
{
    return known > found ? known - found : 0;
}

static int recover_all(struct journal *journal, struct backend_found *found, struct reason *why)
{
    const struct index_progress *progress = &journal->index.progress;
    struct recover run = {.from = verify_from(journal), .end = UINT64_MAX, .durable = progress->group};
    bool fresh = !journal->segments.count;
    segments_forget(&journal->segments, progress->position);
    int result = journal_replay(journal, &run);
    if (result)
        return fail(why, result, "cannot read the journal in %s (%s); look at the disk and at memory",
                    journal->segments.folder, error_name(result));
    if ((result = resume(journal, &run)) || (result = index_flush(&journal->index)))
        return fail(why, result, "cannot write to the journal in %s: %s", journal->segments.folder,
                    result == ACCORD_ELIMIT ? "the disk is full; make room" : "the disk refuses; look at it");
    for (int i = 0; i < LEARN && index_learn(&journal->index); i++)
        ;
    found->next_number = progress->next_number;
    found->epoch = progress->epoch;
    found->recovery =
        (struct store_recovery){.records = run.records,
                                .damaged_records = run.damaged_records,
                                .damaged_bytes = run.damaged_bytes,
                                .messages = progress->messages,
                                .lost_messages = excess(journal->known_messages, progress->messages),
                                .lost_audit = excess(journal->known_audit, audit_total(&journal->index)),
                                .end = journal->at,
                                .fresh = fresh,
                                .restored = restored_from(journal->segments.folder)};
    journal_find_missing(journal, &found->recovery);
    for (size_t i = 0; i < journal->index.place_count; i++)
        found->recovery.open_deliveries +=
            journal->index.places[i].states[STORE_WAITING] + journal->index.places[i].states[STORE_HELD];
    return 0;
}

/* ---- formats ---- */

static enum keys_store keys_needed(const struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->items[i].version > 1)
            return KEYS_SEALED;
    return segments->count ? KEYS_UNSEALED : KEYS_EMPTY;
}

/* A file of an older format is not written any more: the agent that made it would misread what we put there. */
static int leave_old_file(struct journal *journal, struct reason *why)
{
    const struct segment *last = &journal->segments.items[journal->segments.count - 1];
    bool old = last->version && last->version < SEGMENT_VERSION;
    int result = old ? journal_roll_over(journal, 4096) : 0;
    return result ? fail(why, result, "cannot begin a new file of the journal in %s: %s",
                         journal->segments.folder,
                         result == ACCORD_ELIMIT ? "the disk is full; make room"
                                                 : "the disk refuses; look at it")
                  : 0;
}

static void release(struct journal *journal)
{
    journal_backup_end(journal);
    keys_close(&journal->keys);
    if (journal->index_opened)
        index_close(&journal->index);
    if (journal->segments_opened)
        segments_close(&journal->segments);
    buf_fini(&journal->bytes);
    buf_fini(&journal->last);
    buf_fini(&journal->changes);
    buf_fini(&journal->first);
    buf_fini(&journal->second);
    buf_fini(&journal->numbers);
    buf_fini(&journal->picks);
    buf_fini(&journal->window.bytes);
    journal_cleaner_fini(&journal->cleaner);
    journal_newest_fini(journal);
    free(journal);
}

int journal_open(void **state, const struct store_config *config, struct backend_found *found,
                 struct reason *why)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    journal->segment_size = config->segment_size > 0 ? (uint64_t)config->segment_size : SEGMENT_USUAL;
    if (journal->segment_size < SEGMENT_MIN)
        journal->segment_size = SEGMENT_MIN;
    journal->reserve = config->reserve > 0 ? (uint64_t)config->reserve : 0;
    journal->fault = config->fault;
    int result = segments_open(&journal->segments, config->folder, why);
    journal->segments_opened = true;
    if (!result)
        result = keys_open(&journal->keys, config->folder, config->key_file, keys_needed(&journal->segments),
                           config->fault, why);
    if (!result)
        result = open_index(journal, config->folder, why);
    if (!result)
        result = recover_all(journal, found, why);
    if (!result)
        result = leave_old_file(journal, why);
    if (result) {
        release(journal);
        return result;
    }
    journal_newest_keep(journal);
    *state = journal;
    return 0;
}

void journal_close(void *state)
{
    struct journal *journal = state;
    if (!journal->broken && !journal->behind)
        index_flush(&journal->index); /* a failure costs the next start a longer replay */
    if (!journal->broken && !journal->tail_dirty && journal->group != journal->opened_at)
        journal_finish(journal);
    release(journal);
}
