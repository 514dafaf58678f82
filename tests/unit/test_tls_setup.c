/* What the operator gives us, taken or refused with a sentence, before anything is dialled. */
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

static struct pki own, rsa;
static char *own_pem, *own_key, *middle_pem, *root_pem, *rsa_pem;

static int set_up(void **state)
{
    bench_set_up(state);
    own = pki_make(&(struct pki_wish){.name = "acme", .issuer = &world.middle});
    rsa = pki_make(&(struct pki_wish){.name = "acme-rsa", .issuer = &world.middle, .key = "RSA 2048"});
    own_pem = pki_pem(&own);
    own_key = pki_key_pem(&own, NULL);
    rsa_pem = pki_pem(&rsa);
    middle_pem = pki_pem(&world.middle);
    root_pem = pki_pem(&world.root);
    return 0;
}

static int tear_down(void **state)
{
    free(own_pem);
    free(own_key);
    free(rsa_pem);
    free(middle_pem);
    free(root_pem);
    return bench_tear_down(state);
}

static char *joined(const char *first, const char *second, const char *third)
{
    char *all = calloc(1, strlen(first) + strlen(second) + strlen(third) + 1);
    assert_non_null(all);
    return strcat(strcat(strcpy(all, first), second), third);
}

/* Makes the client alone; the caller frees. */
static void make(struct bench *b, const struct bench_client *client)
{
    struct bench_client c = *client;
    c.trust = c.trust ? c.trust : world.trust;
    bench_run(b, &c, &(struct bench_peer){.own = &world.server, .issuers = {&world.middle}});
}

static void refused(const char *name, const struct bench_client *client, const char *rule, const char *words)
{
    struct bench b;
    make(&b, client);
    if (b.made || strcmp(b.problem.rule, rule) || !strstr(b.problem.reason, words))
        fail_msg("%s: %s, %s", name, b.problem.rule, b.problem.reason);
    if (strstr(b.problem.reason, "open sesame") || strstr(b.problem.reason, "PRIVATE KEY-"))
        fail_msg("%s: a secret in \"%s\"", name, b.problem.reason);
    bench_free(&b);
}

/* The certificates that would be sent, ours first. */
static void sent(const struct bench_client *client, const char *first, int behind)
{
    struct bench b;
    char subject[TLS_NAME_MAX];
    make(&b, client);
    if (!b.made)
        fail_msg("%s %s", b.problem.rule, b.problem.reason);
    tls_subject(b.tls->certificate, subject);
    assert_string_equal(subject, first);
    assert_int_equal(sk_X509_num(b.tls->chain), behind);
    bench_free(&b);
}

static void keys_of_every_form_are_taken(void **state)
{
    (void)state;
    static const char passphrase[] = "open sesame";
    const struct pki *owners[] = {&own, &rsa};
    for (size_t i = 0; i < 2; i++) {
        const char *name = i ? "CN=acme-rsa" : "CN=acme", *pem = i ? rsa_pem : own_pem;
        char *forms[] = {pki_key_pem(owners[i], NULL), pki_key_pem(owners[i], passphrase),
                         pki_old_key_pem(owners[i], NULL), pki_old_key_pem(owners[i], passphrase)};
        for (size_t k = 0; k < 4; k++) {
            sent(&(struct bench_client){.certificate = pem,
                                        .key = forms[k],
                                        .passphrase = k & 1 ? "open sesame\n" : NULL},
                 name, 0);
            char *both = joined(forms[k], pem, middle_pem);
            sent(&(struct bench_client){.certificate = both, .passphrase = k & 1 ? passphrase : NULL}, name,
                 1);
            free(both);
            free(forms[k]);
        }
    }
    /* As `openssl ecparam -genkey` writes it. */
    char *old = pki_old_key_pem(&own, NULL);
    char *with =
        joined("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", old, "");
    sent(&(struct bench_client){.certificate = own_pem, .key = with}, "CN=acme", 0);
    free(old);
    free(with);
}

static void a_key_that_cannot_be_used_is_spoken_of_without_its_secret(void **state)
{
    (void)state;
    char *closed = pki_key_pem(&own, "open sesame"), *other = pki_key_pem(&rsa, NULL);
    char *cut = strdup(own_key);
    cut[strlen(cut) - 40] = 0;
    refused("no passphrase", &(struct bench_client){.certificate = own_pem, .key = closed}, "tls.key",
            "is encrypted and there is no passphrase");
    refused("empty passphrase",
            &(struct bench_client){.certificate = own_pem, .key = closed, .passphrase = "\n"}, "tls.key",
            "does not open");
    refused("wrong passphrase",
            &(struct bench_client){.certificate = own_pem, .key = closed, .passphrase = "open sesam"},
            "tls.key", "the passphrase does not open the private key");
    refused("another key", &(struct bench_client){.certificate = own_pem, .key = other}, "tls.certificate",
            "the private key belongs to none of the certificates (1)");
    refused("cut", &(struct bench_client){.certificate = own_pem, .key = cut}, "tls.key",
            "holds no private key");
    refused("no PEM", &(struct bench_client){.certificate = own_pem, .key = "open sesame"}, "tls.key",
            "key holds no private key in PEM form");
    refused("a certificate for a key", &(struct bench_client){.certificate = own_pem, .key = own_pem},
            "tls.key", "key holds no private key");
    refused("no key at all", &(struct bench_client){.certificate = own_pem}, "tls.key",
            "key is not set, and certificate holds no private key");
    refused("a key alone", &(struct bench_client){.key = own_key}, "tls.certificate-missing",
            "there is a private key and no certificate");
    free(closed);
    free(other);
    free(cut);
}

static void a_chain_is_put_in_order(void **state)
{
    (void)state;
    const char *parts[] = {own_pem, middle_pem, root_pem};
    for (int first = 0; first < 3; first++)
        for (int second = 0; second < 3; second++)
            if (second != first) {
                char *all = joined(parts[first], parts[second], parts[3 - first - second]);
                sent(&(struct bench_client){.certificate = all, .key = own_key}, "CN=acme", 1);
                free(all);
            }
    sent(&(struct bench_client){.certificate = own_pem, .key = own_key}, "CN=acme", 0);
    char *twice = joined(own_pem, own_pem, middle_pem);
    sent(&(struct bench_client){.certificate = twice, .key = own_key}, "CN=acme", 1);
    free(twice);
}

/* A CA that has two keys under one name: the one that signed ours is sent. */
static void the_issuer_is_the_one_that_signed(void **state)
{
    (void)state;
    struct pki other = pki_make(&(struct pki_wish){.name = "Middle", .role = PKI_CA, .issuer = &world.root});
    char *pem = pki_pem(&other), *all = joined(own_pem, pem, middle_pem);
    struct bench b;
    make(&b, &(struct bench_client){.certificate = all, .key = own_key});
    assert_true(b.made);
    assert_int_equal(sk_X509_num(b.tls->chain), 1);
    assert_int_equal(X509_cmp(sk_X509_value(b.tls->chain, 0), world.middle.certificate), 0);
    bench_free(&b);
    free(pem);
    free(all);
}

static void what_is_not_in_the_chain_is_refused(void **state)
{
    (void)state;
    struct pki elsewhere =
        pki_make(&(struct pki_wish){.name = "Elsewhere", .role = PKI_CA, .issuer = &world.root});
    char *wrong = pki_pem(&elsewhere), *all = joined(own_pem, wrong, ""),
         *damaged = joined(own_pem, middle_pem, "");
    memset(strstr(damaged + strlen(own_pem), "-----\n") + 20, '!', 20);
    refused("a CA of somebody else", &(struct bench_client){.certificate = all, .key = own_key},
            "tls.certificate", "certificate holds CN=Elsewhere, which is not in the chain of CN=acme");
    refused("damaged", &(struct bench_client){.certificate = damaged, .key = own_key}, "tls.certificate",
            "certificate: block 2 is damaged");
    refused("no certificate", &(struct bench_client){.certificate = own_key, .key = own_key},
            "tls.certificate", "certificate holds no certificate");
    refused("words", &(struct bench_client){.certificate = "hello", .key = own_key}, "tls.certificate",
            "in PEM form");
    free(wrong);
    free(all);
    free(damaged);
}

static void our_own_certificate_has_to_be_good_as_well(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct pki_wish wish;
        const char *rule, *words;
        bool again;
    } cases[] = {
        {"expired",
         {.from = -400, .until = -1},
         "tls.certificate-expired",
         "our certificate CN=own expired on 2025-12-31 and is not shown to taxii.example any more",
         false},
        {"early",
         {.from = 1, .until = 9},
         "tls.certificate-not-yet-valid",
         "valid only from 2026-01-02",
         true},
        {"short",
         {.key = "RSA 1024"},
         "tls.certificate",
         "the key of our certificate CN=own is RSA 1024",
         false},
        {"SHA-1",
         {.digest = "SHA1"},
         "tls.certificate",
         "our certificate CN=own is signed with ECDSA+SHA1",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pki_wish wish = cases[i].wish;
        wish.name = "own";
        wish.issuer = &world.middle;
        struct pki it = pki_make(&wish);
        char *pem = pki_pem(&it), *key = pki_key_pem(&it, NULL);
        struct bench b;
        refused(cases[i].name, &(struct bench_client){.certificate = pem, .key = key}, cases[i].rule,
                cases[i].words);
        make(&b, &(struct bench_client){.certificate = pem, .key = key});
        assert_int_equal(b.problem.park, !cases[i].again);
        bench_free(&b);
        free(pem);
        free(key);
    }
    const struct accord_pair required[] = {{"tls.client-certificate", "required"}, {NULL, NULL}};
    refused("none", &(struct bench_client){.profile = required}, "tls.certificate-missing",
            "the agreement demands a certificate of ours (tls-client-certificate)");
}

static void the_trust_bundle_is_whole_or_refused(void **state)
{
    (void)state;
    char *with_key = joined(root_pem, own_key, ""), *cut = joined(root_pem, middle_pem, ""),
         *broken = strdup(root_pem);
    cut[strlen(cut) - 30] = 0;
    memcpy(strchr(broken, '\n') + 1, "AAAA", 4);
    refused("empty", &(struct bench_client){.trust = ""}, "tls.trust", "trust holds no certificate");
    refused("a key", &(struct bench_client){.trust = with_key}, "tls.trust", "trust holds a private key");
    refused("cut", &(struct bench_client){.trust = cut}, "tls.trust", "trust: block 2 is damaged");
    refused("no DER", &(struct bench_client){.trust = broken}, "tls.trust", "trust: block 1 (CERTIFICATE)");
    refused("something else",
            &(struct bench_client){.trust = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"},
            "tls.trust", "block 1 (X509 CRL) is not a certificate");
    struct bench b;
    bench_run(&b, &(struct bench_client){0}, &(struct bench_peer){0});
    assert_string_equal(b.problem.rule, "tls.trust");
    assert_non_null(strstr(b.problem.reason, "there is no trust bundle: nothing vouches for taxii.example"));
    bench_free(&b);
    free(with_key);
    free(cut);
    free(broken);
}

static void an_issuer_in_the_bundle_is_trusted_without_its_root(void **state)
{
    (void)state;
    struct bench b;
    bench_run(&b, &(struct bench_client){.trust = middle_pem}, &(struct bench_peer){.own = &world.server});
    assert_true(b.done);
    bench_free(&b);
}

static void a_profile_that_is_not_whole_allows_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *words;
    } cases[] = {
        {"tls.versions", NULL, "tls.versions allows nothing"},
        {"tls.versions", "", "tls.versions allows nothing"},
        {"tls.versions", "1.1", "names something else than 1.3 and 1.2"},
        {"tls.versions", "1.3,1.1", "names something else"},
        {"tls.versions", "1.2,1.2", "names something else"},
        {"tls.ciphers", NULL, "tls.ciphers allows nothing"},
        {"tls.ciphers", "", "tls.ciphers allows nothing"},
        {"tls.ciphers", "ALL", "names what this OpenSSL does not have"},
        {"tls.ciphers", "HIGH,ECDHE-RSA-AES256-GCM-SHA384", "names what this OpenSSL does not have"},
        {"tls.ciphers", "@SECLEVEL=0,ALL", "tls.ciphers is not a list of names"},
        {"tls.ciphers", "ECDHE-RSA-AES256-GCM-SHA384:ALL", "is not a list of names"},
        {"tls.ciphers", "!aNULL", "is not a list of names"},
        {"tls.ciphers", "NONSENSE", "names what this OpenSSL does not have"},
        {"tls.suites", "", "tls.suites allows nothing"},
        {"tls.suites", "TLS_NONSENSE", "names what this OpenSSL does not have"},
        {"tls.groups", "", "tls.groups allows nothing"},
        {"tls.groups", "P-384,nonsense", "names what this OpenSSL does not have"},
        {"tls.signatures", "", "tls.signatures allows nothing"},
        {"tls.signatures", "nonsense", "names what this OpenSSL does not have"},
        {"tls.rsa-bits", NULL, "tls.rsa-bits allows nothing"},
        {"tls.rsa-bits", "1024", "tls.rsa-bits is not a number of bits"},
        {"tls.rsa-bits", "2048x", "is not a number of bits"},
        {"tls.ec-bits", "224", "tls.ec-bits is not a number of bits"},
        {"tls.client-certificate", NULL, "allows nothing"},
        {"tls.client-certificate", "maybe", "is neither \"required\" nor \"allowed\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct accord_pair profile[] = {{cases[i].name, cases[i].value}, {NULL, NULL}};
        refused(cases[i].name, &(struct bench_client){.profile = profile}, "tls.profile", cases[i].words);
    }
}

static void one_version_alone_needs_only_its_own_lists(void **state)
{
    (void)state;
    const struct accord_pair newer[] = {{"tls.versions", "1.3"}, {"tls.ciphers", ""}, {NULL, NULL}};
    const struct accord_pair older[] = {{"tls.versions", "1.2"}, {"tls.suites", ""}, {NULL, NULL}};
    for (int i = 0; i < 2; i++) {
        struct bench b;
        struct tls_facts facts;
        make(&b, &(struct bench_client){.profile = i ? newer : older});
        assert_true(b.done);
        tls_handshake_facts(b.tls, b.client, &facts);
        assert_string_equal(bench_fact(&facts, "tls.version"), i ? "1.3" : "1.2");
        bench_free(&b);
        /* And the other is refused. */
        bench_run(&b, &(struct bench_client){.trust = world.trust, .profile = i ? newer : older},
                  &(struct bench_peer){.own = &world.server,
                                       .issuers = {&world.middle},
                                       .version = i ? TLS1_2_VERSION : TLS1_3_VERSION});
        tls_explain(b.tls, b.words, &b.problem);
        assert_false(b.done);
        assert_string_equal(b.problem.rule, "tls.version");
        assert_non_null(strstr(b.problem.reason, i ? "allowed is TLS 1.3 (" : "allowed is TLS 1.2 ("));
        bench_free(&b);
    }
}

/* RSA-PSS+SHA256 stands for both kinds of keys. */
static void keys_for_pss_alone_are_taken(void **state)
{
    (void)state;
    struct pki peer = pki_make(&(struct pki_wish){
        .name = "peer", .hosts = "DNS:taxii.example", .key = "RSA-PSS 2048", .issuer = &world.middle});
    struct bench b;
    struct tls_facts facts;
    bench_run(&b, &(struct bench_client){.trust = world.trust},
              &(struct bench_peer){.own = &peer, .issuers = {&world.middle}, .version = TLS1_3_VERSION});
    assert_true(b.done);
    tls_handshake_facts(b.tls, b.client, &facts);
    assert_string_equal(bench_fact(&facts, "tls.peer.key"), "RSA 2048");
    assert_memory_equal(bench_fact(&facts, "tls.signature"), "RSA-PSS+SHA", 11);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_every_form_are_taken),
        cmocka_unit_test(a_key_that_cannot_be_used_is_spoken_of_without_its_secret),
        cmocka_unit_test(a_chain_is_put_in_order),
        cmocka_unit_test(the_issuer_is_the_one_that_signed),
        cmocka_unit_test(what_is_not_in_the_chain_is_refused),
        cmocka_unit_test(our_own_certificate_has_to_be_good_as_well),
        cmocka_unit_test(the_trust_bundle_is_whole_or_refused),
        cmocka_unit_test(an_issuer_in_the_bundle_is_trusted_without_its_root),
        cmocka_unit_test(a_profile_that_is_not_whole_allows_nothing),
        cmocka_unit_test(one_version_alone_needs_only_its_own_lists),
        cmocka_unit_test(keys_for_pss_alone_are_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
