/* What the store is asked, as calls for its thread. Loop thread. */
#include "store/front.h"

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

void store_trail_watch(struct store *store, void (*ready)(void *arg), void *arg)
{
    store->watch = ready;
    store->watch_arg = arg;
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
