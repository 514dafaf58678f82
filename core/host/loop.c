#include "host/loop.h"

#include <stdlib.h>
#include <unistd.h>

static void free_data(uv_handle_t *handle)
{
    free(handle->data);
}

/* ---- timers ---- */

/* Plugins start and stop several for each message, and most of them never run. Not under AddressSanitizer, which finds
 * those that are stopped twice. */
#ifdef __SANITIZE_ADDRESS__
#define SPARE_MOST 0
#else
#define SPARE_MOST 64
#endif

struct accord_timer {
    uv_timer_t handle;
    struct accord_instance *instance;
    accord_timer_fn call;
    void *arg;
    struct accord_timer *next, **link;
};

static void timer_put(struct accord_timer *timer)
{
    struct accord_instance *instance = timer->instance;
    timer->next = instance->timers;
    timer->link = &instance->timers;
    if (timer->next)
        timer->next->link = &timer->next;
    instance->timers = timer;
}

static void timer_unlink(struct accord_timer *timer)
{
    struct accord_instance *instance = timer->instance;
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    if (instance->spare_count == SPARE_MOST) {
        uv_close((uv_handle_t *)&timer->handle, free_data);
        return;
    }
    uv_timer_stop(&timer->handle);
    timer->next = instance->spare;
    instance->spare = timer;
    instance->spare_count++;
}

static struct accord_timer *timer_new(struct accord_instance *instance)
{
    struct accord_timer *timer = instance->spare;
    if (timer) {
        instance->spare = timer->next;
        instance->spare_count--;
        return timer;
    }
    timer = calloc(1, sizeof *timer);
    if (!timer)
        return NULL;
    uv_timer_init(&instance->process->loop, &timer->handle);
    timer->handle.data = timer;
    return timer;
}

static void on_timer(uv_timer_t *handle)
{
    struct accord_timer *timer = handle->data;
    timer_unlink(timer);
    instance_enter(timer->instance);
    timer->call(timer->arg);
}

struct accord_timer *loop_timer(struct accord_instance *instance, int64_t ms, accord_timer_fn call, void *arg)
{
    struct accord_timer *timer = timer_new(instance);
    if (!timer)
        return NULL;
    timer->instance = instance;
    timer->call = call;
    timer->arg = arg;
    timer_put(timer);
    /* The loop's idea of now is as old as this turn: a deadline must not come early. */
    if (ms > 0)
        uv_update_time(&instance->process->loop);
    uv_timer_start(&timer->handle, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
    return timer;
}

void loop_timer_stop(struct accord_timer *timer)
{
    if (timer)
        timer_unlink(timer);
}

/* ---- watches ---- */

struct accord_watch {
    uv_poll_t handle;
    struct accord_instance *instance;
    accord_watch_fn call;
    void *arg;
    uint32_t events; /* ACCORD_READABLE, ACCORD_WRITABLE */
    int armed;       /* UV_READABLE, UV_WRITABLE */
    bool ended, calling;
    struct accord_watch *next, **link;
};

static void on_watch(uv_poll_t *, int status, int events);

static void watch_arm(struct accord_watch *watch)
{
    int wanted = (watch->events & ACCORD_READABLE ? UV_READABLE : 0) |
                 (watch->events & ACCORD_WRITABLE ? UV_WRITABLE : 0);
    if (wanted == watch->armed)
        return;
    watch->armed = wanted;
    if (wanted)
        uv_poll_start(&watch->handle, wanted, on_watch);
    else
        uv_poll_stop(&watch->handle);
}

static void on_watch(uv_poll_t *handle, int status, int events)
{
    struct accord_watch *watch = handle->data;
    uint32_t seen =
        (events & UV_READABLE ? ACCORD_READABLE : 0) | (events & UV_WRITABLE ? ACCORD_WRITABLE : 0);
    /* libuv stops on an error of the descriptor: the plugin finds it by reading or writing. */
    if (status < 0) {
        watch->armed = 0;
        seen = watch->events;
    }
    seen &= watch->events;
    if (!seen)
        return;
    watch->calling = true;
    instance_enter(watch->instance);
    watch->call(watch->arg, seen);
    watch->calling = false;
    if (!watch->ended)
        watch_arm(watch);
}

struct accord_watch *loop_watch(struct accord_instance *instance, int fd, accord_watch_fn call, void *arg)
{
    struct accord_watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init(&instance->process->loop, &watch->handle, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->handle.data = watch;
    watch->instance = instance;
    watch->call = call;
    watch->arg = arg;
    watch->next = instance->watches;
    watch->link = &instance->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    instance->watches = watch;
    return watch;
}

void loop_watch_set(struct accord_watch *watch, uint32_t events)
{
    watch->events = events & (ACCORD_READABLE | ACCORD_WRITABLE);
    if (!watch->calling) /* a callback may change its mind many times; each costs system calls */
        watch_arm(watch);
}

void loop_watch_end(struct accord_watch *watch)
{
    if (!watch)
        return;
    watch->ended = true;
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    uv_close((uv_handle_t *)&watch->handle, free_data);
}

/* ---- work on a thread ---- */

struct work {
    uv_work_t request;
    struct accord_instance *instance;
    accord_work_fn work, done;
    void *arg;
};

static void on_thread(uv_work_t *request)
{
    struct work *work = request->data;
    work->work(work->arg);
}

static void on_done(uv_work_t *request, int status)
{
    struct work *work = request->data;
    (void)status; /* never cancelled */
    instance_enter(work->instance);
    work->done(work->arg);
    free(work);
}

int loop_work(struct accord_instance *instance, accord_work_fn call, accord_work_fn done, void *arg)
{
    struct work *work = malloc(sizeof *work);
    if (!work)
        return ACCORD_ENOMEM;
    *work = (struct work){.instance = instance, .work = call, .done = done, .arg = arg};
    work->request.data = work;
    if (uv_queue_work(&instance->process->loop, &work->request, on_thread, on_done) < 0) {
        free(work);
        return ACCORD_EINVAL;
    }
    return 0;
}

/* ---- the end of an instance ---- */

static void drop_spare(struct accord_instance *instance)
{
    for (struct accord_timer *timer; (timer = instance->spare);) {
        instance->spare = timer->next;
        uv_close((uv_handle_t *)&timer->handle, free_data);
    }
    instance->spare_count = SPARE_MOST; /* none is kept any more */
}

void loop_sweep(struct accord_instance *instance)
{
    if (instance->timers || instance->watches)
        instance_say(instance, ACCORD_ERROR, "plugin.leaks",
                     "the plugin's close left a timer or a watch behind: report it to whoever wrote it");
    drop_spare(instance);
    while (instance->timers)
        loop_timer_stop(instance->timers);
    while (instance->watches)
        loop_watch_end(instance->watches);
}
