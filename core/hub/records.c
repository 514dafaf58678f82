#include "hub/records.h"

#include <stdlib.h>

#include "util/log.h"
#include "util/text.h"

#define AGAIN_PAUSE 1000 /* ms until records that the store did not take are given to it again */
#define KEPT_MAX    4096 /* of those; more are lost, and that is recorded */

/* One record on its way to the store, which empties what it is given: `body` stays until it was committed. */
struct entry {
    struct records *records;
    struct entry *next;
    uint64_t number; /* in the order of events */
    char chain[STORE_NAME_MAX];
    struct buf body;
    struct store_audit audit;
};

static void entry_free(struct entry *entry)
{
    buf_fini(&entry->body);
    buf_fini(&entry->audit.body);
    free(entry);
}

static void lose(struct records *records, const char *why)
{
    records->lost++;
    log_event(ACCORD_ERROR, "audit.lost", NULL, "an audit record is lost: %s", why);
}

static void keep(struct records *records, struct entry *entry)
{
    struct entry **at = &records->kept;
    if (records->kept_count == KEPT_MAX) {
        lose(records, "the store takes none, and too many wait");
        entry_free(entry);
        return;
    }
    if (records->kept && records->kept_last->number < entry->number)
        at = &records->kept_last->next;
    while (*at && (*at)->number < entry->number)
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
    if (!entry->next)
        records->kept_last = entry;
    records->kept_count++;
}

static void recorded(void *arg, int result);

static void give(struct records *records, struct entry *entry)
{
    buf_clear(&entry->audit.body);
    buf_put(&entry->audit.body, entry->body.data, entry->body.size);
    entry->audit.chain = entry->chain;
    store_audit(records->store, &entry->audit, 1, recorded, entry);
}

static struct entry *take_kept(struct records *records)
{
    struct entry *entry = records->kept;
    records->kept = entry->next;
    records->kept_count--;
    return entry;
}

void records_give(struct records *records)
{
    for (size_t count = records->kept_count; count; count--)
        give(records, take_kept(records));
}

static void recorded(void *arg, int result)
{
    struct entry *entry = arg;
    struct records *records = entry->records;
    if (result && !records->failing)
        log_event(
            ACCORD_ERROR, "audit.waits", NULL,
            "audit records cannot be stored (%s): no new session is opened until they can; make room on the "
            "store's disk",
            error_name(result));
    else if (!result && records->failing)
        log_event(ACCORD_NOTICE, "audit.stores", NULL, "audit records are stored again");
    if (result == ACCORD_EINVAL) { /* never: it would hold up all that come behind it */
        lose(records, "the store says that it is not well formed");
        entry_free(entry);
        return;
    }
    records->failing = result != 0;
    if (result) {
        keep(records, entry);
        return;
    }
    entry_free(entry);
    records_give(records);
}

void records_add(struct records *records, const struct audit_event *event)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry)
        audit_render(&entry->body, event);
    if (!entry || entry->body.failed) {
        lose(records, "out of memory");
        if (entry)
            entry_free(entry);
        return;
    }
    entry->records = records;
    entry->number = ++records->last_number;
    text_copy(entry->chain, sizeof entry->chain, event->agreement ? event->agreement : AUDIT_HOST_CHAIN);
    if (records->kept)
        keep(records, entry); /* behind those before it */
    else
        give(records, entry);
}

void records_tick(struct records *records, int64_t ticks)
{
    if (!records->kept || ticks < records->again_at)
        return;
    records->again_at = ticks + AGAIN_PAUSE;
    give(records, take_kept(records));
}

uint64_t records_lost(struct records *records)
{
    uint64_t lost = records->lost;
    records->lost = 0;
    return lost;
}

void records_fini(struct records *records)
{
    if (records->kept)
        log_event(ACCORD_ERROR, "audit.lost", NULL, "%zu audit records could not be stored before the end",
                  records->kept_count);
    while (records->kept)
        entry_free(take_kept(records));
}
