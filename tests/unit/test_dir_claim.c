/* What the dir connector claimed: put back, kept over a restart, kept after acceptance, rejected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_folder.h"

#include <cmocka.h> /* last: its fail() is a macro */

/* A writer that keeps the file open: it has settled, was claimed, and then grows. */
static void a_file_that_grows_after_the_claim_is_put_back(void **state)
{
    (void)state;
    int fd = open(at("in/plan.edi"), O_WRONLY | O_CREAT, 0640);
    assert_int_equal(write(fd, "first,", 6), 6);
    connector_begin();
    testhost_offer_room(host, 0);
    assert_true(within(60000, is_there, "in/.accord/claimed/plans/plan.edi"));
    assert_int_equal(write(fd, "second", 6), 6);
    close(fd);
    testhost_offer_room(host, 16);
    wait_offers(2);
    assert_true(testhost_offer(host, 0)->aborted);
    assert_int_equal(testhost_logged(host, "dir.growing"), 1);
    assert_offer(1, "plan.edi", "first,second");
    assert_string_not_equal(testhost_offer(host, 0)->source_id, testhost_offer(host, 1)->source_id);
    connector_end();
}

static void a_claim_survives_a_restart_with_the_same_identity(void **state)
{
    (void)state;
    char id[ACCORD_SOURCE_ID_MAX];
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    assert_offer(0, "plan.edi", "UNB+...");
    strcpy(id, testhost_offer(host, 0)->source_id);
    assert_false(file_exists("in/plan.edi"));
    connector_end();
    assert_string_equal(get_text("in/.accord/claimed/plans/plan.edi"), "UNB+...");
    connector_begin();
    assert_offer(0, "plan.edi", "UNB+...");
    assert_string_equal(testhost_offer(host, 0)->source_id, id);
    assert_true(within(5000, claimed_empty, NULL));
    connector_end();
}

static void a_deferred_file_is_offered_again_later(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    wait_offers(4);
    int64_t before = testhost_ticks(host);
    wait_offers(5);
    assert_true(testhost_ticks(host) - before >= 4000); /* 1, 2, 4, 8 s, less what one look costs */
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_true(within(100000, claimed_empty, NULL));
    for (size_t i = 0; i < testhost_offers(host); i++)
        assert_string_equal(testhost_offer(host, i)->source_id, testhost_offer(host, 0)->source_id);
    connector_end();
}

static void a_deferred_file_does_not_hold_up_others(void **state)
{
    (void)state;
    connector_begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%d", i);
        put_text(name, "x");
    }
    wait_offers(20);
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    put_text("in/good", "good");
    assert_true(within(100000, all_taken, "in"));
    connector_end();
}

static void a_quarantined_file_goes_to_rejected_with_its_reason(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "stow-plan.unt-count", "segment 12: UNT says 11 segments");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    assert_string_equal(get_text("in/rejected/plan.edi"), "UNB+...");
    const char *reason = get_text("in/rejected/plan.edi.reason.txt");
    assert_non_null(reason);
    assert_non_null(strstr(reason, "plan.edi"));
    assert_non_null(strstr(reason, "stow-plan.unt-count"));
    assert_non_null(strstr(reason, "segment 12: UNT says 11 segments"));
    assert_non_null(strstr(reason, "testmessage"));
    assert_non_null(strstr(reason, "2025-01-01T00:00:"));
    assert_non_null(strstr(reason, "What to do"));
    /* Another of the same name does not replace it. */
    put_text("in/plan.edi", "other");
    assert_true(within(60000, is_there, "in/rejected/plan-1.edi"));
    assert_string_equal(get_text("in/rejected/plan.edi"), "UNB+...");
    assert_string_equal(get_text("in/rejected/plan-1.edi"), "other");
    assert_true(file_exists("in/rejected/plan-1.edi.reason.txt"));
    wait_passes(3);
    assert_int_equal(testhost_offers(host), 2);
    connector_end();
}

/* The process was killed between the two: the reason is there, and the file still claimed. */
static void a_rejection_that_was_cut_off_is_finished_under_the_same_name(void **state)
{
    (void)state;
    mkdir(at("in/rejected"), 0750);
    put_text("in/rejected/plan.edi.reason.txt", "This file was not acc");
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "stow-plan.unt-count", "segment 12: UNT says 11 segments");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    assert_non_null(strstr(get_text("in/rejected/plan.edi.reason.txt"), "UNT says 11 segments"));
    assert_int_equal(count_files("in/rejected"), 2);
    connector_end();
}

static void a_file_that_is_refused_unread_stays_as_the_only_copy(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_REJECTED, "services.size",
                       "the message is larger than its service allows");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    assert_string_equal(get_text("in/rejected/plan.edi"), "UNB+...");
    const char *reason = get_text("in/rejected/plan.edi.reason.txt");
    assert_non_null(reason);
    assert_non_null(strstr(reason, "services.size"));
    assert_non_null(strstr(reason, "larger than its service allows"));
    assert_non_null(strstr(reason, "the only one"));
    assert_null(strstr(reason, "quarantine"));
    wait_passes(3);
    assert_int_equal(testhost_offers(host), 1);
    connector_end();
}

/* Put back as it is, it must not be taken for a repeat of what was refused. */
static void a_rejected_file_that_is_put_back_is_a_new_message(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.type", "not released");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    wait_passes(1);
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_int_equal(rename(at("in/rejected/plan.edi"), at("in/plan.edi")), 0);
    assert_offer(1, "plan.edi", "UNB+...");
    assert_string_not_equal(testhost_offer(host, 0)->source_id, testhost_offer(host, 1)->source_id);
    connector_end();
}

static void an_accepted_file_is_kept_where_the_service_says(void **state)
{
    (void)state;
    options[TAKE].after = AFTER_KEEP;
    options[TAKE].keep_in = "done/plans";
    put_text("in/plan.edi", "one");
    connector_begin();
    assert_true(within(60000, is_there, "done/plans/plan.edi"));
    put_text("in/plan.edi", "two");
    assert_true(within(60000, is_there, "done/plans/plan-1.edi"));
    assert_string_equal(get_text("done/plans/plan.edi"), "one");
    assert_string_equal(get_text("done/plans/plan-1.edi"), "two");
    connector_end();
}

/* The name is claimed: the second of that name waits until the first is done, and is not lost. */
static void two_files_of_one_name_go_one_after_the_other(void **state)
{
    (void)state;
    put_text("in/plan.edi", "first");
    connector_begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    wait_offers(2);
    put_text("in/plan.edi", "second");
    wait_passes(4);
    assert_string_equal(get_text("in/plan.edi"), "second");
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_true(within(200000, all_taken, "in"));
    assert_offer(testhost_offers(host) - 1, "plan.edi", "second");
    assert_offer(testhost_offers(host) - 2, "plan.edi", "first");
    connector_end();
}

/* Between two looks the file was exchanged for a link to what we must not read. */
static void a_link_in_the_claimed_folder_is_not_followed(void **state)
{
    (void)state;
    put_text("secret", "outside");
    connector_begin();
    wait_passes(1);
    connector_end();
    assert_int_equal(symlink(at("secret"), at("in/.accord/claimed/plans/plan.edi")), 0);
    connector_begin();
    assert_true(within(60000, is_there, "in/plan.edi"));
    wait_passes(4);
    assert_int_equal(testhost_offers(host), 0);
    assert_string_equal(get_text("secret"), "outside");
    connector_end();
}

/* rejected is a file: the reason cannot be written; nothing may be lost, and it is told. */
static void what_cannot_be_moved_stays_claimed_and_is_tried_again(void **state)
{
    (void)state;
    put_text("in/rejected", "in the way");
    chmod(at("in/rejected"), 0600);
    options[TAKE].pattern = "*.edi";
    put_text("in/plan.edi", "x");
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.type", "no");
    assert_true(within(60000, was_logged, "dir.disk"));
    assert_string_equal(get_text("in/.accord/claimed/plans/plan.edi"), "x");
    assert_int_equal(testhost_offers(host), 1);
    unlink(at("in/rejected"));
    assert_true(within(100000, is_there, "in/rejected/plan.edi"));
    assert_int_equal(testhost_offers(host), 1);
    connector_end();
}

static void closing_in_the_middle_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%d", i);
        put_text(name, "x");
    }
    connector_begin();
    wait_offers(3);
    connector_end();
    connector_begin();
    testhost_offer_room(host, 0);
    wait_offers(0);
    wait_passes(1);
    connector_end();
    connector_begin();
    connector_end();
    size_t left = count_files("in") + count_files("in/.accord/claimed/plans");
    connector_begin();
    assert_true(within(100000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), left);
    connector_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_file_that_grows_after_the_claim_is_put_back),
        in_folder(a_claim_survives_a_restart_with_the_same_identity),
        in_folder(a_deferred_file_is_offered_again_later),
        in_folder(a_deferred_file_does_not_hold_up_others),
        in_folder(a_quarantined_file_goes_to_rejected_with_its_reason),
        in_folder(a_rejection_that_was_cut_off_is_finished_under_the_same_name),
        in_folder(a_file_that_is_refused_unread_stays_as_the_only_copy),
        in_folder(a_rejected_file_that_is_put_back_is_a_new_message),
        in_folder(an_accepted_file_is_kept_where_the_service_says),
        in_folder(two_files_of_one_name_go_one_after_the_other),
        in_folder(a_link_in_the_claimed_folder_is_not_followed),
        in_folder(what_cannot_be_moved_stays_claimed_and_is_tried_again),
        in_folder(closing_in_the_middle_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
