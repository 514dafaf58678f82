#include "host/grace.h"

#include "host/instance.h"
#include "host/process.h"

static void on_expired(uv_timer_t *timer)
{
    struct grace_list *list = timer->data;
    if (list->head.next == &list->head)
        return;
    const struct grace *first = list->head.next;
    uint64_t now = uv_now(timer->loop);
    if (now >= first->deadline) {
        list->process->inside = first->instance;
        process_blame(list->process, "plugin.hangs", "what was cancelled did not end within %lld ms",
                      (long long)list->process->setup->grace);
    }
    uv_timer_start(timer, on_expired, first->deadline - now, 0);
}

void grace_init(struct grace_list *list, struct process *process)
{
    list->process = process;
    list->head.next = list->head.previous = &list->head;
    uv_timer_init(&process->loop, &list->timer);
    list->timer.data = list;
    uv_unref((uv_handle_t *)&list->timer);
}

void grace_fini(struct grace_list *list)
{
    if (!uv_is_closing((uv_handle_t *)&list->timer))
        uv_close((uv_handle_t *)&list->timer, NULL);
}

void grace_begin(struct grace_list *list, struct grace *grace, const struct accord_instance *instance)
{
    if (grace->next || uv_is_closing((uv_handle_t *)&list->timer))
        return;
    grace->instance = instance;
    grace->deadline = uv_now(&list->process->loop) + (uint64_t)list->process->setup->grace;
    grace->next = &list->head;
    grace->previous = list->head.previous;
    grace->previous->next = list->head.previous = grace;
    if (!uv_is_active((uv_handle_t *)&list->timer))
        uv_timer_start(&list->timer, on_expired, (uint64_t)list->process->setup->grace, 0);
}

void grace_end(struct grace_list *list, struct grace *grace)
{
    (void)list;
    if (!grace->next)
        return;
    grace->next->previous = grace->previous;
    grace->previous->next = grace->next;
    grace->next = grace->previous = NULL;
}
