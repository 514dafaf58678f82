/* The dir connector drops files: whole ones, with a receipt, and overwrites nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_folder.h"

#include <cmocka.h> /* last: its fail() is a macro */

static void a_message_becomes_a_file_with_a_receipt(void **state)
{
    (void)state;
    struct stat st;
    connector_begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "CONTRL");
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_string_equal(get_text("out/answer.txt"), "CONTRL");
    assert_non_null(strstr(delivery->receipt, at("out/answer.txt")));
    assert_non_null(strstr(delivery->receipt, "6 bytes"));
    assert_int_equal(stat(at("out/answer.txt"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_hidden("out"), 0);
    connector_end();
}

static size_t visible_at_half;

static void look_now(void *arg)
{
    (void)arg;
    visible_at_half = count_files("out");
}

static void a_file_is_not_visible_before_it_is_whole(void **state)
{
    (void)state;
    size_t size = 2000000;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    connector_begin();
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, size);
    visible_at_half = 99;
    testhost_at_byte(host, delivery, (int64_t)size / 2, look_now, NULL);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(visible_at_half, 0);
    struct stat st;
    assert_int_equal(stat(at("out/big"), &st), 0);
    assert_int_equal(st.st_size, size);
    connector_end();
    free(bytes);
}

static void an_empty_message_is_an_empty_file(void **state)
{
    (void)state;
    connector_begin();
    assert_int_equal(drop_text("empty", "")->outcome, ACCORD_DELIVERED);
    assert_string_equal(get_text("out/empty"), "");
    connector_end();
}

static void nothing_is_ever_overwritten(void **state)
{
    (void)state;
    put_text("out/answer.txt", "mine");
    connector_begin();
    struct accord_delivery *second = drop_text("answer.txt", "second"),
                           *third = drop_text("answer.txt", "third");
    assert_non_null(strstr(second->receipt, "answer-1.txt"));
    assert_non_null(strstr(third->receipt, "answer-2.txt"));
    assert_string_equal(get_text("out/answer.txt"), "mine");
    assert_string_equal(get_text("out/answer-1.txt"), "second");
    assert_string_equal(get_text("out/answer-2.txt"), "third");
    /* Not even a link that leads nowhere. */
    assert_int_equal(symlink("/nowhere", at("out/link")), 0);
    assert_int_equal(drop_text("link", "x")->outcome, ACCORD_DELIVERED);
    assert_string_equal(get_text("out/link-1"), "x");
    connector_end();
}

static void a_taken_name_is_refused_when_the_service_says_so(void **state)
{
    (void)state;
    options[DROP].if_exists = EXISTS_FAIL;
    put_text("out/answer.txt", "mine");
    connector_begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "second");
    assert_int_equal(delivery->outcome, ACCORD_REFUSED);
    assert_non_null(strstr(delivery->reason, "exists"));
    assert_string_equal(get_text("out/answer.txt"), "mine");
    assert_int_equal(count_files("out"), 1);
    assert_int_equal(count_hidden("out"), 0);
    connector_end();
}

/* A crash after the rename: the same message comes again, and the file is there. */
static void a_message_that_comes_again_is_not_dropped_twice(void **state)
{
    (void)state;
    connector_begin();
    put_text("out/answer.txt", "CONTRL");
    struct accord_delivery *delivery = drop("answer.txt", NULL, 2, "CONTRL", 6);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(delivery->receipt, "was there already"));
    delivery = drop("answer.txt", NULL, 2, "CONTRX", 6);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_non_null(strstr(delivery->receipt, "answer-1.txt"));
    assert_int_equal(count_files("out"), 2);
    assert_int_equal(count_hidden("out"), 0);
    connector_end();
}

static void what_a_crash_left_is_removed(void **state)
{
    (void)state;
    put_text("out/.accord-drop-site.answers-0123", "half");
    put_text("out/.accord-drop-other.answers-0123", "another's");
    connector_begin();
    drop_text("answer.txt", "x");
    assert_false(file_exists("out/.accord-drop-site.answers-0123"));
    assert_true(file_exists("out/.accord-drop-other.answers-0123"));
    connector_end();
}

/* The folder is cleared before the first file of this process is in it, however many come at once. */
static void clearing_up_takes_nothing_of_what_comes_meanwhile(void **state)
{
    (void)state;
    char name[64];
    struct accord_delivery *deliveries[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "out/.accord-drop-site.answers-%04d", i);
        put_text(name, "half");
    }
    connector_begin();
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "answer-%d.txt", i);
        deliveries[i] = drop(name, NULL, 1, "x", 1);
    }
    for (int i = 0; i < 16; i++) {
        assert_true(testhost_settle(host, deliveries[i], 10000));
        assert_int_equal(deliveries[i]->outcome, ACCORD_DELIVERED);
    }
    assert_int_equal(count_files("out"), 16);
    assert_int_equal(count_hidden("out"), 0);
    connector_end();
}

static void names_from_the_bus_cannot_leave_the_folder(void **state)
{
    (void)state;
    const char *names[] = {"../../escape", "/etc/escape", ".hidden", "a\nb", "", "..", "not\xffutf8"};
    const char *files[] = {"out/_._.._escape", "out/_etc_escape", "out/_hidden", "out/a_b",
                           "out/unnamed",      "out/_.",          "out/not_utf8"};
    connector_begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(drop_text(names[i], "x")->outcome, ACCORD_DELIVERED);
        if (!file_exists(files[i]))
            fail_msg("%s did not become %s", names[i], files[i]);
    }
    connector_end();
}

static void a_missing_folder_is_a_retry_with_its_reason(void **state)
{
    (void)state;
    rmdir(at("out"));
    connector_begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "x");
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_non_null(strstr(delivery->reason, "No such file"));
    assert_int_equal(testhost_logged(host, "dir.disk"), 1);
    mkdir(at("out"), 0750);
    assert_int_equal(drop_text("answer.txt", "x")->outcome, ACCORD_DELIVERED);
    connector_end();
}

static void a_full_disk_is_a_retry_and_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit limit, small;
    char *bytes = malloc(400000);
    memset(bytes, 'x', 400000);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){.rlim_cur = 100000, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    connector_begin();
    setrlimit(RLIMIT_FSIZE, &small);
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, 400000);
    bool settled = testhost_settle(host, delivery, 10000);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_true(settled);
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_non_null(strstr(delivery->reason, "File too large"));
    assert_int_equal(count_files("out") + count_hidden("out"), 0);
    connector_end();
    free(bytes);
}

static void a_cancelled_delivery_ends_as_retry_and_leaves_nothing(void **state)
{
    (void)state;
    char *bytes = malloc(2000000);
    memset(bytes, 'x', 2000000);
    connector_begin();
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, 2000000);
    delivery->stall_at = 300000;
    wait_passes(1);
    assert_false(delivery->finished);
    testhost_cancel(host, delivery);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_int_equal(count_files("out") + count_hidden("out"), 0);
    connector_end();
    free(bytes);
}

static void closing_finishes_every_delivery(void **state)
{
    (void)state;
    char *bytes = malloc(500000);
    memset(bytes, 'x', 500000);
    struct accord_delivery *deliveries[10];
    connector_begin();
    for (int i = 0; i < 10; i++)
        deliveries[i] = drop("big", NULL, 1, bytes, 500000);
    assert_true(testhost_settle(host, deliveries[0], 10000));
    testhost_close(host);
    assert_int_equal(testhost_complaints(host), 0);
    for (int i = 0; i < 10; i++)
        assert_true(deliveries[i]->finished);
    assert_int_equal(count_hidden("out"), 0);
    testhost_free(host);
    host = NULL;
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_message_becomes_a_file_with_a_receipt),
        in_folder(a_file_is_not_visible_before_it_is_whole),
        in_folder(an_empty_message_is_an_empty_file),
        in_folder(nothing_is_ever_overwritten),
        in_folder(a_taken_name_is_refused_when_the_service_says_so),
        in_folder(a_message_that_comes_again_is_not_dropped_twice),
        in_folder(what_a_crash_left_is_removed),
        in_folder(clearing_up_takes_nothing_of_what_comes_meanwhile),
        in_folder(names_from_the_bus_cannot_leave_the_folder),
        in_folder(a_missing_folder_is_a_retry_with_its_reason),
        in_folder(a_full_disk_is_a_retry_and_leaves_nothing),
        in_folder(a_cancelled_delivery_ends_as_retry_and_leaves_nothing),
        in_folder(closing_finishes_every_delivery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
