/* A source of numbered messages, in which cursors are what says where to go on: several are under way at once and are
 * ready in another order than they were offered in, some are given up half way and offered again before all others, and
 * every tenth number has no message, only a cursor. */
#include <accord/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 8

struct counter_options {
    int64_t count;
};

struct counter;

struct number {
    struct counter *counter;
    int64_t value; /* 0: free */
    struct accord_offer *offer;
    struct accord_timer *timer;
    bool again; /* has to be offered again, before anything else */
};

struct counter {
    const struct accord_host *host;
    struct accord_instance *instance;
    const struct accord_link_setup *setup;
    int64_t next;
    struct number numbers[AT_ONCE];
    struct accord_timer *timer;
    int64_t aborted;  /* the last number that was given up on purpose */
    int64_t advances; /* unanswered */
    bool started;
};

static void go_on(struct counter *counter);

static void later(void *arg)
{
    struct counter *counter = arg;
    counter->timer = NULL;
    go_on(counter);
}

static void go_on_later(struct counter *counter)
{
    if (!counter->timer)
        counter->timer = counter->host->timer(counter->instance, 2, later, counter);
}

static void on_advanced(void *arg, int result, const char *reason)
{
    struct counter *counter = arg;
    counter->advances--;
    counter->host->metric(counter->instance, result ? "void" : "advanced", 1);
    go_on(counter);
    (void)reason;
}

static struct number *lowest_again(struct counter *counter)
{
    struct number *lowest = NULL;
    for (int i = 0; i < AT_ONCE; i++)
        if (counter->numbers[i].again && (!lowest || counter->numbers[i].value < lowest->value))
            lowest = &counter->numbers[i];
    return lowest;
}

/* The last of those that are offered again comes behind all that was offered, whose cursors are void: its own stands for
 * them. */
static bool offer(struct counter *counter, struct number *number)
{
    char name[32], cursor[32];
    bool again = number->again;
    number->again = false;
    int64_t held = again && !lowest_again(counter) ? counter->next - 1 : number->value;
    snprintf(name, sizeof name, "n-%06lld", (long long)number->value);
    snprintf(cursor, sizeof cursor, "%lld", (long long)held);
    const struct accord_incoming message = {
        .name = name, .source_id = name, .size = (int64_t)strlen(name), .cursor = cursor};
    number->counter = counter;
    number->offer = counter->host->offer(counter->instance, 0, &message, number);
    number->again = !number->offer;
    counter->host->metric(counter->instance, "offered", number->offer != NULL);
    return number->offer;
}

static struct number *free_number(struct counter *counter)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (!counter->numbers[i].value)
            return &counter->numbers[i];
    return NULL;
}

/* False: not now. */
static bool take_next(struct counter *counter, struct number *number)
{
    char cursor[32];
    snprintf(cursor, sizeof cursor, "%lld", (long long)counter->next);
    if (counter->next % 10 == 0) {
        if (counter->host->advance(counter->instance, 0, cursor, on_advanced, counter) < 0)
            return false;
        counter->advances++;
        counter->next++;
        return true;
    }
    number->value = counter->next++;
    return offer(counter, number);
}

static void go_on(struct counter *counter)
{
    const struct counter_options *options = counter->setup->options;
    struct number *number;
    while (counter->started && (number = lowest_again(counter)))
        if (!offer(counter, number))
            return;
    while (counter->started && counter->next <= options->count && (number = free_number(counter)))
        if (!take_next(counter, number))
            return;
    int64_t open = counter->advances;
    for (int i = 0; i < AT_ONCE; i++)
        open += counter->numbers[i].value != 0;
    counter->host->gauge(counter->instance, "next", counter->next);
    counter->host->gauge(counter->instance, "open", open);
}

static void ready(void *arg)
{
    struct number *number = arg;
    struct counter *counter = number->counter;
    char text[32];
    number->timer = NULL;
    if (number->value % 13 == 0 && counter->aborted != number->value) {
        counter->aborted = number->value;
        counter->host->offer_abort(number->offer);
        number->offer = NULL;
        number->again = true;
        go_on(counter);
        return;
    }
    snprintf(text, sizeof text, "n-%06lld", (long long)number->value);
    counter->host->offer_write(number->offer, (const uint8_t *)text, strlen(text), true);
}

/* ---- slots ---- */

static int counter_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                        const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct counter *counter = state;
    *counter = (struct counter){.host = host, .instance = instance, .setup = setup};
    counter->next = atoll(setup->services[0]->cursor) + 1;
    (void)why, (void)why_size;
    return ACCORD_OK;
}

static void counter_start(void *state)
{
    struct counter *counter = state;
    counter->started = true;
    go_on_later(counter);
}

static void counter_stop(void *state)
{
    ((struct counter *)state)->started = false;
}

static void counter_close(void *state)
{
    struct counter *counter = state;
    counter->host->timer_stop(counter->timer);
    for (int i = 0; i < AT_ONCE; i++) {
        counter->host->timer_stop(counter->numbers[i].timer);
        if (counter->numbers[i].offer)
            counter->host->offer_abort(counter->numbers[i].offer);
    }
}

static void counter_pull(void *state, struct accord_offer *handle, void *arg, int64_t bytes)
{
    struct counter *counter = state;
    struct number *number = arg;
    (void)handle, (void)bytes;
    if (!number->timer)
        number->timer = counter->host->timer(counter->instance, number->value * 7 % 20, ready, number);
}

static void counter_done(void *state, struct accord_offer *handle, void *arg,
                         const struct accord_admitted *admitted)
{
    struct counter *counter = state;
    struct number *number = arg;
    (void)handle;
    counter->host->timer_stop(number->timer);
    number->timer = NULL;
    number->offer = NULL;
    if (admitted->admission == ACCORD_DEFERRED)
        number->again = true;
    else
        number->value = 0;
    go_on_later(counter);
}

static void counter_ready(void *state)
{
    go_on(state);
}

static const struct accord_option table[] = {
    {.name = "count",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_REQUIRED,
     .offset = offsetof(struct counter_options, count),
     .min = 1,
     .max = 1000000,
     .help = "How many numbers there are."},
    {0},
};

static const struct accord_connector connector = {
    .size = sizeof connector,
    .flags = ACCORD_CAN_RECEIVE,
    .link_options = {table, sizeof(struct counter_options)},
    .state_size = sizeof(struct counter),
    .open = counter_open,
    .start = counter_start,
    .stop = counter_stop,
    .close = counter_close,
    .offer_pull = counter_pull,
    .offer_done = counter_done,
    .offer_ready = counter_ready,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "counter",
    .version = "0",
    .summary = "Numbers messages.",
    .connector = &connector,
};
