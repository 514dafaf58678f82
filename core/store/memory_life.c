/* The memory back end: persons' decisions, expected answers, retention. */
#include <stdio.h>
#include <string.h>

#include "store/memory.h"
#include "util/text.h"

static bool is_open(const struct store_delivery *delivery)
{
    return delivery->state >= STORE_WAITING && delivery->state <= STORE_SENDING;
}

/* ---- answers ---- */

int memory_find_expected(void *state, const char *message, const char *agreement, struct buf *numbers)
{
    struct memory *m = state;
    for (size_t i = 0; i < m->deliveries.count; i++) {
        const struct filed *filed = &m->deliveries.items[i];
        if (filed->answer_by && !filed->gone && !strcmp(filed->delivery.message, message) &&
            !strcmp(filed->delivery.agreement, agreement))
            record_add_number(numbers, filed->delivery.number);
    }
    return 0;
}

int memory_overdue(void *state, struct store_overdue *overdue)
{
    struct memory *m = state;
    overdue->count = 0;
    if (overdue->limit > STORE_PAGE_MAX)
        return ACCORD_ELIMIT;
    for (size_t i = 0; i < m->deliveries.count && overdue->count < overdue->limit; i++) {
        const struct filed *filed = &m->deliveries.items[i];
        if (filed->answer_by && filed->answer_by <= overdue->now && !filed->gone)
            overdue->found[overdue->count++] = filed->delivery;
    }
    return 0;
}

int memory_put_answered(void *state, const struct record_answered *answered)
{
    for (size_t i = 0; i < answered->count; i++) {
        struct filed *filed = memory_change(state, record_answered_number(answered, i) - 1);
        if (!filed)
            return ACCORD_ENOMEM;
        filed->answer_by = 0;
    }
    return 0;
}

/* ---- quarantine ---- */

int memory_find_quarantined(void *state, const char *message, bool *quarantined, int64_t *size)
{
    const struct kept *kept = memory_message(state, message);
    if (!kept)
        return ACCORD_ENOENT;
    *quarantined = kept->flags & STORE_QUARANTINED;
    *size = kept->size;
    return 0;
}

int memory_put_release(void *state, const struct record_release *release)
{
    struct memory *m = state;
    struct kept *kept = memory_change_message(m, memory_message(m, release->message));
    if (!kept)
        return ACCORD_ENOMEM;
    kept->flags &= ~(unsigned)STORE_QUARANTINED;
    kept->settled = release->changed;
    kept->released = m->deliveries.count;
    kept->releases = release->delivery_count;
    int result = 0;
    for (size_t i = 0; !result && i < release->delivery_count; i++)
        result =
            memory_add_delivery(m, release->message, kept->size, release->changed, &release->deliveries[i]);
    return result;
}

int memory_stale(void *state, struct store_stale *stale)
{
    struct memory *m = state;
    stale->count = 0;
    for (size_t i = 0; i < m->messages.count && stale->count < stale->limit; i++) {
        struct record_admission_room room;
        const struct kept *kept = &m->messages.items[i];
        if (kept->gone || !(kept->flags & STORE_QUARANTINED) || kept->time >= stale->before ||
            !text_is_below(kept->origin, stale->agreement) || !memory_decode(kept, &room))
            continue;
        memcpy(stale->found[stale->count++], room.admission.id, ACCORD_ID_MAX);
    }
    return 0;
}

/* ---- adoption ---- */

static int adopt_deliveries(struct memory *m, const struct record_adoption *adoption, uint64_t *moved)
{
    for (size_t i = 0; i < m->deliveries.count; i++) {
        const struct store_delivery *delivery = &m->deliveries.items[i].delivery;
        if ((!is_open(delivery) && delivery->state != STORE_DEAD) ||
            strcmp(delivery->agreement, adoption->from))
            continue;
        struct filed *filed = memory_change(m, i);
        if (!filed)
            return ACCORD_ENOMEM;
        text_copy(filed->delivery.agreement, sizeof filed->delivery.agreement, adoption->to);
        ++*moved;
    }
    return 0;
}

static int adopt_messages(struct memory *m, const struct record_adoption *adoption, uint64_t *moved)
{
    for (size_t i = 0; i < m->messages.count; i++) {
        char origin[STORE_ROUTE_MAX];
        struct kept *kept = &m->messages.items[i];
        if (!(kept->flags & STORE_QUARANTINED) || !text_is_below(kept->origin, adoption->from))
            continue;
        if (!(kept = memory_change_message(m, kept)))
            return ACCORD_ENOMEM;
        snprintf(origin, sizeof origin, "%s%s", adoption->to, strchr(kept->origin, '/'));
        text_copy(kept->origin, sizeof kept->origin, origin);
        ++*moved;
    }
    return 0;
}

/* A cursor or note of `from`, and what it is called with `to`. */
static bool adopted_name(char to[STORE_ROUTE_MAX + 8], const char *name,
                         const struct record_adoption *adoption)
{
    const char *slash = strchr(name, '/');
    bool note = name[0] == '!';
    if (note ? !slash || strcmp(slash + 1, adoption->from) : !text_is_below(name, adoption->from))
        return false;
    if (note)
        snprintf(to, STORE_ROUTE_MAX + 8, "%.*s/%s", (int)(slash - name), name, adoption->to);
    else
        snprintf(to, STORE_ROUTE_MAX + 8, "%s%s", adoption->to, slash);
    return true;
}

static int adopt_cursors(struct memory *m, const struct record_adoption *adoption)
{
    int result = 0;
    for (size_t i = m->cursors.count; i-- > 0 && !result;) {
        char name[STORE_ROUTE_MAX + 8];
        struct cursor cursor = m->cursors.items[i];
        if (!cursor.value[0] || !adopted_name(name, cursor.route, adoption) ||
            strcmp(memory_cursor_of(m, cursor.route), cursor.value) != 0 || memory_cursor_of(m, name)[0])
            continue;
        result = memory_put_note(m, &(struct record_note){name, cursor.value});
        if (!result)
            result = memory_put_note(m, &(struct record_note){cursor.route, ""});
    }
    return result;
}

int memory_put_adoption(void *state, const struct record_adoption *adoption, uint64_t *moved)
{
    int result = adopt_deliveries(state, adoption, moved);
    if (!result)
        result = adopt_messages(state, adoption, moved);
    return result ? result : adopt_cursors(state, adoption);
}

/* ---- retention: nothing is given back, but what is forgotten is not found any more ---- */

static bool settled_before(const struct memory *m, const struct kept *kept, size_t first, size_t count,
                           int64_t before)
{
    for (size_t i = first; i < first + count; i++) {
        const struct filed *filed = &m->deliveries.items[i];
        if ((filed->delivery.state != STORE_DELIVERED && filed->delivery.state != STORE_DISCARDED) ||
            filed->answer_by || filed->delivery.changed >= before)
            return false;
    }
    return !(kept->flags & STORE_QUARANTINED) && kept->settled < before;
}

static int forget(struct memory *m, struct kept *kept)
{
    if (!(kept = memory_change_message(m, kept)))
        return ACCORD_ENOMEM;
    kept->gone = true;
    for (size_t i = 0; i < kept->count + kept->releases; i++) {
        struct filed *filed =
            memory_change(m, i < kept->count ? kept->first + i : kept->released + i - kept->count);
        if (!filed)
            return ACCORD_ENOMEM;
        filed->gone = true;
    }
    return 0;
}

int memory_put_retention(void *state, struct store_retention *retention, uint64_t staged)
{
    struct memory *m = state;
    int result = 0;
    (void)staged;
    for (size_t i = 0; i < m->messages.count && !result; i++) {
        struct kept *kept = &m->messages.items[i];
        if (kept->gone || !settled_before(m, kept, kept->first, kept->count, retention->settled_before) ||
            !settled_before(m, kept, kept->released, kept->releases, retention->settled_before))
            continue;
        result = forget(m, kept);
        retention->messages++;
    }
    if (m->keys_before < retention->keys_before)
        m->keys_before = retention->keys_before;
    if (m->seen_before < retention->seen_before)
        m->seen_before = retention->seen_before;
    return result;
}

uint64_t memory_retention_need(void *state)
{
    (void)state;
    return 0;
}

int memory_sweep(void *state, struct store_retention *retention)
{
    (void)state, (void)retention;
    return 0;
}

/* ---- usage ---- */

int memory_usage(void *state, backend_usage usage, void *arg)
{
    const struct memory *m = state;
    for (size_t i = 0; i < m->deliveries.count; i++) {
        const struct filed *filed = &m->deliveries.items[i];
        if (is_open(&filed->delivery))
            usage(arg, filed->delivery.agreement,
                  &(struct store_usage){.open_bytes = (uint64_t)filed->size, .open_deliveries = 1});
    }
    for (size_t i = 0; i < m->messages.count; i++) {
        char agreement[STORE_ROUTE_MAX];
        const struct kept *kept = &m->messages.items[i];
        if (!(kept->flags & STORE_QUARANTINED))
            continue;
        text_copy(agreement, sizeof agreement, kept->origin);
        agreement[strcspn(agreement, "/")] = 0;
        usage(arg, agreement,
              &(struct store_usage){.quarantine_bytes = (uint64_t)kept->size, .quarantined = 1});
    }
    return 0;
}

/* ---- keys and copies: there is nothing to seal, and nothing to keep ---- */

int memory_rotate(void *state, struct store_rotation *rotation)
{
    (void)state, (void)rotation;
    return 0;
}

int memory_backup(void *state, struct store_backup *backup)
{
    (void)state;
    backup->more = false;
    return fail(&backup->why, ACCORD_ENOTSUP, "a store in memory has no backups");
}
