/* The fake host's watches and work on threads, and what `close` may leave of all that runs on the loop. */
#include "host_private.h"

#include <stdlib.h>

/* ---- watches ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct accord_watch *watch = poll->data;
    uint32_t ready = 0;
    if (status < 0)
        ready = watch->events;
    if (events & UV_READABLE)
        ready |= ACCORD_READABLE;
    if (events & UV_WRITABLE)
        ready |= ACCORD_WRITABLE;
    INTO_PLUGIN(watch->host, "a watch", watch->run(watch->arg, ready));
}

struct accord_watch *testhost_do_watch(struct accord_instance *instance, int fd, accord_watch_fn run,
                                       void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "watch", false);
    if (testhost_fails(host, TESTHOST_WATCH))
        return NULL;
    struct accord_watch *watch = testkit_alloc(sizeof *watch);
    if (uv_poll_init(&host->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->host = host;
    watch->run = run;
    watch->arg = arg;
    watch->next = host->watches;
    host->watches = watch;
    return watch;
}

static bool is_dead(struct accord_watch *watch, const char *call)
{
    if (watch->dead)
        testhost_complain(watch->host, "%s of a dead watch", call);
    return watch->dead;
}

void testhost_do_watch_set(struct accord_watch *watch, uint32_t events)
{
    testhost_callable(watch->host, "watch_set", true);
    if (is_dead(watch, "watch_set"))
        return;
    watch->events = events & (ACCORD_READABLE | ACCORD_WRITABLE);
    int wanted = (events & ACCORD_READABLE ? UV_READABLE : 0) | (events & ACCORD_WRITABLE ? UV_WRITABLE : 0);
    if (wanted)
        uv_poll_start(&watch->poll, wanted, on_poll);
    else
        uv_poll_stop(&watch->poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct accord_watch *watch = handle->data;
    watch->closed = true;
}

void testhost_do_watch_end(struct accord_watch *watch)
{
    if (!watch)
        return;
    struct testhost *host = watch->host;
    testhost_callable(host, "watch_end", true);
    if (is_dead(watch, "watch_end"))
        return;
    struct accord_watch **at = &host->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    watch->dead = true;
    watch->next = host->dead_watches;
    host->dead_watches = watch;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

/* ---- work on threads ---- */

struct work {
    uv_work_t request;
    struct testhost *host;
    accord_work_fn run, done;
    void *arg;
};

static void run_work(uv_work_t *request)
{
    struct work *work = request->data;
    testkit_plugin_runs(true);
    work->run(work->arg);
    testkit_plugin_runs(false);
}

static void end_work(uv_work_t *request, int status)
{
    struct work *work = request->data;
    (void)status;
    work->host->works--;
    INTO_PLUGIN(work->host, "`done` of work", work->done(work->arg));
    free(work);
}

int testhost_do_work(struct accord_instance *instance, accord_work_fn run, accord_work_fn done, void *arg)
{
    struct testhost *host = instance->host;
    testhost_callable(host, "work", false);
    if (testhost_fails(host, TESTHOST_WORK))
        return ACCORD_ENOMEM;
    struct work *work = testkit_alloc(sizeof *work);
    work->request.data = work;
    work->host = host;
    work->run = run;
    work->done = done;
    work->arg = arg;
    bool before = testkit_plugin_runs(false); /* libuv makes its threads here */
    int result = uv_queue_work(&host->loop, &work->request, run_work, end_work);
    testkit_plugin_runs(before);
    if (result != 0) {
        free(work);
        return ACCORD_ENOMEM;
    }
    host->works++;
    return ACCORD_OK;
}

/* ---- the end ---- */

static bool no_works(void *arg)
{
    const struct testhost *host = arg;
    return host->works == 0;
}

void testhost_check_loop(struct testhost *host)
{
    size_t timers = testhost_timers(host);
    if (timers)
        testhost_complain(host, "close left %zu timer(s) running", timers);
    if (host->watches)
        testhost_complain(host, "close left a watch");
    host->phase = TESTHOST_CLOSED;
    /* A short while also for what has no right to come: a callback, or a call from a thread of the plugin's own. */
    if (!testhost_run_until(host, no_works, host, 30000))
        testhost_complain(host, "a function on a thread has not ended within 30 s after close");
    testhost_drop_events(host, NULL);
}

void testhost_free_loop(struct testhost *host)
{
    while (host->timers) {
        struct accord_timer *next = host->timers->next;
        free(host->timers);
        host->timers = next;
    }
    while (host->dead_timers) {
        struct accord_timer *next = host->dead_timers->next;
        free(host->dead_timers);
        host->dead_timers = next;
    }
    while (host->watches) {
        struct accord_watch *watch = host->watches;
        host->watches = watch->next;
        watch->next = host->dead_watches;
        host->dead_watches = watch;
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
    uv_close((uv_handle_t *)&host->tick, NULL);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    uv_loop_close(&host->loop);
    while (host->dead_watches) {
        struct accord_watch *next = host->dead_watches->next;
        free(host->dead_watches);
        host->dead_watches = next;
    }
}
