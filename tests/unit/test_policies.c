/* The four policies as they are built, in the fake host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy_load.h"

#define SECOND INT64_C(1000000)

/* ---- services ---- */

static const struct accord_policy_service stow_plan = {.name = "stow-plan",
                                                       .type = "stow-plan",
                                                       .link = "sftp",
                                                       .direction = ACCORD_SEND,
                                                       .max_size = 1000,
                                                       .names = "*.edi",
                                                       .rate = 3};
static const struct accord_policy_service responses = {.name = "responses",
                                                       .type = "cbp-response",
                                                       .link = "sftp",
                                                       .direction = ACCORD_RECEIVE,
                                                       .max_size = 1000,
                                                       .names = ""};
static const struct accord_envelope plan = {.id = "m1", .type = "stow-plan", .name = "a.edi", .size = 1000};

static struct testpolicy *open_services(void)
{
    static const struct accord_policy_service *const services[] = {&responses, &stow_plan};
    struct testpolicy *h = policy_of("services");
    h->setup.services = services;
    h->setup.service_count = 2;
    testhost_set_wall(h->host, 1736935200 * SECOND); /* 2025-01-15 10:00:00 */
    h->setup.in_force_from = 1735689600 * SECOND;
    h->setup.in_force_until = 1767225600 * SECOND;
    assert_int_equal(testpolicy_open(h, NULL), 0);
    return h;
}

static void a_service_carries_its_type_direction_size_and_names(void **state)
{
    (void)state;
    struct accord_case c;
    struct accord_envelope other;
    struct testpolicy *h = open_services();
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask(h, &c, ACCORD_ASK_IN, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DENY, "services.direction", "service stow-plan only sends messages");
    other = plan, other.type = "ace-transaction";
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_DENY, "services.type", "carries stow-plan, this message is ace-transaction");
    other = plan, other.size = 1001;
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_DENY, "services.size", "1001 bytes");
    other = plan, other.name = "a.exe";
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_DENY, "services.name", "\"a.exe\" does not match \"*.edi\"");
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, NULL, &plan);
    expect_answer(&c, ACCORD_DENY, "services.no-service", "cbp-isa");
    other = plan, other.type = "cbp-response", other.name = "x", other.size = -1;
    testpolicy_ask(h, &c, ACCORD_ASK_IN, &responses, &other);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

static void a_full_minute_defers_and_says_until_when(void **state)
{
    (void)state;
    struct accord_case c;
    struct testpolicy *h = open_services();
    for (int i = 0; i < 3; i++, testhost_advance(h->host, 10000)) {
        testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
        expect_answer(&c, ACCORD_ALLOW, "", "");
    }
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DEFER, "services.rate",
                  "3 messages a minute; there is room again in 30.0 s, at 2025-01-15 10:01:00");
    testhost_advance(h->host, 29999);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DEFER, "services.rate", "in 0.0 s");
    testhost_advance(h->host, 1);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DEFER, "services.rate", "in 10.0 s");
    policy_end(h);
}

static void what_is_refused_anyway_takes_no_place_in_the_minute(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    struct accord_envelope big = plan;
    big.size = 5000;
    h = open_services();
    for (int i = 0; i < 10; i++)
        testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &big);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

static void outside_of_its_dates_an_agreement_has_no_sessions_and_no_messages(void **state)
{
    (void)state;
    struct accord_case c;
    const struct accord_policy_link link = {.name = "sftp", .connector = "sftp"};
    const struct accord_pair none[] = {{0}};
    struct testpolicy *h = open_services();
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link, none);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testhost_set_wall(h->host, h->setup.in_force_until);
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link, none);
    expect_answer(&c, ACCORD_DENY, "services.not-in-force", "cbp-isa ended on 2026-01-01 00:00:00 UTC");
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &link, none);
    expect_answer(&c, ACCORD_DENY, "services.not-in-force", "ended");
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DENY, "services.not-in-force", "ended");
    testhost_set_wall(h->host, h->setup.in_force_from - 1);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_DENY, "services.not-in-force", "is not in force before 2025-01-01");
    testhost_set_wall(h->host, h->setup.in_force_from);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

/* ---- encryption ---- */

#define PIN   "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "SHA256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct accord_pair link_options[] = {{"host-key", OTHER ", " PIN}, {"user", "acme"}};
static const struct accord_policy_link sftp = {.name = "sftp",
                                               .connector = "sftp",
                                               .endpoint_host = "sftp.cbp.example",
                                               .endpoint_port = 22,
                                               .tunnel = "none",
                                               .options = link_options,
                                               .option_count = 2};
static const struct accord_pair good_handshake[] = {{"ssh.kex", "ecdh-sha2-nistp384"},
                                                    {"ssh.cipher.out", "aes256-ctr"},
                                                    {"ssh.cipher.in", "aes256-gcm@openssh.com"},
                                                    {"ssh.mac.out", "hmac-sha2-256-etm@openssh.com"},
                                                    {"ssh.mac.in", "aead-gcm"},
                                                    {"ssh.strict-kex", "yes"},
                                                    {"ssh.host-key.type", "ssh-rsa"},
                                                    {"ssh.host-key.bits", "3072"},
                                                    {"ssh.host-key.sha256", PIN},
                                                    {0}};
static const struct accord_pair good_user[] = {{"ssh.user", "acme"},
                                               {"ssh.auth", "publickey"},
                                               {"ssh.user-key.type", "ssh-rsa"},
                                               {"ssh.user-key.bits", "3072"},
                                               {0}};

/* The verdict on the good facts with one of them changed (NULL: left out). */
static struct accord_case session(struct testpolicy *h, enum accord_question question, const char *name,
                                  const char *value)
{
    const struct accord_pair *good = question == ACCORD_ASK_HANDSHAKE ? good_handshake : good_user;
    const struct accord_pair changes[] = {{name, value}, {0}};
    return policy_session(h, question, &sftp, good, changes);
}

static void a_strong_session_with_the_pinned_key_passes(void **state)
{
    (void)state;
    struct accord_case c;
    struct testpolicy *h = policy_opened("encryption", NULL);
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &sftp, good_handshake);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &sftp, good_user);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    c = session(h, ACCORD_ASK_AUTHENTICATED, "ssh.user-key.type", "ecdsa-sha2-nistp256");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

static void each_fact_is_judged_and_none_may_be_missing(void **state)
{
    (void)state;
    static const struct {
        enum accord_question question;
        const char *name, *value, *rule, *part;
    } cases[] = {
        {ACCORD_ASK_HANDSHAKE, "ssh.kex", "diffie-hellman-group1-sha1", "encryption.ssh-kex", "ssh-kex"},
        {ACCORD_ASK_HANDSHAKE, "ssh.kex", "a\xc3\x89\x1b[2J", "encryption.ssh-kex", "uses a???[2J"},
        {ACCORD_ASK_HANDSHAKE, "ssh.cipher.out", "aes128-ctr", "encryption.ssh-cipher", "aes128-ctr"},
        {ACCORD_ASK_HANDSHAKE, "ssh.cipher.in", "none", "encryption.ssh-cipher", "ssh.cipher.in"},
        {ACCORD_ASK_HANDSHAKE, "ssh.mac.out", "aead-gcm", "encryption.ssh-mac", "aead-gcm"},
        {ACCORD_ASK_HANDSHAKE, "ssh.mac.out", "hmac-sha1", "encryption.ssh-mac", "hmac-sha1"},
        {ACCORD_ASK_HANDSHAKE, "ssh.host-key.type", "ssh-dss", "encryption.ssh-host-key-type", "ssh-dss"},
        {ACCORD_ASK_HANDSHAKE, "ssh.host-key.sha256", "SHA256:ccc", "encryption.host-key",
         "shows host key SHA256:ccc"},
        {ACCORD_ASK_HANDSHAKE, "ssh.host-key.sha256", "SHA256:", "encryption.host-key", "pinned is"},
        {ACCORD_ASK_HANDSHAKE, "ssh.host-key.sha256", OTHER ", " PIN, "encryption.host-key", "pinned is"},
        {ACCORD_ASK_HANDSHAKE, "ssh.host-key.bits", "2048", "encryption.ssh-host-key-bits",
         "the partner's ssh-rsa key has 2048 bits, at least 3072"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.auth", "publickey,password", "encryption.ssh-auth", "by password"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.auth", ",", "encryption.ssh-auth", "says nothing"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.user", "root", "encryption.ssh-user", "authenticated as root"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.auth", "password", "encryption.ssh-auth",
         "by password, which ssh-auth"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.user-key.type", "ssh-dss", "encryption.ssh-user-key-type", "ssh-dss"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.user-key.bits", "3071", "encryption.ssh-user-key-bits",
         "at least 3072"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.user-key.bits", "4096x", "encryption.ssh-user-key-bits", "4096x"},
        {ACCORD_ASK_AUTHENTICATED, "ssh.user-key.bits", "-1", "encryption.ssh-user-key-bits", "-1"},
    };
    struct testpolicy *h = policy_opened("encryption", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accord_case c = session(h, cases[i].question, cases[i].name, cases[i].value);
        expect_answer(&c, ACCORD_DENY, cases[i].rule, cases[i].part);
        c = session(h, cases[i].question, cases[i].name, NULL);
        expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", cases[i].name);
        c = session(h, cases[i].question, cases[i].name, "");
        expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", cases[i].name);
    }
    policy_end(h);
}

static void strict_key_exchange_is_demanded_where_it_matters(void **state)
{
    (void)state;
    struct testpolicy *h = policy_of("encryption");
    const struct accord_pair chacha[] = {
        {"ssh-ciphers", "chacha20-poly1305@openssh.com, aes256-ctr, aes256-gcm@openssh.com"}, {0}};
    const struct accord_pair always[] = {{"ssh-strict-kex", "always"}, {0}};
    assert_int_equal(testpolicy_open(h, chacha), 0);
    struct accord_case c = session(h, ACCORD_ASK_HANDSHAKE, "ssh.strict-kex", "no");
    expect_answer(&c, ACCORD_ALLOW, "", ""); /* aes256 */
    struct accord_pair facts[12] = {{0}};
    for (size_t i = 0; good_handshake[i].name; i++) {
        facts[i] = good_handshake[i];
        if (strstr(facts[i].name, "cipher"))
            facts[i].value = "chacha20-poly1305@openssh.com";
    }
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &sftp, facts);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    for (size_t i = 0; facts[i].name; i++)
        if (!strcmp(facts[i].name, "ssh.strict-kex"))
            facts[i].value = "no";
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &sftp, facts);
    expect_answer(&c, ACCORD_DENY, "encryption.ssh-strict-kex", "CVE-2023-48795");
    testpolicy_close(h);
    assert_int_equal(testpolicy_open(h, always), 0);
    c = session(h, ACCORD_ASK_HANDSHAKE, "ssh.strict-kex", "no");
    expect_answer(&c, ACCORD_DENY, "encryption.ssh-strict-kex", "ssh-strict-kex = always");
    policy_end(h);
}

static void ways_of_authentication_are_those_of_the_file(void **state)
{
    (void)state;
    struct testpolicy *h = policy_of("encryption");
    const struct accord_pair both[] = {{"ssh-auth", "publickey, password"}, {0}};
    const struct accord_pair written[] = {
        {"host-key", PIN}, {"user", "acme"}, {"auth", "publickey, password"}};
    struct accord_policy_link link = sftp;
    const struct accord_policy_link *const links[] = {&link};
    struct accord_case c;
    link.options = written, link.option_count = 3;
    h->setup.links = links, h->setup.link_count = 1;
    assert_int_equal(testpolicy_check(h, NULL), ACCORD_EINVAL);
    assert_string_equal(h->why, "ssh-auth does not allow password, which link sftp has in its auth");
    assert_int_equal(testpolicy_check(h, both), 0);
    assert_int_equal(testpolicy_open(h, both), 0);
    assert_int_equal(testpolicy_profile(h, &link), 0);
    assert_non_null(strstr(h->profile, "\nssh.auth=publickey,password\n"));
    c = session(h, ACCORD_ASK_AUTHENTICATED, "ssh.auth", "publickey,password");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    const struct accord_pair password[] = {{"ssh.user", "acme"}, {"ssh.auth", "password"}, {0}};
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &sftp, password);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    const struct accord_pair nothing[] = {{"ssh.user", "acme"}, {"ssh.auth", "none"}, {0}};
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &sftp, nothing);
    expect_answer(&c, ACCORD_DENY, "encryption.ssh-auth", "by none");
    const struct accord_pair keyless[] = {{"ssh.user", "acme"}, {"ssh.auth", "publickey"}, {0}};
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &sftp, keyless);
    expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", "ssh.user-key.type");
    policy_end(h);
}

static void weak_algorithms_are_refused_when_the_file_is_read(void **state)
{
    (void)state;
    struct testpolicy *h = policy_of("encryption");
    const struct accord_pair cbc[] = {{"ssh-ciphers", "aes256-ctr, aes256-cbc"}, {0}};
    const struct accord_pair sha1[] = {{"ssh-host-key-types", "ssh-rsa"}, {0}};
    const struct accord_pair typo[] = {{"ssh-macs", "hmac-sha2-257"}, {0}};
    policy_refuses(h, cbc, "ssh-ciphers: aes256-cbc is never allowed: CBC in SSH");
    assert_non_null(strstr(h->why, "the nearest that is: aes256-ctr"));
    policy_refuses(h, sha1, "ssh-host-key-types: ssh-rsa is never allowed: it signs with SHA-1");
    policy_refuses(h, typo, "no algorithm that is known here; the nearest: hmac-sha2-256");
    policy_end(h);
}

static void a_link_without_pin_or_of_unknown_protocol_has_no_sessions(void **state)
{
    (void)state;
    struct accord_case c;
    struct accord_policy_link link = sftp;
    struct testpolicy *h = policy_opened("encryption", NULL);
    link.option_count = 0;
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.host-key", "pins no host key");
    link = sftp, link.connector = "gopher";
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.unknown-protocol", "gopher");
    assert_int_equal(testpolicy_profile(h, &link), 0);
    assert_null(strstr(h->profile, "ssh."));
    policy_end(h);
}

static void the_profile_is_the_lists_in_order_of_preference(void **state)
{
    (void)state;
    struct testpolicy *h = policy_opened("encryption", NULL);
    assert_int_equal(testpolicy_profile(h, &sftp), 0);
    assert_non_null(strstr(h->profile, "ssh.ciphers=aes256-gcm@openssh.com,aes256-ctr\n"));
    assert_non_null(strstr(h->profile, "ssh.kex=ecdh-sha2-nistp384,ecdh-sha2-nistp521,ecdh-sha2-nistp256,"));
    assert_non_null(strstr(h->profile, "\nssh.macs=hmac-sha2-256-etm@openssh.com,"));
    assert_non_null(strstr(h->profile, "\nssh.host-key-types=ecdsa-sha2-nistp256,"));
    assert_non_null(strstr(h->profile, "\nssh.user-key-types=ecdsa-sha2-nistp256,"));
    assert_null(strstr(h->profile, "tls."));
    testpolicy_close(h);
    const struct accord_pair options[] = {
        {"ssh-kex", "curve25519-sha256, ecdh-sha2-nistp256"}, {"fips", "preferred"}, {0}};
    assert_int_equal(testpolicy_open(h, options), 0);
    assert_int_equal(testpolicy_profile(h, &sftp), 0);
    assert_non_null(strstr(h->profile, "ssh.kex=ecdh-sha2-nistp256,curve25519-sha256\n"));
    struct accord_case c = session(h, ACCORD_ASK_HANDSHAKE, "ssh.kex", "curve25519-sha256");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    c = session(h, ACCORD_ASK_HANDSHAKE, "ssh.kex", "ecdh-sha2-nistp384");
    expect_answer(&c, ACCORD_DENY, "encryption.ssh-kex", "ecdh-sha2-nistp384");
    policy_end(h);
}

static void only_listed_links_go_unencrypted(void **state)
{
    (void)state;
    struct accord_case c;
    struct accord_policy_link line = {.name = "line", .connector = "courier", .endpoint_host = "p.example"};
    const struct accord_policy_link *const links[] = {&line};
    const struct accord_pair facts[] = {{"session.encryption", "none"}, {0}};
    const struct accord_pair listed[] = {{"unencrypted", "line"}, {0}};
    const struct accord_pair unknown[] = {{"unencrypted", "lime"}, {0}};
    const struct accord_policy_link *const encrypting[] = {&sftp};
    const struct accord_pair wrong[] = {{"unencrypted", "sftp"}, {0}};
    struct testpolicy *h = policy_of("encryption");
    h->setup.links = encrypting, h->setup.link_count = 1;
    assert_int_equal(testpolicy_check(h, wrong), ACCORD_EINVAL);
    assert_string_equal(h->why, "unencrypted = sftp, but connector sftp always encrypts");
    h->setup.links = links;
    assert_int_equal(testpolicy_check(h, unknown), ACCORD_EINVAL);
    assert_string_equal(h->why, "unencrypted = lime, but this agreement has no link of that name");
    assert_int_equal(testpolicy_open(h, NULL), 0);
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &line, facts);
    expect_answer(&c, ACCORD_DENY, "encryption.unencrypted", "unencrypted = line");
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &sftp, facts);
    expect_answer(&c, ACCORD_DENY, "encryption.unencrypted", "link sftp");
    assert_int_equal(testpolicy_profile(h, &line), 0);
    assert_null(strstr(h->profile, "session.encryption"));
    testpolicy_close(h);
    assert_int_equal(testpolicy_open(h, listed), 0);
    assert_int_equal(testpolicy_profile(h, &line), 0);
    assert_non_null(strstr(h->profile, "\nsession.encryption=none\n"));
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &line, facts);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask_session(h, &c, ACCORD_ASK_AUTHENTICATED, &line, facts);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &line, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.unknown-protocol", "courier");
    policy_end(h);
}

static void fips_that_cannot_be_proven_is_refused(void **state)
{
    (void)state;
    const struct accord_pair required[] = {{"fips", "required"}, {0}};
    const struct accord_pair nothing_left[] = {{"fips", "required"}, {"ssh-kex", "curve25519-sha256"}, {0}};
    const struct accord_pair empty[] = {{"ssh-macs", ""}, {0}};
    struct testpolicy *h = policy_of("encryption");
    policy_refuses(h, required, "encryption.fips-missing");
    assert_int_equal(testpolicy_open(h, required), ACCORD_EINVAL);
    assert_non_null(strstr(h->why, "cannot be proven yet"));
    assert_int_equal(testpolicy_check(h, nothing_left), ACCORD_EINVAL);
    assert_string_equal(h->why, "ssh-kex leaves nothing that a session may use");
    assert_int_equal(testpolicy_check(h, empty), ACCORD_EINVAL);
    assert_string_equal(h->why, "ssh-macs leaves nothing that a session may use");
    policy_end(h);
}

/* ---- logging ---- */

static void less_retention_than_the_clause_is_refused(void **state)
{
    (void)state;
    struct accord_case c;
    const struct accord_pair short_online[] = {{"online", "89 days"}, {0}};
    const struct accord_pair short_archive[] = {{"archive", "6 years"}, {0}};
    const struct accord_pair crossed[] = {{"online", "8 years"}, {0}};
    const struct accord_pair partly[] = {{"record", "sessions, admissions"}, {0}};
    const struct accord_pair own[] = {{"min-online", "30 days"}, {"online", "40 days"}, {0}};
    struct testpolicy *h = policy_of("logging");
    assert_int_equal(testpolicy_check(h, NULL), 0);
    assert_int_equal(testpolicy_check(h, own), 0);
    assert_int_equal(testpolicy_check(h, short_online), ACCORD_EINVAL);
    assert_string_equal(h->why,
                        "online = 89 days is less than the 90 days that the agreement demands (min-online)");
    policy_refuses(h, short_archive, "min-archive");
    assert_int_equal(testpolicy_check(h, crossed), ACCORD_EINVAL);
    policy_refuses(h, partly, "record leaves out refusals");
    assert_int_equal(testpolicy_open(h, short_online), ACCORD_EINVAL);
    assert_int_equal(testpolicy_open(h, NULL), 0);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

/* ---- content ---- */

static const char good_plan[] = "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+BAPLIE:D:95B:UN:SMDG20'"
                                "TDT+20+601W+++XAR+++9999993'LOC+147+0010102::5'UNT+4+1'UNZ+1+C1'";

static void payload_is_read_to_the_end_and_then_answered(void **state)
{
    (void)state;
    struct accord_case c;
    struct testpolicy *h = policy_of("content");
    assert_true(h->plugin->policy->flags & ACCORD_READS_PAYLOAD);
    assert_int_equal(testpolicy_open(h, NULL), 0);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    assert_true(testpolicy_payload(&c, good_plan, 50, false));
    assert_int_equal(c.answers, 0);
    assert_true(testpolicy_payload(&c, good_plan + 50, sizeof good_plan - 51, true));
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_string_equal(c.keys[0], "edifact:ACME:C1");
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    assert_true(testpolicy_payload(&c, good_plan, sizeof good_plan - 2, true));
    expect_answer(&c, ACCORD_DENY, "stow-plan.segment-end", "segment 6 (UNZ)");
    policy_end(h);
}

static void a_fault_is_answered_at_once_and_credit_never_runs_dry(void **state)
{
    (void)state;
    struct accord_case c;
    struct testpolicy *h = policy_opened("content", NULL);
    testpolicy_ask(h, &c, ACCORD_ASK_IN, &stow_plan, &plan);
    assert_true(testpolicy_payload(&c, "PK\x03\x04", 4, false));
    expect_answer(&c, ACCORD_DENY, "stow-plan.start", "expected UNA or UNB");
    char *blank = malloc(ACCORD_PIECE_MAX);
    memset(blank, '\n', ACCORD_PIECE_MAX);
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    assert_true(testpolicy_payload(&c, good_plan, 37, false));
    for (int i = 0; i < 20; i++)
        assert_true(testpolicy_payload(&c, blank, ACCORD_PIECE_MAX, false));
    assert_true(testpolicy_payload(&c, good_plan + 37, sizeof good_plan - 38, true));
    expect_answer(&c, ACCORD_ALLOW, "", "");
    free(blank);
    policy_end(h);
}

static void what_nobody_can_examine_is_denied_unless_allowed(void **state)
{
    (void)state;
    struct accord_case c;
    struct accord_envelope other = plan;
    const struct accord_pair options[] = {{"unvalidated", "allow"}, {0}};
    struct testpolicy *h = policy_opened("content", NULL);
    other.type = "incident-report";
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_DENY, "content.no-validator", "unvalidated");
    other.type = "opaque";
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_close(h);
    assert_int_equal(testpolicy_open(h, options), 0);
    other.type = "incident-report";
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &other);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &stow_plan, &plan);
    assert_int_equal(c.answers, 0);
    policy_end(h);
}

static void open_cases_are_deferred_by_cancel_and_close(void **state)
{
    (void)state;
    struct accord_case c[3];
    struct testpolicy *h = policy_opened("content", NULL);
    for (int i = 0; i < 3; i++)
        testpolicy_ask(h, &c[i], ACCORD_ASK_OUT, &stow_plan, &plan);
    testpolicy_cancel(&c[1]);
    expect_answer(&c[1], ACCORD_DEFER, "content.canceled", "given up");
    h->plugin->policy->cancel(h->state, &c[1].inquiry);
    assert_int_equal(c[0].answers + c[2].answers, 0);
    policy_end(h);
    expect_answer(&c[0], ACCORD_DEFER, "content.stopped", "stopped");
    expect_answer(&c[2], ACCORD_DEFER, "content.stopped", "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_carries_its_type_direction_size_and_names),
        cmocka_unit_test(a_full_minute_defers_and_says_until_when),
        cmocka_unit_test(what_is_refused_anyway_takes_no_place_in_the_minute),
        cmocka_unit_test(outside_of_its_dates_an_agreement_has_no_sessions_and_no_messages),
        cmocka_unit_test(a_strong_session_with_the_pinned_key_passes),
        cmocka_unit_test(each_fact_is_judged_and_none_may_be_missing),
        cmocka_unit_test(strict_key_exchange_is_demanded_where_it_matters),
        cmocka_unit_test(ways_of_authentication_are_those_of_the_file),
        cmocka_unit_test(weak_algorithms_are_refused_when_the_file_is_read),
        cmocka_unit_test(a_link_without_pin_or_of_unknown_protocol_has_no_sessions),
        cmocka_unit_test(the_profile_is_the_lists_in_order_of_preference),
        cmocka_unit_test(only_listed_links_go_unencrypted),
        cmocka_unit_test(fips_that_cannot_be_proven_is_refused),
        cmocka_unit_test(less_retention_than_the_clause_is_refused),
        cmocka_unit_test(payload_is_read_to_the_end_and_then_answered),
        cmocka_unit_test(a_fault_is_answered_at_once_and_credit_never_runs_dry),
        cmocka_unit_test(what_nobody_can_examine_is_denied_unless_allowed),
        cmocka_unit_test(open_cases_are_deferred_by_cancel_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
