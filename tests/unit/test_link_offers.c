/* Offers in the link role: taken as they are pulled, and each way that they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "link_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void offer_write(struct fake_hub *hub, uint64_t id)
{
    wire_put_OFFER_PULL(&hub->out, &(struct wire_OFFER_PULL){id, 11});
    hub_send(hub, -1);
    hub_expect_log(hub, "offer_pull", "1 11");
    puppet_does(hub, "write");
    assert_memory_equal(hub_expect(hub, WIRE_OFFER_DATA)->OFFER_DATA.data.data, "hello ", 6);
    puppet_does(hub, "write-last");
    const struct wire_OFFER_DATA *data = &hub_expect(hub, WIRE_OFFER_DATA)->OFFER_DATA;
    assert_int_equal(data->last, 1);
    assert_memory_equal(data->data.data, "world", 5);
}

static void offer_ends(struct fake_hub *hub, uint64_t id, enum accord_admission admission, const char *rule)
{
    wire_put_OFFER_DONE(&hub->out, &(struct wire_OFFER_DONE){id, (uint8_t)admission, "id7", rule, "why", 1});
    hub_send(hub, -1);
}

static void an_offer_is_accepted(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    puppet_does(&hub, "write");
    hub_expect_log(&hub, "offer_write", "-3"); /* nothing was asked for yet */
    offer_write(&hub, id);
    offer_ends(&hub, id, ACCORD_ACCEPTED, "");
    hub_expect_log(&hub, "offer_done", "1 0 id7  why");
    offer_ends(&hub, id, ACCORD_ACCEPTED, "");
    hub_end(&hub);
}

static void an_offer_is_quarantined_before_its_last_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    offer_ends(&hub, id, ACCORD_QUARANTINED, "services.type");
    hub_expect_log(&hub, "offer_done", "1 1 id7 services.type why");
    hub_end(&hub);
}

static void an_offer_is_rejected_before_its_first_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    offer_ends(&hub, id, ACCORD_REJECTED, "services.size");
    hub_expect_log(&hub, "offer_done", "1 3 id7 services.size why");
    hub_end(&hub);
}

static void an_offer_is_deferred(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    offer_write(&hub, id);
    offer_ends(&hub, id, ACCORD_DEFERRED, "hub.full");
    hub_expect_log(&hub, "offer_done", "1 2 id7 hub.full why");
    hub_end(&hub);
}

static void an_offer_cannot_be_accepted_before_its_last_byte(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    offer_ends(&hub, puppet_offers(&hub), ACCORD_ACCEPTED, "");
    hub_expect_failure(&hub, "hub.protocol");
}

static void an_aborted_offer_hears_no_more(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    puppet_does(&hub, "abort");
    assert_int_equal(hub_expect(&hub, WIRE_OFFER_ABORT)->OFFER_ABORT.offer, id);
    wire_put_OFFER_PULL(&hub.out, &(struct wire_OFFER_PULL){id, 11});
    hub_send(&hub, -1);
    offer_ends(&hub, id, ACCORD_DEFERRED, "");
    hub_expect_nothing(&hub);
    puppet_does(&hub, "abort");
    hub_expect_failure(&hub, "plugin.dead-offer");
}

static void an_offer_to_a_sending_service_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    puppet_does(&hub, "offer-wrong-way");
    hub_expect_failure(&hub, "plugin.offer");
}

static void offers_beyond_the_limit_wait_for_room(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t last = 0;
    for (int i = 0; i < WIRE_OFFERS_MAX / WIRE_OFFER_HEAVY; i++) /* they announce no size */
        last = puppet_offers(&hub);
    puppet_does(&hub, "offer");
    hub_expect_log(&hub, "offer", "none");
    offer_ends(&hub, last, ACCORD_DEFERRED, "");
    hub_expect_log(&hub, "offer_done", "0 2 id7  why");
    hub_expect_log(&hub, "offer_ready", "now");
    puppet_offers(&hub);
    hub_end(&hub);
}

static uint64_t puppet_advances(struct fake_hub *hub, uint32_t voids)
{
    puppet_does(hub, "advance");
    const struct wire_ADVANCE *asked = &hub_expect(hub, WIRE_ADVANCE)->ADVANCE;
    assert_int_equal(asked->service, 1);
    assert_int_equal(asked->voids, voids);
    assert_string_equal(asked->cursor, "c2");
    return asked->request;
}

static void a_cursor_is_committed_without_an_offer(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t request = puppet_advances(&hub, 0);
    wire_put_ADVANCED(&hub.out, &(struct wire_ADVANCED){request, 0, ""});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "advanced", "0 ");
    wire_put_ADVANCED(&hub.out, &(struct wire_ADVANCED){request, 0, ""});
    hub_send(&hub, -1);
    hub_expect_failure(&hub, "hub.protocol");
}

static void the_hub_hears_which_deferrals_came_before(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    uint64_t id = puppet_offers(&hub);
    offer_ends(&hub, id, ACCORD_DEFERRED, "hub.full");
    hub_expect_log(&hub, "offer_done", "1 2 id7 hub.full why");
    puppet_advances(&hub, 1);
    id = puppet_offers(&hub);
    puppet_does(&hub, "abort");
    hub_expect(&hub, WIRE_OFFER_ABORT);
    offer_ends(&hub, id, ACCORD_DEFERRED, "hub.full"); /* crossed the abort: it counts all the same */
    hub_expect_nothing(&hub);
    puppet_advances(&hub, 2);
    hub_end(&hub);
}

static void cursors_without_an_end_are_too_many(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, "no");
    for (int i = 0; i < WIRE_ADVANCES_MAX; i++)
        puppet_advances(&hub, 0);
    puppet_does(&hub, "advance");
    hub_expect_log(&hub, "advance", "-14");
    hub_end(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_accepted),
        cmocka_unit_test(an_offer_is_quarantined_before_its_last_byte),
        cmocka_unit_test(an_offer_is_rejected_before_its_first_byte),
        cmocka_unit_test(an_offer_is_deferred),
        cmocka_unit_test(an_offer_cannot_be_accepted_before_its_last_byte),
        cmocka_unit_test(an_aborted_offer_hears_no_more),
        cmocka_unit_test(an_offer_to_a_sending_service_is_fatal),
        cmocka_unit_test(a_cursor_is_committed_without_an_offer),
        cmocka_unit_test(the_hub_hears_which_deferrals_came_before),
        cmocka_unit_test(cursors_without_an_end_are_too_many),
        cmocka_unit_test(offers_beyond_the_limit_wait_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
