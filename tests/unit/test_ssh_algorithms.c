/* Every SSH algorithm that OpenSSH 9.2 and libssh 0.10 know, allowed or refused for its reason; and the page that says so.
 *
 *     test_ssh_algorithms --write     writes docs/reference/ssh-algorithms.md anew
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "algorithm_page.h"

/* As `ssh -Q kex`, `cipher`, `mac`, `key` and `sig` of OpenSSH 9.2p1 and libssh 0.10.6's tables list them. reason NULL:
 * allowed. */
static const struct {
    enum algorithm_kind kind;
    const char *name, *reason, *instead;
    bool approved;
} known[] = {
    {ALGORITHM_KEX, "diffie-hellman-group1-sha1", "1024 bits", "diffie-hellman-group16-sha512", false},
    {ALGORITHM_KEX, "diffie-hellman-group14-sha1", "SHA-1", "diffie-hellman-group16-sha512", false},
    {ALGORITHM_KEX, "diffie-hellman-group14-sha256", "2048 bits", "diffie-hellman-group16-sha512", false},
    {ALGORITHM_KEX, "diffie-hellman-group16-sha512", NULL, NULL, true},
    {ALGORITHM_KEX, "diffie-hellman-group18-sha512", NULL, NULL, true},
    {ALGORITHM_KEX, "diffie-hellman-group-exchange-sha1", "SHA-1", "diffie-hellman-group16-sha512", false},
    {ALGORITHM_KEX, "diffie-hellman-group-exchange-sha256", "partner chooses",
     "diffie-hellman-group16-sha512", false},
    {ALGORITHM_KEX, "ecdh-sha2-nistp256", NULL, NULL, true},
    {ALGORITHM_KEX, "ecdh-sha2-nistp384", NULL, NULL, true},
    {ALGORITHM_KEX, "ecdh-sha2-nistp521", NULL, NULL, true},
    {ALGORITHM_KEX, "curve25519-sha256", NULL, NULL, false},
    {ALGORITHM_KEX, "curve25519-sha256@libssh.org", NULL, NULL, false},
    {ALGORITHM_KEX, "sntrup761x25519-sha512", "libssh does not have it", "curve25519-sha256", false},
    {ALGORITHM_KEX, "sntrup761x25519-sha512@openssh.com", "libssh does not", "curve25519-sha256", false},
    {ALGORITHM_CIPHER, "3des-cbc", "triple DES", "aes256-ctr", false},
    {ALGORITHM_CIPHER, "aes128-cbc", "CBC", "aes128-ctr", false},
    {ALGORITHM_CIPHER, "aes192-cbc", "CBC", "aes192-ctr", false},
    {ALGORITHM_CIPHER, "aes256-cbc", "CBC", "aes256-ctr", false},
    {ALGORITHM_CIPHER, "aes128-ctr", NULL, NULL, true},
    {ALGORITHM_CIPHER, "aes192-ctr", NULL, NULL, true},
    {ALGORITHM_CIPHER, "aes256-ctr", NULL, NULL, true},
    {ALGORITHM_CIPHER, "aes128-gcm@openssh.com", NULL, NULL, true},
    {ALGORITHM_CIPHER, "aes256-gcm@openssh.com", NULL, NULL, true},
    {ALGORITHM_CIPHER, "chacha20-poly1305@openssh.com", NULL, NULL, false},
    {ALGORITHM_CIPHER, "none", "nothing would be encrypted", "aes256-gcm@openssh.com", false},
    {ALGORITHM_MAC, "hmac-sha1", "SHA-1", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "hmac-sha1-96", "SHA-1", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "hmac-sha2-256", NULL, NULL, true},
    {ALGORITHM_MAC, "hmac-sha2-512", NULL, NULL, true},
    {ALGORITHM_MAC, "hmac-md5", "MD5", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "hmac-md5-96", "MD5", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "umac-64@openssh.com", "not approved", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "umac-128@openssh.com", "not approved", "hmac-sha2-256", false},
    {ALGORITHM_MAC, "hmac-sha1-etm@openssh.com", "SHA-1", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_MAC, "hmac-sha1-96-etm@openssh.com", "SHA-1", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_MAC, "hmac-sha2-256-etm@openssh.com", NULL, NULL, true},
    {ALGORITHM_MAC, "hmac-sha2-512-etm@openssh.com", NULL, NULL, true},
    {ALGORITHM_MAC, "hmac-md5-etm@openssh.com", "MD5", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_MAC, "hmac-md5-96-etm@openssh.com", "MD5", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_MAC, "umac-64-etm@openssh.com", "not approved", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_MAC, "umac-128-etm@openssh.com", "not approved", "hmac-sha2-256-etm@openssh.com", false},
    {ALGORITHM_KEY, "ssh-ed25519", NULL, NULL, false},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp256", NULL, NULL, true},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp384", NULL, NULL, true},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp521", NULL, NULL, true},
    {ALGORITHM_KEY, "rsa-sha2-256", NULL, NULL, true},
    {ALGORITHM_KEY, "rsa-sha2-512", NULL, NULL, true},
    {ALGORITHM_KEY, "ssh-rsa", "SHA-1", "rsa-sha2-256",
     true}, /* the key, which a session reports by this name */
    {ALGORITHM_KEY, "ssh-dss", "DSA", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "sk-ssh-ed25519@openssh.com", "touch", "ssh-ed25519", false},
    {ALGORITHM_KEY, "sk-ecdsa-sha2-nistp256@openssh.com", "touch", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "touch", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "ssh-ed25519-cert-v01@openssh.com", "certificates", "ssh-ed25519", false},
    {ALGORITHM_KEY, "sk-ssh-ed25519-cert-v01@openssh.com", "touch", "ssh-ed25519", false},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp256-cert-v01@openssh.com", "certificates", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp384-cert-v01@openssh.com", "certificates", "ecdsa-sha2-nistp384", false},
    {ALGORITHM_KEY, "ecdsa-sha2-nistp521-cert-v01@openssh.com", "certificates", "ecdsa-sha2-nistp521", false},
    {ALGORITHM_KEY, "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "touch", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "ssh-dss-cert-v01@openssh.com", "DSA", "ecdsa-sha2-nistp256", false},
    {ALGORITHM_KEY, "ssh-rsa-cert-v01@openssh.com", "SHA-1", "rsa-sha2-256", false},
    {ALGORITHM_KEY, "rsa-sha2-256-cert-v01@openssh.com", "certificates", "rsa-sha2-256", false},
    {ALGORITHM_KEY, "rsa-sha2-512-cert-v01@openssh.com", "certificates", "rsa-sha2-512", false},
};
#define KNOWN (sizeof known / sizeof *known)

static void each_is_allowed_or_refused_for_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN; i++) {
        char why[512] = "", nearest[128];
        int result = algorithm_check(known[i].kind, known[i].name, why, sizeof why);
        snprintf(nearest, sizeof nearest, "the nearest that is: %s",
                 known[i].instead ? known[i].instead : "");
        if (known[i].reason
                ? result != ACCORD_EINVAL || !strstr(why, known[i].reason) || !strstr(why, nearest)
                : result != 0)
            fail_msg("%s: %d \"%s\"", known[i].name, result, why);
        assert_int_equal(algorithms_approved(known[i].kind, known[i].name), known[i].approved);
    }
}

static void what_is_named_instead_is_allowed(void **state)
{
    (void)state;
    for (enum algorithm_kind kind = ALGORITHM_KEX; kind <= ALGORITHM_KEY; kind++)
        algorithm_instead(kind);
}

static void what_is_not_known_has_a_neighbour(void **state)
{
    (void)state;
    char why[512];
    assert_int_equal(algorithm_check(ALGORITHM_CIPHER, "aes256-gcm", why, sizeof why), ACCORD_EINVAL);
    assert_non_null(strstr(
        why, "\"aes256-gcm\" is no algorithm that is known here; the nearest: aes256-gcm@openssh.com"));
    assert_int_equal(algorithm_check(ALGORITHM_MAC, "aes256-ctr", why, sizeof why), ACCORD_EINVAL);
    assert_int_equal(algorithm_check(ALGORITHM_KEX, "", why, sizeof why), ACCORD_EINVAL);
}

static void fips_preferred_goes_first_and_required_alone(void **state)
{
    (void)state;
    const char *items[] = {"chacha20-poly1305@openssh.com", "aes256-ctr"};
    const struct accord_list list = {items, 2};
    char text[ALGORITHMS_TEXT_MAX];
    assert_int_equal(algorithms_compile(ALGORITHM_CIPHER, &list, FIPS_OFF, text), 0);
    assert_string_equal(text, "chacha20-poly1305@openssh.com,aes256-ctr");
    assert_int_equal(algorithms_compile(ALGORITHM_CIPHER, &list, FIPS_PREFERRED, text), 0);
    assert_string_equal(text, "aes256-ctr,chacha20-poly1305@openssh.com");
    assert_int_equal(algorithms_compile(ALGORITHM_CIPHER, &list, FIPS_REQUIRED, text), 0);
    assert_string_equal(text, "aes256-ctr");
}

static void certificates_come_with_their_keys(void **state)
{
    (void)state;
    char text[ALGORITHMS_TEXT_MAX] = "rsa-sha2-512,ssh-ed25519", full[ALGORITHMS_TEXT_MAX];
    assert_int_equal(algorithms_add_certificates(text), 0);
    assert_string_equal(text, "rsa-sha2-512,rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519,"
                              "ssh-ed25519-cert-v01@openssh.com");
    memset(full, 'x', sizeof full);
    full[sizeof full - 10] = 0;
    assert_int_equal(algorithms_add_certificates(full), ACCORD_ELIMIT);
}

/* ---- the page ---- */

static void page(FILE *out)
{
    fputs("# SSH algorithms\n\n"
          "Generated from the table of the policy `encryption`; do not edit. All that libssh 0.10 and "
          "OpenSSH 9.2 know: what\n"
          "the lists of `[policy encryption]` may name, and why the rest is refused when the file is read. "
          "With\n"
          "`fips = preferred` those that are approved go first in their list. `fips = required` would leave "
          "only them, and\n"
          "is refused: that they run on a validated module cannot be proven yet. Host certificates cannot be "
          "used: libssh\n"
          "0.10 does not ask for them; the partner's keys are pinned in the link.\n",
          out);
    algorithm_section(out, ALGORITHM_KEX, "Key exchange", "`ssh-kex`");
    algorithm_section(out, ALGORITHM_CIPHER, "Ciphers", "`ssh-ciphers`");
    algorithm_section(out, ALGORITHM_MAC, "Message authentication codes", "`ssh-macs`");
    algorithm_section(out, ALGORITHM_KEY, "Keys and signatures",
                      "`ssh-host-key-types`, `ssh-user-key-types`");
}

static const struct algorithm_page the_page = {"ssh-algorithms", "test_ssh_algorithms", page};

static void the_page_is_what_the_table_says(void **state)
{
    (void)state;
    algorithm_page_stands(&the_page);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_allowed_or_refused_for_its_reason),
        cmocka_unit_test(what_is_named_instead_is_allowed),
        cmocka_unit_test(what_is_not_known_has_a_neighbour),
        cmocka_unit_test(fips_preferred_goes_first_and_required_alone),
        cmocka_unit_test(certificates_come_with_their_keys),
        cmocka_unit_test(the_page_is_what_the_table_says),
    };
    if (algorithm_page_wanted(&the_page, argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
