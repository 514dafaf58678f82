/* Records of persons' decisions and of time, and those that are carried over when a segment is deleted. */
#include <string.h>

#include "store/record_bytes.h"

/* ---- persons ---- */

void record_put_release(struct buf *buf, const struct record_release *release)
{
    add_text(buf, release->message);
    add_text(buf, release->reason);
    add64(buf, (uint64_t)release->changed);
    add64(buf, (uint64_t)release->size);
    add_deliveries(buf, release->first, release->deliveries, release->delivery_count);
}

int record_get_release(const uint8_t *body, size_t size, struct record_release_room *room)
{
    struct reader in = {body, size, false};
    struct record_release *release = &room->release;
    release->message = take_text(&in, ACCORD_ID_MAX);
    release->reason = take_text(&in, ACCORD_REASON_MAX);
    release->changed = (int64_t)take64(&in);
    release->size = (int64_t)take64(&in);
    release->delivery_count = take_deliveries(&in, &release->first, room->deliveries);
    release->deliveries = room->deliveries;
    return release->size < 0 ? ACCORD_EFORMAT : take_end(&in);
}

void record_put_adoption(struct buf *buf, const struct record_adoption *adoption)
{
    add_text(buf, adoption->from);
    add_text(buf, adoption->to);
    add64(buf, (uint64_t)adoption->changed);
}

int record_get_adoption(const uint8_t *body, size_t size, struct record_adoption *adoption)
{
    struct reader in = {body, size, false};
    adoption->from = take_text(&in, STORE_NAME_MAX);
    adoption->to = take_text(&in, STORE_NAME_MAX);
    adoption->changed = (int64_t)take64(&in);
    return !adoption->from[0] || !adoption->to[0] ? ACCORD_EFORMAT : take_end(&in);
}

void record_put_note(struct buf *buf, const struct record_note *note)
{
    add_text(buf, note->name);
    add_text(buf, note->value);
}

int record_get_note(const uint8_t *body, size_t size, struct record_note *note)
{
    struct reader in = {body, size, false};
    note->name = take_text(&in, STORE_ROUTE_MAX);
    note->value = take_text(&in, ACCORD_SOURCE_ID_MAX);
    return !note->name[0] ? ACCORD_EFORMAT : take_end(&in);
}

/* ---- time ---- */

void record_put_answered(struct buf *buf, const struct record_answered *answered)
{
    add32(buf, (uint32_t)answered->count);
    buf_put(buf, answered->numbers, 8 * answered->count);
}

int record_get_answered(const uint8_t *body, size_t size, struct record_answered *answered)
{
    struct reader in = {body, size, false};
    answered->count = take_count(&in, RECORD_MOVE_MAX);
    answered->numbers = take(&in, 8 * answered->count);
    return take_end(&in);
}

uint64_t record_answered_number(const struct record_answered *answered, size_t index)
{
    return bytes_get64(answered->numbers + 8 * index);
}

void record_put_forget(struct buf *buf, const struct record_forget *forget)
{
    add_text(buf, forget->after);
    add_text(buf, forget->until);
    add64(buf, (uint64_t)forget->settled_before);
    add64(buf, (uint64_t)forget->seen_before);
    add64(buf, (uint64_t)forget->keys_before);
}

int record_get_forget(const uint8_t *body, size_t size, struct record_forget *forget)
{
    struct reader in = {body, size, false};
    forget->after = take_text(&in, ACCORD_ID_MAX);
    forget->until = take_text(&in, ACCORD_ID_MAX);
    forget->settled_before = (int64_t)take64(&in);
    forget->seen_before = (int64_t)take64(&in);
    forget->keys_before = (int64_t)take64(&in);
    return take_end(&in);
}

/* ---- a message carried over: its admission as it was, then where its deliveries stand ---- */

static void add_standing(struct buf *buf, const struct record_standing *standing)
{
    add64(buf, standing->number);
    add_text(buf, standing->agreement);
    add_text(buf, standing->service);
    add8(buf, standing->state);
    add64(buf, (uint64_t)standing->attempts);
    add64(buf, (uint64_t)standing->attempts_before);
    add64(buf, (uint64_t)standing->not_before);
    add64(buf, (uint64_t)standing->changed);
    add64(buf, (uint64_t)standing->since);
    add64(buf, (uint64_t)standing->answer_by);
    add64(buf, standing->generation);
    add_text(buf, standing->rule);
    add_text(buf, standing->reason);
    add_text(buf, standing->receipt);
}

static void take_standing(struct reader *in, struct record_standing *standing)
{
    standing->number = take64(in);
    standing->agreement = take_text(in, STORE_NAME_MAX);
    standing->service = take_text(in, STORE_NAME_MAX);
    standing->state = take_state(in);
    standing->attempts = (int64_t)take64(in);
    standing->attempts_before = (int64_t)take64(in);
    standing->not_before = (int64_t)take64(in);
    standing->changed = (int64_t)take64(in);
    standing->since = (int64_t)take64(in);
    standing->answer_by = (int64_t)take64(in);
    standing->generation = take64(in);
    standing->rule = take_text(in, ACCORD_RULE_MAX);
    standing->reason = take_text(in, ACCORD_REASON_MAX);
    standing->receipt = take_text(in, STORE_RECEIPT_MAX);
}

void record_put_carried(struct buf *buf, const struct record_carried *carried)
{
    size_t start = buf->size;
    add32(buf, 0);
    record_put_admission(buf, carried->admission);
    if (buf->failed)
        return;
    bytes_put32(buf->data + start, (uint32_t)(buf->size - start - 4));
    add64(buf, carried->released);
    add32(buf, (uint32_t)carried->releases);
    add64(buf, (uint64_t)carried->released_at);
    add32(buf, (uint32_t)carried->standing_count);
    for (size_t i = 0; i < carried->standing_count; i++)
        add_standing(buf, &carried->standings[i]);
}

/* Steps over the admission. */
static int take_admission(struct reader *in, struct record_admission_room *room)
{
    size_t length = take32(in);
    const uint8_t *admission = length <= in->left ? take(in, length) : NULL;
    return admission ? record_get_admission(admission, length, room) : ACCORD_EFORMAT;
}

int record_get_carried_admission(const uint8_t *body, size_t size, struct record_admission_room *room)
{
    struct reader in = {body, size, false};
    return take_admission(&in, room);
}

int record_get_carried(const uint8_t *body, size_t size, struct record_carried_room *room)
{
    struct reader in = {body, size, false};
    struct record_carried *carried = &room->carried;
    if (take_admission(&in, &room->admission))
        return ACCORD_EFORMAT;
    carried->admission = &room->admission.admission;
    carried->released = take64(&in);
    carried->releases = take_count(&in, RECORD_DELIVERIES_MAX);
    carried->released_at = (int64_t)take64(&in);
    carried->standing_count = take_count(&in, RECORD_STANDINGS_MAX);
    for (size_t i = 0; i < carried->standing_count; i++)
        take_standing(&in, &room->standings[i]);
    carried->standings = room->standings;
    bool good = carried->standing_count <= carried->admission->delivery_count + carried->releases &&
                !carried->admission->cursor && !carried->admission->key_count;
    return good ? take_end(&in) : ACCORD_EFORMAT;
}

/* ---- small things carried over ---- */

void record_put_kept(struct buf *buf, const struct record_kept *kept)
{
    add32(buf, (uint32_t)kept->echo_count);
    for (size_t i = 0; i < kept->echo_count; i++) {
        add64(buf, kept->echoes[i].key);
        add64(buf, (uint64_t)kept->echoes[i].hash);
        add64(buf, (uint64_t)kept->echoes[i].time);
        add_text(buf, kept->echoes[i].id);
    }
    add32(buf, (uint32_t)kept->key_count);
    for (size_t i = 0; i < kept->key_count; i++) {
        add_text(buf, kept->keys[i].key);
        add64(buf, (uint64_t)kept->keys[i].time);
    }
}

int record_get_kept(const uint8_t *body, size_t size, struct record_kept_room *room)
{
    struct reader in = {body, size, false};
    struct record_kept *kept = &room->kept;
    kept->echo_count = take_count(&in, RECORD_KEPT_MAX);
    for (size_t i = 0; i < kept->echo_count; i++) {
        room->echoes[i].key = take64(&in);
        room->echoes[i].hash = (int64_t)take64(&in);
        room->echoes[i].time = (int64_t)take64(&in);
        room->echoes[i].id = take_text(&in, ACCORD_ID_MAX);
    }
    kept->echoes = room->echoes;
    kept->key_count = take_count(&in, RECORD_KEPT_MAX);
    for (size_t i = 0; i < kept->key_count; i++) {
        room->keys[i].key = take_text(&in, RECORD_KEY_MAX);
        room->keys[i].time = (int64_t)take64(&in);
    }
    kept->keys = room->keys;
    return take_end(&in);
}

void record_put_snapshot(struct buf *buf, const struct record_snapshot *snapshot)
{
    add64(buf, snapshot->epoch);
    add64(buf, (uint64_t)snapshot->seen_before);
    add64(buf, (uint64_t)snapshot->keys_before);
    add32(buf, (uint32_t)snapshot->chain_count);
    for (size_t i = 0; i < snapshot->chain_count; i++) {
        add_text(buf, snapshot->chains[i].name);
        add64(buf, snapshot->chains[i].head.sequence);
        buf_put(buf, snapshot->chains[i].head.hash, DIGEST_SIZE);
    }
}

int record_get_snapshot(const uint8_t *body, size_t size, struct record_snapshot_room *room)
{
    struct reader in = {body, size, false};
    struct record_snapshot *snapshot = &room->snapshot;
    snapshot->epoch = take64(&in);
    snapshot->seen_before = (int64_t)take64(&in);
    snapshot->keys_before = (int64_t)take64(&in);
    snapshot->chain_count = take_count(&in, RECORD_CHAINS_MAX);
    for (size_t i = 0; i < snapshot->chain_count; i++) {
        room->chains[i].name = take_text(&in, STORE_NAME_MAX);
        room->chains[i].head.sequence = take64(&in);
        memcpy(room->chains[i].head.hash, take(&in, DIGEST_SIZE), DIGEST_SIZE);
    }
    snapshot->chains = room->chains;
    return take_end(&in);
}
