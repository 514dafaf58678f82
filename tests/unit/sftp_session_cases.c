/* Sessions: what the SFTP connector must do before the first file, against every server. */
#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libssh/libssh.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum server_kind kind;

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
    assert_string_equal(testhost_fact(f->host, "ssh.host-key.bits"), "256");
    assert_string_equal(testhost_fact(f->host, "ssh.host-key.sha256"), f->server.host_key);
    assert_string_equal(testhost_fact(f->host, "ssh.strict-kex"), "yes"); /* both of Debian 12 have it */
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

static void sends_nothing_to_a_changed_host_key(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    f->pins[0] = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_parked(f, "sftp.host-key-changed");
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
    assert_parked(f, "sftp.auth-refused");
    assert_null(testhost_fact(f->host, "ssh.auth"));
    assert_true(server_saw_authentication(&f->server));
    fixture_free(f);
    fixture_free(other);
}

static void tries_no_method_that_the_profile_forbids(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_profile(f->host, "ssh.auth", "password,keyboard-interactive");
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_parked(f, "sftp.auth-not-allowed");
    assert_int_equal(testhost_secrets(f->host), 0);
    assert_false(server_saw_authentication(&f->server));
    fixture_free(f);
}

static void asks_for_no_password_that_the_partner_does_not_take(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_profile(f->host, "ssh.auth", "publickey,password,keyboard-interactive");
    f->auth[0] = "password";
    f->auth[1] = "keyboard-interactive";
    f->auth[2] = "publickey";
    f->options.auth.count = 3;
    f->options.password = "pw";
    testhost_secret(f->host, "password", "open sesame", 11);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_secrets(f->host), 1); /* the key */
    assert_string_equal(testhost_fact(f->host, "ssh.auth"), "publickey");
    f->options.auth.count = 2;
    assert_true(testhost_run_until(f->host, no_session, f, 5000));
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_parked(f, "sftp.auth-refused");
    assert_non_null(strstr(testhost_park_reason(f->host), "it takes: publickey"));
    assert_int_equal(testhost_secrets(f->host), 1);
    fixture_free(f);
}

static void parks_when_the_private_key_is_no_key(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    (void)state;
    testhost_secret(f->host, "key", "-----BEGIN NONSENSE-----\n", 25);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_parked(f, "sftp.bad-key");
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
    assert_parked(f, "sftp.no-common-algorithm");
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
        assert_parked(f, "sftp.no-profile");
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
    assert_parked(f, "encryption.ssh-cipher");
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
    assert_parked(f, "encryption.user-key");
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

static char *with_passphrase(const struct fixture *f, const char *passphrase)
{
    char path[128];
    ssh_key key = NULL;
    snprintf(path, sizeof path, "%s/encrypted", f->server.folder);
    assert_int_equal(ssh_pki_import_privkey_base64(f->key, "", NULL, NULL, &key), SSH_OK);
    assert_int_equal(ssh_pki_export_privkey_file(key, passphrase, NULL, NULL, path), SSH_OK);
    ssh_key_free(key);
    char *text = calloc(1, 8192);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 8191, file) > 0);
    fclose(file);
    return text;
}

static void reads_a_private_key_that_has_a_passphrase(void **state)
{
    struct fixture *f = fixture_new(kind, NULL);
    char *key = with_passphrase(f, "open sesame");
    (void)state;
    testhost_secret(f->host, "key", key, strlen(key));
    free(key);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY); /* and asks at no terminal */
    assert_parked(f, "sftp.bad-key");
    f->options.key_passphrase = "passphrase";
    testhost_secret(f->host, "key-passphrase", "wrong", 5);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
    assert_non_null(strstr(testhost_park_reason(f->host), "passphrase is wrong"));
    testhost_secret(f->host, "key-passphrase", "open sesame\n", 12);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    fixture_free(f);
}

int run_session_cases(enum server_kind which)
{
    kind = which;
    const struct CMUnitTest cases[] = {
        fixture_test(reports_the_facts_of_the_session),
        fixture_test(closes_the_session_when_it_is_idle),
        fixture_test(sends_nothing_to_a_changed_host_key),
        fixture_test(parks_when_the_key_is_refused),
        fixture_test(tries_no_method_that_the_profile_forbids),
        fixture_test(asks_for_no_password_that_the_partner_does_not_take),
        fixture_test(parks_when_the_private_key_is_no_key),
        fixture_test(refuses_a_server_without_an_allowed_algorithm),
        fixture_test(does_not_go_on_without_a_profile),
        fixture_test(obeys_the_verdict_on_the_handshake),
        fixture_test(obeys_the_verdict_on_the_authenticated_session),
        fixture_test(says_why_it_cannot_be_reached),
        fixture_test(gives_up_on_a_partner_that_stands_still),
        fixture_test(reads_a_private_key_that_has_a_passphrase),
    };
    return cmocka_run_group_tests_name("sftp sessions", cases, NULL, NULL);
}
