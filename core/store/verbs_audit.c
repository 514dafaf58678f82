/* Audit records on their way into the journal, and the chains that they are sealed into. Store thread. */
#include <stdlib.h>
#include <string.h>

#include "store/verbs.h"
#include "util/text.h"

#define CHAIN_SPACE 512 /* upper bound of what sealing adds to a body */

/* ---- taking audit records over from the caller ---- */

void audit_batch_free(struct audit_batch *batch)
{
    for (size_t i = 0; batch && i < batch->count; i++)
        buf_fini(&batch->records[i].body);
    free(batch);
}

static struct audit_batch *audit_batch_take(struct store_audit *records, size_t count)
{
    size_t names = 0;
    for (size_t i = 0; i < count; i++)
        names += strlen(records[i].chain) + 1;
    struct audit_batch *batch = malloc(sizeof *batch + count * sizeof *records + names);
    if (!batch)
        return NULL;
    batch->count = count;
    batch->records = (struct store_audit *)(batch + 1);
    char *name = (char *)(batch->records + count);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(records[i].chain) + 1;
        batch->records[i] = records[i];
        batch->records[i].chain = memcpy(name, records[i].chain, size);
        records[i].body = (struct buf){0};
        name += size;
    }
    return batch;
}

void store_audit(struct store *store, struct store_audit *records, size_t count, store_done done, void *arg)
{
    struct audit_batch *batch = audit_batch_take(records, count);
    if (!batch) {
        for (size_t i = 0; i < count; i++)
            buf_fini(&records[i].body);
        store_finish_later(store, ACCORD_ENOMEM, done, arg);
        return;
    }
    store_call(store, CALL_AUDIT, batch, done, arg);
}

/* With what it shares. */
static size_t body_size(const struct store_audit *record)
{
    return record->body.size + record->shared.parts[0].size + record->shared.parts[1].size;
}

uint64_t audit_need(const struct store_audit *records, size_t count)
{
    uint64_t need = 0;
    for (size_t i = 0; i < count; i++)
        need += body_size(&records[i]) + 2 * CHAIN_SPACE;
    return need;
}

/* ---- chains ---- */

struct chain *verb_chain(struct store *store, const char *name)
{
    for (size_t i = 0; i < store->chain_count; i++)
        if (!strcmp(store->chains[i].name, name))
            return &store->chains[i];
    if (store->chain_count == store->chain_room) {
        size_t room = store->chain_room ? 2 * store->chain_room : 8;
        struct chain *chains = realloc(store->chains, room * sizeof *chains);
        if (!chains)
            return NULL;
        store->chains = chains;
        store->chain_room = room;
    }
    struct chain *chain = &store->chains[store->chain_count++];
    *chain = (struct chain){0};
    text_copy(chain->name, sizeof chain->name, name);
    return chain;
}

void verbs_keep(struct store *store)
{
    for (size_t i = 0; i < store->chain_count; i++)
        store->chains[i].moved = false;
    store->next_before = store->next_number;
}

void verbs_undo(struct store *store)
{
    for (size_t i = 0; i < store->chain_count; i++)
        if (store->chains[i].moved) {
            store->chains[i].head = store->chains[i].before;
            store->chains[i].moved = false;
        }
    store->next_number = store->next_before;
}

/* Asked before anything is put, so that sealing cannot fail for the caller's mistakes. */
int audit_check(const struct store_audit *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!records[i].chain || !text_is_name(records[i].chain, STORE_NAME_MAX - 1) || !records[i].body.size)
            return ACCORD_EINVAL;
        if (records[i].body.failed)
            return ACCORD_ENOMEM;
        if (body_size(&records[i]) > AUDIT_LINE_MAX - CHAIN_SPACE)
            return ACCORD_ELIMIT;
    }
    return 0;
}

static int audit_put_one(struct store *store, struct store_audit *record)
{
    struct chain *chain = verb_chain(store, record->chain);
    if (!chain)
        return ACCORD_ENOMEM;
    if (!chain->moved) {
        chain->before = chain->head;
        chain->moved = true;
    }
    struct record_audit unsealed = {.chain = record->chain,
                                    .line = (char *)record->body.data,
                                    .size = record->body.size,
                                    .shared = &record->shared};
    return store->backend->put_audit(store->state, &unsealed, &chain->head);
}

int audit_put(struct store *store, struct store_audit *records, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && !result; i++)
        result = audit_put_one(store, &records[i]);
    return result;
}
