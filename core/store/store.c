#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/front.h"
#include "store/restored.h"
#include "util/ahead.h"
#include "util/clock.h"
#include "util/text.h"

#define IDLE_NS      20000000 /* quiet for this long: the back end finishes what it put off */
#define TRAIL_READY  262144   /* bytes of sealed lines in memory that the trail's reader is told of */
#define PATIENCE_MAX 1000000  /* nanoseconds that settlements wait for an admission, and */
#define PATIENCE_ALL 4000000  /* nanoseconds that they wait while more of them come, and */
#define PATIENT_MAX  64       /* how many do */
#define STREAM       8        /* settlements in a group, after which others are expected */

/* A group ends when applying it has taken so many times what a commit takes, so that whoever waits for the first of
 * it can work while the next is applied, and syncs take a known share of the time. */
#define GROUP_COMMITS 4
#define GROUP_LEAST   32 /* calls */

#define ARG_HEAD 256 /* bytes: what a caller's `done` looks at first of what it is given */

/* Outlives the store until libuv has let go of the handles. */
struct store_signal {
    uv_async_t async;
    uv_prepare_t prepare; /* before the loop waits, and after it: what was called meanwhile is handed over */
    uv_check_t check;
    unsigned handles;
    struct store *store; /* NULL once closed */
};

static const struct backend *const backends[] = {&store_journal, &store_memory};

const char *store_state_name(enum store_state state)
{
    static const char *const names[] = {"none",      "waiting", "held",     "sending",
                                        "delivered", "dead",    "discarded"};
    return state >= STORE_WAITING && state <= STORE_DISCARDED ? names[state] : names[0];
}

void store_message_free(struct store_message *message)
{
    if (!message)
        return;
    free(message->headers); /* one block with its texts */
    free(message->deliveries);
    free(message);
}

/* ---- store thread ---- */

static bool writes(const struct call *call)
{
    return call->kind <= CALL_SPILL;
}

static void fault(struct store *store, const char *point)
{
    if (store->fault)
        store->fault(point);
}

static bool is_long(const struct store *store, size_t calls, uint64_t began)
{
    return calls >= GROUP_LEAST && uv_hrtime() - began > GROUP_COMMITS * store->usual;
}

/* Applies the writing calls of one group; returns the first call that does not belong to it. */
static struct call *apply_group(struct store *store, struct call *first, bool *begun)
{
    struct call *call = first;
    uint64_t began = uv_hrtime();
    size_t count = 0;
    for (; call && !store->group_error; call = call->next) {
        if (!writes(call))
            continue;
        if (*begun && (verb_is_first(call) || is_long(store, count++, began)))
            break;
        if (verb_is_first(call))
            store->backend->settle_down(store->state);
        uint64_t need = verb_need(store, call);
        if (*begun && !store->backend->fits(store->state, need))
            break;
        if (!*begun && (call->result = store->backend->begin(store->state, need))) {
            if (call->result == ACCORD_ELIMIT)
                store->asks_room = store->no_room = true;
            if (call->result == ACCORD_EFORMAT) {
                store->lost_index = true; /* before `failed`, which is looked at first */
                call->result = ACCORD_EIO;
            }
            store->failed |= call->result == ACCORD_EIO;
            continue;
        }
        *begun = true;
        call->result = verb_apply(store, call);
    }
    return call;
}

static int commit(struct store *store)
{
    uint64_t began = uv_hrtime();
    int result = store->backend->commit(store->state);
    uint64_t took = uv_hrtime() - began;
    store->usual = store->usual - store->usual / 8 + took / 8;
    uv_mutex_lock(&store->lock);
    struct store_stats *stats = &store->stats;
    stats->commits++;
    stats->failed += result != 0;
    stats->ns += took;
    if (took > stats->longest_ns)
        stats->longest_ns = took;
    uv_mutex_unlock(&store->lock);
    return result;
}

struct store_stats store_stats(const struct store *of)
{
    struct store *store = (struct store *)of; /* its lock */
    uv_mutex_lock(&store->lock);
    struct store_stats stats = store->stats;
    uv_mutex_unlock(&store->lock);
    return stats;
}

/* Durable, or undone. */
static int end_group(struct store *store)
{
    int result = store->group_error;
    if (result) {
        store->backend->rollback(store->state);
    } else {
        if (store->has_admission)
            fault(store, "admit");
        if (store->has_settlement)
            fault(store, "settle");
        result = commit(store);
        store->failed |= result == ACCORD_EIO;
    }
    if (result)
        verbs_undo(store);
    else
        verbs_keep(store);
    return result;
}

/* Runs one group from the front of the list, and the calls that only look, after it. */
static struct call_list run_group(struct store *store, struct call_list *list)
{
    bool begun = false;
    store->group_error = 0;
    store->has_admission = store->has_settlement = false;
    struct call *rest = apply_group(store, list->first, &begun);
    int failed = begun ? end_group(store) : 0;
    struct call_list group = {0};
    while (list->first != rest) {
        struct call *call = call_pop(list);
        if (writes(call)) {
            if (failed)
                call->result = failed;
            verb_settled(store, call);
        } else {
            call->result = verb_look(store, call);
        }
        call_push(&group, call);
    }
    accounts_publish(store);
    return group;
}

static bool trail_ready(struct store *store)
{
    const struct backend *backend = store->backend;
    if (store->told || !backend->trail_waiting || backend->trail_waiting(store->state) < TRAIL_READY)
        return false;
    return store->told = true;
}

static void post(struct store *store, struct call_list group)
{
    bool ready = trail_ready(store);
    uv_mutex_lock(&store->lock);
    call_append(&store->ready, group);
    store->trail_ready |= ready;
    uv_mutex_unlock(&store->lock);
    uv_async_send(&store->signal->async);
}

/* Waits for calls; false: closing and nothing is left. */
static bool wait_for_calls(struct store *store, struct call_list *list, bool *unsettled)
{
    while (!(*list = inbox_take(&store->inbox)).first) {
        if (store->inbox.closing && !atomic_load(&store->inbox.newest))
            return false;
        if (*unsettled && store->backend->pause)
            store->backend->pause(store->state);
        if (!inbox_wait(&store->inbox, *unsettled ? IDLE_NS : 0)) {
            store->backend->idle(store->state);
            *unsettled = false;
        }
    }
    return true;
}

static bool waits_for_company(const struct call *call)
{
    return call->kind == CALL_SETTLE && !((struct store_settlement *)call->request)->prompt;
}

/* How many more may join these, for which nobody waits alone. 0: they are enough, or somebody waits. */
static int room_for_company(const struct call_list *list)
{
    int room = PATIENT_MAX;
    for (const struct call *call = list->first; call && room; call = call->next)
        room = waits_for_company(call) ? room - 1 : 0;
    return room;
}

/* Whether settlements come one after the other. */
static bool is_stream(const struct call_list *list)
{
    int count = 0;
    for (const struct call *call = list->first; call && count < STREAM; call = call->next)
        count += waits_for_company(call);
    return count == STREAM;
}

/* Settlements wait, no longer than a commit takes, for an admission that goes into the same commit: with one message at a
 * time, each would need two otherwise, and the second would keep the next message waiting. While more of them come they wait
 * on, but not for long: a commit costs as much as some twenty settlements. In a stream of them none need have come while
 * a quick commit would have taken. */
static void wait_for_company(struct store *store, struct call_list *list)
{
    uint64_t patience = store->usual < PATIENCE_MAX ? store->usual : PATIENCE_MAX, began = uv_hrtime();
    struct call_list more = *list;
    if (patience && store->stream)
        patience = PATIENCE_MAX;
    for (int room; patience && more.first && (room = room_for_company(list)) && !store->inbox.closing;) {
        if (uv_hrtime() - began >= PATIENCE_ALL)
            break;
        inbox_wait_among(&store->inbox, room, patience);
        more = inbox_take(&store->inbox);
        call_append(list, more);
    }
    store->stream = is_stream(list);
}

static void store_thread(void *arg)
{
    struct store *store = arg;
    struct call_list list;
    bool unsettled = false;
    pthread_setname_np(pthread_self(), "store");
    while (wait_for_calls(store, &list, &unsettled)) {
        wait_for_company(store, &list);
        while (list.first)
            post(store, run_group(store, &list));
        unsettled = true;
    }
}

/* ---- loop thread ---- */

static void call_keep(struct store *store, struct call *call)
{
    call->next = store->spare;
    store->spare = call;
    store->spare_count++;
}

/* Callers do not expect `done` before this returns, and free what they hand over in it: without memory for a call there
 * is nothing that can be promised to them, and what is durable is found by the next start. */
static struct call *call_new(struct store *store, enum call_kind kind, void *request, store_done done,
                             void *arg)
{
    struct call *call = store->spare_count > CALLS_KEPT ? NULL : malloc(sizeof *call);
    if (!call) {
        call = store->spare;
        if (!call)
            abort();
        store->spare = call->next;
        store->spare_count--;
    }
    *call = (struct call){.kind = kind, .request = request, .done = done, .arg = arg};
    if (!store->outstanding++)
        uv_ref((uv_handle_t *)&store->signal->async);
    return call;
}

void store_finish_later(struct store *store, int result, store_done done, void *arg)
{
    struct call *call = call_new(store, CALL_NOTHING, NULL, done, arg);
    call->result = result;
    call_push(&store->finishing, call);
    uv_async_send(&store->signal->async);
}

void store_call(struct store *store, enum call_kind kind, void *request, store_done done, void *arg)
{
    struct call *call = call_new(store, kind, request, done, arg);
    if (!store->inbox.closing) {
        inbox_put(&store->inbox, call, waits_for_company(call));
        return;
    }
    call->result = ACCORD_ECANCELED;
    call_push(&store->finishing, call);
}

/* Whether the trail has lines in memory. */
static bool take_ready(struct store *store)
{
    uv_mutex_lock(&store->lock);
    struct call_list ready = store->ready;
    bool trail = store->trail_ready;
    store->ready = (struct call_list){0};
    store->trail_ready = false;
    uv_mutex_unlock(&store->lock);
    call_append(&store->finishing, ready);
    return trail;
}

static void finish(struct store *store, struct call *call)
{
    struct call finished = *call;
    call_keep(store, call);
    if (!--store->outstanding)
        uv_unref((uv_handle_t *)&store->signal->async);
    finished.done(finished.arg, finished.result);
}

/* What the call after this one will look at first: it was made some milliseconds ago, and hundreds after it. */
static void ask_ahead(const struct call *next)
{
    if (!next)
        return;
    ahead(next->next, sizeof *next);
    ahead(next->arg, ARG_HEAD);
}

static void on_signal(uv_async_t *async)
{
    struct store_signal *signal = (struct store_signal *)async;
    struct call *call;
    if (signal->store && take_ready(signal->store) && signal->store->watch)
        signal->store->watch(signal->store->watch_arg);
    /* A `done` may close the store, and makes new calls that are finished in the next turn. */
    struct call *last = signal->store ? signal->store->finishing.last : NULL;
    clock_hold(); /* for what a group of them begins */
    while (signal->store && last && (call = call_pop(&signal->store->finishing))) {
        ask_ahead(signal->store->finishing.first);
        finish(signal->store, call);
        if (call == last)
            break;
    }
    clock_release();
    if (signal->store && signal->store->finishing.first)
        uv_async_send(async);
}

static void on_prepare(uv_prepare_t *prepare)
{
    inbox_hand_over(&((struct store_signal *)prepare->data)->store->inbox);
}

static void on_check(uv_check_t *check)
{
    inbox_hand_over(&((struct store_signal *)check->data)->store->inbox);
}

static void on_signal_closed(uv_handle_t *handle)
{
    struct store_signal *signal = handle->data;
    if (!--signal->handles)
        free(signal);
}

/* ---- life ---- */

static void end_signal(struct store_signal *signal)
{
    signal->store = NULL;
    uv_close((uv_handle_t *)&signal->async, on_signal_closed);
    uv_close((uv_handle_t *)&signal->prepare, on_signal_closed);
    uv_close((uv_handle_t *)&signal->check, on_signal_closed);
}

static int start_signal(struct store *store, uv_loop_t *loop)
{
    struct store_signal *signal = calloc(1, sizeof *signal);
    if (!signal)
        return ACCORD_ENOMEM;
    if (uv_async_init(loop, &signal->async, on_signal) < 0) {
        free(signal);
        return ACCORD_EIO;
    }
    uv_prepare_init(loop, &signal->prepare);
    uv_check_init(loop, &signal->check);
    uv_prepare_start(&signal->prepare, on_prepare);
    uv_check_start(&signal->check, on_check);
    signal->async.data = signal->prepare.data = signal->check.data = signal;
    signal->handles = 3;
    signal->store = store;
    store->signal = signal;
    uv_unref((uv_handle_t *)&signal->async); /* referenced while calls are outstanding */
    uv_unref((uv_handle_t *)&signal->prepare);
    uv_unref((uv_handle_t *)&signal->check);
    return 0;
}

static int take_heads(struct store *store)
{
    struct store_heads heads = {0};
    int result = store->backend->heads(store->state, &heads);
    store->chains = result || !heads.count ? NULL : calloc(heads.count, sizeof *store->chains);
    if (!result && heads.count && !store->chains)
        result = ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < heads.count; i++) {
        text_copy(store->chains[i].name, sizeof store->chains[i].name, heads.rows[i].chain);
        store->chains[i].head = heads.rows[i].head;
        store->chain_room = store->chain_count = i + 1;
    }
    free(heads.rows);
    return result;
}

/* Writes our epoch when it is new; an older one than the store's makes every write fail. */
static int take_epoch(struct store *store, uint64_t ours, uint64_t newest)
{
    store->stale = ours < newest;
    if (ours <= newest)
        return 0;
    int result = store->backend->begin(store->state, 4096);
    if (result)
        return result;
    result = store->backend->put_epoch(store->state, ours);
    if (!result)
        return store->backend->commit(store->state);
    store->backend->rollback(store->state);
    return result;
}

static void store_release(struct store *store)
{
    if (store->state)
        store->backend->close(store->state);
    payloads_abandon(store);
    inbox_fini(&store->inbox);
    uv_mutex_destroy(&store->lock);
    free(store->chains);
    free(store->folder);
    accounts_fini(&store->counting);
    accounts_fini(&store->accounts);
    buf_fini(&store->scratch);
    while (store->spare) {
        struct call *call = store->spare;
        store->spare = call->next;
        if (call < store->kept || call >= store->kept + CALLS_KEPT)
            free(call);
    }
    free(store);
}

static int store_start(struct store *store, uv_loop_t *loop, const struct store_config *config,
                       struct store_recovery *recovery, struct reason *why)
{
    struct backend_found found = {.next_number = 1};
    int result = store->backend->open(&store->state, config, &found, why);
    if (result)
        return result;
    if (recovery)
        *recovery = found.recovery;
    store->next_number = store->next_before = store->first_number = found.next_number;
    store->roomy = true;
    accounts_publish(store);
    if ((result = take_heads(store)) || (result = take_epoch(store, config->epoch, found.epoch)))
        return fail(why, result, "the store in %s was read but cannot be written: %s; look at the disk",
                    config->folder, error_name(result));
    if ((result = start_signal(store, loop)))
        return fail(why, result, "cannot start the store: out of memory or descriptors");
    if (uv_thread_create(&store->thread, store_thread, store) == 0)
        return 0;
    end_signal(store->signal);
    return fail(why, ACCORD_ENOMEM, "cannot start the store's thread");
}

int store_open(struct store **out, uv_loop_t *loop, const struct store_config *config,
               struct store_recovery *recovery, struct reason *why)
{
    const struct backend *backend = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (!strcmp(backends[i]->name, config->backend))
            backend = backends[i];
    if (!backend)
        return fail(why, ACCORD_EINVAL, "there is no store back end \"%s\"; use \"journal\"",
                    config->backend);
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    for (size_t i = 0; i < CALLS_KEPT; i++)
        call_keep(store, &store->kept[i]);
    store->backend = backend;
    store->fault = config->fault;
    store->usages = 1;
    store->folder = strdup(config->folder ? config->folder : "");
    uv_mutex_init(&store->lock);
    inbox_init(&store->inbox);
    int result = store_start(store, loop, config, recovery, why);
    if (result)
        store_release(store);
    else
        *out = store;
    return result;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    inbox_close(&store->inbox);
    uv_thread_join(&store->thread);
    struct call *call;
    take_ready(store);
    while ((call = call_pop(&store->finishing)))
        finish(store, call);
    end_signal(store->signal);
    store_release(store);
}

bool store_lost_index(const struct store *store)
{
    return store->lost_index;
}

bool store_failed(const struct store *store)
{
    return store->failed;
}

uint64_t store_first_number(const struct store *store)
{
    return store->first_number;
}

int store_restored_told(struct store *store, struct reason *why)
{
    return store->folder ? restored_told(store->folder, why) : ACCORD_ENOMEM;
}

/* The store thread reads chains only for calls, and there was none. */
uint64_t store_chain_resume(struct store *store, const char *chain, const struct audit_head *last)
{
    struct chain *found = verb_chain(store, chain);
    uint64_t lost =
        found && found->head.sequence < last->sequence ? last->sequence - found->head.sequence : 0;
    if (lost)
        found->head = *last;
    return lost;
}
