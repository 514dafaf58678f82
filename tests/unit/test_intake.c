/* Offers of a sender that is slow, careless or hostile. */
#include "hub/intake.h"
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
#include <sys/socket.h>
#include <unistd.h>

#define MOST 4

struct sender {
    struct world *w;
    struct channel *channel;
    struct table intakes;
    size_t held;
    bool is_link;
    int theirs;
    struct clock_source clock;
    /* what it was told last */
    int pulls, dones;
    uint8_t admission;
    char rule[ACCORD_RULE_MAX];
};

static void nothing(void *arg, const struct wire_message *m, int fd)
{
    (void)arg, (void)m, (void)fd;
}

static void gone(void *arg, const struct reason *why)
{
    (void)arg, (void)why;
}

static void sender_init(struct sender *s)
{
    static const struct channel_events events = {nothing, gone, NULL};
    int ends[2];
    *s = (struct sender){.w = world_new(false), .clock = {.wall = clock_wall(), .ticks = 1000}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(channel_open(&s->channel, &s->w->loop, ends[0], WIRE_L, &events, s), 0);
    s->theirs = ends[1];
    clock_use(&s->clock);
}

static void sender_fini(struct sender *s)
{
    if (s->channel)
        channel_close(s->channel);
    s->channel = NULL;
    intake_gone(&s->intakes);
    clock_use(NULL);
    close(s->theirs);
    world_free(s->w);
}

static void hear(struct sender *s)
{
    static uint8_t datagram[WIRE_DATAGRAM_MAX];
    ssize_t size;
    turn_some(s->w);
    while ((size = recv(s->theirs, datagram, sizeof datagram, 0)) > 0) {
        struct wire_bytes bytes = {datagram, (size_t)size};
        struct wire_message m;
        struct reason why;
        while (bytes.size && wire_decode(&bytes, WIRE_H, &m, &why) == 0) {
            s->pulls += m.type == WIRE_OFFER_PULL;
            if (m.type != WIRE_OFFER_DONE)
                continue;
            s->dones++;
            s->admission = m.OFFER_DONE.admission;
            text_copy(s->rule, sizeof s->rule, m.OFFER_DONE.rule);
        }
    }
}

static enum intake_result offer_with(struct sender *s, uint64_t id, const struct wire_pairs *headers,
                                     int64_t size)
{
    struct intake_host host = {&s->channel, &s->intakes, MOST * WIRE_OFFER_HEAVY, &s->held, s->is_link};
    struct wire_OFFER m = {.offer = id, .name = "plan.edi", .source_id = "1", .size = size};
    if (headers)
        m.headers = *headers;
    return intake_offer(host, s->w->site, &s->w->services[0], &m);
}

static enum intake_result offer_one(struct sender *s, uint64_t id)
{
    return offer_with(s, id, NULL, -1);
}

static bool data(struct sender *s, uint64_t id, size_t size, bool last)
{
    return intake_data(&s->intakes, &(struct wire_OFFER_DATA){
                                        .offer = id, .last = last, .data = {(const uint8_t *)PAYLOAD, size}});
}

static void offer_is_taken(void **state)
{
    (void)state;
    struct sender s;
    sender_init(&s);
    assert_int_equal(offer_one(&s, 7), INTAKE_OPEN);
    assert_true(data(&s, 7, sizeof PAYLOAD - 1, true));
    hear(&s);
    assert_int_equal(s.pulls, 1);
    assert_int_equal(s.dones, 1);
    assert_int_equal(s.admission, ACCORD_ACCEPTED);
    assert_int_equal(s.intakes.count, 0);
    assert_int_equal(s.held, 0);
    sender_fini(&s);
}

static void small_offer_of_a_link_is_not_asked_for_its_payload(void **state)
{
    (void)state;
    struct sender s;
    sender_init(&s);
    s.is_link = true;
    assert_int_equal(offer_with(&s, 7, NULL, sizeof PAYLOAD - 1), INTAKE_OPEN);
    assert_int_equal(offer_with(&s, 8, NULL, WIRE_SMALL + 1), INTAKE_OPEN);
    assert_true(data(&s, 7, sizeof PAYLOAD - 1, true));
    hear(&s);
    assert_int_equal(s.pulls, 1); /* the other one */
    assert_int_equal(s.dones, 1);
    assert_int_equal(s.admission, ACCORD_ACCEPTED);
    sender_fini(&s);
}

static void sender_that_stops_in_the_middle_does_not_keep_the_agreement_busy(void **state)
{
    (void)state;
    struct sender s;
    sender_init(&s);
    assert_int_equal(offer_one(&s, 7), INTAKE_OPEN);
    assert_true(data(&s, 7, 5, false));
    hear(&s);
    intake_tick(&s.intakes, s.clock.ticks + 59000, NULL);
    assert_int_equal(s.intakes.count, 1);
    intake_tick(&s.intakes, s.clock.ticks + 60000, NULL);
    hear(&s);
    assert_int_equal(s.intakes.count, 0);
    assert_int_equal(s.held, 0);
    assert_int_equal(s.admission, ACCORD_DEFERRED);
    assert_string_equal(s.rule, "hub.offer-idle");
    assert_int_equal(bus_party_busy(s.w->site), 0);
    assert_true(data(&s, 7, 5, false)); /* what was on its way is nobody's fault */
    sender_fini(&s);
}

static void agreement_that_drains_lets_go_of_offers_that_are_not_whole(void **state)
{
    (void)state;
    struct sender s;
    sender_init(&s);
    assert_int_equal(offer_one(&s, 7), INTAKE_OPEN);
    intake_tick(&s.intakes, s.clock.ticks, s.w->isa); /* another one's */
    assert_int_equal(s.intakes.count, 1);
    intake_tick(&s.intakes, s.clock.ticks, s.w->site);
    assert_int_equal(s.intakes.count, 0);
    assert_int_equal(s.held, 0);
    assert_int_equal(bus_party_busy(s.w->site), 0);
    sender_fini(&s);
}

static void sender_that_goes_away_leaves_nothing(void **state)
{
    (void)state;
    struct sender s;
    sender_init(&s);
    assert_int_equal(offer_one(&s, 1), INTAKE_OPEN);
    assert_int_equal(offer_one(&s, 2), INTAKE_OPEN);
    assert_true(data(&s, 2, 5, false));
    assert_int_equal(offer_one(&s, 3), INTAKE_OPEN);
    assert_true(data(&s, 3, sizeof PAYLOAD - 1, true)); /* whole: it goes on to its admission */
    sender_fini(&s);
}

static void offers_that_break_the_protocol_are_found(void **state)
{
    (void)state;
    struct sender s;
    char long_value[4000];
    struct accord_pair many[ACCORD_HEADERS_MAX + 1], large[10];
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = 0;
    for (size_t i = 0; i < ACCORD_HEADERS_MAX + 1; i++)
        many[i] = (struct accord_pair){"name", "value"};
    for (size_t i = 0; i < 10; i++)
        large[i] = (struct accord_pair){"name", long_value};
    struct wire_pairs too_many = WIRE_PAIRS(many, ACCORD_HEADERS_MAX + 1), too_large = WIRE_PAIRS(large, 10);
    too_large.raw.size = sizeof large / sizeof *large * sizeof long_value; /* as received */
    sender_init(&s);
    assert_int_equal(offer_with(&s, 1, &too_many, -1), INTAKE_BROKEN);
    assert_int_equal(offer_with(&s, 1, &too_large, -1), INTAKE_BROKEN);
    assert_int_equal(offer_with(&s, 1, NULL, -2), INTAKE_BROKEN);
    assert_int_equal(offer_with(&s, 1, NULL, INT64_MAX),
                     INTAKE_REJECTED); /* larger than the service allows */
    assert_int_equal(offer_one(&s, 1), INTAKE_OPEN);
    assert_int_equal(offer_one(&s, 1), INTAKE_BROKEN); /* the number is in use */
    for (uint64_t id = 2; id <= MOST; id++)
        assert_int_equal(offer_one(&s, id), INTAKE_OPEN);
    assert_int_equal(offer_one(&s, MOST + 1), INTAKE_BROKEN);
    intake_abort(&s.intakes, 2); /* in the place of one of any size come many small ones */
    for (uint64_t id = 100; id < 100 + WIRE_OFFER_HEAVY; id++)
        assert_int_equal(offer_with(&s, id, NULL, 1), INTAKE_OPEN);
    assert_int_equal(offer_with(&s, 200, NULL, 1), INTAKE_BROKEN);
    assert_true(data(&s, 1, sizeof PAYLOAD - 1, true));
    assert_false(data(&s, 1, 1, false)); /* behind the last */
    intake_abort(&s.intakes, 99);
    sender_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offer_is_taken),
        cmocka_unit_test(small_offer_of_a_link_is_not_asked_for_its_payload),
        cmocka_unit_test(sender_that_stops_in_the_middle_does_not_keep_the_agreement_busy),
        cmocka_unit_test(agreement_that_drains_lets_go_of_offers_that_are_not_whole),
        cmocka_unit_test(sender_that_goes_away_leaves_nothing),
        cmocka_unit_test(offers_that_break_the_protocol_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
