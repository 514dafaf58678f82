#include "algorithms.h"

#include <stddef.h>

#define VERSION(name, refused, instead, approved)                                                            \
    {                                                                                                        \
        ALGORITHM_TLS_VERSION, name, refused, instead, approved                                              \
    }
#define SUITE(name, refused, instead, approved)                                                              \
    {                                                                                                        \
        ALGORITHM_TLS_SUITE, name, refused, instead, approved                                                \
    }
#define GROUP(name, refused, instead, approved)                                                              \
    {                                                                                                        \
        ALGORITHM_TLS_GROUP, name, refused, instead, approved                                                \
    }
#define SIGNATURE(name, refused, instead, approved)                                                          \
    {                                                                                                        \
        ALGORITHM_TLS_SIGNATURE, name, refused, instead, approved                                            \
    }

#define VERSIONS    "SP 800-52 Rev. 2, 4.1"
#define DEPRECATED  "it is deprecated (RFC 8996), and the agreement names TLS 1.2 and 1.3 (AIS-3.1)"
#define GCM         "FIPS 197, SP 800-38D; SP 800-52 Rev. 2, 3.3.1.2"
#define CCM         "FIPS 197, SP 800-38C; SP 800-52 Rev. 2, 3.3.1.2"
#define ECDH        "SP 800-56A Rev. 3, 5.7.1.2; SP 800-52 Rev. 2, 3.4"
#define SIGNS       "FIPS 186-5; SP 800-131A Rev. 2, 3"
#define SHORT_TAG   "its tag has only 8 bytes, for devices that have no room for more (RFC 6655)"
#define WEAK_CURVE  "it has less than 128 bits of strength"
#define OTHER_CURVE "TLS 1.3 does not have it (RFC 8446, 4.2.7)"
#define FINITE      "the finite-field groups are slow, and no partner that has them lacks a curve"
#define SHA1        "SHA-1 is broken for signatures (SP 800-131A Rev. 2, 3: disallowed)"
#define SHA224      "it has 112 bits of strength at most, and TLS 1.3 does not have it (RFC 8446, 4.2.3)"
#define MD5         "MD5 is broken (RFC 6151)"
#define DSA         "FIPS 186-5 has withdrawn DSA"

const struct algorithm tls_algorithms[] = {
    VERSION("1.3", NULL, NULL, VERSIONS),
    VERSION("1.2", NULL, NULL, VERSIONS),
    VERSION("1.1", DEPRECATED, "1.2", NULL),
    VERSION("1.0", DEPRECATED, "1.2", NULL),
    VERSION("SSL 3.0", "it is broken (RFC 7568)", "1.2", NULL),
    VERSION("SSL 2.0", "it is broken (RFC 6176)", "1.2", NULL),

    SUITE("TLS_AES_256_GCM_SHA384", NULL, NULL, GCM),
    SUITE("TLS_AES_128_GCM_SHA256", NULL, NULL, GCM),
    SUITE("TLS_AES_128_CCM_SHA256", NULL, NULL, CCM),
    SUITE("TLS_CHACHA20_POLY1305_SHA256", NULL, NULL, NULL),
    SUITE("TLS_AES_128_CCM_8_SHA256", SHORT_TAG, "TLS_AES_128_CCM_SHA256", NULL),

    GROUP("P-384", NULL, NULL, ECDH),
    GROUP("P-256", NULL, NULL, ECDH),
    GROUP("P-521", NULL, NULL, ECDH),
    GROUP("X25519", NULL, NULL, NULL), /* SP 800-56A Rev. 3 does not have it */
    GROUP("X448", NULL, NULL, NULL),
    GROUP("P-224", WEAK_CURVE, "P-256", NULL),
    GROUP("P-192", WEAK_CURVE, "P-256", NULL),
    GROUP("secp256k1", OTHER_CURVE, "P-256", NULL),
    GROUP("brainpoolP256r1", OTHER_CURVE, "P-256", NULL),
    GROUP("brainpoolP384r1", OTHER_CURVE, "P-384", NULL),
    GROUP("brainpoolP512r1", OTHER_CURVE, "P-521", NULL),
    GROUP("ffdhe2048", "its group has 2048 bits, 112 of strength, and 128 are demanded", "P-256", NULL),
    GROUP("ffdhe3072", FINITE, "P-256", NULL),
    GROUP("ffdhe4096", FINITE, "P-384", NULL),
    GROUP("ffdhe6144", FINITE, "P-384", NULL),
    GROUP("ffdhe8192", FINITE, "P-384", NULL),

    SIGNATURE("ECDSA+SHA384", NULL, NULL, SIGNS),
    SIGNATURE("ECDSA+SHA256", NULL, NULL, SIGNS),
    SIGNATURE("ECDSA+SHA512", NULL, NULL, SIGNS),
    SIGNATURE("RSA-PSS+SHA384", NULL, NULL, SIGNS),
    SIGNATURE("RSA-PSS+SHA256", NULL, NULL, SIGNS),
    SIGNATURE("RSA-PSS+SHA512", NULL, NULL, SIGNS),
    SIGNATURE("RSA+SHA384", NULL, NULL, SIGNS),
    SIGNATURE("RSA+SHA256", NULL, NULL, SIGNS),
    SIGNATURE("RSA+SHA512", NULL, NULL, SIGNS),
    SIGNATURE("ed25519", NULL, NULL,
              NULL), /* in FIPS 186-5; not as the FIPS provider of OpenSSL 3.0 has it */
    SIGNATURE("ed448", NULL, NULL, NULL),
    SIGNATURE("ECDSA+SHA224", SHA224, "ECDSA+SHA256", NULL),
    SIGNATURE("ECDSA+SHA1", SHA1, "ECDSA+SHA256", NULL),
    SIGNATURE("RSA+SHA224", SHA224, "RSA+SHA256", NULL),
    SIGNATURE("RSA+SHA1", SHA1, "RSA+SHA256", NULL),
    SIGNATURE("RSA+MD5", MD5, "RSA+SHA256", NULL),
    SIGNATURE("DSA+SHA256", DSA, "ECDSA+SHA256", NULL),
    SIGNATURE("DSA+SHA224", DSA, "ECDSA+SHA256", NULL),
    SIGNATURE("DSA+SHA1", DSA, "ECDSA+SHA256", NULL),
    {0},
};
