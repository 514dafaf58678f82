#include "store/inbox.h"

#define ENOUGH 32 /* calls that the store thread is woken for before the loop's turn is over */

void call_push(struct call_list *list, struct call *call)
{
    call->next = NULL;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
}

struct call *call_pop(struct call_list *list)
{
    struct call *call = list->first;
    if (call && !(list->first = call->next))
        list->last = NULL;
    return call;
}

void call_append(struct call_list *list, struct call_list more)
{
    if (!more.first)
        return;
    if (list->last)
        list->last->next = more.first;
    else
        list->first = more.first;
    list->last = more.last;
}

/* ---- the inbox ---- */

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){.newest = NULL};
    uv_mutex_init(&inbox->lock);
    uv_cond_init(&inbox->wake);
}

void inbox_fini(struct inbox *inbox)
{
    uv_cond_destroy(&inbox->wake);
    uv_mutex_destroy(&inbox->lock);
}

static void wake(struct inbox *inbox)
{
    inbox->unseen = 0;
    if (!atomic_exchange(&inbox->asleep, false))
        return;
    uv_mutex_lock(&inbox->lock); /* it waits, or has not looked yet */
    uv_mutex_unlock(&inbox->lock);
    uv_cond_signal(&inbox->wake);
}

/* Does the store thread want no word of this one? Once it hears again, it looks what is there. */
static bool unheard(struct inbox *inbox)
{
    return atomic_load(&inbox->deaf) > 0 && atomic_fetch_sub(&inbox->deaf, 1) > 1;
}

void inbox_put(struct inbox *inbox, struct call *call, bool patient)
{
    struct call *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    do
        call->next = newest;
    while (!atomic_compare_exchange_weak(&inbox->newest, &newest, call));
    if (patient && unheard(inbox))
        return;
    if (++inbox->unseen >= ENOUGH)
        wake(inbox);
}

void inbox_hand_over(struct inbox *inbox)
{
    if (inbox->unseen)
        wake(inbox);
}

void inbox_close(struct inbox *inbox)
{
    atomic_store(&inbox->closing, true);
    wake(inbox);
}

struct call_list inbox_take(struct inbox *inbox)
{
    struct call *call = atomic_exchange(&inbox->newest, NULL);
    struct call_list list = {.last = call};
    while (call) {
        struct call *before = call->next;
        call->next = list.first;
        list.first = call;
        call = before;
    }
    return list;
}

static bool is_quiet(struct inbox *inbox)
{
    return !atomic_load(&inbox->newest) && !atomic_load(&inbox->closing);
}

/* Whoever puts something either sees `asleep`, or is seen by is_quiet() after it was set. */
bool inbox_wait(struct inbox *inbox, uint64_t timeout)
{
    bool late = false;
    uv_mutex_lock(&inbox->lock);
    atomic_store(&inbox->asleep, true);
    while (is_quiet(inbox) && !late) {
        if (!timeout)
            uv_cond_wait(&inbox->wake, &inbox->lock);
        else
            late = uv_cond_timedwait(&inbox->wake, &inbox->lock, timeout) == UV_ETIMEDOUT;
        if (is_quiet(inbox))
            atomic_store(&inbox->asleep, true);
    }
    atomic_store(&inbox->asleep, false);
    uv_mutex_unlock(&inbox->lock);
    return !late;
}

void inbox_wait_among(struct inbox *inbox, int most, uint64_t timeout)
{
    atomic_store(&inbox->deaf, most);
    inbox_wait(inbox, timeout);
    atomic_store(&inbox->deaf, 0);
}
