#include <stddef.h>

#include "session.h"

#define OPTION(field) offsetof(struct encryption_options, field)

static const char *const fips[] = {
    [FIPS_OFF] = "off", [FIPS_PREFERRED] = "preferred", [FIPS_REQUIRED] = "required", NULL};

static const char *const auth_methods[] = {"publickey", "password", "keyboard-interactive", NULL};
static const char *const client_certificate[] = {
    [CERTIFICATE_ALLOWED] = "allowed", [CERTIFICATE_REQUIRED] = "required", NULL};
static const char *const strict_kex[] = {
    [STRICT_WHEN_NEEDED] = "when-needed", [STRICT_ALWAYS] = "always", NULL};

const struct accord_option encryption_option_table[] = {
    {.name = "ssh-kex",
     .kind = ACCORD_LIST,
     .offset = OPTION(kex),
     .fallback = "ecdh-sha2-nistp384, ecdh-sha2-nistp521, ecdh-sha2-nistp256, diffie-hellman-group16-sha512, "
                 "diffie-hellman-group18-sha512, curve25519-sha256, curve25519-sha256@libssh.org",
     .help =
         "SSH key exchanges that a session may use, the preferred one first (RFC 8268, RFC 5656, RFC 8731). "
         "docs/reference/ssh-algorithms.md has every algorithm, and why some are never allowed."},
    {.name = "ssh-ciphers",
     .kind = ACCORD_LIST,
     .offset = OPTION(ciphers),
     .fallback = "aes256-gcm@openssh.com, aes256-ctr",
     .help = "SSH ciphers, the preferred one first; by default AES-256 alone (CBP-2a, CBP-2f)."},
    {.name = "ssh-macs",
     .kind = ACCORD_LIST,
     .offset = OPTION(macs),
     .fallback = "hmac-sha2-256-etm@openssh.com, hmac-sha2-512-etm@openssh.com, hmac-sha2-256, hmac-sha2-512",
     .help = "SSH message authentication codes for ciphers that do not bring their own."},
    {.name = "ssh-host-key-types",
     .kind = ACCORD_LIST,
     .offset = OPTION(host_keys),
     .fallback = "ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, rsa-sha2-512, rsa-sha2-256, "
                 "ssh-ed25519",
     .help =
         "Signatures by which the partner's host may prove its key; the key itself is pinned in the link."},
    {.name = "ssh-user-key-types",
     .kind = ACCORD_LIST,
     .offset = OPTION(user_keys),
     .fallback = "ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, rsa-sha2-512, rsa-sha2-256, "
                 "ssh-ed25519",
     .help = "Signatures by which we may prove ours, and certificates of such keys."},
    {.name = "ssh-auth",
     .kind = ACCORD_LIST,
     .offset = OPTION(auth),
     .choices = auth_methods,
     .fallback = "publickey",
     .help = "Ways by which we may authenticate; of several that the partner asks for in turn each must be "
             "here. A "
             "password leaves only in a session whose handshake was allowed."},
    {.name = "ssh-rsa-bits",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(rsa_bits),
     .fallback = "3072",
     .min = 2048,
     .max = 16384,
     .help = "Shortest RSA key, the partner's and ours, in bits (NIST SP 800-57: 3072 for 128 bits of "
             "strength)."},
    {.name = "ssh-strict-kex",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(strict_kex),
     .fallback = "when-needed",
     .choices = strict_kex,
     .help = "Whether both sides must have agreed on strict key exchange (CVE-2023-48795): when the cipher "
             "needs it, "
             "which is chacha20-poly1305@openssh.com, or always."},
    {.name = "tls-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(tls_versions),
     .fallback = "1.3, 1.2",
     .help = "TLS versions that a session may have (AIS-3.1, AIS-3.4b); older than 1.2 can never be named "
             "(RFC 8996, "
             "SP 800-52 Rev. 2, 4.1)."},
    {.name = "tls-ciphers",
     .kind = ACCORD_LIST,
     .offset = OPTION(tls_ciphers),
     .fallback = "ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-RSA-AES256-GCM-SHA384",
     .help =
         "Suites of TLS 1.2 by their OpenSSL names, the preferred one first; by default AES-256 alone "
         "(CBP-2a, "
         "CBP-2f). docs/reference/tls-algorithms.md has every algorithm, and why some are never allowed."},
    {.name = "tls-suites",
     .kind = ACCORD_LIST,
     .offset = OPTION(tls_suites),
     .fallback = "TLS_AES_256_GCM_SHA384",
     .help = "Suites of TLS 1.3, the preferred one first."},
    {.name = "tls-groups",
     .kind = ACCORD_LIST,
     .offset = OPTION(tls_groups),
     .fallback = "P-384, P-256, P-521, X25519",
     .help = "Groups of the key exchange, the preferred one first."},
    {.name = "tls-signatures",
     .kind = ACCORD_LIST,
     .offset = OPTION(tls_signatures),
     .fallback = "ECDSA+SHA384, ECDSA+SHA256, ECDSA+SHA512, RSA-PSS+SHA384, RSA-PSS+SHA256, RSA-PSS+SHA512, "
                 "RSA+SHA384, RSA+SHA256, RSA+SHA512",
     .help = "Signatures in the handshake and in certificates, the partner's and ours; RSA+SHA256 is PKCS #1 "
             "v1.5, "
             "which TLS 1.3 takes in certificates alone."},
    {.name = "tls-rsa-bits",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(tls_rsa_bits),
     .fallback = "2048",
     .min = 2048,
     .max = 16384,
     .help = "Shortest RSA key in any certificate, the partner's chain and ours, in bits. 2048 is what SP "
             "800-131A Rev. "
             "2 accepts and what certificates below the Federal Bridge often have (AIS-3.4b)."},
    {.name = "tls-ec-bits",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(tls_ec_bits),
     .fallback = "256",
     .min = 256,
     .max = 521,
     .help = "Shortest key on an elliptic curve of NIST in any certificate, in bits."},
    {.name = "tls-client-certificate",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(tls_client_certificate),
     .fallback = "allowed",
     .choices = client_certificate,
     .help = "required: a session counts only if the partner has asked for our certificate and got it "
             "(AIS-3.4b)."},
    {.name = "sasl-mechanisms",
     .kind = ACCORD_LIST,
     .offset = OPTION(sasl),
     .fallback = "EXTERNAL, PLAIN",
     .help = "Ways by which links of mq and smtp may log in, inside TLS, the preferred one first. LOGIN only "
             "for mail "
             "servers without PLAIN; ANONYMOUS only to a broker on this host; none: mail may go without a "
             "login, over "
             "links that have no user. docs/reference/sasl-mechanisms.md has every mechanism."},
    {.name = "fips",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(fips),
     .fallback = "off",
     .choices = fips,
     .help = "preferred: FIPS-approved algorithms first; required: these alone, on a FIPS provider (CBP-2a), "
             "which "
             "cannot be proven yet and is therefore refused."},
    {.name = "unencrypted",
     .kind = ACCORD_LIST,
     .offset = OPTION(unencrypted),
     .help = "Links whose sessions may go without encryption of their own, because the agreement provides "
             "for that "
             "(a tunnel or a line of their own); their connector says so in every session's facts. By "
             "default none."},
    {0},
};
