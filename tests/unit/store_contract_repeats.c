/* The store's contract: a message that comes again, and keys that may be used once. */
#include "store_contract.h"

#include <string.h>

#include "store_calls.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int admit_as(struct bench *bench, struct letter *letter, const char *source_id, const char *payload)
{
    letter_init(letter, bench, source_id, payload, strlen(payload));
    letter->admission.duplicate_horizon = 1000000;
    return admit(bench, letter);
}

static void the_same_id_and_hash_is_the_same_message(void **state)
{
    struct bench *bench = *state;
    struct letter first, second;
    struct store_message *message;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    assert_int_equal(admit_as(bench, &second, "a", "one"), 0);
    assert_false(first.admission.repeat);
    assert_true(second.admission.repeat);
    assert_string_equal(second.admission.repeated, first.id.text);
    assert_int_equal(get(bench, second.id.text, &message), ACCORD_ENOENT);
    assert_int_equal(verify_chains(bench), 1);
    letter_fini(&first);
    letter_fini(&second);
}

static void the_same_id_with_another_hash_is_flagged(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    assert_int_equal(admit_as(bench, &second, "a", "two"), 0);
    assert_false(second.admission.repeat);
    assert_int_equal(second.admission.flags, STORE_CHANGED_REPEAT);
    assert_int_equal(admit_as(bench, &third, "a", "one"), 0);
    assert_true(third.admission.repeat);
    assert_string_equal(third.admission.repeated, first.id.text);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
}

static void without_an_id_nothing_is_suppressed(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third, fourth;
    assert_int_equal(admit_as(bench, &first, "", "one"), 0);
    assert_int_equal(first.admission.flags, 0);
    assert_int_equal(admit_as(bench, &second, "", "one"), 0);
    assert_false(second.admission.repeat);
    assert_int_equal(second.admission.flags, STORE_POSSIBLE_REPEAT);
    assert_int_equal(admit_as(bench, &third, "named", "two"), 0);
    assert_int_equal(admit_as(bench, &fourth, "", "two"), 0);
    assert_int_equal(fourth.admission.flags, STORE_POSSIBLE_REPEAT);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
    letter_fini(&fourth);
}

static void other_origins_and_old_messages_are_no_repeats(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third, fourth;
    assert_int_equal(admit_as(bench, &first, "a", "one"), 0);
    letter_init(&second, bench, "a", "one", 3);
    second.admission.duplicate_horizon = 1000000;
    second.envelope.origin = "site/others";
    assert_int_equal(admit(bench, &second), 0);
    assert_false(second.admission.repeat);
    letter_init(&third, bench, "a", "one", 3);
    third.admission.duplicate_horizon = 1000000;
    third.envelope.time = first.envelope.time + 1000001;
    assert_int_equal(admit(bench, &third), 0);
    assert_false(third.admission.repeat);
    assert_int_equal(third.admission.flags, 0);
    letter_init(&fourth, bench, "a", "one", 3); /* horizon 0: not looked for */
    assert_int_equal(admit(bench, &fourth), 0);
    assert_false(fourth.admission.repeat);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
    letter_fini(&fourth);
}

static void a_key_can_be_used_once(void **state)
{
    struct bench *bench = *state;
    const char *first_keys[] = {"isa\x1f"
                                "001",
                                "isa\x1f"
                                "002"},
               *second_keys[] = {"isa\x1f"
                                 "003",
                                 "isa\x1f"
                                 "002"};
    const char *third_keys[] = {"isa\x1f"
                                "003"};
    struct letter first, second;
    struct store_message *message;
    letter_init(&first, bench, "a", "one", 3);
    first.admission.keys = first_keys;
    first.admission.key_count = 2;
    assert_int_equal(admit(bench, &first), 0);
    letter_init(&second, bench, "b", "two", 3);
    second.admission.keys = second_keys;
    second.admission.key_count = 2;
    second.admission.cursor = "must not move";
    assert_int_equal(admit(bench, &second), ACCORD_EEXIST);
    assert_int_equal(second.admission.used_key, 1);
    assert_int_equal(get(bench, second.id.text, &message), ACCORD_ENOENT);
    struct store_cursor cursor = {.route = "site/plans"};
    struct waited waited = {0};
    store_cursor(bench->store, &cursor, on_waited, &waited);
    assert_int_equal(wait_for(bench, &waited), 0);
    assert_string_equal(cursor.value, "");
    second.admission.keys = third_keys; /* 003 was not used by the refused one */
    second.admission.key_count = 1;
    assert_int_equal(admit(bench, &second), 0);
    assert_int_equal(verify_chains(bench), 2);
    letter_fini(&first);
    letter_fini(&second);
}

static void verbs_of_one_group_see_each_other(void **state)
{
    struct bench *bench = *state;
    const char *keys[] = {"isa\x1f"
                          "9"};
    struct letter letters[3];
    struct waited waited[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        letter_init(&letters[i], bench, i < 2 ? "same" : "other", "one", 3);
        letters[i].admission.duplicate_horizon = 1000000;
        letters[i].admission.keys = keys;
        letters[i].admission.key_count = 1;
    }
    for (size_t i = 0; i < 3; i++)
        store_admit(bench->store, &letters[i].admission, on_waited, &waited[i]);
    assert_int_equal(wait_for(bench, &waited[2]), ACCORD_EEXIST);
    assert_int_equal(waited[0].result, 0);
    assert_int_equal(waited[1].result, 0);
    assert_true(letters[1].admission.repeat);
    for (size_t i = 0; i < 3; i++)
        letter_fini(&letters[i]);
}

/* Another agreement has taken over what this one had: its file has another name now. */
static void repeats_and_keys_of_a_former_name_are_found(void **state)
{
    struct bench *bench = *state;
    struct letter first, second, third;
    const char *old[] = {"isa\x1f"
                         "17"},
               *new[] = {"port\x1f"
                         "17"},
               *former[] = {"isa"}, *none[] = {""};
    letter_init(&first, bench, "a", "one", 3);
    first.admission.keys = old;
    first.admission.key_count = 1;
    assert_int_equal(admit(bench, &first), 0);
    letter_init(&second, bench, "a", "one", 3);
    second.envelope.origin = "port/in";
    second.admission.duplicate_horizon = 1000000;
    second.admission.former_origin = first.envelope.origin;
    assert_int_equal(admit(bench, &second), 0);
    assert_true(second.admission.repeat);
    assert_string_equal(second.admission.repeated, first.id.text);
    letter_init(&third, bench, "b", "two", 3);
    third.admission.keys = new;
    third.admission.key_count = 1;
    third.admission.key_formers = former;
    assert_int_equal(admit(bench, &third), ACCORD_EEXIST);
    third.admission.key_formers = none;
    assert_int_equal(admit(bench, &third), 0);
    letter_fini(&first);
    letter_fini(&second);
    letter_fini(&third);
}

int contract_repeats(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(the_same_id_and_hash_is_the_same_message),
        contract_test(the_same_id_with_another_hash_is_flagged),
        contract_test(without_an_id_nothing_is_suppressed),
        contract_test(other_origins_and_old_messages_are_no_repeats),
        contract_test(a_key_can_be_used_once),
        contract_test(repeats_and_keys_of_a_former_name_are_found),
        contract_test(verbs_of_one_group_see_each_other),
    };
    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
