/* Verbs of time and room: answers that are overdue, what has had its time, what each agreement keeps. */
#include <stdlib.h>
#include <string.h>

#include "store/verbs.h"
#include "util/text.h"

/* ---- time: store thread ---- */

static int check_missed(const struct store_missed *missed)
{
    return missed->count > STORE_PAGE_MAX ? ACCORD_ELIMIT
                                          : audit_check(missed->audit, missed->count * missed->audit_each);
}

static int audit_of(struct store *store, const struct store_missed *missed, size_t i)
{
    return audit_put(store, &missed->audit[i * missed->audit_each], missed->audit_each);
}

/* What was answered since it was found overdue is none of it. */
static int find_missed(struct store *store, struct store_missed *missed, struct buf *numbers)
{
    int result = 0;
    for (size_t i = 0; !result && i < missed->count; i++) {
        struct backend_delivery found = {0};
        uint64_t number = missed->deliveries[i].number;
        result = store->backend->find_delivery(store->state, number, &found);
        missed->told[i] = !result && found.answer_by;
        if (missed->told[i])
            record_add_number(numbers, number);
        if (result == ACCORD_ENOENT)
            result = audit_of(store, missed, i);
    }
    return !result && numbers->failed ? ACCORD_ENOMEM : result;
}

int verb_missed(struct store *store, struct store_missed *missed)
{
    struct buf *numbers = &store->scratch;
    int result = check_missed(missed);
    buf_clear(numbers);
    if (!result)
        result = find_missed(store, missed, numbers);
    struct record_answered record = {.numbers = numbers->data, .count = numbers->size / 8};
    if (result || !record.count)
        return result;
    result = store->backend->put_answered(store->state, &record);
    for (size_t i = 0; !result && i < missed->count; i++)
        if (missed->told[i])
            result = audit_of(store, missed, i);
    return store->group_error = result;
}

int verb_retain(struct store *store, struct store_retention *retention)
{
    retention->messages = retention->segments = retention->bytes = 0;
    retention->more = retention->hurry = false;
    store->asks_room = true;
    return store->group_error = store->backend->put_retention(store->state, retention, payload_staged(store));
}

/* ---- what is kept ---- */

static struct account *account_find(const struct accounts *accounts, const char *agreement)
{
    for (size_t i = 0; i < accounts->count; i++)
        if (!strcmp(accounts->items[i].agreement, agreement))
            return &accounts->items[i];
    return NULL;
}

static struct account *account_of(struct accounts *accounts, const char *agreement)
{
    struct account *account = account_find(accounts, agreement);
    if (account)
        return account;
    if (accounts->count == accounts->room) {
        size_t room = accounts->room ? 2 * accounts->room : 8;
        struct account *items = realloc(accounts->items, room * sizeof *items);
        if (!items)
            return NULL;
        accounts->items = items;
        accounts->room = room;
    }
    account = &accounts->items[accounts->count++];
    *account = (struct account){0};
    text_copy(account->agreement, sizeof account->agreement, agreement);
    return account;
}

static void count_usage(void *arg, const char *agreement, const struct store_usage *usage)
{
    struct account *account = account_of(arg, agreement);
    if (!account)
        return; /* no memory: it counts as nothing until the next group */
    account->usage.open_bytes += usage->open_bytes;
    account->usage.open_deliveries += usage->open_deliveries;
    account->usage.quarantine_bytes += usage->quarantine_bytes;
    account->usage.quarantined += usage->quarantined;
}

void accounts_publish(struct store *store)
{
    struct accounts *counting = &store->counting;
    for (size_t i = 0; i < counting->count; i++)
        counting->items[i].usage = (struct store_usage){0};
    bool counted = store->backend->usage(store->state, count_usage, counting) == 0;
    bool roomy = store->roomy; /* only this thread writes it */
    if (store->asks_room || store->has_admission || !roomy)
        roomy = !store->no_room && store->backend->roomy(store->state);
    store->asks_room = store->no_room = false;
    uv_mutex_lock(&store->lock);
    store->roomy = roomy;
    if (counted) {
        struct accounts published = store->accounts;
        store->accounts = *counting;
        *counting = published;
        if (!++store->usages)
            ++store->usages;
    }
    uv_mutex_unlock(&store->lock);
}

void accounts_fini(struct accounts *accounts)
{
    free(accounts->items);
    *accounts = (struct accounts){0};
}

/* ---- loop thread ---- */

struct store_usage store_usage(const struct store *of, const char *agreement)
{
    struct store *store = (struct store *)of; /* the lock is no part of what is asked for */
    uv_mutex_lock(&store->lock);
    const struct account *account = account_find(&store->accounts, agreement);
    struct store_usage usage = account ? account->usage : (struct store_usage){0};
    uv_mutex_unlock(&store->lock);
    return usage;
}

unsigned store_usages(const struct store *store)
{
    return store->usages;
}

bool store_roomy(const struct store *of)
{
    struct store *store = (struct store *)of;
    uv_mutex_lock(&store->lock);
    bool roomy = store->roomy;
    uv_mutex_unlock(&store->lock);
    return roomy;
}
