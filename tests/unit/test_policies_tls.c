/* The policy encryption on TLS: its profile, and every fact of a session by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy_load.h"

#define SECOND INT64_C(1000000)
#define NOW    INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define UNTIL  "1775001600"        /* 90 days later */
#define PIN    "D3Sxj3wS0h2HPy+bjyfpcF8t2xyosbyxw87Ik5KRZ/Y="
#define OTHER  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct accord_pair link_options[] = {{"pin", OTHER ", " PIN}, {"certificate", "own.pem"}};
static const struct accord_policy_link taxii = {.name = "ais",
                                                .connector = "taxii",
                                                .endpoint_host = "taxii.dhs.example",
                                                .endpoint_port = 8443,
                                                .tunnel = "none",
                                                .options = link_options,
                                                .option_count = 2};
static const struct accord_pair good_handshake[] = {
    {"tls.version", "1.3"},
    {"tls.cipher", "TLS_AES_256_GCM_SHA384"},
    {"tls.group", "P-384"},
    {"tls.signature", "ECDSA+SHA256"},
    {"tls.peer.subject", "CN=taxii"},
    {"tls.peer.issuer", "CN=Middle"},
    {"tls.peer.serial", "1002"},
    {"tls.peer.names", "taxii.dhs.example,192.0.2.7"},
    {"tls.peer.sha256", PIN},
    {"tls.peer.key", "EC 256"},
    {"tls.peer.until", UNTIL},
    {"tls.chain", "3"},
    {"tls.chain.keys", "EC 256,RSA 2048,RSA 4096"},
    {"tls.chain.signatures", "RSA+SHA256,RSA+SHA384"},
    {"tls.chain.until", UNTIL},
    {"tls.verified", "yes"},
    {"tls.identity", "taxii.dhs.example"},
    {0},
};
static const struct accord_pair good_client[] = {{"tls.client.subject", "CN=acme"},
                                                 {"tls.client.issuer", "CN=Federal Bridge"},
                                                 {"tls.client.key", "RSA 2048"},
                                                 {"tls.client.until", UNTIL},
                                                 {0}};
static const struct accord_pair no_client[] = {{"tls.client.subject", ""},
                                               {"tls.client.issuer", ""},
                                               {"tls.client.key", ""},
                                               {"tls.client.until", ""},
                                               {0}};

#define HANDSHAKE     ACCORD_ASK_HANDSHAKE
#define AUTHENTICATED ACCORD_ASK_AUTHENTICATED

static struct testpolicy *open_with(const struct accord_pair *options)
{
    struct testpolicy *h = policy_opened("encryption", options);
    testhost_set_wall(h->host, NOW * SECOND);
    return h;
}

/* The verdict on the good facts with one of them changed (NULL: left out). */
static struct accord_case with(struct testpolicy *h, enum accord_question question, const char *name,
                               const char *value)
{
    const struct accord_pair changes[] = {{name, value}, {0}};
    return policy_session(h, question, &taxii, question == HANDSHAKE ? good_handshake : good_client, changes);
}

/* The verdict on a handshake with other keys. */
static struct accord_case with_keys(struct testpolicy *h, const char *own, const char *chain)
{
    const struct accord_pair changes[] = {{"tls.peer.key", own}, {"tls.chain.keys", chain}, {0}};
    return policy_session(h, HANDSHAKE, &taxii, good_handshake, changes);
}

static void a_good_session_passes_until_its_first_certificate_ends(void **state)
{
    (void)state;
    struct testpolicy *h = open_with(NULL);
    struct accord_case c;
    testpolicy_ask_session(h, &c, HANDSHAKE, &taxii, good_handshake);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_int_equal(c.good_for, INT64_C(90) * 86400 * 1000);
    c = with(h, HANDSHAKE, "tls.chain.until", "1767225610");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_int_equal(c.good_for, 10000);
    c = with(h, AUTHENTICATED, "tls.client.until", "1767225601");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_int_equal(c.good_for, 1000);
    c = with(h, AUTHENTICATED, "tls.client.until", "9223372036854775807");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_int_equal(c.good_for, INT64_C(3650) * 86400 * 1000);
    testpolicy_ask_session(h, &c, AUTHENTICATED, &taxii, no_client);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    assert_int_equal(c.good_for, 0);
    testhost_set_wall(h->host, (NOW + 90 * 86400) * SECOND);
    testpolicy_ask_session(h, &c, HANDSHAKE, &taxii, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-expired",
                  "the partner's certificate has expired (tls.peer.until");
    testpolicy_ask_session(h, &c, AUTHENTICATED, &taxii, good_client);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-client-expired", "our own certificate has expired");
    policy_end(h);
}

static const struct {
    enum accord_question question;
    const char *name, *value, *rule, *part;
} wrong[] = {
    {HANDSHAKE, "tls.version", "1.1", "encryption.tls-version", "uses 1.1 (tls.version)"},
    {HANDSHAKE, "tls.version", "1.0", "encryption.tls-version", "tls-versions does not allow"},
    {HANDSHAKE, "tls.version", "SSLv3", "encryption.tls-version", "SSLv3"},
    {HANDSHAKE, "tls.version", "1.3,1.2", "encryption.tls-version", "1.3,1.2"},
    {HANDSHAKE, "tls.version", "1.2", "encryption.tls-cipher", "which tls-ciphers does not allow"},
    {HANDSHAKE, "tls.cipher", "TLS_AES_128_GCM_SHA256", "encryption.tls-cipher",
     "which tls-suites does not allow"},
    {HANDSHAKE, "tls.cipher", "ECDHE-RSA-AES256-GCM-SHA384", "encryption.tls-cipher", "tls-suites"},
    {HANDSHAKE, "tls.cipher", "NULL-SHA256", "encryption.tls-cipher", "NULL-SHA256"},
    {HANDSHAKE, "tls.cipher", "a\x1b[2J", "encryption.tls-cipher", "uses a?[2J"},
    {HANDSHAKE, "tls.group", "P-224", "encryption.tls-group", "P-224"},
    {HANDSHAKE, "tls.group", "ffdhe2048", "encryption.tls-group", "ffdhe2048"},
    {HANDSHAKE, "tls.signature", "ECDSA+SHA1", "encryption.tls-signature", "ECDSA+SHA1 (tls.signature)"},
    {HANDSHAKE, "tls.signature", "RSA+MD5", "encryption.tls-signature", "tls-signatures"},
    {HANDSHAKE, "tls.peer.key", "EC 224", "encryption.tls-chain", "do not belong together"},
    {HANDSHAKE, "tls.chain", "0", "encryption.tls-chain", "tls.chain is \"0\""},
    {HANDSHAKE, "tls.chain", "-3", "encryption.tls-chain", "-3"},
    {HANDSHAKE, "tls.chain", "3x", "encryption.tls-chain", "3x"},
    {HANDSHAKE, "tls.chain", "4", "encryption.tls-chain", "the chain has 4 certificates"},
    {HANDSHAKE, "tls.chain", "2", "encryption.tls-chain", "the chain has 2 certificates"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA 1024,RSA 4096", "encryption.tls-key-bits",
     "chain a key is RSA 1024"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA 2048,RSA 2047", "encryption.tls-key-bits", "RSA 2047"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,EC 224,RSA 4096", "encryption.tls-key-bits", "EC 224"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,DSA 3072,RSA 4096", "encryption.tls-key-bits", "DSA 3072"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,brainpoolP256r1 256,RSA 4096", "encryption.tls-key-bits",
     "brainpool"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,ED25519 253,RSA 4096", "encryption.tls-key-bits", "ED25519"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA,RSA 4096", "encryption.tls-key-bits", "key is RSA;"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA 2048x,RSA 4096", "encryption.tls-key-bits", "RSA 2048x"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA -1,RSA 4096", "encryption.tls-key-bits", "RSA -1"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,,RSA 4096", "encryption.tls-key-bits", "key is ;"},
    {HANDSHAKE, "tls.chain.keys", "EC 256,RSA 4096", "encryption.tls-chain", "do not belong together"},
    {HANDSHAKE, "tls.chain.keys", "RSA 2048,EC 256,RSA 4096", "encryption.tls-chain",
     "do not belong together"},
    {HANDSHAKE, "tls.chain.signatures", "RSA+SHA256", "encryption.tls-chain", "do not belong together"},
    {HANDSHAKE, "tls.chain.signatures", "RSA+SHA1,RSA+SHA256", "encryption.tls-chain",
     "is signed with RSA+SHA1"},
    {HANDSHAKE, "tls.chain.signatures", "RSA+SHA256,ed25519", "encryption.tls-chain", "ed25519"},
    {HANDSHAKE, "tls.verified", "no", "encryption.tls-verified", "taxii.dhs.example is not trusted: no"},
    {HANDSHAKE, "tls.verified", "certificate has expired", "encryption.tls-verified",
     "certificate has expired"},
    {HANDSHAKE, "tls.identity", "mail.dhs.example", "encryption.tls-identity",
     "is for mail.dhs.example, and the"},
    {HANDSHAKE, "tls.identity", "*.example", "encryption.tls-identity", "*.example"},
    {HANDSHAKE, "tls.identity", "*.taxii.dhs.example", "encryption.tls-identity",
     "the endpoint is taxii.dhs"},
    {HANDSHAKE, "tls.identity", "*", "encryption.tls-identity", "is for *"},
    {HANDSHAKE, "tls.peer.sha256", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=", "encryption.tls-pin",
     "pinned is"},
    {HANDSHAKE, "tls.peer.sha256", OTHER ", " PIN, "encryption.tls-pin", "pinned is"},
    {HANDSHAKE, "tls.peer.until", "1767225600", "encryption.tls-expired", "has expired"},
    {HANDSHAKE, "tls.peer.until", "0", "encryption.tls-expired", "has expired"},
    {HANDSHAKE, "tls.peer.until", "-1", "encryption.tls-expired", "no number"},
    {HANDSHAKE, "tls.peer.until", "later", "encryption.tls-expired", "\"later\""},
    {HANDSHAKE, "tls.chain.until", "1767225599", "encryption.tls-expired",
     "a certificate in the partner's chain"},
    {AUTHENTICATED, "tls.client.key", "RSA 1024", "encryption.tls-client-key-bits",
     "our own key is RSA 1024"},
    {AUTHENTICATED, "tls.client.key", "DSA 2048", "encryption.tls-client-key-bits", "DSA 2048"},
    {AUTHENTICATED, "tls.client.until", "1767225600", "encryption.tls-client-expired",
     "it has to be renewed"},
    {AUTHENTICATED, "tls.client.until", "soon", "encryption.tls-client-expired", "soon"},
};

static void each_fact_by_itself_turns_yes_into_its_rule(void **state)
{
    (void)state;
    struct testpolicy *h = open_with(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct accord_case c = with(h, wrong[i].question, wrong[i].name, wrong[i].value);
        expect_answer(&c, ACCORD_DENY, wrong[i].rule, wrong[i].part);
    }
    struct accord_case c = with_keys(h, "EC 224", "EC 224,RSA 2048,RSA 4096");
    expect_answer(&c, ACCORD_DENY, "encryption.tls-key-bits", "the partner's key is EC 224");
    policy_end(h);
}

static void judge_without(struct testpolicy *h, enum accord_question question, const char *name,
                          const char *value, bool needed)
{
    struct accord_case c = with(h, question, name, value);
    if (needed)
        expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", name);
    else
        expect_answer(&c, ACCORD_ALLOW, "", "");
}

static void none_may_be_missing_but_the_subject(void **state)
{
    (void)state;
    struct testpolicy *h = open_with(NULL);
    for (const struct accord_pair *p = good_handshake; p->name; p++) {
        bool needed = strcmp(p->name, "tls.peer.subject");
        judge_without(h, HANDSHAKE, p->name, NULL, needed);
        judge_without(h, HANDSHAKE, p->name, "", needed);
    }
    for (const struct accord_pair *p = good_client; p->name; p++) {
        judge_without(h, AUTHENTICATED, p->name, NULL, true);
        judge_without(h, AUTHENTICATED, p->name, "", strcmp(p->name, "tls.client.subject"));
    }
    policy_end(h);
}

static void what_else_is_good(void **state)
{
    (void)state;
    static const struct accord_pair older[] = {
        {"tls.version", "1.2"}, {"tls.cipher", "ECDHE-RSA-AES256-GCM-SHA384"}, {0}};
    struct testpolicy *h = open_with(NULL);
    struct accord_case c = policy_session(h, HANDSHAKE, &taxii, good_handshake, older);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    c = with(h, HANDSHAKE, "tls.group", "X25519");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    c = with(h, HANDSHAKE, "tls.identity", "*.dhs.example");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    c = with(h, HANDSHAKE, "tls.identity", "TAXII.DHS.EXAMPLE");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    struct accord_policy_link link = taxii;
    link.option_count = 0;
    testpolicy_ask_session(h, &c, HANDSHAKE, &link, good_handshake);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    policy_end(h);
}

static void a_strangers_connector_is_held_to_its_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *host, *identity;
        enum accord_answer answer;
        const char *rule, *part;
    } cases[] = {
        {"2001:DB8::7", "2001:db8::7", ACCORD_ALLOW, "", ""},
        {"taxii.example", "*.example", ACCORD_DENY, "encryption.tls-identity", "*.example"},
        {"192.0.2.7", "*.0.2.7", ACCORD_DENY, "encryption.tls-identity", "192.0.2.7"},
    };
    struct testpolicy *h = open_with(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accord_policy_link link = taxii;
        const struct accord_pair changes[] = {{"tls.identity", cases[i].identity}, {0}};
        link.option_count = 0, link.connector = "gopher", link.endpoint_host = cases[i].host;
        struct accord_case c = policy_session(h, HANDSHAKE, &link, good_handshake, changes);
        expect_answer(&c, cases[i].answer, cases[i].rule, cases[i].part);
    }
    policy_end(h);
}

/* One certificate that is trusted as it is has its own signature to show. */
static void a_chain_of_one_is_judged_by_its_own_signature(void **state)
{
    (void)state;
    struct testpolicy *h = open_with(NULL);
    struct accord_pair alone[] = {
        {"tls.chain", "1"}, {"tls.chain.keys", "EC 256"}, {"tls.chain.signatures", "ECDSA+SHA256"}, {0}};
    struct accord_case c = policy_session(h, HANDSHAKE, &taxii, good_handshake, alone);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    alone[2].value = "ECDSA+SHA1";
    c = policy_session(h, HANDSHAKE, &taxii, good_handshake, alone);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-chain", "ECDSA+SHA1");
    policy_end(h);
}

static void a_certificate_of_ours_may_be_demanded(void **state)
{
    (void)state;
    const struct accord_pair required[] = {{"tls-client-certificate", "required"}, {0}};
    struct testpolicy *h = open_with(required);
    struct accord_case c;
    testpolicy_ask_session(h, &c, AUTHENTICATED, &taxii, good_client);
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask_session(h, &c, AUTHENTICATED, &taxii, no_client);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-client-certificate",
                  "taxii.dhs.example did not get a certificate of ours");
    policy_end(h);
    h = policy_of("encryption");
    struct accord_policy_link bare = taxii;
    const struct accord_policy_link *const links[] = {&bare};
    bare.option_count = 1;
    h->setup.links = links, h->setup.link_count = 1;
    assert_int_equal(testpolicy_check(h, required), ACCORD_EINVAL);
    assert_string_equal(h->why, "tls-client-certificate = required, but link ais names no certificate");
    bare.option_count = 2;
    assert_int_equal(testpolicy_check(h, required), 0);
    policy_end(h);
}

static void longer_keys_may_be_demanded(void **state)
{
    (void)state;
    const struct accord_pair options[] = {{"tls-rsa-bits", "3072"}, {"tls-ec-bits", "384"}, {0}};
    const struct accord_pair shorter[] = {{"tls-rsa-bits", "1024"}, {0}};
    struct testpolicy *h = open_with(options);
    struct accord_case c;
    testpolicy_ask_session(h, &c, HANDSHAKE, &taxii, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-key-bits", "EC 256");
    c = with_keys(h, "EC 384", "EC 384,RSA 2048,RSA 4096");
    expect_answer(&c, ACCORD_DENY, "encryption.tls-key-bits", "RSA 2048");
    c = with_keys(h, "EC 384", "EC 384,RSA 3072,RSA 4096");
    expect_answer(&c, ACCORD_ALLOW, "", "");
    testpolicy_ask_session(h, &c, AUTHENTICATED, &taxii, good_client);
    expect_answer(&c, ACCORD_DENY, "encryption.tls-client-key-bits", "RSA 2048");
    policy_end(h);
    h = policy_of("encryption");
    assert_int_equal(testpolicy_check(h, shorter), ACCORD_EINVAL);
    policy_end(h);
}

static void the_profile_is_what_a_session_may_negotiate(void **state)
{
    (void)state;
    static const char expected[] = "tls.versions=1.3,1.2\n"
                                   "tls.ciphers=ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384\n"
                                   "tls.suites=TLS_AES_256_GCM_SHA384\n"
                                   "tls.groups=P-384,P-256,P-521,X25519\n"
                                   "tls.signatures=ECDSA+SHA384,ECDSA+SHA256,ECDSA+SHA512,RSA-PSS+SHA384,RSA-"
                                   "PSS+SHA256,RSA-PSS+SHA512,RSA+SHA384,"
                                   "RSA+SHA256,RSA+SHA512\n"
                                   "tls.rsa-bits=2048\n"
                                   "tls.ec-bits=256\n"
                                   "tls.client-certificate=allowed\n";
    const struct accord_pair options[] = {{"tls-groups", "X25519, P-256"},
                                          {"fips", "preferred"},
                                          {"tls-versions", "1.3"},
                                          {"tls-ciphers", ""},
                                          {"tls-client-certificate", "required"},
                                          {0}};
    struct testpolicy *h = open_with(NULL);
    assert_int_equal(testpolicy_profile(h, &taxii), 0);
    assert_string_equal(h->profile, expected);
    struct accord_policy_link stranger = taxii, place = taxii;
    stranger.connector = "gopher"; /* may log in by SASL, which taxii does not */
    assert_int_equal(testpolicy_profile(h, &stranger), 0);
    assert_memory_equal(h->profile, expected, sizeof expected - 1);
    assert_string_equal(h->profile + sizeof expected - 1, "sasl.mechanisms=EXTERNAL,PLAIN\n");
    place.connector = "dir", place.endpoint_host = "";
    assert_int_equal(testpolicy_profile(h, &place), 0);
    assert_string_equal(h->profile, "");
    testpolicy_close(h);
    assert_int_equal(testpolicy_open(h, options), 0);
    assert_int_equal(testpolicy_profile(h, &taxii), 0);
    assert_non_null(strstr(h->profile, "tls.versions=1.3\ntls.ciphers=\n"));
    assert_non_null(strstr(h->profile, "\ntls.groups=P-256,X25519\n"));
    assert_non_null(strstr(h->profile, "\ntls.client-certificate=required\n"));
    policy_end(h);
}

static void what_cannot_be_is_told_when_the_file_is_read(void **state)
{
    (void)state;
    static const struct {
        struct accord_pair options[4];
        const char *why;
    } cases[] = {
        {{{"tls-versions", "1.3, 1.1"}}, "tls-versions: 1.1 is never allowed: it is deprecated (RFC 8996)"},
        {{{"tls-versions", "TLSv1.2"}},
         "\"TLSv1.2\" is no algorithm that is known here; the nearest: 1.3 "
         "(docs/reference/tls-algorithms.md"},
        {{{"tls-versions", ""}}, "tls-versions leaves nothing that a session may use"},
        {{{"tls-ciphers", "AES256-GCM-SHA384"}},
         "AES256-GCM-SHA384 is never allowed: whoever gets the server's key"},
        {{{"tls-ciphers", "ECDHE-RSA-AES256-SHA384"}}, "CBC in TLS gives plaintext away"},
        {{{"tls-ciphers", "ALL"}}, "\"ALL\" is no algorithm that is known here"},
        {{{"tls-ciphers", ""}}, "tls-ciphers leaves nothing"},
        {{{"tls-suites", ""}}, "tls-suites leaves nothing"},
        {{{"tls-suites", "TLS_AES_256_GCM_SHA385"}}, "the nearest: TLS_AES_256_GCM_SHA384"},
        {{{"tls-groups", "P-224"}},
         "tls-groups: P-224 is never allowed: it has less than 128 bits of strength; the "
         "nearest that is: P-256"},
        {{{"tls-signatures", "RSA+SHA1"}}, "SHA-1 is broken for signatures"},
        {{{"tls-signatures", "ECDSA+SHA256"}, {"tls-ciphers", "ECDHE-RSA-AES256-GCM-SHA384"}},
         "tls-signatures has none that the ECDHE-RSA suites of tls-ciphers can be used with"},
        {{{"tls-signatures", "RSA-PSS+SHA256"}, {"tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"}},
         "none that the ECDHE-ECDSA suites of tls-ciphers can be used with"},
        {{{"tls-signatures", "RSA+SHA256"}},
         "none that TLS 1.3, where RSA signs with RSA-PSS, can be used with"},
        {{{"tls-versions", "1.2"}, {"tls-ec-bits", "384"}, {"tls-groups", "P-256"}}, NULL},
        {{{"unencrypted", "ais"}}, "unencrypted = ais, but connector taxii always encrypts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        policy_checks("encryption", &taxii, cases[i].options, cases[i].why);
    struct testpolicy *h = policy_of("encryption");
    const struct accord_pair curves[] = {{"tls-versions", "1.2"},
                                         {"tls-ec-bits", "384"},
                                         {"tls-groups", "P-256"},
                                         {"tls-signatures", "ECDSA+SHA384"},
                                         {"tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"},
                                         {0}};
    assert_int_equal(testpolicy_check(h, curves), ACCORD_EINVAL);
    assert_string_equal(h->why, "tls-ec-bits = 384 is more than any curve in tls-groups has");
    policy_end(h);
}

/* Links of sftp have SSH and nothing else; what is said of TLS does not concern them, and the other way round. */
static void neither_protocol_disturbs_the_other(void **state)
{
    (void)state;
    const struct accord_pair options[] = {
        {"tls-client-certificate", "required"}, {"ssh-auth", "publickey"}, {0}};
    const struct accord_pair link_auth[] = {{"auth", "basic"}, {"certificate", "own.pem"}};
    struct accord_policy_link sftp = taxii, far = taxii;
    const struct accord_policy_link *const links[] = {&sftp, &far};
    struct testpolicy *h = policy_of("encryption");
    struct accord_case c;
    sftp.connector = "sftp", sftp.name = "sftp", sftp.option_count = 0;
    far.options = link_auth;
    h->setup.links = links, h->setup.link_count = 2;
    assert_int_equal(testpolicy_check(h, options), 0);
    assert_int_equal(testpolicy_open(h, options), 0);
    testpolicy_ask_session(h, &c, HANDSHAKE, &sftp, good_handshake);
    expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", "does not report ssh.kex");
    testpolicy_ask_session(h, &c, AUTHENTICATED, &sftp, good_client);
    expect_answer(&c, ACCORD_DENY, "encryption.fact-missing", "does not report ssh.user");
    const struct accord_pair ssh[] = {{"ssh.kex", "ecdh-sha2-nistp384"}, {0}};
    testpolicy_ask_session(h, &c, HANDSHAKE, &taxii, ssh);
    expect_answer(&c, ACCORD_DENY, "encryption.unknown-protocol",
                  "report neither TLS nor that they are unencrypted");
    const struct accord_pair plain[] = {{"session.encryption", "none"}, {0}};
    testpolicy_ask_session(h, &c, HANDSHAKE, &taxii, plain);
    expect_answer(&c, ACCORD_DENY, "encryption.unencrypted", "is not encrypted");
    policy_end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_session_passes_until_its_first_certificate_ends),
        cmocka_unit_test(each_fact_by_itself_turns_yes_into_its_rule),
        cmocka_unit_test(none_may_be_missing_but_the_subject),
        cmocka_unit_test(what_else_is_good),
        cmocka_unit_test(a_strangers_connector_is_held_to_its_endpoint),
        cmocka_unit_test(a_chain_of_one_is_judged_by_its_own_signature),
        cmocka_unit_test(a_certificate_of_ours_may_be_demanded),
        cmocka_unit_test(longer_keys_may_be_demanded),
        cmocka_unit_test(the_profile_is_what_a_session_may_negotiate),
        cmocka_unit_test(what_cannot_be_is_told_when_the_file_is_read),
        cmocka_unit_test(neither_protocol_disturbs_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
