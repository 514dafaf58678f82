/* Every peer that must be refused is, before anything of ours has left, and the reason names what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_bench.h"

/* A handshake with a client that would show a certificate; it must not get as far as that. */
static void refused(const char *name, const struct bench_client *c, const struct bench_peer *peer,
                    const char *rule, const char *words, bool park)
{
    struct bench b;
    struct bench_client client = *c;
    char *pem = pki_pem(&world.server), *key = pki_key_pem(&world.server, NULL);
    client.certificate = pem;
    client.key = key;
    client.trust = client.trust ? client.trust : world.trust;
    bench_run(&b, &client, peer);
    if (!b.made)
        fail_msg("%s: %s %s", name, b.problem.rule, b.problem.reason);
    tls_explain(b.tls, b.words, &b.problem);
    if (strcmp(b.problem.rule, rule) || !strstr(b.problem.reason, words) || b.problem.park != park)
        fail_msg("%s: %s, %s (%s) [%s]", name, b.problem.rule, b.problem.reason,
                 b.problem.park ? "park" : "again", b.words);
    if (b.done || b.got[0] || SSL_get0_peer_certificate(b.server) || tls_refused_us(b.tls))
        fail_msg("%s: something of ours has left", name);
    bench_free(&b);
    free(pem);
    free(key);
}

/* ---- who it says it is ---- */

static const struct identity_case {
    const char *name;
    struct pki_wish wish; /* issued by Middle unless it is `alone` */
    const char *host, *rule, *words;
    bool alone, again;
} identities[] = {
    {"expired",
     {.hosts = "DNS:taxii.example", .from = -400, .until = -3},
     NULL,
     "tls.expired",
     .words = "the certificate of taxii.example expired on 2025-12-29 (CN=peer)"},
    {"not yet valid",
     {.hosts = "DNS:taxii.example", .from = 5, .until = 400},
     NULL,
     "tls.not-yet-valid",
     .words = "is valid only from 2026-01-06 (CN=peer); check this host's clock",
     .again = true},
    {"another name",
     {.hosts = "DNS:mail.example,DNS:www.example"},
     NULL,
     "tls.name",
     .words = "not for taxii.example but for mail.example,www.example"},
    {"no name", {0}, NULL, "tls.name", .words = "not for taxii.example but for no host at all"},
    {"a name only in the subject",
     {.name = "taxii.example"},
     NULL,
     "tls.name",
     .words = "but for no host at all"},
    {"part of a label", {.hosts = "DNS:tax*.example"}, NULL, "tls.name", .words = "but for tax*.example"},
    {"two labels for a star",
     {.hosts = "DNS:*.partner.example"},
     "taxii.a.partner.example",
     "tls.name",
     .words = "not for taxii.a.partner.example"},
    {"an address for a name", {.hosts = "IP:192.0.2.7"}, NULL, "tls.name", .words = "but for 192.0.2.7"},
    {"another address",
     {.hosts = "IP:192.0.2.8,DNS:taxii.example"},
     "192.0.2.7",
     "tls.name",
     .words = "not for 192.0.2.7"},
    {"an address as a name",
     {.hosts = "DNS:192.0.2.7"},
     "192.0.2.7",
     "tls.name",
     .words = "not for 192.0.2.7"},
    {"words that would steer a terminal",
     {.name = "x\033[2Jy", .hosts = "DNS:a\033[2J.example"},
     NULL,
     "tls.name",
     .words = "but for a?[2J.example"},
    {"signed by itself",
     {.hosts = "DNS:taxii.example"},
     NULL,
     "tls.untrusted",
     .words = "self-signed",
     .alone = true},
    {"a short RSA key",
     {.hosts = "DNS:taxii.example", .key = "RSA 1024"},
     NULL,
     "tls.key-bits",
     .words = "has a key that is too weak (CN=peer)"},
    {"RSA below what is asked",
     {.hosts = "DNS:taxii.example", .key = "RSA 2040"},
     NULL,
     "tls.key-bits",
     .words = "CN=peer"},
    {"a short EC key",
     {.hosts = "DNS:taxii.example", .key = "EC P-224"},
     NULL,
     "tls.cipher",
     .words = "no suite, group"},
    {"another curve",
     {.hosts = "DNS:taxii.example", .key = "EC secp256k1"},
     NULL,
     "tls.cipher",
     .words = "no suite"},
    {"for clients",
     {.hosts = "DNS:taxii.example", .role = PKI_CLIENT},
     NULL,
     "tls.untrusted",
     .words = "CN=peer, issued by CN=Middle"},
    {"SHA-1",
     {.hosts = "DNS:taxii.example", .digest = "SHA1"},
     NULL,
     "tls.signature",
     .words = "is signed too weakly (CN=peer)"},
    {"SHA-224",
     {.hosts = "DNS:taxii.example", .digest = "SHA224"},
     NULL,
     "tls.signature",
     .words = "signed with ECDSA+SHA224, which the agreement does not allow"},
    {"a CA's certificate of another purpose",
     {.hosts = "DNS:other.example", .role = PKI_CA},
     NULL,
     "tls.name",
     .words = "other"},
};

static void nobody_else_is_taken_for_the_partner(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
        const struct identity_case *c = &identities[i];
        struct pki_wish wish = c->wish;
        wish.name = wish.name ? wish.name : "peer";
        wish.issuer = c->alone ? NULL : &world.middle;
        struct pki peer = pki_make(&wish);
        refused(c->name, &(struct bench_client){.host = c->host},
                &(struct bench_peer){.own = &peer, .issuers = {&world.middle}}, c->rule, c->words, !c->again);
    }
}

static void a_chain_is_as_strong_as_each_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct pki_wish ca;
        const char *rule, *words;
    } cases[] = {
        {"short key",
         {.key = "RSA 1024"},
         "tls.key-bits",
         "a certificate in the chain of taxii.example has a key"},
        {"short curve",
         {.key = "EC P-224"},
         "tls.key-bits",
         "the key of CN=weak in the chain of taxii.example is EC 224"},
        {"curve of another kind", {.key = "EC brainpoolP256r1"}, "tls.key-bits", "brainpoolP256r1 256"},
        {"SHA-1", {.digest = "SHA1"}, "tls.signature", "a certificate in the chain"},
        {"SHA-224",
         {.digest = "SHA224"},
         "tls.signature",
         "CN=weak in the chain of taxii.example is signed with"},
        {"expired",
         {.from = -400, .until = -1},
         "tls.expired",
         "a certificate in the chain of taxii.example expired on 2025-12-31 (CN=weak)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pki_wish wish = cases[i].ca;
        wish.name = "weak";
        wish.role = PKI_CA;
        wish.issuer = &world.root;
        struct pki weak = pki_make(&wish);
        struct pki peer =
            pki_make(&(struct pki_wish){.name = "peer", .hosts = "DNS:taxii.example", .issuer = &weak});
        refused(cases[i].name, &(struct bench_client){0},
                &(struct bench_peer){.own = &peer, .issuers = {&weak}}, cases[i].rule, cases[i].words, true);
    }
    struct pki plain = pki_make(&(struct pki_wish){.name = "plain", .issuer = &world.middle});
    struct pki under =
        pki_make(&(struct pki_wish){.name = "peer", .hosts = "DNS:taxii.example", .issuer = &plain});
    refused("issued by no CA", &(struct bench_client){0},
            &(struct bench_peer){.own = &under, .issuers = {&plain, &world.middle}}, "tls.untrusted",
            "invalid CA", true);
    refused("no intermediate", &(struct bench_client){0}, &(struct bench_peer){.own = &world.server},
            "tls.untrusted", "(CN=server, issued by CN=Middle)", true);
    struct pki stranger = pki_make(&(struct pki_wish){.name = "Root", .role = PKI_CA});
    char *pem = pki_pem(&stranger);
    refused("another root of the same name", &(struct bench_client){.trust = pem},
            &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}}, "tls.untrusted",
            "is not trusted", true);
    free(pem);
}

static void the_agreement_may_ask_for_longer_keys(void **state)
{
    (void)state;
    struct pki peer = pki_make(&(struct pki_wish){
        .name = "peer", .hosts = "DNS:taxii.example", .key = "RSA 2048", .issuer = &world.middle});
    const struct accord_pair rsa[] = {{"tls.rsa-bits", "3072"}, {NULL, NULL}};
    const struct accord_pair ec[] = {{"tls.ec-bits", "384"}, {NULL, NULL}};
    struct bench_peer is = {.own = &peer, .issuers = {&world.middle}};
    struct bench b;
    bench_run(&b, &(struct bench_client){.trust = world.trust}, &is);
    assert_true(b.done);
    bench_free(&b);
    for (int i = 0; i < 2; i++) {
        bench_run(&b, &(struct bench_client){.trust = world.trust, .profile = i ? ec : rsa}, &is);
        tls_explain(b.tls, b.words, &b.problem);
        assert_false(b.done);
        assert_string_equal(b.problem.rule, "tls.key-bits");
        assert_non_null(
            strstr(b.problem.reason, i ? "the key of CN=Middle in the chain of taxii.example is EC 256"
                                       : "the key of CN=peer in the chain of taxii.example is RSA 2048"));
        bench_free(&b);
    }
}

static void a_pin_is_one_of_the_keys_or_none(void **state)
{
    (void)state;
    static const char other[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    refused("pin", &(struct bench_client){.pin = other},
            &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}}, "tls.pin",
            "taxii.example shows a key that is not pinned", true);
    struct bench b;
    struct tls_facts facts;
    char pin[64];
    bench_run(&b, &(struct bench_client){.trust = world.trust},
              &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}});
    tls_handshake_facts(b.tls, b.client, &facts);
    snprintf(pin, sizeof pin, "%s", bench_fact(&facts, "tls.peer.sha256"));
    bench_free(&b);
    bench_run(&b, &(struct bench_client){.trust = world.trust, .pin = pin},
              &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}});
    assert_true(b.done);
    bench_free(&b);
    bench_run(&b, &(struct bench_client){.trust = world.trust, .pin = "SHA256:abc"}, &(struct bench_peer){0});
    assert_false(b.made);
    assert_string_equal(b.problem.rule, "tls.pin");
    bench_free(&b);
}

static void other_names_that_are_good(void **state)
{
    (void)state;
    static const struct {
        const char *hosts, *host, *identity;
    } cases[] = {
        {"DNS:*.partner.example", "taxii.partner.example", "*.partner.example"},
        {"DNS:TAXII.Example", "taxii.example", "TAXII.Example"},
        {"DNS:a.example,DNS:taxii.example", "taxii.example", "taxii.example"},
        {"IP:192.0.2.7", "192.0.2.7", "192.0.2.7"},
        {"IP:2001:db8::7", "2001:db8::7", "2001:db8::7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        struct tls_facts facts;
        struct pki peer =
            pki_make(&(struct pki_wish){.name = "peer", .hosts = cases[i].hosts, .issuer = &world.middle});
        bench_run(&b, &(struct bench_client){.trust = world.trust, .host = cases[i].host},
                  &(struct bench_peer){.own = &peer, .issuers = {&world.middle}});
        if (!b.done)
            fail_msg("%s: %s", cases[i].hosts, b.words);
        tls_handshake_facts(b.tls, b.client, &facts);
        assert_string_equal(bench_fact(&facts, "tls.identity"), cases[i].identity);
        bench_free(&b);
    }
}

/* ---- what it speaks ---- */

static const struct weak_case {
    const char *name;
    int version;
    const char *ciphers, *suites, *groups, *signatures;
    const char *rule;
    const char *words;
    bool rsa;
} weak[] = {
    {"TLS 1.0", .version = TLS1_VERSION, .rule = "tls.version",
     .words = "no version that the agreement allows"},
    {"TLS 1.1", .version = TLS1_1_VERSION, .rule = "tls.version",
     .words = "allowed is TLS 1.3 and 1.2 (tls-versions)"},
    {"CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA", .rule = "tls.cipher",
     .words = "no suite"},
    {"AES-128", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", .rule = "tls.cipher", .words = "no suite"},
    {"ChaCha20", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", .rule = "tls.cipher", .words = "no suite"},
    {"RSA key transport", TLS1_2_VERSION, "AES256-GCM-SHA384", .rule = "tls.cipher", .words = "no suite",
     .rsa = true},
    {"DHE", TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384", .rule = "tls.cipher", .words = "no suite",
     .rsa = true},
    {"NULL", TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA:NULL-SHA256", .rule = "tls.cipher", .words = "no suite"},
    {"anonymous", TLS1_2_VERSION, "AECDH-AES256-SHA:ADH-AES256-GCM-SHA384", .rule = "tls.cipher",
     .words = "no suite"},
    {"suites of 1.3", TLS1_3_VERSION, NULL, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
     .rule = "tls.cipher", .words = "no suite"},
    {"P-224", TLS1_2_VERSION, .groups = "P-224", .rule = "tls.cipher", .words = "no suite, group"},
    {"X448", TLS1_3_VERSION, .groups = "X448", .rule = "tls.cipher", .words = "no suite, group"},
    {"SHA-1 in the handshake", TLS1_2_VERSION, .signatures = "ECDSA+SHA1", .rule = "tls.cipher",
     .words = "group or signature"},
};

static void what_is_weak_has_nothing_in_common_with_us(void **state)
{
    (void)state;
    struct pki rsa = pki_make(&(struct pki_wish){
        .name = "peer", .hosts = "DNS:taxii.example", .key = "RSA 2048", .issuer = &world.middle});
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
        refused(weak[i].name, &(struct bench_client){0},
                &(struct bench_peer){.own = weak[i].rsa ? &rsa : &world.server,
                                     .issuers = {&world.middle},
                                     .version = weak[i].version,
                                     .ciphers = weak[i].ciphers,
                                     .suites = weak[i].suites,
                                     .groups = weak[i].groups,
                                     .signatures = weak[i].signatures},
                weak[i].rule, weak[i].words, true);
}

/* A ServerHello by hand, of servers that OpenSSL cannot play any more: of `version` as on the wire (0x0301 is TLS 1.0),
 * choosing `cipher` by its number (RFC 5246, A.5; RFC 8422, 6). */
static size_t hello(int version, int cipher, uint8_t to[64])
{
    const uint8_t head[] = {
        0x16, 3, (uint8_t)version, 0, 49, 2, 0, 0, 45, (uint8_t)(version >> 8), (uint8_t)version};
    const uint8_t tail[] = {0, (uint8_t)(cipher >> 8), (uint8_t)cipher, 0, 0, 5, 0xff, 1, 0, 1, 0};
    memset(to, 0x5a, 64);
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head + 32, tail, sizeof tail);
    return sizeof head + 32 + sizeof tail;
}

static void what_chooses_what_was_not_offered_is_broken_off(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int version, cipher;
        const char *rule, *words;
    } cases[] = {
        {"SSL 3.0", 0x0300, 0x002f, "tls.version",
         "taxii.example speaks SSL 3.0; allowed is TLS 1.3 and 1.2"},
        {"TLS 1.0", 0x0301, 0xc014, "tls.version", "taxii.example speaks TLS 1.0; allowed is"},
        {"TLS 1.1", 0x0302, 0xc014, "tls.version", "taxii.example speaks TLS 1.1; allowed is"},
        {"RC4", 0x0303, 0x0005, "tls.cipher", "taxii.example wants a suite"},
        {"RC4, ECDHE", 0x0303, 0xc007, "tls.cipher", "that the agreement does not allow"},
        {"triple DES", 0x0303, 0x000a, "tls.cipher", "that the agreement does not allow"},
        {"triple DES, ECDHE", 0x0303, 0xc008, "tls.cipher", "that the agreement does not allow"},
        {"single DES, for export", 0x0303, 0x0008, "tls.cipher", "that the agreement does not allow"},
        {"CBC", 0x0303, 0xc024, "tls.cipher", "that the agreement does not allow"},
        {"NULL", 0x0303, 0xc006, "tls.cipher", "that the agreement does not allow"},
        {"anonymous", 0x0303, 0xc019, "tls.cipher", "that the agreement does not allow"},
        {"RSA key transport", 0x0303, 0x009d, "tls.cipher", "that the agreement does not allow"},
        {"AES-128", 0x0303, 0xc02b, "tls.cipher", "that the agreement does not allow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t says[64];
        size_t size = hello(cases[i].version, cases[i].cipher, says);
        refused(cases[i].name, &(struct bench_client){0},
                &(struct bench_peer){.says = says, .says_size = size}, cases[i].rule, cases[i].words, true);
    }
}

static void what_speaks_no_tls_may_be_tried_again(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct bench b;
    bench_run(&b, &(struct bench_client){.trust = world.trust},
              &(struct bench_peer){.says = (const uint8_t *)text, .says_size = sizeof text - 1});
    tls_explain(b.tls, b.words, &b.problem);
    assert_false(b.done || b.problem.park);
    assert_non_null(strstr(b.problem.reason, "wrong version number"));
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_else_is_taken_for_the_partner),
        cmocka_unit_test(a_chain_is_as_strong_as_each_of_it),
        cmocka_unit_test(the_agreement_may_ask_for_longer_keys),
        cmocka_unit_test(a_pin_is_one_of_the_keys_or_none),
        cmocka_unit_test(other_names_that_are_good),
        cmocka_unit_test(what_is_weak_has_nothing_in_common_with_us),
        cmocka_unit_test(what_chooses_what_was_not_offered_is_broken_off),
        cmocka_unit_test(what_speaks_no_tls_may_be_tried_again),
    };
    return cmocka_run_group_tests(tests, bench_set_up, bench_tear_down);
}
