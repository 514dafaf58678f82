/* What a plugin may hear only later, never inside a call of its own. */
#include <string.h>

#include "link/role.h"

static void on_turn(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    delivery_turn();
    offer_turn();
}

void role_wake(void)
{
    uv_idle_start(&link_role->ready, on_turn);
}

bool role_later(struct buf *ids, uint64_t id)
{
    buf_put(ids, &id, sizeof id);
    role_wake();
    return !ids->failed;
}

bool role_next(struct buf *ids, size_t *at, uint64_t *id)
{
    if (*at == ids->size) {
        buf_clear(ids);
        return false;
    }
    memcpy(id, ids->data + *at, sizeof *id);
    *at += sizeof *id;
    return true;
}
