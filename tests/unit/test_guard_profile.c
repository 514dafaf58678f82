/* The profile of a link is what all modules together give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guard_bench.h"

#include <cmocka.h> /* last: it defines fail() */

static void the_profile_is_what_all_modules_give(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){"allow", NULL, "ssh.kex, ssh.macs"},
              (struct module){"allow", NULL, "tls.min"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){1});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, 0);
    assert_int_equal(given->link, 1);
    assert_int_equal(given->profile.count, 3);
    assert_string_equal(wire_pairs_get(&given->profile, "tls.min"), "smtp");
    hub_end(&hub);
}

static void a_profile_that_fails_is_empty(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){"allow", NULL, "ssh.kex"}, (struct module){"allow", NULL, "fail"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, ACCORD_EINVAL);
    assert_int_equal(given->profile.count, 0);
    assert_string_equal(given->reason, "second_policy: no profile for sftp");
    hub_end(&hub);
}

static void two_modules_may_not_give_one_name(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, false, (struct module){"allow", NULL, "ssh.kex"},
              (struct module){"allow", NULL, "ssh.kex"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, ACCORD_EINVAL);
    assert_non_null(strstr(given->reason, "first_policy"));
    hub_end(&hub);
}

/* Its table is older and ends before `profile`: the missing slot counts as not supported. */
static void a_shorter_table_lacks_its_last_slots(void **state)
{
    (void)state;
    struct fake_hub hub;
    hub_begin(&hub, true, (struct module){"allow", NULL, "ssh.kex"}, (struct module){"allow", NULL, "fail"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    assert_int_equal(hub_expect(&hub, WIRE_PROFILE)->PROFILE.result, 0);
    hub_end(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_profile_is_what_all_modules_give),
        cmocka_unit_test(a_profile_that_fails_is_empty),
        cmocka_unit_test(two_modules_may_not_give_one_name),
        cmocka_unit_test(a_shorter_table_lacks_its_last_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
