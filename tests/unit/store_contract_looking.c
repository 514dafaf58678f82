/* The store's contract: scans, counts, cursors and chains show what was done. */
#include "store_contract.h"

#include <stdlib.h>
#include <string.h>

#include "store_calls.h"
#include "util/clock.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void a_scan_gives_pages_newest_first(void **state)
{
    struct bench *bench = *state;
    char ids[5][ACCORD_ID_MAX];
    struct store_message *found[3];
    struct clock_source clock = {.wall = 1700000000000000, .ticks = 1};
    clock_use(&clock);
    for (size_t i = 0; i < 5; i++) {
        clock.wall += 10000;
        struct letter letter;
        letter_init(&letter, bench, "", "x", 1);
        if (i == 1) {
            letter.envelope.type = "incident-report";
            letter.admission.flags = STORE_QUARANTINED;
            letter.admission.rule = "content.x";
            letter.admission.reason = "because";
            letter.admission.delivery_count = 0;
        }
        assert_int_equal(admit(bench, &letter), 0);
        memcpy(ids[i], letter.id.text, ACCORD_ID_MAX);
        letter_fini(&letter);
    }
    clock_use(NULL);
    struct store_scan all = {.limit = 3, .found = found};
    assert_int_equal(scan(bench, &all), 0);
    assert_int_equal(all.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(found[i]->id, ids[4 - i]);
        store_message_free(found[i]);
    }
    all.before = ids[2];
    assert_int_equal(scan(bench, &all), 0);
    assert_int_equal(all.count, 2);
    assert_string_equal(found[0]->id, ids[1]);
    assert_string_equal(found[0]->rule, "content.x");
    assert_string_equal(found[0]->reason, "because");
    assert_string_equal(found[1]->id, ids[0]);
    store_message_free(found[0]);
    store_message_free(found[1]);
    struct store_scan some[] = {{.state = -1, .limit = 3, .found = found},
                                {.type = "incident-report", .limit = 3, .found = found},
                                {.agreement = "site", .type = "incident-report", .limit = 3, .found = found}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan(bench, &some[i]), 0);
        assert_int_equal(some[i].count, 1);
        assert_string_equal(found[0]->id, ids[1]);
        store_message_free(found[0]);
    }
    struct store_scan none[] = {{.state = STORE_DEAD, .limit = 3, .found = found},
                                {.agreement = "sit", .limit = 3, .found = found},
                                {.agreement = "isa", .type = "incident-report", .limit = 3, .found = found}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan(bench, &none[i]), 0);
        assert_int_equal(none[i].count, 0);
    }
}

static void counts_follow_every_change(void **state)
{
    struct bench *bench = *state;
    uint64_t numbers[4];
    struct store_claimed claimed[1];
    struct store_counts request = {0};
    int64_t before = clock_wall();
    for (size_t i = 0; i < 4; i++)
        numbers[i] = admit_small(bench, (const char *[]){"a", "b", "c", "d"}[i], NULL);
    assert_int_equal(settle(bench, numbers[1], STORE_DELIVERED), 0);
    assert_int_equal(settle(bench, numbers[2], STORE_HELD), 0);
    struct store_claim taking = {.agreement = "isa", .now = 1, .limit = 1, .claimed = claimed};
    assert_int_equal(claim(bench, &taking), 0);
    store_message_free(claimed[0].message);
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.messages, 4);
    assert_int_equal(request.quarantined, 0);
    assert_int_equal(request.bytes, 4);
    assert_int_equal(request.count, 1);
    assert_string_equal(request.rows[0].agreement, "isa");
    assert_string_equal(request.rows[0].service, "out");
    assert_int_equal(request.rows[0].states[STORE_WAITING], 1);
    assert_int_equal(request.rows[0].states[STORE_SENDING], 1);
    assert_int_equal(request.rows[0].states[STORE_HELD], 1);
    assert_int_equal(request.rows[0].states[STORE_DELIVERED], 1);
    assert_true(request.rows[0].oldest >= before && request.rows[0].oldest <= clock_wall());
    free(request.rows);
    assert_int_equal(settle(bench, numbers[0], STORE_DEAD), 0);
    assert_int_equal(settle(bench, numbers[2], STORE_DISCARDED), 0);
    assert_int_equal(settle(bench, numbers[3], STORE_DELIVERED), 0);
    assert_int_equal(counts(bench, &request), 0);
    assert_int_equal(request.rows[0].states[STORE_WAITING], 0);
    assert_int_equal(request.rows[0].states[STORE_SENDING], 0);
    assert_int_equal(request.rows[0].states[STORE_DEAD], 1);
    assert_int_equal(request.rows[0].states[STORE_DISCARDED], 1);
    assert_int_equal(request.rows[0].oldest, 0);
    free(request.rows);
}

static void cursors_move_with_their_messages(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_cursor cursor = {.route = "site/plans"}, other = {.route = "site/others"};
    struct waited waited[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        letter_init(&letter, bench, "", "x", 1);
        letter.admission.cursor = i ? "second" : "first";
        assert_int_equal(admit(bench, &letter), 0);
        letter_fini(&letter);
    }
    admit_small(bench, "no cursor", NULL);
    store_cursor(bench->store, &cursor, on_waited, &waited[0]);
    store_cursor(bench->store, &other, on_waited, &waited[1]);
    assert_int_equal(wait_for(bench, &waited[1]), 0);
    assert_string_equal(cursor.value, "second");
    assert_string_equal(other.value, "");
}

static void audit_chains_are_whole_and_apart(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(audit(bench, i % 3 ? "host" : "isa", "agent-start"), 0);
        if (i % 5 == 0)
            admit_small(bench, "x", NULL);
    }
    assert_int_equal(verify_chains(bench), 24);
    assert_int_equal(audit(bench, "", "x"), ACCORD_EINVAL);
    assert_int_equal(verify_chains(bench), 24);
}

int contract_looking(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(a_scan_gives_pages_newest_first),
        contract_test(counts_follow_every_change),
        contract_test(cursors_move_with_their_messages),
        contract_test(audit_chains_are_whole_and_apart),
    };
    return cmocka_run_group_tests_name("looking", tests, NULL, NULL);
}
