#include "algorithms.h"

#include <stddef.h>

#define KEX(name, refused, instead, approved)                                                                \
    {                                                                                                        \
        ALGORITHM_KEX, name, refused, instead, approved                                                      \
    }
#define CIPHER(name, refused, instead, approved)                                                             \
    {                                                                                                        \
        ALGORITHM_CIPHER, name, refused, instead, approved                                                   \
    }
#define MAC(name, refused, instead, approved)                                                                \
    {                                                                                                        \
        ALGORITHM_MAC, name, refused, instead, approved                                                      \
    }
#define KEY(name, refused, instead, approved)                                                                \
    {                                                                                                        \
        ALGORITHM_KEY, name, refused, instead, approved                                                      \
    }

#define SHA1_KEX    "it derives its keys with SHA-1 (NIST SP 800-131A: not for signatures, RFC 9142: MUST NOT)"
#define CBC         "CBC in SSH gives plaintext away (CVE-2008-5161) and falls to prefix truncation (CVE-2023-48795)"
#define SHA1_MAC    "it is made with SHA-1, which NIST retires (SP 800-131A); SHA-2 costs no more"
#define MD5         "MD5 is broken (RFC 6151)"
#define UMAC        "it is not approved (FIPS 198-1 has HMAC), and libssh does not have it"
#define DSA         "DSA keys of 1024 bits sign with SHA-1; FIPS 186-5 has withdrawn DSA"
#define TOKEN       "it wants a person's touch of a token, which an agent cannot give"
#define CERTIFICATE "it is only another name for certificates, which are allowed with their key type"
#define ECDH        "SP 800-56A Rev. 3, 5.7.1.2; KDF: SP 800-135 Rev. 1, 5.2"
#define FFC         "SP 800-56A Rev. 3, 5.7.1.1 and appendix D; KDF: SP 800-135 Rev. 1, 5.2"
#define CTR         "FIPS 197, SP 800-38A"
#define GCM         "FIPS 197, SP 800-38D; FIPS 140-3 IG C.H (RFC 5647)"
#define HMAC        "FIPS 198-1, FIPS 180-4"
#define SIGNS       "FIPS 186-5; SP 800-131A Rev. 2, 3"

/* RFC 9142 for key exchanges. */
const struct algorithm ssh_algorithms[] = {
    KEX("ecdh-sha2-nistp384", NULL, NULL, ECDH),
    KEX("ecdh-sha2-nistp521", NULL, NULL, ECDH),
    KEX("ecdh-sha2-nistp256", NULL, NULL, ECDH),
    KEX("diffie-hellman-group16-sha512", NULL, NULL, FFC),
    KEX("diffie-hellman-group18-sha512", NULL, NULL, FFC),
    KEX("curve25519-sha256", NULL, NULL, NULL), /* SP 800-56A Rev. 3 does not have X25519 */
    KEX("curve25519-sha256@libssh.org", NULL, NULL, NULL),
    KEX("diffie-hellman-group14-sha256", "its group has 2048 bits, 112 of strength, and 128 are demanded",
        "diffie-hellman-group16-sha512", FFC),
    KEX("diffie-hellman-group-exchange-sha256",
        "the partner chooses the group, and libssh takes one of 2048 bits and does not say which",
        "diffie-hellman-group16-sha512", NULL),
    KEX("diffie-hellman-group14-sha1", SHA1_KEX, "diffie-hellman-group16-sha512", NULL),
    KEX("diffie-hellman-group1-sha1", "its group has 1024 bits (CVE-2015-4000), and " SHA1_KEX,
        "diffie-hellman-group16-sha512", NULL),
    KEX("diffie-hellman-group-exchange-sha1", SHA1_KEX, "diffie-hellman-group16-sha512", NULL),
    KEX("sntrup761x25519-sha512", "libssh does not have it", "curve25519-sha256", NULL),
    KEX("sntrup761x25519-sha512@openssh.com", "libssh does not have it", "curve25519-sha256", NULL),

    CIPHER("aes256-gcm@openssh.com", NULL, NULL, GCM),
    CIPHER("aes256-ctr", NULL, NULL, CTR),
    CIPHER("aes192-ctr", NULL, NULL, CTR),
    CIPHER("aes128-gcm@openssh.com", NULL, NULL, GCM),
    CIPHER("aes128-ctr", NULL, NULL, CTR),
    CIPHER("chacha20-poly1305@openssh.com", NULL, NULL, NULL),
    CIPHER("aes256-cbc", CBC, "aes256-ctr", NULL),
    CIPHER("aes192-cbc", CBC, "aes192-ctr", NULL),
    CIPHER("aes128-cbc", CBC, "aes128-ctr", NULL),
    CIPHER("rijndael-cbc@lysator.liu.se", CBC, "aes256-ctr", NULL),
    CIPHER("3des-cbc", "triple DES is disallowed since 2024 (SP 800-131A Rev. 2), and " CBC, "aes256-ctr",
           NULL),
    CIPHER("blowfish-cbc", "its blocks of 64 bits repeat (CVE-2016-2183), and " CBC, "aes256-ctr", NULL),
    CIPHER("cast128-cbc", "its blocks of 64 bits repeat (CVE-2016-2183), and " CBC, "aes256-ctr", NULL),
    CIPHER("arcfour", "RC4 is broken (RFC 8758)", "aes256-ctr", NULL),
    CIPHER("arcfour128", "RC4 is broken (RFC 8758)", "aes256-ctr", NULL),
    CIPHER("arcfour256", "RC4 is broken (RFC 8758)", "aes256-ctr", NULL),
    CIPHER("none", "nothing would be encrypted", "aes256-gcm@openssh.com", NULL),

    MAC("hmac-sha2-256-etm@openssh.com", NULL, NULL, HMAC),
    MAC("hmac-sha2-512-etm@openssh.com", NULL, NULL, HMAC),
    MAC("hmac-sha2-256", NULL, NULL, HMAC),
    MAC("hmac-sha2-512", NULL, NULL, HMAC),
    MAC("hmac-sha1-etm@openssh.com", SHA1_MAC, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("hmac-sha1", SHA1_MAC, "hmac-sha2-256", NULL),
    MAC("hmac-sha1-96-etm@openssh.com", SHA1_MAC, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("hmac-sha1-96", SHA1_MAC, "hmac-sha2-256", NULL),
    MAC("hmac-md5-etm@openssh.com", MD5, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("hmac-md5", MD5, "hmac-sha2-256", NULL),
    MAC("hmac-md5-96-etm@openssh.com", MD5, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("hmac-md5-96", MD5, "hmac-sha2-256", NULL),
    MAC("umac-64-etm@openssh.com", UMAC, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("umac-64@openssh.com", UMAC, "hmac-sha2-256", NULL),
    MAC("umac-128-etm@openssh.com", UMAC, "hmac-sha2-256-etm@openssh.com", NULL),
    MAC("umac-128@openssh.com", UMAC, "hmac-sha2-256", NULL),
    MAC("none", "nobody would notice what is changed on the way", "hmac-sha2-256-etm@openssh.com", NULL),

    KEY("ecdsa-sha2-nistp256", NULL, NULL, SIGNS),
    KEY("ecdsa-sha2-nistp384", NULL, NULL, SIGNS),
    KEY("ecdsa-sha2-nistp521", NULL, NULL, SIGNS),
    KEY("rsa-sha2-512", NULL, NULL, SIGNS),
    KEY("rsa-sha2-256", NULL, NULL, SIGNS),
    KEY("ssh-ed25519", NULL, NULL, NULL), /* in FIPS 186-5; libssh in FIPS mode refuses it all the same */
    KEY("ssh-rsa",
        "it signs with SHA-1 (SP 800-131A Rev. 2, 3: disallowed); the same key can sign with SHA-2",
        "rsa-sha2-256", NULL),
    KEY("ssh-dss", DSA, "ecdsa-sha2-nistp256", NULL),
    KEY("sk-ssh-ed25519@openssh.com", TOKEN, "ssh-ed25519", NULL),
    KEY("sk-ecdsa-sha2-nistp256@openssh.com", TOKEN, "ecdsa-sha2-nistp256", NULL),
    KEY("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", TOKEN, "ecdsa-sha2-nistp256", NULL),
    KEY("sk-ssh-ed25519-cert-v01@openssh.com", TOKEN, "ssh-ed25519", NULL),
    KEY("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", TOKEN, "ecdsa-sha2-nistp256", NULL),
    KEY("ssh-rsa-cert-v01@openssh.com", "it signs with SHA-1 (SP 800-131A Rev. 2, 3: disallowed)",
        "rsa-sha2-256", NULL),
    KEY("ssh-dss-cert-v01@openssh.com", DSA, "ecdsa-sha2-nistp256", NULL),
    KEY("ssh-ed25519-cert-v01@openssh.com", CERTIFICATE, "ssh-ed25519", NULL),
    KEY("ecdsa-sha2-nistp256-cert-v01@openssh.com", CERTIFICATE, "ecdsa-sha2-nistp256", NULL),
    KEY("ecdsa-sha2-nistp384-cert-v01@openssh.com", CERTIFICATE, "ecdsa-sha2-nistp384", NULL),
    KEY("ecdsa-sha2-nistp521-cert-v01@openssh.com", CERTIFICATE, "ecdsa-sha2-nistp521", NULL),
    KEY("rsa-sha2-256-cert-v01@openssh.com", CERTIFICATE, "rsa-sha2-256", NULL),
    KEY("rsa-sha2-512-cert-v01@openssh.com", CERTIFICATE, "rsa-sha2-512", NULL),
    {0},
};
