/* What links over TLS are told of our certificate without a session: how long it lasts, and what is wrong with the options
 * that name it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/tls/expiry.h"
#include "common/tls/options.h"

#define DAY INT64_C(86400000000)
#define NOW INT64_C(1764000000000000) /* 2025-11-24 16:00 UTC */

/* ---- a host with one timer ---- */

static struct host {
    int64_t wall, gauge;
    unsigned incidents, looks;
    enum accord_level level;
    char said[ACCORD_REASON_MAX];
    accord_timer_fn run;
    void *arg;
    int64_t ms;
} host;

static void host_log(struct accord_instance *instance, enum accord_level level, const char *event,
                     const char *text)
{
    (void)instance;
    assert_string_equal(event, "x.certificate-expires");
    assert_true(text[0]);
    host.level = level;
}

static void host_gauge(struct accord_instance *instance, const char *name, int64_t value)
{
    (void)instance;
    assert_string_equal(name, "certificate_days_left");
    host.gauge = value;
}

static void host_incident(struct accord_instance *instance, const char *rule, const char *reason)
{
    (void)instance;
    assert_string_equal(rule, "x.certificate-expires");
    host.incidents++;
    snprintf(host.said, sizeof host.said, "%s", reason);
}

static int64_t host_wall(struct accord_instance *instance)
{
    (void)instance;
    return host.wall;
}

static struct accord_timer *host_timer(struct accord_instance *instance, int64_t ms, accord_timer_fn run,
                                       void *arg)
{
    (void)instance;
    assert_null(host.run); /* never two */
    host.run = run;
    host.arg = arg;
    host.ms = ms;
    return (struct accord_timer *)&host;
}

static void host_timer_stop(struct accord_timer *timer)
{
    assert_ptr_equal(timer, &host);
    assert_non_null(host.run);
    host.run = NULL;
}

static const struct accord_host table = {.size = sizeof table,
                                         .log = host_log,
                                         .gauge = host_gauge,
                                         .incident = host_incident,
                                         .wall = host_wall,
                                         .timer = host_timer,
                                         .timer_stop = host_timer_stop};

static void read_anew(void *arg)
{
    ((struct host *)arg)->looks++;
}

static struct tls_expiry begin(void)
{
    host = (struct host){.wall = NOW};
    return (struct tls_expiry){.host = &table,
                               .rule = "x.certificate-expires",
                               .partner = "partner.example",
                               .read_anew = read_anew,
                               .arg = &host,
                               .told = -1};
}

/* The timer's time has come: `ms` later. */
static void fire(int64_t ms)
{
    accord_timer_fn run = host.run;
    assert_non_null(run);
    assert_int_equal(host.ms, ms);
    host.run = NULL;
    host.wall += ms * 1000;
    run(host.arg);
}

#define HOUR 3600000

/* ---- our certificate's last days ---- */

static void each_threshold_has_its_words(void **state)
{
    static const struct {
        int64_t left, days;
        enum accord_level level;
        const char *words; /* NULL: nobody is told */
    } cases[] = {
        {91 * DAY, 91, 0, NULL},
        {90 * DAY + 1, 90, 0, NULL},
        {90 * DAY, 90, ACCORD_WARNING, "partner.example ends in 90 days, at 2026-02-22 16:00 UTC: renew it"},
        {30 * DAY, 30, ACCORD_WARNING, "ends in 30 days"},
        {29 * DAY, 29, ACCORD_WARNING, "ends in 29 days"},
        {7 * DAY, 7, ACCORD_ERROR, "ends in 7 days"},
        {DAY / 2, 0, ACCORD_ERROR, "ends in 0 days"},
        {0, -1, ACCORD_ERROR, "ended at 2025-11-24 16:00 UTC: put a new one"},
        {-DAY, -2, ACCORD_ERROR, "ended at 2025-11-23 16:00 UTC"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_expiry expiry = begin();
        tls_expiry_learnt(&expiry, NOW + cases[i].left);
        assert_int_equal(host.incidents + host.looks, 0); /* not in the session's own beginning */
        fire(0);
        assert_int_equal(host.gauge, cases[i].days);
        assert_int_equal(host.incidents, cases[i].words != NULL);
        if (cases[i].words && (!strstr(host.said, cases[i].words) || host.level != cases[i].level))
            fail_msg("level %d: %s", host.level, host.said);
        tls_expiry_stop(&expiry);
    }
}

static void a_threshold_is_told_once_and_the_next_again(void **state)
{
    struct tls_expiry expiry = begin();
    unsigned told[4] = {0};
    (void)state;
    tls_expiry_learnt(&expiry, NOW + 91 * DAY);
    fire(0);
    for (unsigned hour = 1; hour <= 92 * 24; hour++) {
        fire(HOUR);
        told[0] += hour == 24 && host.incidents == 1;
        told[1] += hour == 61 * 24 && host.incidents == 2;
        told[2] += hour == 84 * 24 && host.incidents == 3;
        told[3] += hour == 91 * 24 && host.incidents == 4;
    }
    assert_int_equal(host.incidents, 4);
    assert_true(told[0] && told[1] && told[2] && told[3]);
    assert_int_equal(host.looks, 92 * 24); /* not at the first look: that session has just read it */
    tls_expiry_stop(&expiry);
}

static void a_renewed_one_is_seen_at_once_and_warned_of_anew(void **state)
{
    struct tls_expiry expiry = begin();
    (void)state;
    tls_expiry_learnt(&expiry, NOW + 5 * DAY);
    fire(0);
    tls_expiry_learnt(&expiry, NOW + 5 * DAY); /* the next session's is the same: nothing */
    assert_int_equal(host.ms, HOUR);
    tls_expiry_learnt(&expiry, NOW + 400 * DAY);
    fire(0);
    assert_int_equal(host.gauge, 400);
    assert_int_equal(host.incidents, 1);
    tls_expiry_learnt(&expiry, NOW + 4 * DAY);
    fire(0);
    assert_int_equal(host.incidents, 2);
    tls_expiry_stop(&expiry);
    assert_null(host.run);
}

static void without_a_certificate_nothing_is_looked_at(void **state)
{
    struct tls_expiry expiry = begin();
    (void)state;
    tls_expiry_learnt(&expiry, 0);
    tls_expiry_stop(&expiry);
    assert_null(host.run);
    expiry.partner = NULL;
    expiry.read_anew = NULL;
    tls_expiry_learnt(&expiry, NOW);
    fire(0);
    fire(HOUR);
    assert_non_null(strstr(host.said, "certificate for the partner ended"));
    assert_int_equal(host.looks, 0);
    tls_expiry_stop(&expiry);
}

/* ---- options ---- */

static char why[ACCORD_REASON_MAX];

static int check(struct tls_options options)
{
    why[0] = '\0';
    return tls_check_options(&options, why, sizeof why);
}

static void a_key_needs_its_certificate(void **state)
{
    (void)state;
    assert_int_equal(check((struct tls_options){0}), ACCORD_OK);
    assert_int_equal(check((struct tls_options){.certificate = "c", .key = "k", .key_passphrase = "p"}),
                     ACCORD_OK);
    assert_int_equal(check((struct tls_options){.certificate = "c", .key_passphrase = "p"}), ACCORD_OK);
    assert_string_equal(why, "");
    assert_int_equal(check((struct tls_options){.key = "k"}), ACCORD_EINVAL);
    assert_non_null(strstr(why, "certificate is missing"));
    assert_int_equal(check((struct tls_options){.key_passphrase = "p"}), ACCORD_EINVAL);
    assert_non_null(strstr(why, "key-passphrase is set"));
}

static void a_pin_is_a_hash_in_base64(void **state)
{
#define GOOD "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    static const char *const bad[] = {
        "",
        "abc",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU==",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", /* of the alphabet for addresses */
        " 7DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *both[] = {GOOD, bad[i]};
        assert_int_equal(check((struct tls_options){.pin = {both, 1}}), ACCORD_OK);
        assert_int_equal(check((struct tls_options){.pin = {both, 2}}), ACCORD_EINVAL);
        assert_non_null(strstr(why, "44 characters of base64"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_threshold_has_its_words),
        cmocka_unit_test(a_threshold_is_told_once_and_the_next_again),
        cmocka_unit_test(a_renewed_one_is_seen_at_once_and_warned_of_anew),
        cmocka_unit_test(without_a_certificate_nothing_is_looked_at),
        cmocka_unit_test(a_key_needs_its_certificate),
        cmocka_unit_test(a_pin_is_a_hash_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
