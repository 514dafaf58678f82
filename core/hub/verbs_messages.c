/* messages, show and explain: what the store knows. */
#include "hub/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "util/clock.h"
#include "util/text.h"

/* ---- messages ---- */

struct listing {
    struct answer *answer;
    struct store_scan scan;
    char agreement[STORE_NAME_MAX], type[STORE_NAME_MAX], before[ACCORD_ID_MAX];
    struct store_message *found[STORE_PAGE_MAX];
};

static const char *state_of(const struct store_message *message)
{
    if (message->flags & STORE_QUARANTINED)
        return "quarantined";
    if (!message->delivery_count)
        return "";
    enum store_state least = STORE_DISCARDED;
    for (size_t i = 0; i < message->delivery_count; i++)
        if (message->deliveries[i].state < least)
            least = message->deliveries[i].state;
    return store_state_name(least);
}

static const char *flag_of(const struct store_message *message)
{
    return message->flags & STORE_CHANGED_REPEAT    ? "changed-repeat"
           : message->flags & STORE_POSSIBLE_REPEAT ? "possible-repeat"
                                                    : "";
}

static void row_message(struct answer *answer, const struct store_message *message)
{
    char time[32], size[32];
    text_time(time, sizeof time, message->time);
    text_size(size, sizeof size, message->size);
    time[19] = 0;
    const struct accord_pair cells[] = {
        {"id", message->id},          {"time", time},          {"type", message->type},
        {"name", message->name},      {"size", size},          {"origin", message->origin},
        {"state", state_of(message)}, {"rule", message->rule}, {"reason", message->reason},
        {"flags", flag_of(message)}};
    size_t count = sizeof cells / sizeof *cells;
    answer_row(answer, "messages", cells, *flag_of(message) ? count : count - 1); /* they are rare */
}

static void listed(void *arg, int result)
{
    struct listing *listing = arg;
    for (size_t i = 0; i < listing->scan.count; i++) {
        if (!result)
            row_message(listing->answer, listing->found[i]);
        store_message_free(listing->found[i]);
    }
    if (result)
        answer_end(listing->answer, ANSWER_NO, "the store could not be read");
    else
        answer_end(listing->answer, ANSWER_OK, listing->scan.count ? "%s" : "no such messages%s", "");
    free(listing);
}

/* -1: quarantined; 0: any; -2: no such state */
static int state_named(const char *name)
{
    if (!name || !*name)
        return 0;
    if (strcmp(name, "quarantined") == 0)
        return -1;
    for (int state = STORE_WAITING; state <= STORE_DISCARDED; state++)
        if (strcmp(store_state_name((enum store_state)state), name) == 0)
            return state;
    return -2;
}

void verb_messages(struct answer *answer, const struct wire_COMMAND *m)
{
    const char *agreement = wire_pairs_get(&m->arguments, "agreement"),
               *type = wire_pairs_get(&m->arguments, "type");
    const char *limit = wire_pairs_get(&m->arguments, "limit"),
               *before = wire_pairs_get(&m->arguments, "before");
    int state = state_named(wire_pairs_get(&m->arguments, "state"));
    long most = limit ? strtol(limit, NULL, 10) : 50;
    if (state < -1 || most < 1 || most > STORE_PAGE_MAX) {
        answer_end(
            answer, ANSWER_USAGE,
            "states are waiting, held, sending, delivered, dead, discarded, quarantined; limit is 1 to %d",
            STORE_PAGE_MAX);
        return;
    }
    if (before && *before && !id_valid(before)) {
        answer_end(answer, ANSWER_USAGE, "a message id has 24 characters");
        return;
    }
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    listing->answer = answer;
    text_copy(listing->agreement, sizeof listing->agreement, agreement ? agreement : "");
    text_copy(listing->type, sizeof listing->type, type ? type : "");
    text_copy(listing->before, sizeof listing->before, before ? before : "");
    listing->scan = (struct store_scan){.agreement = agreement ? listing->agreement : NULL,
                                        .type = type ? listing->type : NULL,
                                        .state = state,
                                        .before = *listing->before ? listing->before : NULL,
                                        .limit = (size_t)most,
                                        .found = listing->found};
    store_scan(answer->hub->store, &listing->scan, listed, listing);
}

/* ---- show, explain ---- */

struct look {
    struct answer *answer;
    char id[ACCORD_ID_MAX];
    bool explain;
    struct store_get get;
};

static void show_message(struct answer *answer, const struct store_message *message)
{
    char time[32], size[32], hash[DIGEST_HEX];
    text_time(time, sizeof time, message->time);
    snprintf(size, sizeof size, "%" PRId64, message->size);
    hex_encode(hash, message->sha256, DIGEST_SIZE);
    answer_row(answer, "message",
               CELLS({"id", message->id}, {"type", message->type}, {"name", message->name},
                     {"origin", message->origin}, {"time", time}, {"size", size}, {"sha256", hash},
                     {"state", state_of(message)}, {"rule", message->rule}, {"reason", message->reason},
                     {"flags", flag_of(message)}));
}

static void show_delivery(struct answer *answer, const struct store_delivery *delivery)
{
    char route[STORE_ROUTE_MAX + 1], attempts[24], changed[32], next[32] = "";
    snprintf(route, sizeof route, "%s/%s", delivery->agreement, delivery->service);
    snprintf(attempts, sizeof attempts, "%" PRId64, delivery->attempts);
    text_time(changed, sizeof changed, delivery->changed);
    if (delivery->state == STORE_WAITING && delivery->not_before > clock_wall())
        text_time(next, sizeof next, delivery->not_before);
    answer_row(answer, "deliveries",
               CELLS({"to", route}, {"state", store_state_name(delivery->state)}, {"attempts", attempts},
                     {"since", changed}, {"next", next}, {"rule", delivery->rule},
                     {"reason", delivery->reason}, {"receipt", delivery->receipt}));
}

static void explain_line(struct answer *answer, const char *what, const char *rule, const char *reason,
                         const char *advice)
{
    answer_row(answer, "explanation",
               CELLS({"step", what}, {"rule", rule}, {"reason", reason}, {"next", advice}));
}

static void explain_delivery(struct answer *answer, const struct store_delivery *d)
{
    static const char *const advice[] = {
        [STORE_WAITING] = "nothing: it is tried again by itself",
        [STORE_HELD] = "switch the agreement on, or bring it back into force",
        [STORE_SENDING] = "nothing: it is on its way",
        [STORE_DELIVERED] = "nothing: the partner has it",
        [STORE_DEAD] = "mend the cause, then: accord retry ID, or accord discard ID",
        [STORE_DISCARDED] = "nothing: it was discarded by command",
    };
    char step[STORE_ROUTE_MAX + 48];
    snprintf(step, sizeof step, "to %s/%s: %s", d->agreement, d->service, store_state_name(d->state));
    bool asks = d->state == STORE_HELD && d->not_before == STORE_NEVER;
    explain_line(
        answer, step, d->rule, d->state == STORE_DELIVERED ? d->receipt : d->reason,
        asks ? "ask the partner whether it has the message; then: accord retry ID, or accord discard ID"
             : advice[d->state]);
}

static void explain_message(struct answer *answer, const struct store_message *message)
{
    char step[STORE_ROUTE_MAX + 64];
    bool quarantined = message->flags & STORE_QUARANTINED;
    snprintf(step, sizeof step, "from %s: %s", message->origin, quarantined ? "quarantined" : "admitted");
    explain_line(
        answer, step, message->rule, message->reason,
        quarantined
            ? "mend the message or the agreement, then send it again; or: accord quarantine release ID"
            : "");
    for (size_t i = 0; i < message->delivery_count; i++)
        explain_delivery(answer, &message->deliveries[i]);
}

static void looked(void *arg, int result)
{
    struct look *look = arg;
    struct store_message *message = look->get.found;
    if (result == ACCORD_ENOENT) {
        answer_end(look->answer, ANSWER_NO, "there is no message %s; see: accord messages", look->id);
    } else if (result) {
        answer_end(look->answer, ANSWER_NO, "the store could not be read");
    } else {
        if (look->explain)
            explain_message(look->answer, message);
        else
            show_message(look->answer, message);
        for (size_t i = 0; !look->explain && i < message->delivery_count; i++)
            show_delivery(look->answer, &message->deliveries[i]);
        if (look->explain)
            answer_end(look->answer, ANSWER_OK, "%s", "");
        else
            answer_related(look->answer, message);
        store_message_free(message);
    }
    free(look);
}

static void look_at(struct answer *answer, const struct wire_COMMAND *m, bool explain)
{
    const char *id = wire_pairs_get(&m->arguments, "id");
    struct look *look = id && id_valid(id) ? calloc(1, sizeof *look) : NULL;
    if (!look) {
        answer_end(answer, ANSWER_USAGE, "a message id has 24 characters; see: accord messages");
        return;
    }
    *look = (struct look){.answer = answer, .explain = explain, .get = {.message = look->id}};
    text_copy(look->id, sizeof look->id, id);
    store_get(answer->hub->store, &look->get, looked, look);
}

void verb_show(struct answer *answer, const struct wire_COMMAND *m)
{
    look_at(answer, m, false);
}

void verb_explain(struct answer *answer, const struct wire_COMMAND *m)
{
    look_at(answer, m, true);
}
