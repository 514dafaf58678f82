/* The smtp connector's sessions: which are begun, what is said in them before the verdicts, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail_bench.h"

/* Nobody heard anything of ours but what every stranger may hear. */
static void expect_nothing_told(void)
{
    assert_int_equal(mail_heard_times("AUTH"), 0);
    assert_int_equal(mail_heard_times("MAIL"), 0);
}

/* ---- before TLS ---- */

static void a_server_without_starttls_is_told_nothing(void **state)
{
    static const struct {
        const char *offers_plain;
        struct mail_line line;
        const char *rule, *says;
    } cases[] = {
        {"SIZE 1\nAUTH PLAIN", {NULL, NULL}, "smtp.starttls", "does not offer STARTTLS"},
        {"XSTARTTLS", {NULL, NULL}, "smtp.starttls", "does not offer STARTTLS"},
        {"", {NULL, NULL}, "smtp.starttls", "does not offer STARTTLS"},
        {"STARTTLS", {"STARTTLS", "502 5.5.1 no"}, "smtp.starttls", "refuses STARTTLS"},
        {"STARTTLS", {"STARTTLS", "454 4.7.0 not now"}, NULL, "454 4.7.0 not now"},
        {"STARTTLS", {"EHLO", "502 what?"}, NULL, "502 what?"},
        {"STARTTLS", {"", "554 5.7.1 you are on a list"}, NULL, "554 5.7.1 you are on a list"},
        {"STARTTLS", {"", "421 busy"}, NULL, "421 busy"},
        {"STARTTLS", {"", MAIL_CLOSE}, NULL, "mail.example"},
        {"STARTTLS", {"", "SSH-2.0-OpenSSH_9.2"}, NULL, "no reply of a mail server"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mail_line lines[] = {cases[i].line, {NULL, NULL}};
        struct mail_bench bench;
        mail_open(&bench, &(struct mail_setting){
                              .password = true, .offers_plain = cases[i].offers_plain, .lines = lines});
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, cases[i].says);
        if (cases[i].rule)
            assert_string_equal(testhost_parked(bench.host), cases[i].rule);
        else
            assert_null(testhost_parked(bench.host));
        expect_nothing_told();
        assert_int_equal(testhost_secrets(bench.host), 1); /* the trust bundle */
        mail_shut(&bench);
    }
}

static void what_somebody_put_behind_the_answer_to_starttls_is_not_listened_to(void **state)
{
    struct mail_bench bench;
    (void)state;
    mail_open(&bench,
              &(struct mail_setting){.password = true,
                                     .behind_starttls = "250-mail.example\r\n250 AUTH LOGIN\r\n235 in\r\n"});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, "in the clear");
    assert_non_null(testhost_incident(bench.host, "smtp.injected"));
    expect_nothing_told();
    mail_shut(&bench);
}

static void what_was_offered_in_the_clear_does_not_count(void **state)
{
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.password = true,
                                             .offers_plain = "STARTTLS\nAUTH PLAIN LOGIN\nSIZE 1\nPIPELINING",
                                             .offers = "8BITMIME"});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, "it offers none");
    assert_string_equal(testhost_parked(bench.host), "smtp.sasl");
    expect_nothing_told();
    mail_shut(&bench);
}

/* ---- TLS ---- */

static void tls_from_the_first_byte(void **state)
{
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.implicit = true, .password = true});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    assert_non_null(strstr(mail_heard(), "{tls}|EHLO agent.example|AUTH PLAIN AGFjY29yZABzM2NyZXQ=|MAIL"));
    assert_int_equal(mail_heard_times("STARTTLS"), 0);
    mail_shut(&bench);
}

static void another_server_than_ours_is_told_nothing(void **state)
{
    struct mail_bench bench;
    (void)state;
    for (int implicit = 0; implicit < 2; implicit++) {
        mail_open(&bench,
                  &(struct mail_setting){.implicit = implicit, .password = true, .host = "other.example"});
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, "not for mail.example but for");
        assert_string_equal(testhost_parked(bench.host), "tls.name");
        expect_nothing_told();
        assert_int_equal(testhost_secrets(bench.host), 1);
        mail_shut(&bench);
    }
}

static void nothing_is_said_before_the_verdict(void **state)
{
    struct mail_bench bench;
    (void)state;
    for (int implicit = 0; implicit < 2; implicit++) {
        mail_open(&bench, &(struct mail_setting){.implicit = implicit, .password = true});
        testhost_hold_verdicts(bench.host, true);
        struct accord_delivery *delivery =
            testhost_deliver(bench.host, 0,
                             &(struct testhost_message){
                                 .type = "stow-plan", .name = "x", .origin = "a/b", .bytes = "x", .size = 1});
        while (!testhost_fact(bench.host, "tls.version"))
            testhost_turn(bench.host);
        for (int turn = 0; turn < 200; turn++)
            testhost_turn(bench.host);
        assert_null(strstr(mail_heard(), "{tls}|EHLO"));
        assert_int_equal(testhost_secrets(bench.host), 1);
        testhost_hold_verdicts(bench.host, false);
        assert_true(testhost_settle(bench.host, delivery, 60000));
        mail_expect(delivery, ACCORD_DELIVERED, "250");
        assert_int_equal(testhost_secrets(bench.host), 2);
        mail_shut(&bench);
    }
}

static void a_session_that_is_judged_badly_goes_no_further(void **state)
{
    static const enum accord_stage stages[] = {ACCORD_HANDSHAKE, ACCORD_AUTHENTICATED};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int deferred = 0; deferred < 2; deferred++) {
            struct mail_bench bench;
            mail_open(&bench, &(struct mail_setting){.password = true});
            testhost_verdict(bench.host, stages[i], deferred ? ACCORD_DEFER : ACCORD_DENY, "encryption.x",
                             "not like that");
            mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, "not like that");
            assert_int_equal(mail_heard_times("AUTH"), i);
            assert_int_equal(mail_heard_times("MAIL"), 0);
            assert_int_equal(mail_heard_times("EHLO"), 1 + i);
            if (deferred)
                assert_null(testhost_parked(bench.host));
            else
                assert_string_equal(testhost_parked(bench.host), "encryption.x");
            mail_shut(&bench);
        }
}

/* ---- AUTH ---- */

static void the_mechanism_is_the_first_that_all_agree_on(void **state)
{
    static const struct {
        const char *profile, *offers, *sasl, *mechanism, *heard;
    } cases[] = {
        {"EXTERNAL,PLAIN", "AUTH PLAIN LOGIN", "auto", "PLAIN", "AUTH PLAIN AGFjY29yZABzM2NyZXQ=|MAIL"},
        {"LOGIN,PLAIN", "AUTH PLAIN LOGIN", "auto", "LOGIN", "AUTH LOGIN|YWNjb3Jk|czNjcmV0|MAIL"},
        {"PLAIN,LOGIN", "AUTH LOGIN XOAUTH2", "auto", "LOGIN", "AUTH LOGIN|YWNjb3Jk|czNjcmV0|MAIL"},
        {"PLAIN,LOGIN", "AUTH=LOGIN\nAUTH LOGIN PLAIN", "plain", "PLAIN", "AUTH PLAIN AGFj"},
        {"PLAIN", "AUTH LOGIN", "auto", NULL, ""},
        {"PLAIN,LOGIN", "AUTH PLAIN", "login", NULL, ""},
        {"", "AUTH PLAIN", "auto", NULL, ""},
        {"SCRAM-SHA-256,CRAM-MD5", "AUTH CRAM-MD5 SCRAM-SHA-256", "auto", NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct accord_pair link[] = {{"sasl", cases[i].sasl}, {NULL, NULL}};
        const struct mail_line lines[] = {{"AUTH LOGIN", "334 VXNlcm5hbWU6"},
                                          {"YWNjb3Jk", "334 UGFzc3dvcmQ6"},
                                          {"czNjcmV0", "235 in"},
                                          {NULL, NULL}};
        struct mail_bench bench;
        mail_open(&bench, &(struct mail_setting){.password = true,
                                                 .link = link,
                                                 .lines = lines,
                                                 .offers = cases[i].offers,
                                                 .profile = cases[i].profile});
        struct accord_delivery *delivery = mail_send(&bench, NULL, "plan");
        if (cases[i].mechanism) {
            mail_expect(delivery, ACCORD_DELIVERED, "250");
            assert_string_equal(testhost_fact(bench.host, "sasl.mechanism"), cases[i].mechanism);
            assert_non_null(strstr(mail_heard(), cases[i].heard));
        } else {
            mail_expect(delivery, ACCORD_RETRY, "no way to log in that the agreement allows");
            assert_string_equal(testhost_parked(bench.host), "smtp.sasl");
            expect_nothing_told();
            assert_int_equal(testhost_secrets(bench.host), 1);
        }
        mail_shut(&bench);
    }
}

static void who_is_not_let_in_does_not_hammer(void **state)
{
    static const struct {
        const char *reply, *rule;
    } cases[] = {{"535 5.7.8 bad credentials", "smtp.credentials"},
                 {"534 5.7.9 too weak", "smtp.credentials"},
                 {"454 4.7.0 temporary failure", NULL},
                 {"421 busy", NULL},
                 {"334 more", NULL},
                 {MAIL_CLOSE, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mail_line lines[] = {{"AUTH", cases[i].reply}, {NULL, NULL}};
        struct mail_bench bench;
        mail_open(&bench, &(struct mail_setting){.password = true, .lines = lines});
        struct accord_delivery *delivery = mail_send(&bench, NULL, "plan");
        mail_expect(delivery, ACCORD_RETRY, cases[i].reply[0] == '!' ? "" : cases[i].reply);
        assert_null(strstr(delivery->reason, "s3cret"));
        assert_null(strstr(delivery->reason, "AGFj"));
        if (cases[i].rule)
            assert_string_equal(testhost_parked(bench.host), cases[i].rule);
        else
            assert_null(testhost_parked(bench.host));
        assert_int_equal(testhost_dials(bench.host), 1);
        assert_int_equal(mail_heard_times("MAIL"), 0);
        mail_shut(&bench);
    }
}

static void a_server_that_wants_a_login_parks_the_link(void **state)
{
    const struct mail_line lines[] = {{"MAIL", "530 5.7.0 Authentication required"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.lines = lines});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, "530 5.7.0");
    assert_string_equal(testhost_parked(bench.host), "smtp.authentication");
    mail_shut(&bench);
}

static void a_password_that_is_missing_or_empty_burns_no_message(void **state)
{
    struct mail_bench bench;
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        mail_open(&bench, &(struct mail_setting){.password = true});
        testhost_secret(bench.host, "password", empty ? "\n" : NULL, empty ? 1 : 0);
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_RETRY, empty ? "is empty" : "cannot be read");
        expect_nothing_told();
        mail_shut(&bench);
    }
}

/* ---- probe ---- */

static void expect_steps(const struct mail_bench *bench, const char *wanted)
{
    char steps[512] = "";
    for (size_t i = 0; i < testhost_steps(bench->host); i++) {
        const struct testhost_step *step = testhost_step(bench->host, i);
        snprintf(steps + strlen(steps), sizeof steps - strlen(steps), "%s %d;", step->step, step->result);
    }
    assert_string_equal(steps, wanted);
}

static void a_probe_names_sender_and_recipients_and_sends_nothing(void **state)
{
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.password = true});
    assert_true(testhost_probe(bench.host));
    assert_true(testhost_run_until(bench.host, testhost_probed, bench.host, 60000));
    expect_steps(&bench, "connect 0;tls 0;authenticate 0;stow-plan 0;done 0;");
    assert_non_null(
        strstr(mail_heard(), "MAIL FROM:<agent@carrier.example>|RCPT TO:<stow@customs.example>|RSET|"));
    assert_int_equal(mail_heard_times("DATA"), 0);
    mail_shut(&bench);
}

static void a_probe_that_fails_says_where_and_parks_nothing(void **state)
{
    static const struct {
        struct mail_line line;
        const char *steps;
    } cases[] = {{{"AUTH", "535 no"}, "connect 0;tls 0;authenticate -4;"},
                 {{"RCPT", "550 who?"}, "connect 0;tls 0;authenticate 0;stow-plan -4;"},
                 {{"STARTTLS", "502 no"}, "connect 0;tls -8;"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mail_line lines[] = {cases[i].line, {NULL, NULL}};
        struct mail_bench bench;
        mail_open(&bench, &(struct mail_setting){.password = true, .lines = lines});
        assert_true(testhost_probe(bench.host));
        assert_true(testhost_run_until(bench.host, testhost_probed, bench.host, 60000));
        expect_steps(&bench, cases[i].steps);
        assert_null(testhost_parked(bench.host));
        mail_shut(&bench);
    }
}

/* ---- our certificate ---- */

static void a_certificate_that_ends_is_told_in_time(void **state)
{
    static const struct accord_pair link[] = {{"certificate", "own.pem"}, {"key", "own.key"}, {NULL, NULL}};
    const char *said;
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.link = link, .lasts = 29, .clock = TESTHOST_VIRTUAL_CLOCK});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    testhost_advance(bench.host, 1);
    assert_int_equal(testhost_gauge(bench.host, "certificate_days_left"), 29);
    said = testhost_incident(bench.host, "smtp.certificate-expires");
    assert_true(said && strstr(said, MAIL_NAME " ends in 29 days"));
    testhost_advance(bench.host, INT64_C(22) * 86400000);
    said = testhost_incident(bench.host, "smtp.certificate-expires");
    assert_true(said && strstr(said, "ends in 7 days"));
    mail_shut(&bench);
}

static void a_renewed_certificate_is_taken_up_however_busy_the_link_is(void **state)
{
    static const struct accord_pair link[] = {
        {"certificate", "own.pem"}, {"key", "own.key"}, {"idle-close", "10 min"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.link = link, .lasts = 400, .clock = TESTHOST_VIRTUAL_CLOCK});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    for (int i = 0; i < 13; i++) {
        testhost_advance(bench.host, 300000);
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    }
    assert_int_equal(testhost_dials(bench.host), 2);
    assert_null(testhost_incident(bench.host, "smtp.certificate-expires"));
    mail_shut(&bench);
}

/* ---- options ---- */

static void mistakes_in_options_are_found(void **state)
{
    static const struct {
        struct accord_pair link, service;
        const char *says;
    } cases[] = {
        {{NULL, NULL}, {"mail-from", "me"}, "mail-from: \"me\" is not an address"},
        {{NULL, NULL}, {"mail-to", "a@b.example, x y@z"}, "mail-to: \"x y@z\" is not an address"},
        {{NULL, NULL}, {"mail-to", "<a@b.example>"}, "is not an address"},
        {{NULL, NULL}, {"cc", "a@b..example"}, "is not an address"},
        {{NULL, NULL}, {"bcc", "\xc3\xa9@b.example"}, "is not an address"},
        {{NULL, NULL}, {"subject", "{Name}"}, "subject: { begins"},
        {{NULL, NULL}, {"body", "a\\tb"}, "body: \\ stands"},
        {{NULL, NULL}, {"attachment-type", "text"}, "no media type"},
        {{"sasl", "external"}, {NULL, NULL}, "sasl = external"},
        {{"sasl", "plain"}, {NULL, NULL}, "need user and password"},
        {{"user", "me"}, {NULL, NULL}, "password is missing"},
        {{"key", "key.pem"}, {NULL, NULL}, "certificate is missing"},
        {{"pin", "abc"}, {NULL, NULL}, "pin \"abc\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct accord_pair link[] = {cases[i].link, {NULL, NULL}};
        const struct accord_pair service[] = {cases[i].service, {NULL, NULL}};
        char why[ACCORD_REASON_MAX];
        mail_why(&(struct mail_setting){.link = link, .service = service}, why, sizeof why);
        if (!strstr(why, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", why, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_without_starttls_is_told_nothing),
        cmocka_unit_test(what_somebody_put_behind_the_answer_to_starttls_is_not_listened_to),
        cmocka_unit_test(what_was_offered_in_the_clear_does_not_count),
        cmocka_unit_test(tls_from_the_first_byte),
        cmocka_unit_test(another_server_than_ours_is_told_nothing),
        cmocka_unit_test(nothing_is_said_before_the_verdict),
        cmocka_unit_test(a_session_that_is_judged_badly_goes_no_further),
        cmocka_unit_test(the_mechanism_is_the_first_that_all_agree_on),
        cmocka_unit_test(who_is_not_let_in_does_not_hammer),
        cmocka_unit_test(a_server_that_wants_a_login_parks_the_link),
        cmocka_unit_test(a_password_that_is_missing_or_empty_burns_no_message),
        cmocka_unit_test(a_probe_names_sender_and_recipients_and_sends_nothing),
        cmocka_unit_test(a_probe_that_fails_says_where_and_parks_nothing),
        cmocka_unit_test(a_certificate_that_ends_is_told_in_time),
        cmocka_unit_test(a_renewed_certificate_is_taken_up_however_busy_the_link_is),
        cmocka_unit_test(mistakes_in_options_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
