#include <stdlib.h>
#include <string.h>

#include "store/front.h"
#include "store/restored.h"
#include "util/text.h"

#define IDLE_NS 20000000 /* quiet for this long: the back end finishes what it put off */

/* A group ends when applying it has taken so many times what a commit takes, so that whoever waits for the first of
 * it can work while the next is applied, and syncs take a known share of the time. */
#define GROUP_COMMITS  4
#define GROUP_LEAST    32 /* calls */
#define HANDED_AT_ONCE 32 /* calls: so many do not wait for the end of the loop's turn */

/* Outlives the store until libuv has let go of the handles. */
struct store_signal {
    uv_async_t async;
    uv_prepare_t turn;
    unsigned open_handles;
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

void call_push(struct call_list *list, struct call *call)
{
    call->next = NULL;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
}

static struct call *call_pop(struct call_list *list)
{
    struct call *call = list->first;
    if (call && !(list->first = call->next))
        list->last = NULL;
    return call;
}

static void call_append(struct call_list *list, struct call_list more)
{
    if (!more.first)
        return;
    if (list->last)
        list->last->next = more.first;
    else
        list->first = more.first;
    list->last = more.last;
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
    return calls >= GROUP_LEAST && uv_hrtime() - began > GROUP_COMMITS * store->commit_ns;
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
    store->commit_ns = (7 * store->commit_ns + took) / 8;
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

static void post(struct store *store, struct call_list group)
{
    uv_mutex_lock(&store->lock);
    call_append(&store->ready, group);
    uv_mutex_unlock(&store->lock);
    uv_async_send(&store->signal->async);
}

/* Waits for calls; false: closing and nothing is left. Called and returns with the lock held. */
static bool wait_for_calls(struct store *store, bool *unsettled)
{
    while (!store->queued.first && !store->closing) {
        store->asleep = true;
        if (!*unsettled) {
            uv_cond_wait(&store->wake, &store->lock);
        } else if (uv_cond_timedwait(&store->wake, &store->lock, IDLE_NS) == UV_ETIMEDOUT) {
            uv_mutex_unlock(&store->lock);
            store->backend->idle(store->state);
            *unsettled = false;
            uv_mutex_lock(&store->lock);
        }
    }
    store->asleep = false;
    return store->queued.first != NULL;
}

static void store_thread(void *arg)
{
    struct store *store = arg;
    bool unsettled = false;
    uv_mutex_lock(&store->lock);
    while (wait_for_calls(store, &unsettled)) {
        struct call_list list = store->queued;
        store->queued = (struct call_list){0};
        uv_mutex_unlock(&store->lock);
        while (list.first)
            post(store, run_group(store, &list));
        unsettled = true;
        uv_mutex_lock(&store->lock);
    }
    uv_mutex_unlock(&store->lock);
}

/* ---- loop thread ---- */

static struct call *call_new(struct store *store, enum call_kind kind, void *request, store_done done,
                             void *arg)
{
    struct call *call = store->spare;
    if (call)
        store->spare = call->next;
    else if (!(call = malloc(sizeof *call)))
        return NULL;
    *call = (struct call){.kind = kind, .request = request, .done = done, .arg = arg};
    if (!store->outstanding++)
        uv_ref((uv_handle_t *)&store->signal->async);
    return call;
}

void store_finish_later(struct store *store, int result, store_done done, void *arg)
{
    struct call *call = call_new(store, CALL_NOTHING, NULL, done, arg);
    if (!call) { /* no memory even for that: late is not possible, never is worse */
        done(arg, ACCORD_ENOMEM);
        return;
    }
    call->result = result;
    call_push(&store->finishing, call);
    uv_async_send(&store->signal->async);
}

/* What was made in one turn of the loop goes to the store's thread together. */
static void hand_over(struct store *store)
{
    if (!store->made.first)
        return;
    uv_mutex_lock(&store->lock);
    call_append(&store->queued, store->made);
    bool asleep = store->asleep;
    uv_mutex_unlock(&store->lock);
    if (asleep)
        uv_cond_signal(&store->wake);
    store->made = (struct call_list){0};
    store->made_count = 0;
}

static void on_turn(uv_prepare_t *turn)
{
    struct store_signal *signal = turn->data;
    if (signal->store)
        hand_over(signal->store);
}

void store_call(struct store *store, enum call_kind kind, void *request, store_done done, void *arg)
{
    struct call *call = call_new(store, kind, request, done, arg);
    if (!call) {
        done(arg, ACCORD_ENOMEM);
        return;
    }
    if (store->closed) {
        call->result = ACCORD_ECANCELED;
        call_push(&store->finishing, call);
        return;
    }
    call_push(&store->made, call);
    if (++store->made_count >= HANDED_AT_ONCE)
        hand_over(store);
}

static void take_ready(struct store *store)
{
    uv_mutex_lock(&store->lock);
    struct call_list ready = store->ready;
    store->ready = (struct call_list){0};
    uv_mutex_unlock(&store->lock);
    call_append(&store->finishing, ready);
}

static void finish(struct store *store, struct call *call)
{
    struct call finished = *call;
    call->next = store->spare;
    store->spare = call;
    if (!--store->outstanding)
        uv_unref((uv_handle_t *)&store->signal->async);
    finished.done(finished.arg, finished.result);
}

static void on_signal(uv_async_t *async)
{
    struct store_signal *signal = (struct store_signal *)async;
    struct call *call;
    if (signal->store)
        take_ready(signal->store);
    /* A `done` may close the store, and makes new calls that are finished in the next turn. */
    struct call *last = signal->store ? signal->store->finishing.last : NULL;
    while (signal->store && last && (call = call_pop(&signal->store->finishing))) {
        finish(signal->store, call);
        if (call == last)
            break;
    }
    if (signal->store && signal->store->finishing.first)
        uv_async_send(async);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct store_signal *signal = handle->data;
    if (!--signal->open_handles)
        free(signal);
}

static void end_signal(struct store_signal *signal)
{
    signal->store = NULL;
    uv_close((uv_handle_t *)&signal->turn, on_handle_closed);
    uv_close((uv_handle_t *)&signal->async, on_handle_closed);
}

/* ---- life ---- */

static int start_signal(struct store *store, uv_loop_t *loop)
{
    struct store_signal *signal = calloc(1, sizeof *signal);
    if (!signal)
        return ACCORD_ENOMEM;
    if (uv_async_init(loop, &signal->async, on_signal) < 0) {
        free(signal);
        return ACCORD_EIO;
    }
    signal->store = store;
    signal->async.data = signal->turn.data = signal;
    signal->open_handles = 2;
    store->signal = signal;
    uv_unref((uv_handle_t *)&signal->async); /* referenced while calls are outstanding */
    uv_prepare_init(loop, &signal->turn);
    uv_prepare_start(&signal->turn, on_turn);
    uv_unref((uv_handle_t *)&signal->turn);
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
    uv_cond_destroy(&store->wake);
    uv_mutex_destroy(&store->lock);
    free(store->chains);
    free(store->folder);
    accounts_fini(&store->counting);
    accounts_fini(&store->accounts);
    buf_fini(&store->scratch);
    while (store->spare) {
        struct call *next = store->spare->next;
        free(store->spare);
        store->spare = next;
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
    store->backend = backend;
    store->fault = config->fault;
    store->folder = strdup(config->folder ? config->folder : "");
    uv_mutex_init(&store->lock);
    uv_cond_init(&store->wake);
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
    hand_over(store);
    store->closed = true;
    uv_mutex_lock(&store->lock);
    store->closing = true;
    uv_cond_signal(&store->wake);
    uv_mutex_unlock(&store->lock);
    uv_thread_join(&store->thread);
    struct call *call;
    take_ready(store);
    while ((call = call_pop(&store->finishing)))
        finish(store, call);
    end_signal(store->signal);
    store_release(store);
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

/* ---- calls ---- */

void store_admit(struct store *store, struct store_admission *request, store_done done, void *arg)
{
    store_call(store, CALL_ADMIT, request, done, arg);
}

void store_claim(struct store *store, struct store_claim *request, store_done done, void *arg)
{
    store_call(store, CALL_CLAIM, request, done, arg);
}

void store_settle(struct store *store, struct store_settlement *request, store_done done, void *arg)
{
    store_call(store, CALL_SETTLE, request, done, arg);
}

void store_move(struct store *store, struct store_move *request, store_done done, void *arg)
{
    store_call(store, CALL_MOVE, request, done, arg);
}

void store_read(struct store *store, struct store_read *request, store_done done, void *arg)
{
    store_call(store, CALL_READ, request, done, arg);
}

void store_get(struct store *store, struct store_get *request, store_done done, void *arg)
{
    store_call(store, CALL_GET, request, done, arg);
}

void store_scan(struct store *store, struct store_scan *request, store_done done, void *arg)
{
    store_call(store, CALL_SCAN, request, done, arg);
}

void store_counts(struct store *store, struct store_counts *request, store_done done, void *arg)
{
    store_call(store, CALL_COUNTS, request, done, arg);
}

void store_cursor(struct store *store, struct store_cursor *request, store_done done, void *arg)
{
    store_call(store, CALL_CURSOR, request, done, arg);
}

void store_trail(struct store *store, struct store_trail *request, store_done done, void *arg)
{
    store_call(store, CALL_TRAIL, request, done, arg);
}

void store_heads(struct store *store, struct store_heads *request, store_done done, void *arg)
{
    store_call(store, CALL_HEADS, request, done, arg);
}

void store_decide(struct store *store, struct store_decision *request, store_done done, void *arg)
{
    store_call(store, CALL_DECIDE, request, done, arg);
}

void store_unquarantine(struct store *store, struct store_unquarantine *request, store_done done, void *arg)
{
    store_call(store, CALL_UNQUARANTINE, request, done, arg);
}

void store_adopt(struct store *store, struct store_adoption *request, store_done done, void *arg)
{
    store_call(store, CALL_ADOPT, request, done, arg);
}

void store_note(struct store *store, struct store_note *request, store_done done, void *arg)
{
    store_call(store, CALL_NOTE, request, done, arg);
}

void store_overdue(struct store *store, struct store_overdue *request, store_done done, void *arg)
{
    store_call(store, CALL_OVERDUE, request, done, arg);
}

void store_missed(struct store *store, struct store_missed *request, store_done done, void *arg)
{
    store_call(store, CALL_MISSED, request, done, arg);
}

void store_retain(struct store *store, struct store_retention *request, store_done done, void *arg)
{
    store_call(store, CALL_RETAIN, request, done, arg);
}

void store_stale(struct store *store, struct store_stale *request, store_done done, void *arg)
{
    store_call(store, CALL_STALE, request, done, arg);
}
