/* The policy encryption on logins by SASL: links of mq and smtp, and mail without a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy_load.h"

#define RULE "encryption.sasl-mechanism"
#define ASK  ACCORD_ASK_AUTHENTICATED

static const struct accord_pair with_user[] = {{"user", "acme"}};
static const struct accord_policy_link mq = {.name = "mq",
                                             .connector = "mq",
                                             .endpoint_host = "mq.cbp.example",
                                             .endpoint_port = 5671,
                                             .tunnel = "none",
                                             .options = with_user,
                                             .option_count = 1};
static const struct accord_policy_link mail = {.name = "mail",
                                               .connector = "smtp",
                                               .endpoint_host = "mail.cbp.example",
                                               .endpoint_port = 587,
                                               .tunnel = "none",
                                               .options = with_user,
                                               .option_count = 1};

static struct testpolicy *open_with(const char *mechanisms)
{
    const struct accord_pair options[] = {{mechanisms ? "sasl-mechanisms" : NULL, mechanisms}, {0}};
    return policy_opened("encryption", options);
}

static struct accord_policy_link without_user(const struct accord_policy_link *link)
{
    struct accord_policy_link bare = *link;
    bare.option_count = 0;
    return bare;
}

/* A session that logged in so; with our certificate or without. NULL: the fact is not there. */
static struct accord_case logged_in(struct testpolicy *h, const struct accord_policy_link *link,
                                    const char *mechanism, const char *offered, bool certificate)
{
    struct accord_pair facts[7] = {{"tls.client.subject", certificate ? "CN=acme" : ""},
                                   {"tls.client.issuer", certificate ? "CN=bridge" : ""},
                                   {"tls.client.key", certificate ? "EC 384" : ""},
                                   {"tls.client.until", certificate ? "32503680000" : ""}};
    size_t count = 4;
    struct accord_case c;
    if (mechanism)
        facts[count++] = (struct accord_pair){"sasl.mechanism", mechanism};
    if (offered)
        facts[count++] = (struct accord_pair){"sasl.offered", offered};
    testpolicy_ask_session(h, &c, ASK, link, facts);
    return c;
}

static void expect(struct accord_case c, const char *rule, const char *part)
{
    expect_answer(&c, *rule ? ACCORD_DENY : ACCORD_ALLOW, rule, part);
}

static void a_login_passes_by_a_mechanism_that_is_listed(void **state)
{
    (void)state;
    struct testpolicy *h = open_with(NULL);
    expect(logged_in(h, &mq, "PLAIN", "PLAIN,EXTERNAL,ANONYMOUS", false), "", "");
    expect(logged_in(h, &mq, "EXTERNAL", "EXTERNAL", true), "", "");
    expect(logged_in(h, &mail, "PLAIN", "login,plain", false), "", "");
    expect(logged_in(h, &mq, "ANONYMOUS", "ANONYMOUS,PLAIN", false), RULE,
           "link mq: the login was by ANONYMOUS, and sasl-mechanisms allows EXTERNAL,PLAIN here; the partner "
           "offers: "
           "ANONYMOUS,PLAIN. Ask the partner");
    expect(logged_in(h, &mail, "LOGIN", "LOGIN", false), RULE, "by LOGIN");
    expect(logged_in(h, &mail, "CRAM-MD5", "CRAM-MD5,PLAIN", false), RULE, "by CRAM-MD5");
    expect(logged_in(h, &mq, "plain", "PLAIN", false), RULE, "by plain");
    expect(logged_in(h, &mq, "PLAIN,EXTERNAL", "PLAIN,EXTERNAL", true), RULE, "by PLAIN,EXTERNAL");
    expect(logged_in(h, &mq, "a\x1b[2J", "a\x1b[2J", false), RULE, "by a?[2J");
    testpolicy_close(h);
    policy_end(h);
    h = open_with("PLAIN, LOGIN");
    expect(logged_in(h, &mail, "LOGIN", "LOGIN", false), "", "");
    expect(logged_in(h, &mq, "LOGIN", "LOGIN", false), RULE, "allows PLAIN here");
    expect(logged_in(h, &mq, "EXTERNAL", "EXTERNAL", true), RULE, "by EXTERNAL");
    policy_end(h);
}

static void what_a_session_says_must_be_whole_and_fit(void **state)
{
    (void)state;
    struct testpolicy *h = open_with("EXTERNAL, PLAIN, none");
    const struct accord_policy_link bare = without_user(&mail);
    expect(logged_in(h, &mq, NULL, "PLAIN", false), "encryption.fact-missing", "sasl.mechanism");
    expect(logged_in(h, &mq, "", "PLAIN", false), "encryption.fact-missing", "sasl.mechanism");
    expect(logged_in(h, &mq, "PLAIN", NULL, false), "encryption.fact-missing", "sasl.offered");
    expect(logged_in(h, &mail, NULL, NULL, false), "encryption.fact-missing", "sasl.mechanism");
    expect(logged_in(h, &bare, "none", NULL, false), "encryption.fact-missing", "sasl.offered");
    expect(logged_in(h, &mq, "PLAIN", "", false), RULE, "does not offer (nothing)");
    expect(logged_in(h, &mq, "PLAIN", "XPLAIN,PLAINX", false), RULE, "does not offer (XPLAIN,PLAINX)");
    expect(logged_in(h, &mq, "EXTERNAL", "EXTERNAL", false), RULE,
           "mq.cbp.example got no certificate of ours to know us by");
    const struct accord_pair bare_sasl[] = {{"sasl.mechanism", "PLAIN"}, {"sasl.offered", "PLAIN"}, {0}};
    struct accord_case c;
    testpolicy_ask_session(h, &c, ASK, &mq, bare_sasl);
    expect(c, "encryption.unknown-protocol", "report neither TLS nor");
    /* A stranger's connector that says how it logged in is taken at its word; one that does not has no SASL. */
    struct accord_policy_link stranger = mq;
    stranger.connector = "gopher";
    expect(logged_in(h, &stranger, NULL, NULL, false), "", "");
    expect(logged_in(h, &stranger, "PLAIN", "PLAIN", false), "", "");
    expect(logged_in(h, &stranger, "LOGIN", "LOGIN", false), RULE, "by LOGIN");
    expect(logged_in(h, &stranger, NULL, "PLAIN", false), "encryption.fact-missing", "sasl.mechanism");
    policy_end(h);
}

static void mail_without_a_login_must_be_provided_for(void **state)
{
    (void)state;
    const struct accord_policy_link bare = without_user(&mail), bare_mq = without_user(&mq);
    struct testpolicy *h = open_with(NULL);
    expect(logged_in(h, &bare, "none", "", false), RULE,
           "nobody logged in at mail.cbp.example; only where the");
    policy_end(h);
    h = open_with("PLAIN, none");
    expect(logged_in(h, &bare, "none", "", false), "", "");
    expect(logged_in(h, &bare, "none", "PLAIN,LOGIN", false), "", "");
    /* A partner that does not offer AUTH to whoever has a user. */
    expect(logged_in(h, &mail, "none", "", false), RULE,
           "nobody logged in at mail.cbp.example, though the link has a user; the partner offers: nothing");
    expect(logged_in(h, &bare_mq, "none", "", false), RULE, "nobody logged in");
    policy_end(h);
}

static void without_a_name_only_to_a_broker_on_this_host(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool here;
    } cases[] = {{"localhost", true},          {"127.0.0.1", true},
                 {"127.1.2.3", true},          {"::1", true},
                 {"128.0.0.1", false},         {"127.0.0.1.example", false},
                 {"localhost.example", false}, {"10.0.0.1", false}};
    struct testpolicy *h = open_with(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accord_policy_link link = without_user(&mq);
        const struct accord_policy_link *const links[] = {&mq, &link};
        const struct accord_pair options[] = {{"sasl-mechanisms", "PLAIN, ANONYMOUS"}, {0}};
        link.name = "near", link.endpoint_host = cases[i].host;
        testpolicy_close(h);
        h->setup.links = links, h->setup.link_count = 2;
        assert_int_equal(testpolicy_check(h, options), cases[i].here ? 0 : ACCORD_EINVAL);
        if (!cases[i].here) {
            assert_non_null(strstr(h->why, "ANONYMOUS is for a broker on this host alone"));
            continue;
        }
        assert_int_equal(testpolicy_open(h, options), 0);
        expect(logged_in(h, &link, "ANONYMOUS", "ANONYMOUS", false), "", "");
        expect(logged_in(h, &mq, "ANONYMOUS", "ANONYMOUS", false), RULE, "allows PLAIN here");
        assert_int_equal(testpolicy_profile(h, &link), 0);
        assert_non_null(strstr(h->profile, "\nsasl.mechanisms=PLAIN,ANONYMOUS\n"));
        assert_int_equal(testpolicy_profile(h, &mq), 0);
        assert_non_null(strstr(h->profile, "\nsasl.mechanisms=PLAIN\n"));
    }
    policy_end(h);
}

static void the_profile_has_what_the_connector_can_and_the_link_may(void **state)
{
    (void)state;
    const struct accord_policy_link bare = without_user(&mail);
    const struct {
        const char *list;
        const struct accord_policy_link *link;
        const char *expected;
    } cases[] = {
        {NULL, &mq, "EXTERNAL,PLAIN"},
        {NULL, &mail, "EXTERNAL,PLAIN"},
        {"none, LOGIN, PLAIN, EXTERNAL, PLAIN", &mq, "PLAIN,EXTERNAL"},
        {"none, LOGIN, PLAIN, EXTERNAL, PLAIN", &mail, "LOGIN,PLAIN,EXTERNAL"},
        {"none, LOGIN, PLAIN", &bare, "none,LOGIN,PLAIN"},
        {"none", &mail, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct testpolicy *h = open_with(cases[i].list);
        char line[128];
        snprintf(line, sizeof line, "\nsasl.mechanisms=%s\n", cases[i].expected);
        assert_int_equal(testpolicy_profile(h, cases[i].link), 0);
        if (!strstr(h->profile, line) || !strstr(h->profile, "tls.versions=1.3,1.2\n"))
            fail_msg("expected %s in %s", line, h->profile);
        struct accord_policy_link taxii = mq;
        taxii.connector = "taxii";
        assert_int_equal(testpolicy_profile(h, &taxii), 0);
        assert_null(strstr(h->profile, "sasl."));
        policy_end(h);
    }
}

static void what_cannot_be_is_told_when_the_file_is_read(void **state)
{
    (void)state;
    static const struct accord_pair certificate[] = {{"certificate", "own.pem"}};
    const struct accord_policy_link bare = without_user(&mail);
    struct accord_policy_link by_certificate = mail;
    by_certificate.options = certificate;
    const struct {
        const struct accord_policy_link *link;
        struct accord_pair option;
        const char *why;
    } cases[] = {
        {&mq, {"sasl-mechanisms", "PLAIN"}, NULL},
        {&mail, {"sasl-mechanisms", "LOGIN"}, NULL},
        {&bare, {"sasl-mechanisms", "PLAIN, none"}, NULL},
        {&by_certificate, {"sasl-mechanisms", "EXTERNAL"}, NULL},
        {&bare,
         {"sasl-mechanisms", "PLAIN"},
         "link mail has no user, so that nobody would log in; give it one"},
        {&mail, {"sasl-mechanisms", "none"}, "leaves nothing by which link mail could log in"},
        {&mq,
         {"sasl-mechanisms", "LOGIN"},
         "link mq could log in; connector mq has EXTERNAL,PLAIN,ANONYMOUS"},
        {&mq, {"sasl-mechanisms", ""}, "leaves nothing by which link mq could log in"},
        {&mq,
         {"sasl-mechanisms", "PLAIN, CRAM-MD5"},
         "sasl-mechanisms: CRAM-MD5 is never allowed: it rests on MD5"},
        {&mq, {"sasl-mechanisms", "PLAN"}, "\"PLAN\" is no mechanism that is known here; the nearest: PLAIN"},
        {&mq, {"unencrypted", "mq"}, "unencrypted = mq, but connector mq always encrypts"},
        {&mail, {"unencrypted", "mail"}, "unencrypted = mail, but connector smtp always encrypts"},
        {&mq, {"tls-client-certificate", "required"}, "link mq names no certificate"},
        {&mail, {"tls-client-certificate", "required"}, "link mail names no certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct accord_pair options[] = {cases[i].option, {0}};
        policy_checks("encryption", cases[i].link, options, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_passes_by_a_mechanism_that_is_listed),
        cmocka_unit_test(what_a_session_says_must_be_whole_and_fit),
        cmocka_unit_test(mail_without_a_login_must_be_provided_for),
        cmocka_unit_test(without_a_name_only_to_a_broker_on_this_host),
        cmocka_unit_test(the_profile_has_what_the_connector_can_and_the_link_may),
        cmocka_unit_test(what_cannot_be_is_told_when_the_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
