/* Sending: what each option of it means, and what the connector makes of partners that do not do as expected. */
#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID        "0123456789abcdefghijklmn"
#define TEMPORARY ".accord-" ID ".tmp"
#define BIG       (40 << 20)

static enum server_kind kind;

static bool drop_empty(void *arg)
{
    return drop_count(arg) == 0;
}

static void path_of(const struct fixture *f, char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", f->server.drop, name);
}

static struct fixture *open_with(struct service_options options, struct link_options link)
{
    struct fixture *f = fixture_new(kind, NULL);
    options.directory = f->service_options.directory;
    options.temporary = f->service_options.temporary;
    options.stale_after = f->service_options.stale_after;
    f->service_options = options;
    f->options.connections = link.connections ? link.connections : 1;
    f->options.files = link.files ? link.files : 4;
    f->options.keep_alive = link.keep_alive;
    f->options.idle_close = link.idle_close ? link.idle_close : f->options.idle_close;
    fixture_open(f);
    return f;
}

#define OPEN(...) open_with((struct service_options){__VA_ARGS__}, (struct link_options){0})

/* ---- replacing ---- */

static void replaces(enum if_exists how)
{
    struct fixture *f = OPEN(.if_exists = how);
    drop_put(f, "theirs", "an older file that is longer than what comes", 44);
    struct testhost_message message = fixture_message(f, "theirs", 20, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_content(f, "theirs", f->bytes, 20);
    message = fixture_message(f, "new", 20, 2); /* nothing to be replaced */
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(drop_count(f), 2);
    fixture_free(f);
}

static void replaces_in_one_step(void **state)
{
    (void)state;
    replaces(EXISTS_REPLACE);
}

static void replaces_by_removing(void **state)
{
    (void)state;
    replaces(EXISTS_REMOVE);
}

/* The first takes longer; without their order it would be the one that stays. */
static void the_last_of_a_name_is_what_stays(void **state)
{
    struct fixture *f = OPEN(.if_exists = EXISTS_REPLACE);
    struct accord_delivery *deliveries[3];
    uint8_t *first;
    (void)state;
    struct testhost_message message = fixture_message(f, "status", 3000000, 1);
    deliveries[0] = testhost_deliver(f->host, 0, &message);
    first = f->bytes;
    f->bytes = NULL;
    message = fixture_message(f, "status", 30, 2);
    deliveries[1] = testhost_deliver(f->host, 0, &message);
    deliveries[2] = testhost_deliver(f->host, 0, &message);
    testhost_cancel(f->host, deliveries[1]); /* from the middle of the row */
    for (int i = 0; i < 3; i++)
        assert_true(testhost_settle(f->host, deliveries[i], 30000));
    assert_int_equal(deliveries[0]->outcome, ACCORD_DELIVERED);
    assert_int_equal(deliveries[1]->outcome, ACCORD_RETRY);
    assert_int_equal(deliveries[2]->outcome, ACCORD_DELIVERED);
    assert_content(f, "status", f->bytes, 30);
    free(first);
    fixture_free(f);
}

static void ends_what_stands_in_a_row_when_closed(void **state)
{
    struct fixture *f = OPEN(.if_exists = EXISTS_REPLACE);
    struct accord_delivery *deliveries[3];
    (void)state;
    struct testhost_message message = fixture_message(f, "status", 3000, 1);
    for (int i = 0; i < 3; i++)
        deliveries[i] = testhost_deliver(f->host, 0, &message);
    testhost_close(f->host);
    f->opened = false;
    for (int i = 0; i < 3; i++)
        assert_int_equal(deliveries[i]->outcome, ACCORD_RETRY);
    fixture_free(f);
}

/* ---- permissions ---- */

static void gives_the_permissions_that_are_wanted(void **state)
{
    static const char *const wanted[] = {"0640", "666", "0400"};
    char path[512], name[16];
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture *f = OPEN(.permissions = wanted[i]);
        struct stat status;
        snprintf(name, sizeof name, "f%d", i);
        struct testhost_message message = fixture_message(f, name, 20, 1);
        assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
        path_of(f, path, name);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, strtol(wanted[i], NULL, 8));
        fixture_free(f);
    }
}

static void tells_of_permissions_that_cannot_be(void **state)
{
    static const char *const wrong[] = {"4755", "abc", "0", "99", "01777", "u=rw"};
    struct fixture *f = fixture_new(kind, NULL);
    char why[512];
    (void)state;
    for (int i = 0; i < 6; i++) {
        f->service_options.permissions = wrong[i];
        assert_int_equal(accord_plugin.connector->check(&f->setup, why, sizeof why), ACCORD_EINVAL);
        assert_non_null(strstr(why, "permissions"));
    }
    f->service_options.permissions = "0755";
    assert_int_equal(accord_plugin.connector->check(&f->setup, why, sizeof why), 0);
    fixture_free(f);
}

/* ---- going on ---- */

static void kill_server(void *arg)
{
    struct fixture *f = arg;
    server_signal(&f->server, SIGKILL);
}

/* What a cut in mid-file leaves, and a partner that is there again. */
static struct testhost_message leave_half(struct fixture *f)
{
    struct testhost_message message = fixture_message(f, "big", BIG, 7);
    message.id = ID;
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    testhost_at_byte(f->host, d, BIG - (2 << 20), kill_server, f);
    assert_true(testhost_settle(f->host, d, 60000));
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_true(drop_has(f, TEMPORARY));
    server_restart(&f->server, NULL);
    message.attempt = 2;
    return message;
}

static void assert_resumed(struct fixture *f, const struct testhost_message *message, bool resumed)
{
    struct accord_delivery *d = fixture_deliver(f, message);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_int_equal(strstr(d->receipt, "resumed-at=") != NULL, resumed);
    assert_content(f, "big", f->bytes, BIG);
    assert_int_equal(drop_count(f), 1);
}

/* Both ends of the window are in the same place: what a server may still have been sent when it was cut. */
static off_t size_of_half(const struct fixture *f)
{
    char path[512];
    struct stat status;
    path_of(f, path, TEMPORARY);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size > SFTP_WINDOW + ACCORD_PIECE_MAX);
    return status.st_size;
}

static void spoil(const struct fixture *f, off_t offset)
{
    char path[512], byte;
    path_of(f, path, TEMPORARY);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    assert_int_equal(fread(&byte, 1, 1, file), 1);
    byte ^= 1;
    fseek(file, offset, SEEK_SET);
    fwrite(&byte, 1, 1, file);
    fclose(file);
}

static void goes_on_where_it_was_cut(void **state)
{
    static const enum resume_rule rules[] = {RESUME_YES, RESUME_VERIFIED, RESUME_NO};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture *f = OPEN(.resume = rules[i]);
        struct testhost_message message = leave_half(f);
        size_of_half(f);
        assert_resumed(f, &message, rules[i] != RESUME_NO);
        fixture_free(f);
    }
}

static void sends_all_again_when_what_is_there_differs(void **state)
{
    (void)state;
    for (int verified = 0; verified < 2; verified++) {
        struct fixture *f = OPEN(.resume = verified ? RESUME_VERIFIED : RESUME_YES);
        struct testhost_message message = leave_half(f);
        off_t tail = (size_of_half(f) - SFTP_WINDOW) / ACCORD_PIECE_MAX * ACCORD_PIECE_MAX - 1;
        spoil(f, verified ? 12345 : tail);
        struct accord_delivery *d = fixture_deliver(f, &message);
        assert_int_equal(d->outcome, ACCORD_RETRY);
        assert_non_null(strstr(d->reason, "is not what was sent"));
        assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
        assert_resumed(f, &message, false);
        fixture_free(f);
    }
}

static void does_not_go_on_behind_its_own_end(void **state)
{
    struct fixture *f = OPEN(.resume = RESUME_YES);
    char path[512];
    (void)state;
    struct testhost_message message = leave_half(f);
    path_of(f, path, TEMPORARY);
    assert_int_equal(truncate(path, BIG + 1), 0);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
    assert_resumed(f, &message, false);
    fixture_free(f);
}

/* ---- not as expected ---- */

static void take_temporary(void *arg)
{
    char path[512];
    path_of(arg, path, TEMPORARY);
    unlink(path);
}

static void says_when_the_partner_took_it_before_the_rename(void **state)
{
    (void)state;
    for (int counts = 0; counts < 2; counts++) {
        struct fixture *f = OPEN(.taken_early = counts ? TAKEN_DELIVERED : TAKEN_UNCERTAIN);
        struct testhost_message message = fixture_message(f, "early", 3000000, 1);
        message.id = ID;
        struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
        testhost_at_byte(f->host, d, 2000000, take_temporary, f);
        assert_true(testhost_settle(f->host, d, 30000));
        assert_int_equal(d->outcome, counts ? ACCORD_DELIVERED : ACCORD_UNCERTAIN);
        assert_non_null(
            strstr(counts ? d->receipt : d->reason, counts ? "taken=before-rename" : "partner took"));
        fixture_free(f);
    }
}

static void give_it_the_final_name(void *arg)
{
    char from[512], to[512];
    path_of(arg, from, TEMPORARY);
    path_of(arg, to, "early");
    assert_int_equal(rename(from, to), 0);
}

/* Somebody there was quicker: it is the same file, and so delivered. */
static void knows_its_file_when_the_partner_renamed_it(void **state)
{
    struct fixture *f = OPEN();
    (void)state;
    struct testhost_message message = fixture_message(f, "early", 3000000, 1);
    message.id = ID;
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    testhost_at_byte(f->host, d, 2000000, give_it_the_final_name, f);
    assert_true(testhost_settle(f->host, d, 30000));
    assert_int_equal(d->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(d->receipt, "found=yes"));
    assert_content(f, "early", f->bytes, 3000000);
    fixture_free(f);
}

static void puts_nothing_in_place_that_is_not_what_was_announced(void **state)
{
    static const size_t sizes[] = {0, 100, 300000};
    struct fixture *f = OPEN();
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct testhost_message message = fixture_message(f, "wrong", sizes[i], 1);
        f->sha256[5] = f->sha256[5] == '0' ? '1' : '0';
        struct accord_delivery *d = fixture_deliver(f, &message);
        assert_int_equal(d->outcome, ACCORD_RETRY);
        assert_non_null(strstr(d->reason, "SHA-256"));
        assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
    }
    fixture_free(f);
}

static void retries_when_the_right_to_write_is_lost(void **state)
{
    (void)state;
    struct fixture *f = OPEN();
    assert_int_equal(chmod(f->server.drop, 0555), 0);
    struct testhost_message message = fixture_message(f, "a", 100, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "ermission denied"));
    assert_null(testhost_parked(f->host));
    assert_int_equal(chmod(f->server.drop, 0755), 0);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    fixture_free(f);
}

/* ---- sessions ---- */

enum { MANY = 200 };

static void deliver_many(struct fixture *f, size_t size, int count)
{
    static struct accord_delivery *deliveries[MANY];
    static char names[MANY][16];
    struct testhost_message message = fixture_message(f, "x", size, 1);
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        message.name = names[i];
        deliveries[i] = testhost_deliver(f->host, 0, &message);
    }
    for (int i = 0; i < count; i++) {
        assert_true(testhost_settle(f->host, deliveries[i], 60000));
        assert_string_equal(deliveries[i]->reason, "");
        assert_int_equal(deliveries[i]->outcome, ACCORD_DELIVERED);
        assert_content(f, names[i], f->bytes, size);
    }
    assert_int_equal(drop_count(f), count);
}

static void sends_many_small_files(void **state)
{
    struct fixture *f = open_with((struct service_options){0}, (struct link_options){.files = 64});
    (void)state;
    assert_int_equal(testhost_window(f->host), 97);
    deliver_many(f, 4096, MANY);
    assert_int_equal(testhost_dials(f->host), 1);
    fixture_free(f);
}

static void opens_as_many_sessions_as_are_worth_it(void **state)
{
    static const struct {
        size_t size;
        int count;
        unsigned sessions;
    } rows[] = {{1000, 8, 1}, {1000, 17, 3}, {1000, 100, 3}, {2 << 20, 2, 2}, {2 << 20, 9, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f =
            open_with((struct service_options){0},
                      (struct link_options){.connections = 3, .files = 64, .idle_close = 20000});
        deliver_many(f, rows[i].size, rows[i].count);
        assert_int_equal(testhost_dials(f->host), rows[i].sessions);
        fixture_free(f);
    }
}

static void goes_on_with_the_sessions_that_it_gets(void **state)
{
    struct fixture *f = open_with((struct service_options){0},
                                  (struct link_options){.connections = 3, .files = 64, .idle_close = 5000});
    (void)state;
    struct testhost_message message = fixture_message(f, "first", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    char path[512];
    path_of(f, path, "first");
    unlink(path);
    testhost_fail_dials(f->host, 2, "too many connections");
    deliver_many(f, 2 << 20, 5);
    assert_true(testhost_logged(f->host, "sftp.fewer-connections") > 0);
    assert_null(testhost_parked(f->host));
    assert_int_equal(testhost_sessions(f->host), 1);
    fixture_free(f);
}

static bool kept_alive(void *arg)
{
    const struct fixture *f = arg;
    return testhost_metric(f->host, "keep_alives") >= 3;
}

static void asks_whether_the_partner_is_still_there(void **state)
{
    struct fixture *f =
        open_with((struct service_options){0}, (struct link_options){.keep_alive = 30, .idle_close = 20000});
    (void)state;
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_true(testhost_run_until(f->host, kept_alive, f, 5000));
    assert_int_equal(testhost_sessions(f->host), 1);
    fixture_free(f);
}

int run_send_cases(enum server_kind which)
{
    kind = which;
    const struct CMUnitTest cases[] = {
        fixture_test(replaces_in_one_step),
        fixture_test(replaces_by_removing),
        fixture_test(the_last_of_a_name_is_what_stays),
        fixture_test(ends_what_stands_in_a_row_when_closed),
        fixture_test(gives_the_permissions_that_are_wanted),
        fixture_test(tells_of_permissions_that_cannot_be),
        fixture_test(goes_on_where_it_was_cut),
        fixture_test(sends_all_again_when_what_is_there_differs),
        fixture_test(does_not_go_on_behind_its_own_end),
        fixture_test(says_when_the_partner_took_it_before_the_rename),
        fixture_test(knows_its_file_when_the_partner_renamed_it),
        fixture_test(puts_nothing_in_place_that_is_not_what_was_announced),
        fixture_test(sends_many_small_files),
        fixture_test(opens_as_many_sessions_as_are_worth_it),
        fixture_test(goes_on_with_the_sessions_that_it_gets),
        fixture_test(asks_whether_the_partner_is_still_there),
    };
    /* The partner of rehearsals runs as who runs the tests, who may be root. */
    const struct CMUnitTest of_another_user[] = {fixture_test(retries_when_the_right_to_write_is_lost)};
    int failed = cmocka_run_group_tests_name("sftp sending", cases, NULL, NULL);
    if (kind == SERVER_OPENSSH)
        failed += cmocka_run_group_tests_name("sftp sending to another user", of_another_user, NULL, NULL);
    return failed;
}
