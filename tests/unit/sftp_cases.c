/* What the SFTP connector must do against every server. */
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

static bool no_session(void *arg)
{
    const struct fixture *f = arg;
    return testhost_sessions(f->host) == 0;
}

static bool drop_empty(void *arg)
{
    return drop_count(arg) == 0;
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

static void reports_the_facts_of_the_session(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_string_equal(testhost_fact(f->host, "ssh.kex"), "ecdh-sha2-nistp256");
    assert_string_equal(testhost_fact(f->host, "ssh.cipher.out"), "aes256-gcm@openssh.com");
    assert_string_equal(testhost_fact(f->host, "ssh.cipher.in"), "aes256-gcm@openssh.com");
    assert_string_equal(testhost_fact(f->host, "ssh.mac.out"), "aead-gcm");
    assert_string_equal(testhost_fact(f->host, "ssh.host-key.type"), "ecdsa-sha2-nistp256");
    assert_string_equal(testhost_fact(f->host, "ssh.host-key.sha256"), f->server.host_key);
    assert_string_equal(testhost_fact(f->host, "ssh.user"), f->server.user);
    assert_string_equal(testhost_fact(f->host, "ssh.auth"), "publickey");
    assert_string_equal(testhost_fact(f->host, "ssh.user-key.type"), "ecdsa-sha2-nistp256");
    assert_string_equal(testhost_fact(f->host, "ssh.user-key.bits"), "256");
    fixture_free(f);
}

static void closes_the_session_when_it_is_idle(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_sessions(f->host), 1);
    assert_true(testhost_run_until(f->host, no_session, f, 5000));
    assert_int_equal(testhost_timers(f->host), 0);
    message = fixture_message(f, "b", 10, 2);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_dials(f->host), 2);
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

static void sends_nothing_to_a_changed_host_key(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->pins[0] = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "sftp.host-key-changed");
    assert_non_null(strstr(testhost_park_reason(f->host), f->server.host_key));
    assert_non_null(strstr(testhost_park_reason(f->host), f->pins[0]));
    assert_int_equal(testhost_secrets(f->host), 0);
    assert_null(testhost_fact(f->host, "ssh.kex"));
    assert_int_equal(d->sent, 0);
    assert_true(testhost_run_until(f->host, no_session, f, 5000));
    assert_false(server_saw_authentication(&f->server));
    fixture_free(f);
}

static void parks_when_the_key_is_refused(void **state)
{
    struct fixture *f = fixture_new(kind, NULL), *other = fixture_new(kind, NULL);
    (void)state;
    testhost_secret(f->host, "key", other->key, strlen(other->key));
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "sftp.auth-refused");
    assert_null(testhost_fact(f->host, "ssh.auth"));
    assert_true(server_saw_authentication(&f->server));
    fixture_free(f);
    fixture_free(other);
}

static void parks_when_the_private_key_is_no_key(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_secret(f->host, "key", "-----BEGIN NONSENSE-----\n", 25);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "sftp.bad-key");
    assert_null(strstr(testhost_park_reason(f->host), "NONSENSE"));
    assert_false(server_saw_authentication(&f->server));
    fixture_free(f);
}

static void refuses_a_server_without_an_allowed_algorithm(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    const char *const weak[] = {
        kind == SERVER_OPENSSH ? "Ciphers aes128-ctr" : "--encryption-algs=aes128-ctr", NULL};
    (void)state;
    server_restart(&f->server, weak);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "sftp.no-common-algorithm");
    assert_int_equal(testhost_secrets(f->host), 0);
    assert_false(server_saw_authentication(&f->server));
    fixture_free(f);
}

static void does_not_go_on_without_a_profile(void **state)
{
    static const char *const names[] = {"ssh.kex", "ssh.ciphers", "ssh.macs", "ssh.host-key-types",
                                        "ssh.user-key-types"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture *f = fixture_new(kind, NULL);
        testhost_profile(f->host, names[i], i % 2 ? "" : NULL);
        fixture_open(f);
        struct testhost_message message = fixture_message(f, "a", 10, 1);
        assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
        assert_string_equal(testhost_parked(f->host), "sftp.no-profile");
        assert_non_null(strstr(testhost_park_reason(f->host), names[i]));
        assert_false(server_saw_authentication(&f->server));
        fixture_free(f);
    }
}

static void obeys_the_verdict_on_the_handshake(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_verdict(f->host, ACCORD_HANDSHAKE, ACCORD_DENY, "encryption.ssh-cipher", "not this one");
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "encryption.ssh-cipher");
    assert_int_equal(testhost_secrets(f->host), 0);
    assert_false(server_saw_authentication(&f->server));
    fixture_free(f);
}

static void obeys_the_verdict_on_the_authenticated_session(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_verdict(f->host, ACCORD_AUTHENTICATED, ACCORD_DEFER, "guard.restarting", "ask again");
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_null(testhost_parked(f->host)); /* deferred is not refused */
    assert_int_equal(d->sent, 0);
    assert_int_equal(drop_count(f), 0);
    testhost_verdict(f->host, ACCORD_AUTHENTICATED, ACCORD_DENY, "encryption.user-key", "too short");
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_string_equal(testhost_parked(f->host), "encryption.user-key");
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
    assert_int_equal(d->sent, 0);
    assert_content(f, "taken", "theirs", 6);
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
    assert_int_equal(drop_count(f), 3);
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
    return !drop_has(arg, ".accord-aaaaaaaaaaaaaaaaaaaaaaaa.tmp");
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
    assert_int_equal(testhost_logged(f->host, "sftp.stale-removed"), 1);
    for (int i = 0; i < 4; i++)
        assert_true(drop_has(f, stay[i]));
    fixture_free(f);
}

static bool stalled(void *arg)
{
    const struct accord_delivery *d = arg;
    return d->sent == d->stall_at;
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

/* libssh makes its descriptor blocking; a partner that reads no more must not hold the loop. */
static void gives_up_on_a_partner_that_stands_still(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->options.timeout = 1000;
    testhost_send_buffer(f->host, 16384);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "still", 10 << 20, 1);
    struct accord_delivery *d = testhost_deliver(f->host, 0, &message);
    d->stall_at = 1000;
    assert_true(testhost_run_until(f->host, stalled, d, 30000));
    server_signal(&f->server, SIGSTOP);
    testhost_unstall(f->host, d);
    uint64_t began = uv_hrtime();
    bool settled = testhost_settle(f->host, d, 10000);
    server_signal(&f->server, SIGCONT);
    assert_true(settled);
    assert_true((uv_hrtime() - began) / 1000000 < 5000);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "waited"));
    fixture_free(f);
}

static void says_why_it_cannot_be_reached(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_fail_dials(f->host, 1, "no route to host");
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_non_null(strstr(d->reason, "no route to host"));
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    fixture_free(f);
}

int run_shared_cases(enum server_kind which)
{
    kind = which;
    if (getenv("CASE")) /* a pattern: only some, while working on them */
        cmocka_set_test_filter(getenv("CASE"));
    const struct CMUnitTest cases[] = {
        fixture_test(delivers_a_file_under_its_final_name_only),
        fixture_test(reports_the_facts_of_the_session),
        fixture_test(closes_the_session_when_it_is_idle),
        fixture_test(sends_several_files_in_one_session),
        fixture_test(sends_a_big_file),
        fixture_test(sends_nothing_to_a_changed_host_key),
        fixture_test(parks_when_the_key_is_refused),
        fixture_test(parks_when_the_private_key_is_no_key),
        fixture_test(refuses_a_server_without_an_allowed_algorithm),
        fixture_test(does_not_go_on_without_a_profile),
        fixture_test(obeys_the_verdict_on_the_handshake),
        fixture_test(obeys_the_verdict_on_the_authenticated_session),
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
        fixture_test(gives_up_on_a_partner_that_stands_still),
        fixture_test(says_why_it_cannot_be_reached),
    };
    return cmocka_run_group_tests_name(which == SERVER_OPENSSH ? "sftp against OpenSSH"
                                                               : "sftp against the rehearsal "
                                                                 "partner",
                                       cases, NULL, NULL);
}
