#include "submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED_LATE 32 /* deliveries that the metric may lack while more are under way */

static void go_on(struct submit *submit);

static void count_delivered(struct submit *submit)
{
    const struct link *link = submit->link;
    if (submit->uncounted)
        link->host->metric(link->instance, "messages_submitted", submit->uncounted);
    submit->uncounted = 0;
}

/* ---- parcels ---- */

void parcel_finish(struct parcel *parcel, enum accord_outcome outcome, int64_t wait, const char *reason,
                   const char *receipt)
{
    const struct link *link = parcel->lane->submit->link;
    const struct accord_result result = {
        .outcome = outcome, .reason = reason, .receipt = receipt, .wait = wait};
    parcel->lane->submit->uncounted += outcome == ACCORD_DELIVERED;
    link->host->finish(parcel->out->handle, &result);
    draft_fini(&parcel->draft);
    free(parcel);
}

static struct parcel *take_first(struct lane *lane)
{
    struct parcel *parcel = lane->first;
    lane->first = parcel->next;
    if (!lane->first)
        lane->last = &lane->first;
    lane->waiting--;
    return parcel;
}

static void put_last(struct lane *lane, struct parcel *parcel)
{
    parcel->next = NULL;
    *lane->last = parcel;
    lane->last = &parcel->next;
    lane->waiting++;
}

void lane_put_back(struct lane *lane, struct parcel *parcel)
{
    parcel->batch = NULL;
    parcel->asked = parcel->got = 0;
    parcel->whole = false;
    draft_fini(&parcel->draft);
    parcel->next = lane->first;
    if (!lane->first)
        lane->last = &parcel->next;
    lane->first = parcel;
    lane->waiting++;
}

/* All that waits now: finishing one may bring new ones, which are not meant. */
static void end_waiting(struct lane *lane, int64_t wait, const char *reason)
{
    for (size_t left = lane->waiting; left && lane->first; left--)
        parcel_finish(take_first(lane), ACCORD_RETRY, wait, reason, "");
}

static void end_all_waiting(struct submit *submit, int64_t wait, const char *reason)
{
    for (size_t i = 0; i < submit->link->setup->service_count; i++)
        if (submit->lanes[i].options)
            end_waiting(&submit->lanes[i], wait, reason);
}

/* ---- beginning ---- */

static size_t most_running(const struct link *link)
{
    return (size_t)link->options->connections * 5; /* so that the next four are there when one ends */
}

int64_t submit_window(const struct link *link)
{
    int64_t batch = 1;
    for (size_t i = 0; i < link->setup->service_count; i++) {
        const struct service_options *options = link_service(link, i);
        if (link->setup->services[i]->direction == ACCORD_SEND && options->batch > batch)
            batch = options->batch;
    }
    /* The hub needs a moment to give more: it counts also what it has yet to write down as delivered. */
    return batch * (int64_t)most_running(link) * 2 + batch + link->options->connections * 24;
}

/* A message that somebody has tried before goes alone: so its message id is the same as at every such attempt. */
static bool goes_alone(const struct parcel *parcel)
{
    return parcel->alone || parcel->out->attempt > 1 || parcel->lane->options->batch <= 1;
}

static size_t gather(struct lane *lane, struct parcel **parcels)
{
    int64_t size = 0;
    size_t count = 0;
    while (lane->first && count < (size_t)lane->options->batch && count < BATCH_MOST) {
        int64_t more = lane->first->out->envelope->size;
        if (count && (goes_alone(lane->first) || size + more > lane->options->batch_size))
            break;
        bool alone = goes_alone(lane->first);
        size += more;
        parcels[count++] = take_first(lane);
        if (alone)
            break;
    }
    return count;
}

/* False: nothing more can be begun for this service now. */
static bool begin_next(struct lane *lane)
{
    struct link *link = lane->submit->link;
    struct parcel *parcels[BATCH_MOST];
    struct outcome why;
    if (!lane->first)
        return false;
    enum catalogue_found found = catalogue_want(link, &lane->wait);
    if (found == CATALOGUE_NO_MEMORY)
        end_waiting(lane, 0, "out of memory");
    if (found != CATALOGUE_THERE)
        return false;
    const char *path = catalogue_inbox_path(link, lane->options->collection, lane->options->binding, &why);
    if (!path) {
        link_hears(link, &why);
        end_waiting(lane, why.wait, why.reason);
        return false;
    }
    size_t count = gather(lane, parcels);
    if (batch_begin(lane, parcels, count, path))
        return true;
    for (size_t i = 0; i < count; i++)
        parcel_finish(parcels[i], ACCORD_RETRY, 0, "out of memory", "");
    return false;
}

static void go_on(struct submit *submit)
{
    size_t lanes = submit->link->setup->service_count;
    for (size_t idle = 0;
         submit->link->started && idle < lanes && submit->running < most_running(submit->link);) {
        struct lane *lane = &submit->lanes[submit->next++ % lanes];
        idle = lane->options && begin_next(lane) ? 0 : idle + 1;
    }
}

static void on_soon(void *arg)
{
    struct submit *submit = arg;
    submit->soon = NULL;
    go_on(submit);
}

/* What arrives at once can go as one message. */
static void go_on_soon(struct submit *submit)
{
    if (submit->soon)
        return;
    submit->soon = submit->link->host->timer(submit->link->instance, 0, on_soon, submit);
    if (!submit->soon)
        go_on(submit);
}

static void on_catalogue(struct catalogue_wait *wait, const struct outcome *failed)
{
    struct lane *lane = (struct lane *)((char *)wait - offsetof(struct lane, wait));
    if (failed) {
        link_hears(lane->submit->link, failed);
        end_waiting(lane, failed->wait, failed->reason);
    }
    go_on_soon(lane->submit);
}

void submit_deliver(struct submit *submit, const struct accord_outgoing *out)
{
    struct lane *lane = &submit->lanes[out->service];
    struct parcel *parcel = calloc(1, sizeof *parcel);
    if (!parcel) {
        const struct accord_result result = {
            .outcome = ACCORD_RETRY, .reason = "out of memory", .receipt = ""};
        submit->link->host->finish(out->handle, &result);
        return;
    }
    parcel->lane = lane;
    parcel->out = out;
    put_last(lane, parcel);
    if (lane->options->batch > 1)
        go_on_soon(submit);
    else
        go_on(submit);
}

void submit_ended(struct submit *submit, struct batch *batch, const struct outcome *outcome, bool lost)
{
    *batch->at = batch->next;
    if (batch->next)
        batch->next->at = batch->at;
    submit->running--;
    if (!submit->running || submit->uncounted >= COUNTED_LATE)
        count_delivered(submit);
    if (lost) /* what follows would find the same; the hub spreads what it tries again */
        end_all_waiting(submit, outcome->wait, outcome->reason);
    if (submit->link->started)
        go_on_soon(submit);
}

/* ---- under way ---- */

static struct parcel *find_running(const struct submit *submit, const struct accord_delivery *handle)
{
    for (struct batch *batch = submit->batches; batch; batch = batch->next)
        for (size_t i = 0; i < batch->count; i++)
            if (batch->parcels[i] && batch->parcels[i]->out->handle == handle)
                return batch->parcels[i];
    return NULL;
}

void submit_payload(struct submit *submit, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct parcel *parcel = find_running(submit, handle);
    if (parcel)
        batch_payload(parcel, bytes, size, last);
}

static bool cancel_waiting(struct lane *lane, const struct accord_delivery *handle)
{
    for (struct parcel **at = &lane->first; *at; at = &(*at)->next) {
        struct parcel *parcel = *at;
        if (parcel->out->handle != handle)
            continue;
        *at = parcel->next;
        if (!*at)
            lane->last = at;
        lane->waiting--;
        parcel_finish(parcel, ACCORD_RETRY, 0, "cancelled before it was sent", "");
        return true;
    }
    return false;
}

void submit_cancel(struct submit *submit, struct accord_delivery *handle)
{
    struct parcel *parcel = find_running(submit, handle);
    if (parcel)
        batch_cancel(parcel);
    for (size_t i = 0; !parcel && i < submit->link->setup->service_count; i++)
        if (submit->lanes[i].options && cancel_waiting(&submit->lanes[i], handle))
            return;
}

/* ---- life ---- */

struct submit *submit_new(struct link *link)
{
    size_t count = link->setup->service_count;
    struct submit *submit = calloc(1, sizeof *submit);
    struct lane *lanes = calloc(count + 1, sizeof *lanes);
    if (!submit || !lanes) {
        free(submit);
        free(lanes);
        return NULL;
    }
    submit->link = link;
    submit->lanes = lanes;
    for (size_t i = 0; i < count; i++)
        if (link->setup->services[i]->direction == ACCORD_SEND)
            lanes[i] = (struct lane){.submit = submit,
                                     .service = i,
                                     .options = link_service(link, i),
                                     .last = &lanes[i].first,
                                     .wait = {.run = on_catalogue}};
    return submit;
}

static void stop_timer(struct submit *submit)
{
    if (submit->soon)
        submit->link->host->timer_stop(submit->soon);
    submit->soon = NULL;
}

void submit_stop(struct submit *submit)
{
    stop_timer(submit);
    for (size_t i = 0; i < submit->link->setup->service_count; i++)
        catalogue_leave(submit->link, &submit->lanes[i].wait);
    end_all_waiting(submit, 0, "the link is stopping");
}

void submit_free(struct submit *submit)
{
    if (!submit)
        return;
    submit_stop(submit);
    while (submit->batches) {
        struct batch *batch = submit->batches;
        submit->batches = batch->next;
        batch_free(batch);
    }
    submit_stop(submit);
    count_delivered(submit);
    free(submit->lanes);
    free(submit);
}
