/* What a plugin may hear only later, never inside a call of its own. */
#include <string.h>

#include "link/role.h"

static void turn(void)
{
    uv_check_stop(&link_role->soon);
    uv_idle_stop(&link_role->ready);
    delivery_turn();
    offer_turn();
}

static void on_check(uv_check_t *check)
{
    (void)check;
    turn();
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
    turn();
}

void role_wake_init(uv_loop_t *loop)
{
    uv_idle_init(loop, &link_role->ready);
    uv_check_init(loop, &link_role->soon);
}

void role_wake_end(void)
{
    if (!link_role->ready.loop)
        return;
    uv_close((uv_handle_t *)&link_role->ready, NULL);
    uv_close((uv_handle_t *)&link_role->soon, NULL);
}

/* The check runs behind the I/O of this turn, and libuv runs the one that was started last first: before the channel's, so
 * that an offer and its payload leave together. The idle handle is for what is said elsewhere in the turn. */
void role_wake(void)
{
    uv_idle_start(&link_role->ready, on_idle);
    uv_check_start(&link_role->soon, on_check);
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
