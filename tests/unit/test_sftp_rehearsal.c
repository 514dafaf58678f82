/* The SFTP connector against the rehearsal partner, which also plays faults that OpenSSH cannot be made to show. */
#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ID "0123456789abcdefghijklmn"

static void is_uncertain_when_cut_before_the_answer_to_the_rename(void **state)
{
    struct fixture *f = fixture_new(SERVER_REHEARSAL, (const char *const[]){"--cut-at-rename", NULL});
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "late", 100000, 1);
    message.id = ID;
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_UNCERTAIN);
    assert_content(f, "late", f->bytes, 100000);
    message.attempt = 2;
    d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(d->receipt, "found=yes"));
    assert_int_equal(drop_count(f), 1);
    fixture_free(f);
}

static void retries_when_the_partner_cuts_one_of_several(void **state)
{
    struct fixture *f = fixture_new(SERVER_REHEARSAL, (const char *const[]){"--cut-after", "500000", NULL});
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 400000, 1);
    struct accord_delivery *a = testhost_deliver(f->host, 0, &message);
    message.name = "b";
    struct accord_delivery *b = testhost_deliver(f->host, 0, &message);
    assert_true(testhost_settle(f->host, a, 30000));
    assert_true(testhost_settle(f->host, b, 30000));
    assert_true(a->outcome == ACCORD_RETRY || b->outcome == ACCORD_RETRY);
    assert_null(testhost_parked(f->host));
    message.attempt = 2;
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    fixture_free(f);
}

static bool drop_empty(void *arg)
{
    return drop_count(arg) == 0;
}

static void cleans_up_when_the_rename_is_refused(void **state)
{
    struct fixture *f = fixture_new(SERVER_REHEARSAL, (const char *const[]){"--refuse-rename", NULL});
    (void)state;
    f->options.idle_close = 2000;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 100000, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "renaming is not allowed here"));
    assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
    fixture_free(f);
}

static void retries_when_the_partners_disk_is_full(void **state)
{
    struct fixture *f = fixture_new(SERVER_REHEARSAL, (const char *const[]){"--disk-full", "65536", NULL});
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 1000000, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "no space left on device"));
    message = fixture_message(f, "b", 1000, 2);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_dials(f->host), 1);
    fixture_free(f);
}

int main(void)
{
    const char *missing = server_missing(SERVER_REHEARSAL);
    if (missing) {
        printf("not run: %s\n", missing);
        return 77;
    }
    const struct CMUnitTest cases[] = {
        fixture_test(is_uncertain_when_cut_before_the_answer_to_the_rename),
        fixture_test(retries_when_the_partner_cuts_one_of_several),
        fixture_test(cleans_up_when_the_rename_is_refused),
        fixture_test(retries_when_the_partners_disk_is_full),
    };
    int failed = cmocka_run_group_tests_name("sftp faults", cases, NULL, NULL);
    return failed + run_shared_cases(SERVER_REHEARSAL);
}
