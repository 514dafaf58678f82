/* retry, discard, quarantine release and discard: each decision is committed with its audit record, which names the
 * person and the reason. */
#include <stdlib.h>
#include <string.h>

#include "bus/trail.h"
#include "hub/verbs.h"
#include "store/store.h"
#include "util/id.h"
#include "util/text.h"

struct decide {
    struct answer *answer;
    char id[ACCORD_ID_MAX], service[STORE_ROUTE_MAX], why[ACCORD_REASON_MAX], user[64];
    char agreement[STORE_ROUTE_MAX];
    void (*found)(struct decide *); /* the message was read */
    struct store_get get;
    struct store_message *message;
    enum store_state to;
    bool only_dead;        /* what is held for a person stays */
    size_t at;             /* in its deliveries */
    unsigned done, failed; /* of its deliveries */
    struct store_decision decision;
    struct store_unquarantine unquarantine;
    struct store_audit audit;
};

static void decide_free(struct decide *decide)
{
    store_message_free(decide->message);
    buf_fini(&decide->audit.body);
    free(decide);
}

static void row(struct decide *decide, const char *to, const char *was, const char *is, const char *reason)
{
    answer_row(decide->answer, "decisions",
               CELLS({"id", decide->id}, {"to", to}, {"was", was}, {"is", is}, {"reason", reason}));
}

static void message_read(void *arg, int result)
{
    struct decide *decide = arg;
    decide->message = result ? NULL : decide->get.found;
    if (!result) {
        text_copy(decide->agreement, sizeof decide->agreement, decide->message->origin);
        decide->agreement[strcspn(decide->agreement, "/")] = 0;
        decide->found(decide);
        return;
    }
    if (result == ACCORD_ENOENT)
        answer_end(decide->answer, ANSWER_NO, "there is no message %s; see: accord messages", decide->id);
    else
        answer_end(decide->answer, ANSWER_NO, "the store could not be read");
    decide_free(decide);
}

static const char *argument(const struct wire_COMMAND *m, const char *name)
{
    const char *value = wire_pairs_get(&m->arguments, name);
    return value ? value : "";
}

static void begin(struct answer *answer, const struct wire_COMMAND *m, bool needs_reason, enum store_state to,
                  void (*found)(struct decide *))
{
    const char *id = argument(m, "id"), *why = argument(m, "reason");
    if (!id_valid(id)) {
        answer_end(answer, ANSWER_USAGE, "a message id has 24 characters; see: accord messages");
        return;
    }
    if (needs_reason && !*why) {
        answer_end(answer, ANSWER_USAGE, "say why, for the audit trail: --reason TEXT");
        return;
    }
    struct decide *decide = calloc(1, sizeof *decide);
    if (!decide) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    *decide = (struct decide){.answer = answer, .found = found, .to = to, .get = {.message = decide->id}};
    text_copy(decide->id, sizeof decide->id, id);
    text_copy(decide->service, sizeof decide->service, argument(m, "service"));
    decide->only_dead = strcmp(argument(m, "state"), "dead") == 0;
    text_copy(decide->why, sizeof decide->why, why);
    text_copy(decide->user, sizeof decide->user, answer->client->user);
    store_get(answer->hub->store, &decide->get, message_read, decide);
}

static void render(struct decide *decide, enum audit_action action, const char *agreement,
                   const char *service)
{
    const struct store_message *message = decide->message;
    struct audit_event event = {.action = action,
                                .outcome = AUDIT_SUCCESS,
                                .agreement = agreement,
                                .service = service,
                                .message = message->id,
                                .name = message->name,
                                .type = message->type,
                                .user = decide->user,
                                .reason = decide->why};
    buf_fini(&decide->audit.body);
    bus_trail_render(&decide->audit, &event);
}

/* ---- deliveries ---- */

/* AGREEMENT/SERVICE, or either of the two. */
static bool is_meant(const struct decide *decide, const struct store_delivery *delivery)
{
    const char *slash = strchr(decide->service, '/');
    size_t size = strlen(delivery->agreement);
    if (!slash)
        return !decide->service[0] || strcmp(decide->service, delivery->service) == 0 ||
               strcmp(decide->service, delivery->agreement) == 0;
    return (size_t)(slash - decide->service) == size &&
           memcmp(decide->service, delivery->agreement, size) == 0 &&
           strcmp(slash + 1, delivery->service) == 0;
}

static bool may(const struct decide *decide, const struct store_delivery *delivery)
{
    bool for_a_person =
        delivery->state == STORE_HELD && delivery->not_before == STORE_NEVER && !decide->only_dead;
    if (decide->to == STORE_WAITING)
        return delivery->state == STORE_DEAD || for_a_person;
    return delivery->state == STORE_WAITING || delivery->state == STORE_HELD || delivery->state == STORE_DEAD;
}

static void next_delivery(struct decide *decide);

static void decided(void *arg, int result)
{
    struct decide *decide = arg;
    const struct store_delivery *delivery = &decide->message->deliveries[decide->at++];
    char to[STORE_ROUTE_MAX + 1];
    text_copy(to, sizeof to, delivery->agreement);
    strncat(to, "/", sizeof to - strlen(to) - 1);
    strncat(to, delivery->service, sizeof to - strlen(to) - 1);
    const char *was = store_state_name(delivery->state);
    if (result) {
        decide->failed++;
        row(decide, to, was, was,
            result == ACCORD_ESTATE ? "it has changed meanwhile, or is being sent now; look again"
                                    : error_name(result));
    } else {
        decide->done++;
        row(decide, to, was, store_state_name(decide->to), decide->why);
        bus_decided(decide->answer->hub->bus, delivery);
    }
    next_delivery(decide);
}

static void end_deliveries(struct decide *decide)
{
    bool retry = decide->to == STORE_WAITING;
    if (decide->failed)
        answer_end(decide->answer, ANSWER_NO, "%s: %u of %u deliveries could not be %s", decide->id,
                   decide->failed, decide->failed + decide->done, retry ? "retried" : "discarded");
    else if (!decide->done && decide->only_dead)
        answer_end(decide->answer, ANSWER_OK, "%s: nothing of it is dead", decide->id);
    else if (!decide->done && (decide->message->flags & STORE_QUARANTINED))
        answer_end(decide->answer, ANSWER_NO, "%s is in quarantine; see: accord quarantine %s", decide->id,
                   retry ? "release" : "discard");
    else if (!decide->done)
        answer_end(decide->answer, ANSWER_NO, "%s has no delivery that can be %s: %s", decide->id,
                   retry ? "retried" : "discarded",
                   retry ? "only dead ones can, and those held for a person; see: accord show"
                         : "what is delivered cannot be called back; see: accord show");
    else
        answer_end(decide->answer, ANSWER_OK, "%s: %u %s %s", decide->id, decide->done,
                   decide->done == 1 ? "delivery" : "deliveries", retry ? "goes on" : "given up");
    decide_free(decide);
}

static void next_delivery(struct decide *decide)
{
    struct store_message *message = decide->message;
    while (decide->at < message->delivery_count && (!is_meant(decide, &message->deliveries[decide->at]) ||
                                                    !may(decide, &message->deliveries[decide->at])))
        decide->at++;
    if (decide->at == message->delivery_count) {
        end_deliveries(decide);
        return;
    }
    const struct store_delivery *delivery = &message->deliveries[decide->at];
    render(decide, decide->to == STORE_WAITING ? AUDIT_RELEASED : AUDIT_DISCARDED, delivery->agreement,
           delivery->service);
    decide->decision = (struct store_decision){.number = delivery->number,
                                               .state = decide->to,
                                               .reason = decide->why,
                                               .audit = &decide->audit,
                                               .audit_count = 1};
    store_decide(decide->answer->hub->store, &decide->decision, decided, decide);
}

void verb_retry(struct answer *answer, const struct wire_COMMAND *m)
{
    begin(answer, m, false, STORE_WAITING, next_delivery);
}

void verb_discard(struct answer *answer, const struct wire_COMMAND *m)
{
    begin(answer, m, true, STORE_DISCARDED, next_delivery);
}

/* ---- quarantine ---- */

static bool is_quarantined(struct decide *decide)
{
    if (decide->message->flags & STORE_QUARANTINED)
        return true;
    answer_end(decide->answer, ANSWER_NO, "%s is not in quarantine; see: accord quarantine list", decide->id);
    decide_free(decide);
    return false;
}

static void released(void *arg, const struct accord_admitted *admitted)
{
    struct decide *decide = arg;
    if (admitted->admission == ACCORD_ACCEPTED) {
        row(decide, "", "quarantined", "admitted", decide->why);
        answer_end(decide->answer, ANSWER_OK, "%s goes on; follow it with: accord show %s", decide->id,
                   decide->id);
    } else {
        row(decide, "", "quarantined", "quarantined", admitted->reason);
        answer_end(decide->answer, ANSWER_NO, "%s stays in quarantine, by rule %s: %s", decide->id,
                   admitted->rule, admitted->reason);
    }
    decide_free(decide);
}

static void nothing_more(void *arg, int64_t bytes)
{
    (void)arg, (void)bytes;
}

static void release(struct decide *decide)
{
    static const struct bus_offer_events events = {.pull = nothing_more, .done = released};
    if (!is_quarantined(decide))
        return;
    if (bus_release(decide->answer->hub->bus, decide->message, decide->user, decide->why, &events, decide) ==
        0)
        return;
    answer_end(decide->answer, ANSWER_NO, "out of memory");
    decide_free(decide);
}

static void discarded(void *arg, int result)
{
    struct decide *decide = arg;
    if (result) {
        answer_end(decide->answer, ANSWER_NO, "%s could not be discarded (%s)", decide->id,
                   error_name(result));
    } else {
        row(decide, "", "quarantined", "discarded", decide->why);
        answer_end(decide->answer, ANSWER_OK, "%s is given up", decide->id);
    }
    decide_free(decide);
}

static void discard_quarantined(struct decide *decide)
{
    if (!is_quarantined(decide))
        return;
    render(decide, AUDIT_DISCARDED, decide->agreement, strchr(decide->message->origin, '/') + 1);
    decide->unquarantine = (struct store_unquarantine){
        .message = decide->id, .reason = decide->why, .audit = &decide->audit, .audit_count = 1};
    store_unquarantine(decide->answer->hub->store, &decide->unquarantine, discarded, decide);
}

void verb_quarantine_release(struct answer *answer, const struct wire_COMMAND *m)
{
    begin(answer, m, true, STORE_WAITING, release);
}

void verb_quarantine_discard(struct answer *answer, const struct wire_COMMAND *m)
{
    begin(answer, m, true, STORE_DISCARDED, discard_quarantined);
}
