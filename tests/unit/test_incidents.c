/* Incidents that plugins raise: the same within a day is one. */
#include "hub/incidents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void the_same_rule_within_a_day_is_the_same(void **state)
{
    (void)state;
    struct incidents incidents = {0};
    assert_true(incidents_new(&incidents, "sftp", "sftp.silent", 1000));
    assert_false(incidents_new(&incidents, "sftp", "sftp.silent", 1000 + INCIDENT_SAME - 1));
    assert_true(incidents_new(&incidents, "sftp", "sftp.expires", 2000));
    assert_true(incidents_new(&incidents, "other", "sftp.silent", 2000));
    assert_true(incidents_new(&incidents, "sftp", "sftp.silent", 1000 + INCIDENT_SAME));
    assert_false(incidents_new(&incidents, "sftp", "sftp.silent", 1001 + INCIDENT_SAME));
}

static void a_flood_of_rules_forgets_the_oldest(void **state)
{
    (void)state;
    struct incidents incidents = {0};
    char rule[32];
    for (int i = 0; i <= INCIDENTS_KEPT; i++) {
        snprintf(rule, sizeof rule, "rule.%d", i);
        assert_true(incidents_new(&incidents, "sftp", rule, 1000 + i));
    }
    assert_false(incidents_new(&incidents, "sftp", "rule.1", 3000));
    assert_true(incidents_new(&incidents, "sftp", "rule.0", 3000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_rule_within_a_day_is_the_same),
        cmocka_unit_test(a_flood_of_rules_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
