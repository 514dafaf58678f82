/* The bus over the memory store, with scripted policies and links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"
#include "util/clock.h"
#include "util/text.h"

#include <cmocka.h> /* last: it defines fail() */

#define DAY     (86400LL * 1000000)
#define PAYLOAD "UNB+UNOA:2+SENDER+RECIPIENT'"

/* site/plans goes to isa/plan and, when `second` is set, to other/plan. */
struct world {
    uv_loop_t loop;
    struct store *store;
    struct bus *bus;
    struct bus_party *site, *isa, *other;
    struct conf conf;
    struct conf_agreement agreements[3];
    struct conf_agreement *list[3];
    struct conf_link links[3];
    struct conf_service services[3];
    struct conf_route from;
    struct conf_type type;
    struct conf_plugin dir, sftp, services_module, content_module;
    struct conf_policy policies[2];
    /* script */
    enum accord_answer guard, inspect;
    const char *key;
    enum accord_outcome outcome;
    const char *wait_for_more;
    bool keep_dispatch;
    /* what happened */
    struct bus_dispatch *kept;
    int asked_guard, asked_inspect, sent, done;
    int64_t attempt;
    char got[256], sent_id[ACCORD_ID_MAX];
    size_t got_size;
    struct accord_admitted admitted;
    char id[ACCORD_ID_MAX], rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
    int64_t pulled;
    int records[AUDIT_ACTION_END];
};

static void turn(struct world *w, const bool *until)
{
    for (int i = 0; i < 2000 && (!until || !*until); i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(until ? 1 : 0);
        if (!until && i > 20 && bus_idle(w->bus))
            return;
        if (!until)
            uv_sleep(1);
    }
}

static void ask(void *arg, enum bus_judge judge, struct bus_case *c)
{
    struct world *w = arg;
    struct bus_verdict verdict = {.answer = judge == BUS_GUARD ? w->guard : w->inspect};
    *(judge == BUS_GUARD ? &w->asked_guard : &w->asked_inspect) += 1;
    if (verdict.answer != ACCORD_ALLOW) {
        text_copy(verdict.rule, sizeof verdict.rule, judge == BUS_GUARD ? "services.rate" : "stow-plan.unt-count");
        text_copy(verdict.reason, sizeof verdict.reason, "scripted");
    } else if (w->key && judge == BUS_INSPECT) {
        verdict.keys = calloc(1, sizeof *verdict.keys);
        verdict.key_count = 1;
        text_copy(verdict.keys[0].text, sizeof verdict.keys[0].text, w->key);
    }
    bus_case_answer(c, &verdict);
}

static void finish(struct world *w, struct bus_dispatch *d)
{
    bus_dispatch_finish(d, &(struct accord_result){.outcome = w->outcome, .reason = "scripted",
                                                   .receipt = w->outcome == ACCORD_DELIVERED ? "path=/x" : ""});
}

static void payload_read(void *arg, int result, size_t got)
{
    struct world *w = arg;
    assert_int_equal(result, 0);
    w->got_size = got;
    finish(w, w->kept);
    w->kept = NULL;
}

static void send_out(void *arg, struct bus_dispatch *d)
{
    struct world *w = arg;
    const struct bus_dispatch_view *view = bus_dispatch_view(d);
    w->sent++;
    w->attempt = view->attempt;
    text_copy(w->sent_id, sizeof w->sent_id, view->envelope->id);
    w->kept = d;
    if (!w->keep_dispatch)
        bus_source_read(view->source, 0, w->got, sizeof w->got, payload_read, w);
}

static void pull(void *arg, int64_t bytes)
{
    ((struct world *)arg)->pulled += bytes;
}

static void done(void *arg, const struct accord_admitted *admitted)
{
    struct world *w = arg;
    w->done++;
    w->admitted = *admitted;
    text_copy(w->id, sizeof w->id, admitted->id);
    text_copy(w->rule, sizeof w->rule, admitted->rule);
    text_copy(w->reason, sizeof w->reason, admitted->reason);
}

static const struct bus_offer_events events = {pull, done};
static void record(void *arg, const struct audit_event *event)
{
    ((struct world *)arg)->records[event->action]++;
}

static const struct bus_ports ports = {ask, send_out, record};

static void build_agreement(struct world *w, size_t i, const char *name)
{
    bool site = i == 0;
    struct conf_agreement *a = &w->agreements[i];
    w->links[i] = (struct conf_link){.connector = site ? &w->dir : &w->sftp};
    text_copy(w->links[i].name, sizeof w->links[i].name, "link");
    w->services[i] = (struct conf_service){.type = &w->type, .link = &w->links[i], .max_size = 1 << 20,
                                           .direction = site ? ACCORD_RECEIVE : ACCORD_SEND, .retry_first = 20,
                                           .retry_longest = 40, .retry_for = 60000, .delivery_timeout = 1000,
                                           .resend_uncertain = true};
    text_copy(w->services[i].name, sizeof w->services[i].name, site ? "plans" : "plan");
    if (!site) {
        w->services[i].from = &w->from;
        w->services[i].from_count = 1;
    }
    *a = (struct conf_agreement){.is_site = site, .enabled = true, .in_force_until = INT64_MAX,
                                 .links = &w->links[i], .link_count = 1, .services = &w->services[i],
                                 .service_count = 1, .policies = site ? NULL : w->policies,
                                 .policy_count = site ? 0 : 2};
    text_copy(a->name, sizeof a->name, name);
    w->list[i] = a;
}

static struct world *world_new(bool second)
{
    struct world *w = calloc(1, sizeof *w);
    uv_loop_init(&w->loop);
    struct store_config config = {.folder = "/nowhere", .backend = "memory", .epoch = 1};
    struct store_recovery recovery;
    struct reason why;
    assert_int_equal(store_open(&w->store, &w->loop, &config, &recovery, &why), 0);
    text_copy(w->type.name, sizeof w->type.name, "stow-plan");
    text_copy(w->from.agreement, sizeof w->from.agreement, "site");
    text_copy(w->from.service, sizeof w->from.service, "plans");
    w->content_module.flags = ACCORD_READS_PAYLOAD;
    w->policies[0].module = &w->services_module;
    w->policies[1].module = &w->content_module;
    build_agreement(w, 0, "site");
    build_agreement(w, 1, "isa");
    build_agreement(w, 2, "other");
    w->conf.agreements = w->list;
    w->conf.agreement_count = second ? 3 : 2;
    w->bus = bus_new(&w->loop, w->store, &ports, w);
    bus_duplicate_horizon_set(w->bus, DAY);
    w->site = bus_party_add(w->bus, w->list[0], 1);
    w->isa = bus_party_add(w->bus, w->list[1], 7);
    w->other = second ? bus_party_add(w->bus, w->list[2], 8) : NULL;
    struct bus_party *parties[] = {w->site, w->isa, w->other};
    for (size_t i = 0; i < w->conf.agreement_count; i++) {
        bus_party_enable(parties[i], true, "on");
        bus_party_ready(parties[i], true);
        bus_party_block(parties[i], "link", false);
    }
    w->outcome = ACCORD_DELIVERED;
    turn(w, NULL);
    return w;
}

static void world_free(struct world *w)
{
    turn(w, NULL);
    assert_true(bus_idle(w->bus));
    bus_free(w->bus);
    store_close(w->store);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

/* Offers PAYLOAD from the site and waits for the verdict. */
static void offer(struct world *w, const char *source_id)
{
    struct accord_envelope envelope = {.name = "../plan.edi", .source_id = source_id, .size = sizeof PAYLOAD - 1};
    struct bus_offer *o;
    int before = w->done;
    assert_int_equal(bus_offer_new(w->site, &w->services[0], &envelope, NULL, &events, w, &o), 0);
    if (o)
        assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    turn(w, NULL);
    assert_int_equal(w->done, before + 1);
}

static struct store_message *message;

static void got(void *arg, int result)
{
    struct store_get *get = arg;
    message = result ? NULL : get->found;
}

static const struct store_delivery *delivery_of(struct world *w, const char *agreement)
{
    struct store_get get = {.message = w->id};
    if (message)
        store_message_free(message);
    message = NULL;
    store_get(w->store, &get, got, &get);
    turn(w, NULL);
    for (size_t i = 0; message && i < message->delivery_count; i++)
        if (strcmp(message->deliveries[i].agreement, agreement) == 0)
            return &message->deliveries[i];
    return NULL;
}

static void accepted_message_is_delivered_with_its_bytes(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(w->sent, 1);
    assert_string_equal(w->sent_id, w->id);
    assert_memory_equal(w->got, PAYLOAD, sizeof PAYLOAD - 1);
    const struct store_delivery *d = delivery_of(w, "isa");
    assert_non_null(d);
    assert_int_equal(d->state, STORE_DELIVERED);
    assert_string_equal(d->receipt, "path=/x");
    assert_string_equal(message->name, "_._plan.edi");
    assert_int_equal(w->asked_guard, 1); /* not again at dispatch: same generation */
    world_free(w);
}

static void message_that_every_destination_denies_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->inspect = ACCORD_DENY;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "stow-plan.unt-count");
    assert_int_equal(w->sent, 0);
    world_free(w);
}

static void message_that_no_service_takes_is_quarantined(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    text_copy(w->from.service, sizeof w->from.service, "elsewhere");
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "services.no-service");
    world_free(w);
}

static void repeat_of_a_source_id_with_the_same_content_is_taken_once(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    offer(w, "1");
    char first[ACCORD_ID_MAX];
    memcpy(first, w->id, sizeof first);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_string_equal(w->id, first);
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void one_destination_denies_and_the_other_gets_it(void **state)
{
    (void)state;
    struct world *w = world_new(true);
    w->services[2].max_size = 3; /* other: too small */
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    const struct store_delivery *d = delivery_of(w, "other");
    assert_int_equal(d->state, STORE_DEAD);
    assert_string_equal(d->rule, "services.size");
    world_free(w);
}

static void deliveries_of_a_party_that_is_off_are_held_and_go_on_when_it_is_back(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_enable(w->isa, false, "its file says enabled = no");
    turn(w, NULL);
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_int_equal(w->sent, 0);
    bus_party_enable(w->isa, true, "on");
    turn(w, NULL);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void failed_delivery_is_tried_again_and_counts_its_attempts(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_RETRY;
    offer(w, "1");
    for (int i = 0; i < 2000 && w->sent < 3; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    assert_true(w->sent >= 3);
    assert_true(w->attempt >= 3);
    w->outcome = ACCORD_DELIVERED;
    for (int i = 0; i < 2000 && delivery_of(w, "isa")->state != STORE_DELIVERED; i++)
        uv_sleep(1);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DELIVERED);
    world_free(w);
}

static void refused_delivery_is_dead_with_the_partners_words(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->outcome = ACCORD_REFUSED;
    offer(w, "1");
    const struct store_delivery *d = delivery_of(w, "isa");
    assert_int_equal(d->state, STORE_DEAD);
    assert_string_equal(d->rule, "partner.refused");
    assert_string_equal(d->reason, "scripted");
    world_free(w);
}

static void uncertain_delivery_is_held_when_the_service_says_so(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[1].resend_uncertain = false;
    w->outcome = ACCORD_UNCERTAIN;
    offer(w, "1");
    assert_int_equal(delivery_of(w, "isa")->state, STORE_HELD);
    assert_string_equal(delivery_of(w, "isa")->rule, "hub.uncertain");
    world_free(w);
}

static void control_number_may_be_used_once(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->key = "edifact:SENDER:42";
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    offer(w, "2");
    assert_int_equal(w->admitted.admission, ACCORD_QUARANTINED);
    assert_string_equal(w->rule, "hub.key-used");
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void message_judged_under_other_policies_is_judged_again_at_dispatch(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    bus_party_block(w->isa, "link", true);
    offer(w, "1");
    assert_int_equal(w->asked_guard, 1);
    bus_party_ready(w->isa, false);
    bus_party_set(w->isa, w->list[1], 99);
    bus_party_ready(w->isa, true);
    w->guard = ACCORD_DENY;
    bus_party_block(w->isa, "link", false);
    turn(w, NULL);
    assert_int_equal(w->asked_guard, 2);
    assert_int_equal(w->sent, 0);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_DEAD);
    world_free(w);
}

static void deferred_destination_waits_and_is_asked_again(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->guard = ACCORD_DEFER;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(delivery_of(w, "isa")->state, STORE_WAITING);
    assert_int_equal(w->sent, 0);
    w->guard = ACCORD_ALLOW;
    for (int i = 0; i < 8000 && !w->sent; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    assert_int_equal(w->sent, 1);
    world_free(w);
}

static void oversize_offer_is_rejected_before_a_byte_is_taken(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->services[0].max_size = 5;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "services.size");
    assert_int_equal(w->pulled, 0);
    world_free(w);
}

static void offer_of_a_party_not_in_force_is_rejected(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    w->agreements[0].is_site = false;
    w->agreements[0].in_force_until = 1;
    offer(w, "1");
    assert_int_equal(w->admitted.admission, ACCORD_REJECTED);
    assert_string_equal(w->rule, "hub.not-in-force");
    world_free(w);
}

static void more_bytes_than_were_asked_for_are_a_protocol_error(void **state)
{
    (void)state;
    struct world *w = world_new(false);
    struct accord_envelope envelope = {.name = "x", .source_id = "", .size = -1};
    struct bus_offer *o;
    static uint8_t bytes[ACCORD_PIECE_MAX + 1];
    assert_int_equal(bus_offer_new(w->site, &w->services[0], &envelope, NULL, &events, w, &o), 0);
    assert_int_equal(bus_offer_data(o, bytes, sizeof bytes, false), ACCORD_EPROTO);
    bus_offer_abort(o);
    world_free(w);
}

static int teardown(void **state)
{
    (void)state;
    if (message)
        store_message_free(message);
    message = NULL;
    return 0;
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(accepted_message_is_delivered_with_its_bytes),
        T(message_that_every_destination_denies_is_quarantined),
        T(message_that_no_service_takes_is_quarantined),
        T(repeat_of_a_source_id_with_the_same_content_is_taken_once),
        T(one_destination_denies_and_the_other_gets_it),
        T(deliveries_of_a_party_that_is_off_are_held_and_go_on_when_it_is_back),
        T(failed_delivery_is_tried_again_and_counts_its_attempts),
        T(refused_delivery_is_dead_with_the_partners_words),
        T(uncertain_delivery_is_held_when_the_service_says_so),
        T(control_number_may_be_used_once),
        T(message_judged_under_other_policies_is_judged_again_at_dispatch),
        T(deferred_destination_waits_and_is_asked_again),
        T(oversize_offer_is_rejected_before_a_byte_is_taken),
        T(offer_of_a_party_not_in_force_is_rejected),
        T(more_bytes_than_were_asked_for_are_a_protocol_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
