/* New keys, and copies of the store. */
#include <stdio.h>

#include "store/verbs.h"
#include "util/text.h"

void store_rotate(struct store *store, struct store_rotation *request, store_done done, void *arg)
{
    store_call(store, CALL_ROTATE, request, done, arg);
}

void store_backup(struct store *store, struct store_backup *request, store_done done, void *arg)
{
    store_call(store, CALL_BACKUP, request, done, arg);
}

/* The key is replaced before the record of it is put: with the group undone, the keys have changed all the same. */
int verb_rotate(struct store *store, struct store_rotation *rotation)
{
    rotation->replaced = false;
    rotation->why.text[0] = 0;
    int result = audit_check(rotation->audit, rotation->audit_count);
    if (!result && rotation->agreement && !text_is_name(rotation->agreement, STORE_NAME_MAX - 1))
        result = ACCORD_EINVAL;
    if (result)
        return fail(&rotation->why, result, "no name of an agreement, or no audit record");
    if ((result = store->backend->rotate(store->state, rotation)))
        return result;
    rotation->replaced = true;
    return store->group_error = audit_put(store, rotation->audit, rotation->audit_count);
}
