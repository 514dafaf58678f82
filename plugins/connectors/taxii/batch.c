/* One inbox message under way: its blocks as their payload comes, its head before the first and its end behind the last; and
 * what its answer means for the deliveries in it. */
#include "submit.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phrase.h"

#define AHEAD    (4 * ACCORD_PIECE_MAX) /* bytes asked of the host and not yet with the partner */
#define RESERVED 65536                  /* bytes of a single payload for which a draft has room at once; */
#define AROUND   1000                   /* and of what stands around it, as a rule */
#define GRACE    3000                   /* ms that a cancelled message waits for an answer that is due */

static const struct accord_host *host_of(const struct batch *batch)
{
    return batch->exchange.link->host;
}

/* ---- writing ---- */

/* Of one delivery: its own id. Of several: their digest. */
static void write_id(const struct batch *batch, char id[EXCHANGE_ID])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    if (batch->count == 1) {
        char *at = phrase_put(id, id + EXCHANGE_ID, "urn:accord:", EXCHANGE_ID);
        phrase_put(at, id + EXCHANGE_ID, batch->parcels[0]->out->envelope->id, EXCHANGE_ID);
        return;
    }
    char ids[BATCH_MOST * ACCORD_ID_MAX] = "";
    size_t size = 0;
    for (size_t i = 0; i < batch->count; i++)
        size += (size_t)snprintf(ids + size, sizeof ids - size, "%s,", batch->parcels[i]->out->envelope->id);
    EVP_Digest(ids, size, digest, NULL, EVP_sha256(), NULL);
    size = (size_t)snprintf(id, EXCHANGE_ID, "urn:accord:batch:");
    for (size_t i = 0; i < 16; i++)
        size += (size_t)snprintf(id + size, EXCHANGE_ID - size, "%02x", digest[i]);
}

/* Of the message around a parcel's payload: its block, and, of the first and the last one, the message itself. */
static void write_before(struct batch *batch, size_t at, struct draft *draft)
{
    const struct service_options *options = batch->lane->options;
    const struct dialect *dialect = batch->exchange.link->dialect;
    const struct dialect_inbox inbox = {options->destination ? options->collection : NULL, batch->count};
    const struct dialect_block block = {options->binding, options->subtype};
    if (at == 0)
        dialect->inbox(draft, batch->exchange.id, &inbox);
    dialect->block(draft, &block);
}

static void write_behind(struct batch *batch, size_t at, struct draft *draft)
{
    const struct dialect *dialect = batch->exchange.link->dialect;
    dialect->block_end(draft);
    if (at + 1 == batch->count)
        dialect->inbox_end(draft);
}

/* How long a parcel becomes is known only when it is not escaped. */
static int64_t begin_draft(struct batch *batch, size_t at)
{
    struct parcel *parcel = batch->parcels[at];
    int64_t payload = parcel->out->envelope->size;
    int64_t room = batch->count > 1 ? 0 : payload < RESERVED ? payload : RESERVED;
    draft_reserve(&parcel->draft, (size_t)room + AROUND);
    write_behind(batch, at, &parcel->draft);
    size_t behind = parcel->draft.size;
    draft_empty(&parcel->draft);
    write_before(batch, at, &parcel->draft);
    return (int64_t)(parcel->draft.size + behind) + payload;
}

static bool begin_drafts(struct batch *batch)
{
    int64_t size = 0;
    bool failed = false;
    for (size_t i = 0; i < batch->count; i++) {
        content_init(&batch->parcels[i]->content, (enum content_form)batch->lane->options->form);
        size += begin_draft(batch, i);
        failed = failed || batch->parcels[i]->draft.failed;
    }
    batch->exchange.size = batch->lane->options->form == FORM_XML ? size : -1;
    return !failed;
}

/* ---- payload ---- */

static void pull_more(struct batch *batch)
{
    for (size_t i = batch->turn; batch->ready && i < batch->count && batch->ahead < AHEAD; i++) {
        struct parcel *parcel = batch->parcels[i];
        if (!parcel || parcel->whole)
            continue;
        int64_t size = parcel->out->envelope->size, more = size - parcel->asked, room = AHEAD - batch->ahead;
        if (parcel->asked && more <= 0)
            continue;
        if (more > room)
            more = room;
        if (more < 1)
            more = 1; /* a message of 0 bytes is pulled too */
        parcel->asked += more;
        batch->ahead += more;
        host_of(batch)->pull(parcel->out->handle, batch->session, more);
    }
}

static void on_ready(struct exchange *exchange, struct accord_session *session)
{
    struct batch *batch = (struct batch *)exchange;
    batch->session = session;
    batch->ready = true;
    pull_more(batch);
}

static ptrdiff_t on_body(struct exchange *exchange, uint8_t *to, size_t size)
{
    struct batch *batch = (struct batch *)exchange;
    size_t put = 0;
    if (batch->broken)
        return HTTP_ABORT;
    while (put < size && batch->turn < batch->count) {
        struct parcel *parcel = batch->parcels[batch->turn];
        struct draft *draft = &parcel->draft;
        size_t part = draft->size - batch->sent < size - put ? draft->size - batch->sent : size - put;
        if (part)
            memcpy(to + put, draft->bytes + batch->sent, part);
        put += part;
        batch->sent += part;
        if (batch->sent < draft->size)
            break;
        batch->sent = 0;
        draft_empty(draft);
        if (!parcel->whole)
            break;
        draft_fini(draft);
        batch->turn++;
    }
    batch->ahead = batch->ahead > (int64_t)put ? batch->ahead - (int64_t)put : 0;
    batch->gone = batch->turn == batch->count;
    if (put) {
        pull_more(batch);
        return (ptrdiff_t)put;
    }
    return batch->gone ? HTTP_END : 0;
}

/* Of a single parcel the draft is the message. */
static const uint8_t *on_whole(struct exchange *exchange)
{
    const struct batch *batch = (const struct batch *)exchange;
    const struct parcel *parcel = batch->count == 1 ? batch->parcels[0] : NULL;
    bool there = parcel && parcel->whole && (int64_t)parcel->draft.size == exchange->size;
    return there && !batch->sent && !batch->broken ? (const uint8_t *)parcel->draft.bytes : NULL;
}

static void on_leaves(struct exchange *exchange)
{
    struct batch *batch = (struct batch *)exchange;
    batch->turn = batch->count;
    batch->ahead = 0;
    batch->gone = true;
}

/* One of them cannot go as it is: it ends, and the others go without it. */
static void give_up(struct batch *batch, struct parcel *parcel, enum accord_outcome outcome, const char *why)
{
    char reason[ACCORD_REASON_MAX];
    for (size_t i = 0; i < batch->count; i++)
        if (batch->parcels[i] == parcel)
            batch->parcels[i] = NULL;
    snprintf(reason, sizeof reason, outcome == ACCORD_REFUSED ? "it cannot be sent as content: %s" : "%s",
             why);
    parcel_finish(parcel, outcome, 0, reason, "");
    batch->broken = true;
    batch->ready = false;
    exchange_cancel(&batch->exchange, why);
}

static size_t place_of(const struct parcel *parcel)
{
    size_t at = 0;
    while (parcel->batch->parcels[at] != parcel)
        at++;
    return at;
}

void batch_payload(struct parcel *parcel, const uint8_t *bytes, size_t size, bool last)
{
    struct batch *batch = parcel->batch;
    if (batch->broken || parcel->whole)
        return;
    const char *why = content_add(&parcel->content, &parcel->draft, bytes, size);
    parcel->got += (int64_t)size;
    if (last && !why)
        why = content_end(&parcel->content);
    if (last && !why) {
        parcel->whole = true;
        write_behind(batch, place_of(parcel), &parcel->draft);
    }
    if (why)
        give_up(batch, parcel, ACCORD_REFUSED, why);
    else if (parcel->draft.failed)
        give_up(batch, parcel, ACCORD_RETRY, "out of memory");
    else
        exchange_go_on(&batch->exchange);
}

/* ---- the end ---- */

static void finish_all(struct batch *batch, enum accord_outcome outcome, int64_t wait, const char *reason,
                       const char *receipt)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->parcels[i])
            parcel_finish(batch->parcels[i], outcome, wait, reason, receipt);
    batch->count = 0;
}

static void put_all_back(struct batch *batch, bool alone)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct parcel *parcel = batch->parcels[i];
        if (!parcel)
            continue;
        parcel->alone = parcel->alone || alone;
        lane_put_back(batch->lane, parcel);
    }
    batch->count = 0;
}

/* The host gives a payload only once: what has begun to come goes back to the hub, and is tried again alone. */
static void try_again(struct batch *batch, bool alone, const char *reason)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->parcels[i] && batch->parcels[i]->asked) {
            parcel_finish(batch->parcels[i], ACCORD_RETRY, 0, reason, "");
            batch->parcels[i] = NULL;
        }
    put_all_back(batch, alone);
}

static void tell_delivered(struct batch *batch, const struct outcome *outcome)
{
    char receipt[ACCORD_REASON_MAX], *at = receipt;
    const char *end = receipt + sizeof receipt;
    at = phrase_put(at, end, "SUCCESS for ", SIZE_MAX);
    at = phrase_put(at, end, batch->exchange.id, SIZE_MAX);
    at = phrase_put(at, end, " at ", SIZE_MAX);
    at = phrase_put(at, end, batch->exchange.path, 120);
    at = phrase_put(at, end, outcome->said[0] ? ": " : "", SIZE_MAX);
    phrase_put(at, end, outcome->said, 200);
    finish_all(batch, ACCORD_DELIVERED, 0, "", receipt);
}

static void try_alone(struct batch *batch, size_t left, const struct outcome *outcome)
{
    char reason[ACCORD_REASON_MAX];
    snprintf(reason, sizeof reason,
             "the partner refused it together with %zu others, and it is sent alone next: %.400s", left - 1,
             outcome->reason);
    try_again(batch, true, reason);
}

static void settle(struct batch *batch, const struct outcome *outcome)
{
    size_t left = 0;
    for (size_t i = 0; i < batch->count; i++)
        left += batch->parcels[i] != NULL;
    switch (outcome->means) {
    case MEANS_DONE:
        tell_delivered(batch, outcome);
        break;
    case MEANS_REFUSED:
        if (left > 1)
            try_alone(batch, left, outcome);
        else
            finish_all(batch, ACCORD_REFUSED, 0, outcome->reason, "");
        break;
    case MEANS_UNCERTAIN:
        finish_all(batch, ACCORD_UNCERTAIN, 0, outcome->reason, "");
        break;
    case MEANS_CANCELED:
        if (batch->gone)
            finish_all(batch, ACCORD_UNCERTAIN, 0, "cancelled before the partner answered", "");
        else
            try_again(batch, false, "another message of the same batch could not be sent");
        break;
    default:
        finish_all(batch, ACCORD_RETRY, outcome->wait, outcome->reason, "");
    }
}

static void free_batch(struct batch *batch)
{
    if (batch->grace)
        host_of(batch)->timer_stop(batch->grace);
    exchange_fini(&batch->exchange);
    free(batch);
}

static void on_done(struct exchange *exchange, const struct outcome *outcome)
{
    struct batch *batch = (struct batch *)exchange;
    struct submit *submit = batch->lane->submit;
    struct outcome end = *outcome;
    bool never = end.means == MEANS_RETRY && !exchange->code && !batch->ready;
    if (end.means != MEANS_DONE && end.means != MEANS_REFUSED && end.means != MEANS_CANCELED)
        link_hears(exchange->link, &end);
    settle(batch, &end);
    submit_ended(submit, batch, &end, never || end.means == MEANS_PARK);
    free_batch(batch);
}

void batch_free(struct batch *batch)
{
    if (batch->gone)
        finish_all(batch, ACCORD_UNCERTAIN, 0, "the link was closed before the partner answered", "");
    else
        finish_all(batch, ACCORD_RETRY, 0, "the link was closed", "");
    free_batch(batch);
}

/* ---- giving up ---- */

static void on_grace(void *arg)
{
    struct batch *batch = arg;
    batch->grace = NULL;
    exchange_cancel(&batch->exchange, "cancelled");
}

void batch_cancel(struct parcel *parcel)
{
    struct batch *batch = parcel->batch;
    if (!batch->gone) {
        give_up(batch, parcel, ACCORD_RETRY, "cancelled before it was sent");
        return;
    }
    if (!batch->grace)
        batch->grace = host_of(batch)->timer(batch->exchange.link->instance, GRACE, on_grace, batch);
    if (!batch->grace)
        exchange_cancel(&batch->exchange, "cancelled");
}

/* ---- beginning ---- */

static const struct answer_events no_events;

bool batch_begin(struct lane *lane, struct parcel **parcels, size_t count, const char *path)
{
    struct submit *submit = lane->submit;
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return false;
    exchange_init(&batch->exchange, submit->link, ASKED_INBOX, &no_events, on_done);
    batch->lane = lane;
    batch->count = count;
    memcpy(batch->parcels, parcels, count * sizeof *parcels);
    write_id(batch, batch->exchange.id);
    batch->exchange.ready = on_ready;
    batch->exchange.body = on_body;
    batch->exchange.whole = on_whole;
    batch->exchange.leaves = on_leaves;
    if (!begin_drafts(batch) || !exchange_begin(&batch->exchange, path)) {
        free_batch(batch);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        parcels[i]->batch = batch;
    batch->next = submit->batches;
    batch->at = &submit->batches;
    if (batch->next)
        batch->next->at = &batch->next;
    submit->batches = batch;
    submit->running++;
    return true;
}
