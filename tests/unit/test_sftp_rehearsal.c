/* The SFTP connector against the rehearsal partner, which also plays faults that OpenSSH cannot be made to show. */
#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
    assert_true(testhost_run_until(f->host, drop_empty, f, 5000));
    message = fixture_message(f, "b", 1000, 2);
    assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_DELIVERED);
    assert_int_equal(testhost_dials(f->host), 1);
    fixture_free(f);
}

/* This partner works on requests side by side, and its writes take their time: the close comes before them. */
static void goes_step_by_step_where_order_is_not_kept(void **state)
{
    struct fixture *f =
        fixture_new(SERVER_REHEARSAL, (const char *const[]){"--side-by-side", "--slow", "2000000", NULL});
    (void)state;
    f->options.idle_close = 20000;
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 400000, 1);
    struct accord_delivery *d = fixture_deliver(f, &message);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_int_equal(testhost_logged(f->host, "sftp.out-of-order"), 1);
    assert_false(drop_has(f, "a"));
    for (message.attempt = 2; message.attempt < 4; message.attempt++) {
        d = fixture_deliver(f, &message);
        assert_string_equal(d->reason, "");
        assert_int_equal(d->outcome, ACCORD_DELIVERED);
    }
    assert_content(f, "a", f->bytes, 400000);
    assert_int_equal(testhost_dials(f->host), 1);
    fixture_free(f);
}

static void parks_when_a_needed_extension_is_not_offered(void **state)
{
    static const struct {
        const char *missing;
        struct service_options service;
    } rows[] = {{"posix-rename@openssh.com", {.if_exists = EXISTS_REPLACE}},
                {"fsync@openssh.com", {.fsync = FSYNC_REQUIRE}}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture *f =
            fixture_new(SERVER_REHEARSAL, (const char *const[]){"--without", rows[i].missing, NULL});
        f->service_options.if_exists = rows[i].service.if_exists;
        f->service_options.fsync = rows[i].service.fsync;
        fixture_open(f);
        struct testhost_message message = fixture_message(f, "a", 1000, 1);
        assert_int_equal(fixture_deliver(f, &message)->outcome, ACCORD_RETRY);
        assert_parked(f, "sftp.missing-extension");
        assert_non_null(strstr(testhost_park_reason(f->host), rows[i].missing));
        assert_int_equal(drop_count(f), 0);
        fixture_free(f);
    }
}

static size_t put_name_list(uint8_t *at, const char *names)
{
    size_t size = strlen(names);
    memcpy(at, (uint8_t[]){0, 0, 0, (uint8_t)size}, 4);
    memcpy(at + 4, names, size);
    return 4 + size;
}

/* Banner and KEXINIT (RFC 4253 sections 4.2, 6 and 7.1), with a cipher that the profile does not have. */
static size_t hasty_greeting(uint8_t bytes[512])
{
    static const char banner[] = "SSH-2.0-hasty\r\n";
    static const char *const lists[] = {"ecdh-sha2-nistp256",
                                        "ecdsa-sha2-nistp256",
                                        "aes128-ctr",
                                        "aes128-ctr",
                                        "hmac-sha2-256",
                                        "hmac-sha2-256",
                                        "none",
                                        "none",
                                        "",
                                        ""};
    uint8_t *packet = bytes + strlen(banner);
    memset(bytes, 0, 512);
    memcpy(bytes, banner, strlen(banner));
    packet[5] = 20;         /* SSH_MSG_KEXINIT */
    size_t at = 5 + 1 + 16; /* a cookie of zeros */
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        at += put_name_list(packet + at, lists[i]);
    at += 5; /* no guess follows; reserved */
    size_t padding = 4 + (8 - (at + 4) % 8) % 8;
    packet[3] = (uint8_t)(at + padding - 4);
    packet[4] = (uint8_t)padding;
    return strlen(banner) + at + padding;
}

/* Takes one connection, says everything in one piece, and waits for the client to go. */
static void *play_hasty(void *arg)
{
    uint8_t bytes[512];
    size_t size = hasty_greeting(bytes);
    int fd = accept(*(int *)arg, NULL, NULL);
    bool sent = fd >= 0 && send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
    while (sent && recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void wait_for_greeting(void *arg, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    (void)arg;
    assert_int_equal(poll(&ready, 1, 5000), 1);
}

/* A quick server, or a slow client: libssh then loses its own words about the algorithms. */
static void parks_when_banner_and_algorithms_come_in_one_piece(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    pthread_t thread;
    struct fixture *f = fixture_new(SERVER_REHEARSAL, NULL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    testhost_endpoint(f->host, ntohs(at.sin_port));
    testhost_at_dial(f->host, wait_for_greeting, NULL);
    fixture_open(f);
    struct testhost_message message = fixture_message(f, "a", 10, 1);
    assert_int_equal(pthread_create(&thread, NULL, play_hasty, &fd), 0);
    struct accord_delivery *d = fixture_deliver(f, &message);
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    assert_int_equal(d->outcome, ACCORD_RETRY);
    assert_parked(f, "sftp.no-common-algorithm");
    assert_non_null(strstr(testhost_park_reason(f->host), "server [aes128-ctr]"));
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
        fixture_test(goes_step_by_step_where_order_is_not_kept),
        fixture_test(parks_when_a_needed_extension_is_not_offered),
        fixture_test(parks_when_banner_and_algorithms_come_in_one_piece),
    };
    int failed = cmocka_run_group_tests_name("sftp faults", cases, NULL, NULL);
    return failed + run_shared_cases(SERVER_REHEARSAL);
}
