/* The bus: messages that answer others, and answers that do not come. */
#include "bus/answers.h"
#include "bus_world.h"
#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* isa/plan expects an answer within a minute, which comes in by isa/reply for the site. */
static struct world *expecting(void)
{
    struct world *w = world_new(false);
    struct conf_agreement *isa = &w->agreements[1];
    static struct conf_service services[2];
    static struct conf_route to = {.agreement = "site", .service = "replies"};
    services[0] = w->services[1];
    services[0].expect_response = 60000;
    services[1] = (struct conf_service){.type = &w->type,
                                        .link = &w->links[1],
                                        .max_size = 1 << 20,
                                        .direction = ACCORD_RECEIVE,
                                        .to = &to,
                                        .to_count = 1,
                                        .correlates = &services[0]};
    text_copy(services[1].name, sizeof services[1].name, "reply");
    isa->services = services;
    isa->service_count = 2;
    assert_int_equal(bus_party_set(w->isa, isa, 7), 0);
    bus_party_block(w->isa, "link", false);
    static struct conf_service replies[2];
    replies[0] = w->services[0];
    replies[1] = services[0];
    replies[1].link = &w->links[0];
    replies[1].from_count = 0;
    replies[1].expect_response = 0;
    text_copy(replies[1].name, sizeof replies[1].name, "replies");
    w->agreements[0].services = replies;
    w->agreements[0].service_count = 2;
    assert_int_equal(bus_party_set(w->site, &w->agreements[0], 1), 0);
    bus_party_block(w->site, "link", false);
    turn(w);
    return w;
}

static void end(struct world *w)
{
    clock_use(NULL);
    world_free(w);
}

static void reply(struct world *w, const char *to)
{
    char id[ACCORD_ID_MAX]; /* for `to` may be that of the message before */
    text_copy(id, sizeof id, to);
    struct accord_pair header = {ACCORD_HEADER_CORRELATION, id};
    struct accord_envelope envelope = {
        .name = "reply", .source_id = "r", .size = -1, .headers = &header, .header_count = 1};
    struct bus_offer *o;
    int before = w->done;
    assert_int_equal(
        bus_offer_new(w->isa, &w->agreements[1].services[1], &envelope, NULL, &offer_events, w, &o), 0);
    assert_int_equal(bus_offer_data(o, (const uint8_t *)"yes", 3, true), 0);
    assert_true(turn_until(w, &w->done, before + 1));
    turn(w);
}

static void look(struct world *w)
{
    bus_answers_tick(w->bus);
    turn(w);
}

/* And a second, by the clock; until end(). */
static void wait_a_minute(void)
{
    static struct clock_source clock;
    clock = (struct clock_source){.wall = clock_wall() + 61000000, .ticks = clock_ticks() + 61000};
    clock_use(&clock);
}

static void answer_that_comes_is_not_missed(void **state)
{
    (void)state;
    struct world *w = expecting();
    offer(w, "1");
    reply(w, w->id);
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(records_of(w, "isa", "response-received"), 1);
    wait_a_minute();
    look(w);
    assert_int_equal(records_of(w, "isa", "response-overdue"), 0);
    end(w);
}

static void answer_that_does_not_come_is_missed_once(void **state)
{
    (void)state;
    struct world *w = expecting();
    struct bus_lane_view lane;
    offer(w, "1");
    wait_a_minute();
    for (int i = 0; i < 3; i++) {
        look(w);
    }
    assert_int_equal(records_of(w, "isa", "response-overdue"), 1);
    assert_int_equal(records_of(w, "isa", "incident-opened"), 1); /* of the same commit */
    assert_true(w->incident_recorded);
    assert_string_equal(w->incident, "hub.response-overdue");
    assert_true(bus_party_lane(w->isa, 0, &lane));
    assert_int_equal(lane.overdue, 1);
    reply(w, w->id); /* late is better than never */
    assert_int_equal(records_of(w, "isa", "response-received"), 1);
    assert_true(bus_party_lane(w->isa, 0, &lane));
    assert_int_equal(lane.overdue, 0);
    end(w);
}

static void missed_answer_is_told_when_the_store_took_its_record(void **state)
{
    (void)state;
    struct world *w = expecting();
    struct bus_lane_view lane;
    offer(w, "1");
    wait_a_minute();
    store_break(w, ACCORD_EIO);
    look(w);
    assert_int_equal(w->incidents, 0);
    assert_int_equal(records_of(w, "isa", "response-overdue"), 0);
    store_break(w, 0);
    look(w);
    assert_int_equal(w->incidents, 1);
    assert_string_equal(w->incident, "hub.response-overdue");
    assert_int_equal(records_of(w, "isa", "response-overdue"), 1);
    assert_true(bus_party_lane(w->isa, 0, &lane));
    assert_int_equal(lane.overdue, 1);
    end(w);
}

static void answer_may_come_before_the_delivery_is_settled(void **state)
{
    (void)state;
    struct world *w = expecting();
    w->keep_dispatch = true;
    offer(w, "1");
    struct bus_dispatch *sent = w->kept;
    w->keep_dispatch = false;
    reply(w, w->id);
    w->kept = sent;
    finish(w);
    turn(w);
    wait_a_minute();
    look(w);
    assert_int_equal(records_of(w, "isa", "response-overdue"), 0);
    end(w);
}

static void message_that_answers_nothing_of_ours_is_only_a_message(void **state)
{
    (void)state;
    struct world *w = expecting();
    offer(w, "1");
    reply(w, "00000000000000000000000x");
    assert_int_equal(w->admitted.admission, ACCORD_ACCEPTED);
    assert_int_equal(records_of(w, "isa", "response-received"), 0);
    world_free(w);
}

#define T(name) cmocka_unit_test_teardown(name, message_forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(answer_that_comes_is_not_missed),
        T(answer_that_does_not_come_is_missed_once),
        T(missed_answer_is_told_when_the_store_took_its_record),
        T(answer_may_come_before_the_delivery_is_settled),
        T(message_that_answers_nothing_of_ours_is_only_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
