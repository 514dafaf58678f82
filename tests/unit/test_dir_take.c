/* The dir connector takes files: settled ones, whole, each once, and nothing but files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/dir/names.h"
#include "dir_folder.h"

#include <cmocka.h> /* last: its fail() is a macro */

static void a_settled_file_is_taken_exactly_once(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    connector_begin();
    assert_offer(0, "plan.edi", "UNB+...");
    assert_true(within(5000, all_taken, "in"));
    wait_passes(3);
    assert_int_equal(testhost_offers(host), 1);
    connector_end();
}

static void nothing_is_taken_before_it_has_settled(void **state)
{
    (void)state;
    connector_begin();
    wait_passes(1);
    int64_t before = testhost_ticks(host);
    put_text("in/plan.edi", "UNB+...");
    wait_offers(1);
    assert_true(testhost_ticks(host) - before >= 2000);
    connector_end();
}

static void a_growing_file_waits(void **state)
{
    (void)state;
    connector_begin();
    for (int i = 0; i < 60; i++) {
        int64_t before = testhost_ticks(host);
        put_text("in/plan.edi", "0123456789");
        while (testhost_ticks(host) < before + 500) {
            testhost_advance(host, 50);
            testhost_run_until(host, offer_over, &(size_t){0}, 1);
        }
    }
    assert_int_equal(testhost_offers(host), 0);
    assert_true(within(60000, offer_over, &(size_t){0}));
    assert_true(within(5000, is_empty, "in"));
    assert_int_equal(testhost_offer(host, 0)->size, 600);
    connector_end();
}

static void a_file_that_appears_while_running_is_taken(void **state)
{
    (void)state;
    connector_begin();
    wait_passes(1);
    put_text("in/late.edi", "late");
    assert_offer(0, "late.edi", "late");
    connector_end();
}

static void an_empty_file_is_a_message(void **state)
{
    (void)state;
    put_text("in/empty", "");
    connector_begin();
    assert_offer(0, "empty", "");
    assert_true(within(5000, is_empty, "in"));
    connector_end();
}

static void a_large_file_crosses_in_pieces(void **state)
{
    (void)state;
    size_t size = 3 * ACCORD_PIECE_MAX + 17;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    put_bytes("in/large", bytes, size);
    connector_begin();
    size_t index = 0;
    assert_true(within(60000, offer_over, &index));
    assert_int_equal(testhost_offer(host, 0)->size, size);
    assert_memory_equal(testhost_offer(host, 0)->bytes, bytes, size);
    connector_end();
    free(bytes);
}

static void only_names_that_match_are_taken(void **state)
{
    (void)state;
    options[TAKE].pattern = "*.edi";
    put_text("in/a.edi", "a");
    put_text("in/a.tmp", "b");
    put_text("in/.a.edi", "c");
    mkdir(at("in/folder.edi"), 0750);
    connector_begin();
    assert_offer(0, "a.edi", "a");
    wait_passes(3);
    assert_int_equal(testhost_offers(host), 1);
    assert_true(file_exists("in/a.tmp") && file_exists("in/.a.edi") && file_exists("in/folder.edi"));
    assert_int_equal(testhost_logged(host, "dir.refused"), 0);
    connector_end();
}

static void links_and_devices_are_refused_and_told_once(void **state)
{
    (void)state;
    put_text("secret", "outside");
    assert_int_equal(symlink(at("secret"), at("in/symlink")), 0);
    assert_int_equal(symlink("/nowhere", at("in/dangling")), 0);
    assert_int_equal(mkfifo(at("in/fifo"), 0640), 0);
    assert_int_equal(link(at("secret"), at("in/hard")), 0);
    connector_begin();
    wait_passes(6);
    assert_int_equal(testhost_offers(host), 0);
    assert_int_equal(testhost_logged(host, "dir.refused"), 4);
    assert_int_equal(count_files("in"), 4);
    assert_string_equal(get_text("secret"), "outside");
    /* The other name gone, it is a file like any other. */
    unlink(at("secret"));
    assert_offer(0, "hard", "outside");
    connector_end();
}

static void a_folder_that_is_a_link_is_not_followed(void **state)
{
    (void)state;
    mkdir(at("elsewhere"), 0750);
    put_text("elsewhere/plan.edi", "outside");
    assert_int_equal(rmdir(at("in")), 0);
    assert_int_equal(symlink(at("elsewhere"), at("in")), 0);
    connector_begin();
    assert_true(within(60000, was_logged, "dir.folder"));
    assert_int_equal(testhost_offers(host), 0);
    assert_true(file_exists("elsewhere/plan.edi"));
    connector_end();
}

static size_t most_open;

static bool all_offered(void *arg)
{
    size_t open = 0;
    for (size_t i = testhost_offers(host) > 100 ? testhost_offers(host) - 100 : 0; i < testhost_offers(host);
         i++)
        open += !testhost_offer(host, i)->done;
    most_open = open > most_open ? open : most_open;
    return testhost_offers(host) >= *(size_t *)arg;
}

static void two_thousand_files_are_taken_once_each(void **state)
{
    (void)state;
    size_t wanted = 2000;
    static bool taken[2000];
    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < wanted; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%zu", i);
        put_text(name, name);
    }
    connector_begin();
    testhost_offer_room(host, 1000);
    most_open = 0;
    assert_true(within(600000, all_offered, &wanted));
    assert_true(within(60000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), wanted);
    for (size_t i = 0; i < wanted; i++) {
        const struct accord_offer *offer = testhost_offer(host, i);
        size_t number = (size_t)atoi(offer->name);
        assert_false(taken[number]);
        taken[number] = true;
    }
    assert_true(most_open > 1 && most_open <= 8);
    connector_end();
}

static void odd_names_are_sanitised_in_the_message_and_kept_on_disk(void **state)
{
    (void)state;
    char longest[NAME_ROOM + 3] = "in/";
    memset(longest + 3, 'n', 255);
    longest[3 + 255] = 0;
    const char *names[] = {"in/two\nlines", "in/not\xff\xfeutf8",       "in/-rf",
                           "in/ space ",    "in/\xc3\xa9t\xc3\xa9.edi", longest};
    const char *offered[] = {"two_lines", "not__utf8", "-rf", " space ", "\xc3\xa9t\xc3\xa9.edi",
                             longest + 3};
    for (size_t i = 0; i < 6; i++)
        put_text(names[i], "x");
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.names", "no such name");
    assert_true(within(100000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), 6);
    for (size_t i = 0; i < 6; i++) {
        char rejected[512];
        bool found = false;
        for (size_t j = 0; j < 6; j++)
            found |= !strcmp(testhost_offer(host, j)->name, offered[i]);
        assert_true(found);
        snprintf(rejected, sizeof rejected, "in/rejected/%s", names[i] + 3);
        assert_true(file_exists(rejected));
    }
    assert_int_equal(count_files("in/rejected"), 12);
    connector_end();
}

static void a_folder_that_is_missing_is_told_and_taken_up_when_it_comes(void **state)
{
    (void)state;
    rmdir(at("in"));
    connector_begin();
    assert_true(within(60000, was_logged, "dir.folder"));
    assert_non_null(strstr(testhost_last_log(host, "dir.folder"), "No such file"));
    mkdir(at("in"), 0750);
    put_text("in/plan.edi", "x");
    assert_offer(0, "plan.edi", "x");
    assert_int_equal(testhost_logged(host, "dir.folder"), 1);
    assert_int_equal(testhost_logged(host, "dir.folder-back"), 1);
    /* And exchanged while running. */
    assert_true(within(60000, claimed_empty, NULL));
    assert_int_equal(rename(at("in"), at("old")), 0);
    mkdir(at("in"), 0750);
    put_text("in/other.edi", "y");
    assert_offer(1, "other.edi", "y");
    connector_end();
}

static void stopping_takes_nothing_new_and_starting_goes_on(void **state)
{
    (void)state;
    connector_begin();
    wait_passes(1);
    testhost_stop(host);
    put_text("in/plan.edi", "x");
    for (int i = 0; i < 400; i++) {
        testhost_advance(host, 50);
        testhost_turn(host);
    }
    assert_int_equal(testhost_offers(host), 0);
    testhost_start(host);
    assert_offer(0, "plan.edi", "x");
    connector_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_settled_file_is_taken_exactly_once),
        in_folder(nothing_is_taken_before_it_has_settled),
        in_folder(a_growing_file_waits),
        in_folder(a_file_that_appears_while_running_is_taken),
        in_folder(an_empty_file_is_a_message),
        in_folder(a_large_file_crosses_in_pieces),
        in_folder(only_names_that_match_are_taken),
        in_folder(links_and_devices_are_refused_and_told_once),
        in_folder(a_folder_that_is_a_link_is_not_followed),
        in_folder(two_thousand_files_are_taken_once_each),
        in_folder(odd_names_are_sanitised_in_the_message_and_kept_on_disk),
        in_folder(a_folder_that_is_missing_is_told_and_taken_up_when_it_comes),
        in_folder(stopping_takes_nothing_new_and_starting_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
