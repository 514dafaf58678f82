/* TLS for connectors: what completes, what does not, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tls/state.h"
#include "tls_bench.h"

/* Base64 of the SHA-256 of its public key, made in another way than the library's: of the written-out key. */
static void public_key_hash(const struct pki *it, char to[64])
{
    unsigned char *der = NULL, hash[32];
    int size = i2d_PUBKEY(it->key, &der);
    assert_true(EVP_Digest(der, (size_t)size, hash, NULL, EVP_sha256(), NULL));
    EVP_EncodeBlock((unsigned char *)to, hash, sizeof hash);
    OPENSSL_free(der);
}

static void is(const struct tls_facts *facts, const char *name, const char *value)
{
    const char *shown = bench_fact(facts, name);
    if (!shown || strcmp(shown, value))
        fail_msg("%s is \"%s\", not \"%s\"", name, shown ? shown : "missing", value);
}

static void a_good_session_says_all_of_itself(void **state)
{
    (void)state;
    struct bench b;
    struct tls_facts facts;
    char pin[64], serial[32];
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        bool newer = version == TLS1_3_VERSION;
        bench_run(&b, &(struct bench_client){.trust = world.trust},
                  &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}, .version = version});
        assert_true(b.done);
        assert_string_equal(b.got, "hello");
        tls_handshake_facts(b.tls, b.client, &facts);
        is(&facts, "tls.version", newer ? "1.3" : "1.2");
        is(&facts, "tls.cipher", newer ? "TLS_AES_256_GCM_SHA384" : "ECDHE-ECDSA-AES256-GCM-SHA384");
        is(&facts, "tls.group", "P-384");
        is(&facts, "tls.signature",
           newer ? "ECDSA+SHA256" : "ECDSA+SHA384"); /* 1.3 binds it to the key's curve */
        is(&facts, "tls.peer.subject", "CN=server");
        is(&facts, "tls.peer.issuer", "CN=Middle");
        snprintf(serial, sizeof serial, "%04lx",
                 ASN1_INTEGER_get(X509_get0_serialNumber(world.server.certificate)));
        is(&facts, "tls.peer.serial", serial);
        is(&facts, "tls.peer.names", "taxii.example,192.0.2.7");
        public_key_hash(&world.server, pin);
        is(&facts, "tls.peer.sha256", pin);
        is(&facts, "tls.peer.key", "EC 256");
        is(&facts, "tls.peer.until", "1775001600");
        is(&facts, "tls.chain", "3");
        is(&facts, "tls.chain.keys", "EC 256,EC 256,EC 384");
        is(&facts, "tls.chain.signatures", "ECDSA+SHA256,ECDSA+SHA384");
        is(&facts, "tls.chain.until", "1775001600");
        is(&facts, "tls.verified", "yes");
        is(&facts, "tls.identity", "taxii.example");
        tls_authenticated_facts(b.tls, b.client, &facts);
        is(&facts, "tls.client.subject", "");
        is(&facts, "tls.client.issuer", "");
        is(&facts, "tls.client.key", "");
        is(&facts, "tls.client.until", "");
        tls_explain(b.tls, "nothing\033[2J", &b.problem);
        assert_string_equal(b.problem.rule, "");
        assert_string_equal(b.problem.reason, "nothing?[2J");
        assert_false(b.problem.park || tls_refused_us(b.tls));
        bench_free(&b);
    }
}

static void a_chain_ends_with_the_first_of_its_certificates(void **state)
{
    (void)state;
    struct pki brief = pki_make(
        &(struct pki_wish){.name = "Brief", .role = PKI_CA, .issuer = &world.root, .from = -9, .until = 5});
    struct pki peer =
        pki_make(&(struct pki_wish){.name = "peer", .hosts = "DNS:taxii.example", .issuer = &brief});
    struct bench b;
    struct tls_facts facts;
    bench_run(&b, &(struct bench_client){.trust = world.trust},
              &(struct bench_peer){.own = &peer, .issuers = {&brief}});
    assert_true(b.done);
    tls_handshake_facts(b.tls, b.client, &facts);
    is(&facts, "tls.peer.until", "1775001600");
    is(&facts, "tls.chain.until", "1767657600");
    bench_free(&b);
}

/* ---- who we are ---- */

/* A server that trusts `root` alone, against our certificate; NULL: we have none. */
static void ask(struct bench *b, const struct pki *own, const struct pki *behind, bool insists, int version)
{
    char *pem = own ? pki_pem(own) : NULL, *rest = behind ? pki_pem(behind) : NULL, *both = NULL;
    char *key = own ? pki_key_pem(own, NULL) : NULL;
    if (own)
        assert_true(asprintf(&both, "%s%s", pem, rest ? rest : "") > 0);
    bench_run(b, &(struct bench_client){.trust = world.trust, .certificate = both, .key = key},
              &(struct bench_peer){.own = &world.server,
                                   .issuers = {&world.middle},
                                   .asks = true,
                                   .insists = insists,
                                   .trusts = &world.root,
                                   .version = version});
    free(pem);
    free(rest);
    free(both);
    free(key);
}

static void our_certificate_goes_out_with_its_chain_when_asked_for(void **state)
{
    (void)state;
    struct pki own = pki_make(&(struct pki_wish){.name = "acme", .issuer = &world.middle, .key = "RSA 2048"});
    struct bench b;
    struct tls_facts facts;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        ask(&b, &own, &world.middle, true, version);
        assert_true(b.done);
        assert_string_equal(b.got, "hello");
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(b.server), own.certificate), 0);
        tls_authenticated_facts(b.tls, b.client, &facts);
        is(&facts, "tls.client.subject", "CN=acme");
        is(&facts, "tls.client.issuer", "CN=Middle");
        is(&facts, "tls.client.key", "RSA 2048");
        is(&facts, "tls.client.until", "1775001600");
        assert_int_equal(tls_until(b.tls), INT64_C(1775001600000000));
        bench_free(&b);
    }
}

static void a_session_that_does_not_ask_for_our_certificate_says_so(void **state)
{
    (void)state;
    struct pki own = pki_make(&(struct pki_wish){.name = "acme", .issuer = &world.middle});
    char *pem = pki_pem(&own), *key = pki_key_pem(&own, NULL);
    struct bench b;
    struct tls_facts facts;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        bench_run(&b, &(struct bench_client){.trust = world.trust, .certificate = pem, .key = key},
                  &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}, .version = version});
        assert_true(b.done);
        tls_authenticated_facts(b.tls, b.client, &facts);
        is(&facts, "tls.client.subject", "");
        is(&facts, "tls.client.key", "");
        bench_free(&b);
    }
    free(pem);
    free(key);
}

static void a_refused_certificate_is_told_from_other_failures(void **state)
{
    (void)state;
    struct pki stranger = pki_make(&(struct pki_wish){.name = "stranger"});
    struct pki own = pki_make(&(struct pki_wish){.name = "acme", .issuer = &world.middle});
    static const char known[] = "is the chain behind it in `certificate` whole?";
    const struct {
        const char *name;
        const struct pki *own, *behind;
        const char *words;
    } cases[] = {
        {"unknown CA", &own, NULL, known},
        {"signed by itself", &stranger, NULL, "CN=stranger, issued by CN=stranger"},
        {"none", NULL, NULL, "wants a certificate of ours, and the link has none"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct bench b;
        bool newer = i & 1;
        ask(&b, cases[i / 2].own, cases[i / 2].behind, true, newer ? TLS1_3_VERSION : TLS1_2_VERSION);
        /* A client of TLS 1.3 holds its handshake to be over before the server has looked at our certificate. */
        assert_int_equal(b.done, newer);
        assert_string_equal(b.got, "");
        assert_true(tls_refused_us(b.tls));
        tls_explain(b.tls, b.words, &b.problem);
        if (strcmp(b.problem.rule, "tls.client-certificate") || !b.problem.park ||
            !strstr(b.problem.reason, cases[i / 2].words))
            fail_msg("%s: %s %s", cases[i / 2].name, b.problem.rule, b.problem.reason);
        bench_free(&b);
    }
}

/* Each alert by itself: what it is taken for, before the peer has seen our certificate and after. */
static void every_alert_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        int alert;
        const char *before, *after; /* rules */
        bool park_before, park_after;
    } cases[] = {
        {10, "tls.alert", "tls.alert", false, false},
        {20, "tls.alert", "tls.alert", false, false},
        {22, "tls.alert", "tls.alert", false, false},
        {40, "tls.cipher", "tls.client-certificate", true, true},
        {42, "tls.client-certificate", "tls.client-certificate", true, true},
        {43, "tls.client-certificate", "tls.client-certificate", true, true},
        {44, "tls.client-certificate", "tls.client-certificate", true, true},
        {45, "tls.client-certificate", "tls.client-certificate", true, true},
        {46, "tls.client-certificate", "tls.client-certificate", true, true},
        {47, "tls.alert", "tls.alert", false, false},
        {48, "tls.client-certificate", "tls.client-certificate", true, true},
        {49, "tls.client-certificate", "tls.client-certificate", true, true},
        {50, "tls.alert", "tls.alert", false, false},
        {51, "tls.alert", "tls.client-certificate", false, true},
        {70, "tls.version", "tls.version", true, true},
        {71, "tls.cipher", "tls.cipher", true, true},
        {80, "tls.alert", "tls.alert", false, false},
        {86, "tls.alert", "tls.alert", false, false},
        {109, "tls.alert", "tls.alert", false, false},
        {112, "tls.name", "tls.name", true, true},
        {116, "tls.client-certificate", "tls.client-certificate", true, true},
        {120, "tls.alert", "tls.alert", false, false},
        {0, "", "", false, false},
        {90, "", "", false, false},
    };
    static const uint8_t certificate[] = {11, 0, 0, 8, 0, 0, 0, 4, 1, 2, 3, 4};
    struct pki own = pki_make(&(struct pki_wish){.name = "acme", .issuer = &world.middle});
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct bench b;
        bool after = i & 1;
        const char *rule = after ? cases[i / 2].after : cases[i / 2].before;
        const uint8_t alert[] = {2, (uint8_t)cases[i / 2].alert};
        ask(&b, &own, &world.middle, true, TLS1_3_VERSION);
        assert_true(b.done);
        b.tls->seen.answered = b.tls->seen.shown = false;
        if (after)
            tls_watch(1, TLS1_3_VERSION, SSL3_RT_HANDSHAKE, certificate, sizeof certificate, b.client, b.tls);
        tls_watch(0, TLS1_3_VERSION, SSL3_RT_ALERT, alert, sizeof alert, b.client, b.tls);
        tls_explain(b.tls, "cut", &b.problem);
        if (strcmp(b.problem.rule, rule) ||
            b.problem.park != (after ? cases[i / 2].park_after : cases[i / 2].park_before))
            fail_msg("alert %d: %s, not %s", cases[i / 2].alert, b.problem.rule, rule);
        assert_int_equal(tls_refused_us(b.tls), strcmp(rule, "tls.client-certificate") == 0);
        bench_free(&b);
    }
}

static void the_first_alert_counts_and_a_warning_does_not(void **state)
{
    (void)state;
    struct bench b;
    bench_run(
        &b, &(struct bench_client){.trust = world.trust},
        &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}, .version = TLS1_2_VERSION});
    assert_true(b.done);
    tls_watch(0, TLS1_2_VERSION, SSL3_RT_ALERT, "\1\x70", 2, b.client, b.tls);
    assert_int_equal(b.tls->seen.alert_in, -1);
    tls_watch(0, TLS1_2_VERSION, SSL3_RT_ALERT, "\2\x50", 2, b.client, b.tls);
    tls_watch(0, TLS1_2_VERSION, SSL3_RT_ALERT, "\2\x30", 2, b.client, b.tls);
    tls_explain(b.tls, "cut", &b.problem);
    assert_string_equal(b.problem.rule, "tls.alert");
    bench_free(&b);
}

static void nothing_of_an_earlier_session_is_used_again(void **state)
{
    (void)state;
    struct bench b;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        bench_run(&b, &(struct bench_client){.trust = world.trust},
                  &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}, .version = version});
        assert_int_equal(SSL_CTX_get_session_cache_mode(b.context), SSL_SESS_CACHE_OFF);
        assert_true(SSL_get_options(b.client) & SSL_OP_NO_TICKET);
        assert_int_equal(SSL_CTX_sess_number(b.context), 0);
        assert_int_equal(SSL_get_security_level(b.client), 2);
        bench_free(&b);
    }
}

static void a_second_handshake_is_refused(void **state)
{
    (void)state;
    struct bench b;
    char dropped[8];
    bench_run(
        &b, &(struct bench_client){.trust = world.trust},
        &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}, .version = TLS1_2_VERSION});
    assert_true(b.done);
    long before = SSL_total_renegotiations(b.client);
    SSL_renegotiate(b.server);
    for (int i = 0; i < 6; i++) {
        SSL_do_handshake(b.server);
        SSL_read(b.client, dropped, sizeof dropped);
    }
    assert_int_equal(SSL_total_renegotiations(b.client), before);
    assert_false(SSL_in_init(b.client));
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_session_says_all_of_itself),
        cmocka_unit_test(a_chain_ends_with_the_first_of_its_certificates),
        cmocka_unit_test(our_certificate_goes_out_with_its_chain_when_asked_for),
        cmocka_unit_test(a_session_that_does_not_ask_for_our_certificate_says_so),
        cmocka_unit_test(a_refused_certificate_is_told_from_other_failures),
        cmocka_unit_test(every_alert_has_its_meaning),
        cmocka_unit_test(the_first_alert_counts_and_a_warning_does_not),
        cmocka_unit_test(nothing_of_an_earlier_session_is_used_again),
        cmocka_unit_test(a_second_handshake_is_refused),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
