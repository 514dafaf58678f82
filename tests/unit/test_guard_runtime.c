/* The guard role judges: modules in order, the first that does not allow decides, none answers twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guard_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void modules_are_asked_in_order_and_all_must_allow(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "later"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_HANDSHAKE, 0);
    expect_judge(&hub, "first_policy", ACCORD_ASK_HANDSHAKE);
    expect_judge(&hub, "second_policy", ACCORD_ASK_HANDSHAKE);
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    hub_end(&hub);
}

static void the_first_that_does_not_allow_decides(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "defer"}, (struct module){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_verdict(&hub, 7, ACCORD_DEFER, "first_policy"); /* the second was never asked */
    hub_end(&hub);
}

static void the_last_may_deny(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "allow"}, (struct module){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    expect_verdict(&hub, 7, ACCORD_DENY, "second_policy");
    hub_end(&hub);
}

static void a_module_is_not_asked_what_it_does_not_answer(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "allow"}, (struct module){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_IN, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_IN);
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    put_judge(&hub, 8, ACCORD_ASK_AUTHENTICATED, 0); /* nobody's */
    expect_verdict(&hub, 8, ACCORD_ALLOW, "");
    hub_end(&hub);
}

static void the_shortest_allow_counts(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "good-5000"}, (struct module){.does = "good-3000"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    assert_int_equal(expect_verdict(&hub, 7, ACCORD_ALLOW, "")->good_for, 3000);
    hub_end(&hub);
}

static void an_allow_without_end_shortens_nothing(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "good-5000"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    assert_int_equal(expect_verdict(&hub, 7, ACCORD_ALLOW, "")->good_for, 5000);
    hub_end(&hub);
}

static void a_defer_says_when_to_ask_again(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "good-5000"}, (struct module){.does = "wait-700"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    const struct wire_VERDICT *verdict = expect_verdict(&hub, 7, ACCORD_DEFER, "second_policy");
    assert_int_equal(verdict->wait, 700);
    assert_int_equal(verdict->good_for, 0);
    hub_end(&hub);
}

static void keys_of_all_modules_come_with_the_allow(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "keys"}, (struct module){.does = "keys"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    const struct wire_VERDICT *verdict = expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    struct accord_pair keys[WIRE_PAIRS_MAX];
    assert_int_equal(wire_pairs_copy(&verdict->keys, keys), 4);
    assert_string_equal(keys[0].name, "777777777");
    assert_string_equal(keys[0].value, "first_policy");
    assert_string_equal(keys[3].name, "second");
    assert_string_equal(keys[3].value, "second_policy");
    hub_end(&hub);
}

static void keys_that_cannot_be_kept_defer(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "bad-keys"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_IN, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_IN);
    assert_string_equal(expect_verdict(&hub, 7, ACCORD_DEFER, "first_policy")->rule, "hub.keys");
    hub_end(&hub);
}

static void a_cancelled_question_has_no_verdict(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "hold"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    for (int i = 0; i < 2; i++)
        wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){7});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "never mind");
    put_judge(&hub, 8, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT); /* still open when the hub goes: close answers */
    hub_end(&hub);
}

static void a_module_deaf_to_cancel_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "deaf"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){7});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "never mind");
    hub_expect_failure(&hub, "plugin.hangs");
    assert_non_null(strstr(hub.text, "first_policy"));
}

static void a_second_answer_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "allow"}, (struct module){.does = "twice"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    hub_expect_failure(&hub, "plugin.double-answer");
    assert_non_null(strstr(hub.text, "second_policy"));
}

static void a_question_left_open_by_close_is_said(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "deaf"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    assert_int_equal(hub_close(&hub), 0);
    assert_non_null(strstr(hub.text, "unanswered"));
}

static void a_guard_module_may_not_read_payloads(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "pull"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    hub_expect_failure(&hub, "plugin.payload");
}

static void a_module_that_does_not_open_fails_with_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    put_modules(&hub, false, (struct module[]){{.does = "fail"}, {.does = "allow"}});
    hub_expect_failure(&hub, "plugin.open");
    assert_non_null(strstr(hub.text, "cannot be"));
}

static void questions_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    struct wire_JUDGE bad[] = {
        {.stream = 0, .question = ACCORD_ASK_OUT},
        {.stream = 1, .question = 5},
        {.stream = 1, .question = ACCORD_ASK_OUT, .service = 2},
        {.stream = 1, .question = ACCORD_ASK_HANDSHAKE, .service = WIRE_NONE, .link = 2},
        {.stream = 1, .question = ACCORD_ASK_HANDSHAKE, .service = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hub_begin(&hub, false, (struct module){.does = "allow"}, (struct module){.does = "allow"});
        wire_put_JUDGE(&hub.out, &bad[i]);
        hub_send(&hub, -1);
        hub_expect_failure(&hub, "hub.protocol");
    }
}

static void a_stream_may_not_be_judged_twice_at_a_time(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){.does = "hold"}, (struct module){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    hub_expect_failure(&hub, "hub.protocol");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_are_asked_in_order_and_all_must_allow),
        cmocka_unit_test(the_first_that_does_not_allow_decides),
        cmocka_unit_test(the_last_may_deny),
        cmocka_unit_test(a_module_is_not_asked_what_it_does_not_answer),
        cmocka_unit_test(the_shortest_allow_counts),
        cmocka_unit_test(an_allow_without_end_shortens_nothing),
        cmocka_unit_test(a_defer_says_when_to_ask_again),
        cmocka_unit_test(keys_of_all_modules_come_with_the_allow),
        cmocka_unit_test(keys_that_cannot_be_kept_defer),
        cmocka_unit_test(a_cancelled_question_has_no_verdict),
        cmocka_unit_test(a_module_deaf_to_cancel_ends_the_process),
        cmocka_unit_test(a_second_answer_is_fatal),
        cmocka_unit_test(a_question_left_open_by_close_is_said),
        cmocka_unit_test(a_guard_module_may_not_read_payloads),
        cmocka_unit_test(a_module_that_does_not_open_fails_with_its_reason),
        cmocka_unit_test(questions_that_cannot_be_are_refused),
        cmocka_unit_test(a_stream_may_not_be_judged_twice_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
