/* Files: what the SFTP connector must do with them against every server. */
#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>

#define ID "0123456789abcdefghijklmn"

static enum server_kind kind;

static bool drop_empty(void *arg)
{
    return drop_count(arg) == 0;
}

static bool one_file(void *arg)
{
    return drop_count(arg) == 1;
}

static bool three_files(void *arg)
{
    return drop_count(arg) == 3;
}

static void delivers_a_file_under_its_final_name_only(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    char receipt[512];
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "VESSEL1.edi", 100000, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    snprintf(receipt, sizeof receipt, "path=%s/VESSEL1.edi size=100000 sha256=%s", f->server.directory,
             f->sha256);
    assert_string_equal(d->receipt, receipt);
    assert_content(f, "VESSEL1.edi", f->bytes, 100000);
    assert_int_equal(drop_count(f), 1);
    fixture_free(f);
}

static void sends_several_files_in_one_session(void **state)
{
    static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 300000, 65536, 5, 131072, 131073, 2500000, 7};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct fixture *f = fixture_new(kind, NULL);
    struct accord_delivery *deliveries[COUNT];
    uint8_t *bytes[COUNT];
    char names[COUNT][16];
    (void)state;
    fixture_open(f);
    testhost_piece(f->host, 10007); /* pieces that fit no boundary */
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "file%u", i);
        struct testhost_message message = fixture_message(f, names[i], sizes[i], i);
        bytes[i] = f->bytes;
        f->bytes = NULL;
        deliveries[i] = testhost_deliver(f->host, 0, &message);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(testhost_settle(f->host, deliveries[i], 30000));
        assert_string_equal(deliveries[i]->reason, "");
        assert_int_equal(deliveries[i]->outcome, ACCORD_DELIVERED);
        assert_content(f, names[i], bytes[i], sizes[i]);
        free(bytes[i]);
    }
    assert_int_equal(testhost_dials(f->host), 1);
    assert_int_equal(drop_count(f), COUNT);
    fixture_free(f);
}

static void sends_a_big_file(void **state)
{
    const size_t size = 50 << 20;
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "big", size, 3);
    uint64_t began = uv_hrtime();
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    assert_true(testhost_settle(f->host, d, 90000));
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    print_message("50 MiB in %.2f s\n", (double)(uv_hrtime() - began) / 1e9);
    assert_content(f, "big", f->bytes, size);
    fixture_free(f);
}

static void refuses_a_name_that_is_taken(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    drop_put(f, "taken", "theirs", 6);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "taken", 100, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_REFUSED);
    assert_non_null(strstr(d->reason, "exists"));
    assert_content(f, "taken", "theirs", 6);
    assert_true(testhost_run_until(f->host, one_file, f, 5000));
    fixture_free(f);
}

static void compares_with_what_is_there_when_told_to(void **state)
{
    const size_t size = 1500000;
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->service_options.if_exists = EXISTS_COMPARE;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "same", size, 1);
    drop_put(f, "same", f->bytes, size);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(d->receipt, "found=yes"));
    f->bytes[size / 2] ^= 1;
    drop_put(f, "other", f->bytes, size);
    message.name = "other";
    d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_REFUSED);
    assert_non_null(strstr(d->reason, "SHA-256"));
    drop_put(f, "short", f->bytes, 10);
    message.name = "short";
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_REFUSED);
    assert_true(testhost_run_until(f->host, three_files, f, 5000));
    fixture_free(f);
}

static void takes_its_own_earlier_attempt_for_delivered(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "again", 50000, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    message.attempt = 2;
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(d->receipt, "found=yes"));
    message = fixture_message(f, "again", 50000, 2);
    message.attempt = 2;
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_REFUSED);
    fixture_free(f);
}

static void two_messages_of_one_name_do_not_overwrite_each_other(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "one", 400000, 1);
    struct accord_delivery *first = testhost_deliver(f->host, 0, &message);
    struct accord_delivery *second = testhost_deliver(f->host, 0, &message);
    assert_true(testhost_settle(f->host, first, 30000));
    assert_true(testhost_settle(f->host, second, 30000));
    assert_int_equal((first->outcome == ACCORD_DELIVERED) + (second->outcome == ACCORD_DELIVERED), 1);
    assert_int_equal((first->outcome == ACCORD_REFUSED) + (second->outcome == ACCORD_REFUSED), 1);
    assert_content(f, "one", f->bytes, 400000);
    fixture_free(f);
}

static void says_that_the_folder_is_missing(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->service_options.directory = "/no/such/folder";
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "directory does not exist"));
    assert_non_null(strstr(d->reason, "/no/such/folder"));
    fixture_free(f);
}

static void refuses_names_that_leave_the_folder(void **state)
{
    static const char *const names[] = {"../a", "a/b", "..", ".", "", "a\nb", "a\\b"};
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct testhost_message message = fixture_message(f, names[i], 10, 1);
        assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_REFUSED);
    }
    assert_int_equal(testhost_dials(f->host), 0);
    fixture_free(f);
}

static void kill_server(void *arg)
{
    struct fixture *f = arg;
    server_signal(&f->server, SIGKILL);
}

static void delivers_after_a_cut_in_mid_file(void **state)
{
    const size_t size = 8 << 20;
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "cut", size, 1);
    message.id = ID;
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    testhost_at_byte(f->host, d, (int64_t)size / 2, kill_server, f);
    assert_true(testhost_settle(f->host, d, 30000));
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_true(drop_has(f, ".accord-" ID ".tmp"));
    assert_false(drop_has(f, "cut"));
    server_restart(&f->server, NULL);
    message.attempt = 2;
    d = fixture_deliver(f, &message);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_content(f, "cut", f->bytes, size);
    assert_int_equal(drop_count(f), 1);
    fixture_free(f);
}

static bool stale_gone(void *arg)
{
    const struct fixture *f = arg;
    return !drop_has(f, ".accord-aaaaaaaaaaaaaaaaaaaaaaaa.tmp") &&
           testhost_logged(f->host, "sftp.stale-removed") == 1;
}

static void removes_its_own_stale_temporaries_only(void **state)
{
    static const char *const stay[] = {".accord-bbbbbbbbbbbbbbbbbbbbbbbb.tmp", ".accord-mine.tmp", "old.edi",
                                       ".accord-AAAAAAAAAAAAAAAAAAAAAAAA.tmp"};
    struct fixture *f = fixture_new(kind, NULL);
    char path[512];
    struct utimbuf old = {.actime = 1000000000, .modtime = 1000000000};
    (void)state;
    drop_put(f, ".accord-aaaaaaaaaaaaaaaaaaaaaaaa.tmp", "x", 1);
    for (int i = 0; i < 4; i++)
        drop_put(f, stay[i], "x", 1); /* the first is fresh, the others are not ours */
    snprintf(path, sizeof path, "%s/.accord-aaaaaaaaaaaaaaaaaaaaaaaa.tmp", f->server.drop);
    assert_int_equal(utime(path, &old), 0);
    for (int i = 1; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", f->server.drop, stay[i]);
        assert_int_equal(utime(path, &old), 0);
    }
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_true(testhost_run_until(f->host, stale_gone, f, 5000));
    for (int i = 0; i < 4; i++)
        assert_true(drop_has(f, stay[i]));
    fixture_free(f);
}

static struct accord_delivery *deliver_half(struct fixture *f)
{
    struct testhost_message message = fixture_message(f, "half", 1000000, 1);
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    d->stall_at = 500000;
    assert_true(testhost_run_until(f->host, stalled, d, 30000));
    return d;
}

static void cleans_up_after_a_cancelled_delivery(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->options.idle_close = 5000;
    fixture_open(f);
    struct accord_delivery *d = deliver_half(f);
    assert_int_equal(drop_count(f), 1);
    testhost_cancel(f->host, d);
    assert_true(d->finished);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
    struct testhost_message message = fixture_message(f, "next", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_dials(f->host), 1);
    fixture_free(f);
}

static void finishes_everything_when_closed_in_mid_upload(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->options.files = 1;
    fixture_open(f);
    struct accord_delivery *d = deliver_half(f);
    struct testhost_message message = {.name = "waiting", .bytes = "x", .size = 1};
    struct accord_delivery *waiting = testhost_deliver(f->host, 0, &message);
    testhost_close(f->host);
    f->opened = false;
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_true(waiting->finished);
    assert_int_equal(waiting->outcome, ACCORD_RETRY);
    fixture_free(f);
}

static void lets_what_is_in_flight_finish_when_stopped(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->options.files = 1;
    f->options.idle_close = 60000;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "inflight", 3000000, 1);
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    d->stall_at = 100000;
    assert_true(testhost_run_until(f->host, stalled, d, 30000));
    struct testhost_message other = {.name = "waiting", .bytes = "x", .size = 1};
    struct accord_delivery *waiting = testhost_deliver(f->host, 0, &other);
    testhost_stop(f->host);
    assert_true(waiting->finished);
    assert_false(d->finished);
    testhost_unstall(f->host, d);
    assert_true(testhost_settle(f->host, d, 30000));
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_true(testhost_run_until(f->host, no_session, f, 5000)); /* no waiting for idle-close */
    fixture_free(f);
}

int run_file_cases(enum server_kind which)
{
    kind = which;
    const struct CMUnitTest cases[] = {
        fixture_test(delivers_a_file_under_its_final_name_only),
        fixture_test(sends_several_files_in_one_session),
        fixture_test(sends_a_big_file),
        fixture_test(refuses_a_name_that_is_taken),
        fixture_test(compares_with_what_is_there_when_told_to),
        fixture_test(takes_its_own_earlier_attempt_for_delivered),
        fixture_test(two_messages_of_one_name_do_not_overwrite_each_other),
        fixture_test(says_that_the_folder_is_missing),
        fixture_test(refuses_names_that_leave_the_folder),
        fixture_test(delivers_after_a_cut_in_mid_file),
        fixture_test(removes_its_own_stale_temporaries_only),
        fixture_test(cleans_up_after_a_cancelled_delivery),
        fixture_test(finishes_everything_when_closed_in_mid_upload),
        fixture_test(lets_what_is_in_flight_finish_when_stopped),
    };
    return cmocka_run_group_tests_name("sftp files", cases, NULL, NULL);
}
