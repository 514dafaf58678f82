#include "bus_world.h"

#include "bus/party.h"
#include "store/front.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY (86400LL * 1000000)

void turn(struct world *w)
{
    for (int i = 0; i < 2000; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        if (i > 20 && bus_idle(w->bus))
            return;
        uv_sleep(1);
    }
}

void turn_some(struct world *w)
{
    for (int i = 0; i < 50; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

bool turn_until(struct world *w, const int *value, int least)
{
    for (int i = 0; i < 8000 && *value < least; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    return *value >= least;
}

/* ---- policies ---- */

static void give_key(struct world *w, const struct bus_case *c, struct bus_verdict *verdict)
{
    const char *agreement = bus_party_conf(bus_case_view(c)->party)->name;
    if (!w->key || (w->only_key_of && strcmp(w->only_key_of, agreement) != 0))
        return;
    verdict->keys = calloc(1, sizeof *verdict->keys);
    verdict->key_count = 1;
    text_copy(verdict->keys[0].text, sizeof verdict->keys[0].text, w->key);
}

static void judge(struct world *w, struct bus_case *c, enum accord_answer answer)
{
    bool guard = !bus_case_view(c)->source;
    int64_t good_for = answer == ACCORD_ALLOW ? w->good_for[guard ? BUS_GUARD : BUS_INSPECT] : 0;
    struct bus_verdict verdict = {.answer = answer,
                                  .wait = answer == ACCORD_DEFER ? w->wait : 0,
                                  .good_until = good_for ? clock_ticks() + good_for : 0};
    if (verdict.answer != ACCORD_ALLOW) {
        bus_verdict_say(&verdict, "", guard ? "services.rate" : "stow-plan.unt-count", "scripted");
    } else if (!guard) {
        give_key(w, c, &verdict);
    }
    bus_case_answer(c, &verdict);
}

void answer(struct world *w, size_t kept_case, enum accord_answer given)
{
    struct bus_case *c = w->cases[kept_case];
    w->cases[kept_case] = NULL;
    judge(w, c, given);
}

/* An inspector that reads in parts, as pieces come to a real one. */
struct reading {
    struct world *w;
    struct bus_case *c;
    uint8_t bytes[64];
    int64_t at;
};

static void part_read(void *arg, int result, size_t got)
{
    struct reading *reading = arg;
    struct world *w = reading->w;
    struct bus_source *source = bus_case_view(reading->c)->source;
    assert_int_equal(result, 0);
    assert_true(got > 0);
    reading->at += (int64_t)got;
    if (reading->at < bus_source_size(source)) {
        bus_source_read(source, reading->at, reading->bytes + reading->at, 7, part_read, reading);
        return;
    }
    w->read_whole += memcmp(reading->bytes, PAYLOAD, sizeof PAYLOAD - 1) == 0;
    judge(w, reading->c, w->inspect);
    free(reading);
}

static void read_first(struct world *w, struct bus_case *c)
{
    struct reading *reading = calloc(1, sizeof *reading);
    reading->w = w;
    reading->c = c;
    bus_source_read(bus_case_view(c)->source, 0, reading->bytes, 7, part_read, reading);
}

static void ask(void *arg, enum bus_judge which, struct bus_case *c)
{
    struct world *w = arg;
    *(which == BUS_GUARD ? &w->asked_guard : &w->asked_inspect) += 1;
    if (w->keep_case)
        w->cases[w->case_count++] = c;
    else if (which == BUS_INSPECT && w->read_first)
        read_first(w, c);
    else
        judge(w, c, which == BUS_GUARD ? w->guard : w->inspect);
}

/* ---- links ---- */

struct sending {
    struct world *w;
    struct bus_dispatch *dispatch;
    char bytes[256];
};

static void end_dispatch(struct world *w, struct bus_dispatch *dispatch)
{
    struct accord_result result = {.outcome = w->outcome,
                                   .reason = "scripted",
                                   .receipt = w->outcome == ACCORD_DELIVERED ? "path=/x" : ""};
    bus_dispatch_finish(dispatch, &result);
}

void finish(struct world *w)
{
    struct bus_dispatch *dispatch = w->kept;
    w->kept = NULL;
    end_dispatch(w, dispatch);
}

static void payload_read(void *arg, int result, size_t got)
{
    struct sending *sending = arg;
    struct world *w = sending->w;
    assert_int_equal(result, 0);
    memcpy(w->got, sending->bytes, sizeof w->got);
    w->got_size = got;
    end_dispatch(w, sending->dispatch);
    free(sending);
}

static void send_out(void *arg, struct bus_dispatch *dispatch)
{
    struct world *w = arg;
    const struct bus_dispatch_view *view = bus_dispatch_view(dispatch);
    w->sent++;
    w->attempt = view->attempt;
    text_copy(w->sent_id, sizeof w->sent_id, view->envelope->id);
    if (w->keep_dispatch) {
        w->kept = dispatch;
        return;
    }
    struct sending *sending = calloc(1, sizeof *sending);
    *sending = (struct sending){.w = w, .dispatch = dispatch};
    bus_source_read(view->source, 0, sending->bytes, sizeof sending->bytes, payload_read, sending);
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

const struct bus_offer_events offer_events = {pull, done};
static void record(void *arg, const struct audit_event *event)
{
    struct world *w = arg;
    w->records[event->action]++;
    w->detail[0] = 0;
    if (event->detail_count)
        snprintf(w->detail, sizeof w->detail, "%s=%s", event->details[0].name, event->details[0].value);
}

static void incident(void *arg, const char *agreement, const char *link, const char *rule, const char *reason,
                     bool recorded)
{
    (void)agreement, (void)link, (void)reason;
    struct world *w = arg;
    w->incidents++;
    w->incident_recorded = recorded;
    text_copy(w->incident, sizeof w->incident, rule);
}

static const struct bus_ports ports = {ask, send_out, record, incident};

static void build_agreement(struct world *w, size_t i, const char *name)
{
    bool site = i == 0;
    struct conf_agreement *a = &w->agreements[i];
    w->links[i] = (struct conf_link){.connector = site ? &w->dir : &w->sftp};
    text_copy(w->links[i].name, sizeof w->links[i].name, "link");
    w->services[i] = (struct conf_service){.type = &w->type,
                                           .link = &w->links[i],
                                           .max_size = 1 << 20,
                                           .direction = site ? ACCORD_RECEIVE : ACCORD_SEND,
                                           .retry_first = 20,
                                           .retry_longest = 40,
                                           .retry_for = 60000,
                                           .delivery_timeout = 1000,
                                           .resend_uncertain = true};
    text_copy(w->services[i].name, sizeof w->services[i].name, site ? "plans" : "plan");
    if (!site) {
        w->services[i].from = &w->from;
        w->services[i].from_count = 1;
    }
    *a = (struct conf_agreement){.is_site = site,
                                 .enabled = true,
                                 .in_force_until = INT64_MAX,
                                 .links = &w->links[i],
                                 .link_count = 1,
                                 .services = &w->services[i],
                                 .service_count = 1,
                                 .policies = site ? NULL : w->policies,
                                 .policy_count = site ? 0 : 2};
    text_copy(a->name, sizeof a->name, name);
    w->list[i] = a;
}

struct world *world_new(bool second)
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
    turn(w);
    return w;
}

void world_free(struct world *w)
{
    turn(w);
    assert_true(bus_idle(w->bus));
    assert_int_equal(w->bus->held, 0);
    bus_free(w->bus);
    store_close(w->store);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

/* ---- offers ---- */

struct bus_offer *offer_begin(struct world *w, const char *source_id, int64_t size)
{
    struct accord_envelope envelope = {.name = "../plan.edi", .source_id = source_id, .size = size};
    struct bus_offer *o;
    assert_int_equal(
        bus_offer_new(w->site, &w->agreements[0].services[0], &envelope, NULL, &offer_events, w, &o), 0);
    return o;
}

void offer(struct world *w, const char *source_id)
{
    int before = w->done;
    struct bus_offer *o = offer_begin(w, source_id, sizeof PAYLOAD - 1);
    if (o)
        assert_int_equal(bus_offer_data(o, (const uint8_t *)PAYLOAD, sizeof PAYLOAD - 1, true), 0);
    assert_true(turn_until(w, &w->done, before + 1));
    if (w->keep_dispatch)
        turn_some(w);
    else
        turn(w);
    assert_int_equal(w->done, before + 1);
}

/* ---- looking ---- */

static struct store_message *message;

struct look {
    struct store_get get;
    bool done;
};

static void got(void *arg, int result)
{
    struct look *look = arg;
    message = result ? NULL : look->get.found;
    look->done = true;
}

const struct store_delivery *delivery_of(struct world *w, const char *agreement)
{
    struct look look = {.get.message = w->id};
    if (message)
        store_message_free(message);
    message = NULL;
    store_get(w->store, &look.get, got, &look);
    while (!look.done)
        uv_run(&w->loop, UV_RUN_ONCE);
    for (size_t i = 0; message && i < message->delivery_count; i++)
        if (strcmp(message->deliveries[i].agreement, agreement) == 0)
            return &message->deliveries[i];
    return NULL;
}

const struct store_message *message_read(void)
{
    return message;
}

int message_forget(void **state)
{
    (void)state;
    if (message)
        store_message_free(message);
    message = NULL;
    return 0;
}

static void trail_read(void *arg, int result)
{
    assert_int_equal(result, 0);
    *(bool *)arg = true;
}

/* The whole trail as text, the caller's to free. */
static char *trail_of(struct world *w)
{
    struct buf lines = {0};
    bool read = false;
    struct store_trail trail = {.limit = 10000, .lines = &lines};
    store_trail(w->store, &trail, trail_read, &read);
    while (!read)
        uv_run(&w->loop, UV_RUN_ONCE);
    char *text = strdup(buf_string(&lines));
    buf_fini(&lines);
    return text;
}

size_t line_of(struct world *w, const char *wanted)
{
    char *rest = NULL, *text = trail_of(w);
    size_t number = 0, found = SIZE_MAX;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), number++)
        if (found == SIZE_MAX && strstr(line, wanted))
            found = number;
    free(text);
    return found;
}

size_t records_of(struct world *w, const char *chain, const char *action)
{
    char of_chain[128], of_action[128];
    size_t count = 0;
    snprintf(of_chain, sizeof of_chain, "\"accord.chain\":\"%s\"", chain);
    snprintf(of_action, sizeof of_action, "\"event.action\":\"%s\"", action);
    char *rest = NULL, *text = trail_of(w);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        count += strstr(line, of_chain) && strstr(line, of_action);
    free(text);
    return count;
}

/* ---- a store that fails ---- */

static int broken_with;

static int begin_broken(void *state, uint64_t need)
{
    return broken_with ? broken_with : store_memory.begin(state, need);
}

static int claim_damaged(void *state, struct store_claim *claim)
{
    int result = store_memory.claim(state, claim);
    for (size_t i = 0; i < claim->count; i++) {
        store_message_free(claim->claimed[i].message);
        claim->claimed[i].message = NULL;
        claim->claimed[i].delivery.message[0] = 0;
    }
    return result;
}

void store_lose(struct world *w)
{
    static struct backend damaged;
    damaged = store_memory;
    damaged.claim = claim_damaged;
    w->store->backend = &damaged;
}

void store_break(struct world *w, int result)
{
    static struct backend broken;
    broken = store_memory;
    broken.begin = begin_broken;
    broken_with = result;
    w->store->backend = &broken; /* nothing is under way */
}
