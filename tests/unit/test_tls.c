/* TLS for connectors: what completes, what does not, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_bench.h"

static struct pki root, middle, server;
static char *trust;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(struct pki_wish){.name = "Root", .ca = 1, .key = "EC P-384", .digest = "SHA384"});
    middle = pki_make(&(struct pki_wish){.name = "Middle", .ca = 1, .issuer = &root, .digest = "SHA384"});
    server = pki_make(
        &(struct pki_wish){.name = "server", .hosts = "DNS:taxii.example,IP:192.0.2.7", .issuer = &middle});
    trust = pki_pem(&root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_sweep();
    free(trust);
    return 0;
}

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
        bench_run(&b, &(struct bench_client){.trust = trust},
                  &(struct bench_peer){.own = &server, .issuers = {&middle}, .version = version});
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
                 ASN1_INTEGER_get(X509_get0_serialNumber(server.certificate)));
        is(&facts, "tls.peer.serial", serial);
        is(&facts, "tls.peer.names", "taxii.example,192.0.2.7");
        public_key_hash(&server, pin);
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
        tls_explain(b.tls, "nothing", &b.problem);
        assert_string_equal(b.problem.rule, "");
        assert_string_equal(b.problem.reason, "nothing");
        assert_false(b.problem.park || tls_refused_us(b.tls));
        bench_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_session_says_all_of_itself),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
