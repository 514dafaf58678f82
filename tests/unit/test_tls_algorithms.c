/* Every TLS algorithm that OpenSSL 3.0 has, and what older servers are known for, allowed or refused for its reason; and
 * the page that says so.
 *
 *     test_tls_algorithms --write     writes docs/reference/tls-algorithms.md anew
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "algorithm_page.h"

static const enum algorithm_kind kinds[] = {ALGORITHM_TLS_VERSION, ALGORITHM_TLS_CIPHER, ALGORITHM_TLS_SUITE,
                                            ALGORITHM_TLS_GROUP, ALGORITHM_TLS_SIGNATURE};
#define KINDS (sizeof kinds / sizeof *kinds)

/* All that may be used; whatever else the table has is refused. */
static const struct {
    enum algorithm_kind kind;
    const char *name;
    bool approved;
} allowed[] = {
    {ALGORITHM_TLS_VERSION, "1.3", true},
    {ALGORITHM_TLS_VERSION, "1.2", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES256-GCM-SHA384", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-RSA-AES256-GCM-SHA384", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-RSA-AES128-GCM-SHA256", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES256-CCM", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES128-CCM", true},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-CHACHA20-POLY1305", false},
    {ALGORITHM_TLS_CIPHER, "ECDHE-RSA-CHACHA20-POLY1305", false},
    {ALGORITHM_TLS_SUITE, "TLS_AES_256_GCM_SHA384", true},
    {ALGORITHM_TLS_SUITE, "TLS_AES_128_GCM_SHA256", true},
    {ALGORITHM_TLS_SUITE, "TLS_AES_128_CCM_SHA256", true},
    {ALGORITHM_TLS_SUITE, "TLS_CHACHA20_POLY1305_SHA256", false},
    {ALGORITHM_TLS_GROUP, "P-384", true},
    {ALGORITHM_TLS_GROUP, "P-256", true},
    {ALGORITHM_TLS_GROUP, "P-521", true},
    {ALGORITHM_TLS_GROUP, "X25519", false},
    {ALGORITHM_TLS_GROUP, "X448", false},
    {ALGORITHM_TLS_SIGNATURE, "ECDSA+SHA384", true},
    {ALGORITHM_TLS_SIGNATURE, "ECDSA+SHA256", true},
    {ALGORITHM_TLS_SIGNATURE, "ECDSA+SHA512", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA-PSS+SHA384", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA-PSS+SHA256", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA-PSS+SHA512", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA+SHA384", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA+SHA256", true},
    {ALGORITHM_TLS_SIGNATURE, "RSA+SHA512", true},
    {ALGORITHM_TLS_SIGNATURE, "ed25519", false},
    {ALGORITHM_TLS_SIGNATURE, "ed448", false},
};
#define ALLOWED (sizeof allowed / sizeof *allowed)

/* What a reason must speak of, for one of each family. */
static const struct {
    enum algorithm_kind kind;
    const char *name, *reason, *instead;
} refused[] = {
    {ALGORITHM_TLS_VERSION, "1.1", "RFC 8996", "1.2"},
    {ALGORITHM_TLS_VERSION, "1.0", "AIS-3.1", "1.2"},
    {ALGORITHM_TLS_VERSION, "SSL 3.0", "RFC 7568", "1.2"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-RSA-AES256-SHA384", "CBC", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES128-SHA", "CBC", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "AES256-GCM-SHA384", "no forward secrecy", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "DHE-RSA-AES256-GCM-SHA384", "partner chooses the group",
     "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ADH-AES256-GCM-SHA384", "nobody proves", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "NULL-SHA256", "nothing would be encrypted", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-NULL-SHA", "nothing would be encrypted",
     "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "RC4-SHA", "RFC 7465", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-RSA-DES-CBC3-SHA", "triple DES", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "EXP-RC4-MD5", "export", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ECDSA-AES256-CCM8", "8 bytes", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "DHE-PSK-AES256-GCM-SHA384", "shared beforehand", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "SRP-RSA-AES-256-CBC-SHA", "password", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "DHE-DSS-AES256-GCM-SHA384", "FIPS 186-5", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_CIPHER, "ECDHE-ARIA256-GCM-SHA384", "not approved", "ECDHE-RSA-AES256-GCM-SHA384"},
    {ALGORITHM_TLS_SUITE, "TLS_AES_128_CCM_8_SHA256", "8 bytes", "TLS_AES_128_CCM_SHA256"},
    {ALGORITHM_TLS_GROUP, "P-224", "less than 128 bits", "P-256"},
    {ALGORITHM_TLS_GROUP, "ffdhe2048", "2048 bits", "P-256"},
    {ALGORITHM_TLS_SIGNATURE, "RSA+SHA1", "SHA-1", "RSA+SHA256"},
    {ALGORITHM_TLS_SIGNATURE, "RSA+MD5", "MD5", "RSA+SHA256"},
    {ALGORITHM_TLS_SIGNATURE, "DSA+SHA256", "DSA", "ECDSA+SHA256"},
};

static bool is_allowed(enum algorithm_kind kind, const char *name, bool *approved)
{
    for (size_t i = 0; i < ALLOWED; i++)
        if (allowed[i].kind == kind && !strcmp(allowed[i].name, name)) {
            *approved = allowed[i].approved;
            return true;
        }
    return false;
}

static void only_these_are_allowed(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t k = 0; k < KINDS; k++)
        for (const struct algorithm *a = algorithms_of(kinds[k]); a->name; a++) {
            bool approved = false, is = a->kind == kinds[k] && is_allowed(a->kind, a->name, &approved);
            if (a->kind != kinds[k])
                continue;
            if (is != !a->refused || approved != algorithms_approved(a->kind, a->name))
                fail_msg("%s", a->name);
            found += is;
        }
    assert_int_equal(found, ALLOWED);
}

static void the_others_are_refused_for_their_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char why[512] = "", nearest[128];
        snprintf(nearest, sizeof nearest, "the nearest that is: %s", refused[i].instead);
        if (algorithm_check(refused[i].kind, refused[i].name, why, sizeof why) != ACCORD_EINVAL ||
            !strstr(why, refused[i].reason) || !strstr(why, nearest))
            fail_msg("%s: %s", refused[i].name, why);
    }
}

static void what_is_named_instead_is_allowed(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++)
        algorithm_instead(kinds[k]);
}

static void every_suite_that_openssl_has_is_known(void **state)
{
    (void)state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    assert_true(SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL"));
    assert_true(SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
                                                  "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:"
                                                  "TLS_AES_128_CCM_8_SHA256"));
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    assert_true(sk_SSL_CIPHER_num(ciphers) > 100);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));
        bool newer = !strncmp(name, "TLS_", 4);
        if (!algorithms_find(newer ? ALGORITHM_TLS_SUITE : ALGORITHM_TLS_CIPHER, name))
            fail_msg("%s is not in the table", name);
    }
    SSL_CTX_free(context);
}

static void openssl_has_all_that_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALLOWED; i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        const char *name = allowed[i].name;
        bool has = allowed[i].kind == ALGORITHM_TLS_VERSION ||
                   (allowed[i].kind == ALGORITHM_TLS_CIPHER && SSL_CTX_set_cipher_list(context, name)) ||
                   (allowed[i].kind == ALGORITHM_TLS_SUITE && SSL_CTX_set_ciphersuites(context, name)) ||
                   (allowed[i].kind == ALGORITHM_TLS_GROUP && SSL_CTX_set1_groups_list(context, name)) ||
                   (allowed[i].kind == ALGORITHM_TLS_SIGNATURE && SSL_CTX_set1_sigalgs_list(context, name));
        if (!has)
            fail_msg("%s", name);
        SSL_CTX_free(context);
    }
}

/* ---- the page ---- */

static void page(FILE *out)
{
    fputs("# TLS algorithms\n\n"
          "Generated from the tables of the policy `encryption`; do not edit. All that OpenSSL 3.0 has and "
          "what older\n"
          "servers are known for: what the lists of `[policy encryption]` may name, and why the rest is "
          "refused when the\n"
          "file is read. With `fips = preferred` those that are approved go first in their list. Names are "
          "OpenSSL's, but\n"
          "for versions; a connector with a library of its own reports the same names.\n\n"
          "Signatures are meant twice: in the handshake, and in every certificate of the partner's chain and "
          "of ours but\n"
          "a root's. Keys of certificates: RSA of at least `tls-rsa-bits` (2048: 112 bits of strength, which "
          "SP 800-131A\n"
          "Rev. 2 accepts and certificates below the Federal Bridge often have; 3072 for 128), NIST's curves "
          "of at least\n"
          "`tls-ec-bits`, and Ed25519 and Ed448 where their signatures are listed.\n",
          out);
    algorithm_section(out, ALGORITHM_TLS_VERSION, "Versions", "`tls-versions`");
    algorithm_section(out, ALGORITHM_TLS_SUITE, "Suites of TLS 1.3", "`tls-suites`");
    algorithm_section(out, ALGORITHM_TLS_CIPHER, "Suites of TLS 1.2", "`tls-ciphers`");
    algorithm_section(out, ALGORITHM_TLS_GROUP, "Groups", "`tls-groups`");
    algorithm_section(out, ALGORITHM_TLS_SIGNATURE, "Signatures", "`tls-signatures`");
}

static const struct algorithm_page the_page = {"tls-algorithms", "test_tls_algorithms", page};

static void the_page_is_what_the_tables_say(void **state)
{
    (void)state;
    algorithm_page_stands(&the_page);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_these_are_allowed),
        cmocka_unit_test(the_others_are_refused_for_their_reason),
        cmocka_unit_test(what_is_named_instead_is_allowed),
        cmocka_unit_test(every_suite_that_openssl_has_is_known),
        cmocka_unit_test(openssl_has_all_that_is_allowed),
        cmocka_unit_test(the_page_is_what_the_tables_say),
    };
    if (algorithm_page_wanted(&the_page, argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
