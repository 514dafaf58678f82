#include "algorithms.h"

#include <stddef.h>

/* None of them has cryptography of its own, so that none is approved less than another. */
#define MECHANISM(name, refused, instead)                                                                    \
    {                                                                                                        \
        ALGORITHM_SASL, name, refused, instead, (refused) ? NULL : "has no cryptography of its own"          \
    }

#define MD5 "it rests on MD5, and the partner has to keep the password itself (RFC 6151, RFC 6331)"
#define SCRAM                                                                                                \
    "neither qpid-proton nor libcurl has it in Debian 12; TLS protects the password of PLAIN on its way"
#define KERBEROS "it needs a Kerberos server, which a link in its sandbox cannot reach"
#define TOKEN    "it needs a token from elsewhere, which no connector fetches"

const struct algorithm sasl_mechanisms[] = {
    MECHANISM("EXTERNAL", NULL, NULL),
    MECHANISM("PLAIN", NULL, NULL),
    MECHANISM("LOGIN", NULL, NULL),
    MECHANISM("ANONYMOUS", NULL, NULL),
    MECHANISM("none", NULL, NULL),
    MECHANISM("SCRAM-SHA-1", SCRAM, "PLAIN"),
    MECHANISM("SCRAM-SHA-1-PLUS", SCRAM, "PLAIN"),
    MECHANISM("SCRAM-SHA-256", SCRAM, "PLAIN"),
    MECHANISM("SCRAM-SHA-256-PLUS", SCRAM, "PLAIN"),
    MECHANISM("SCRAM-SHA-512", SCRAM, "PLAIN"),
    MECHANISM("CRAM-MD5", MD5, "PLAIN"),
    MECHANISM("DIGEST-MD5", MD5, "PLAIN"),
    MECHANISM("NTLM", "it rests on MD4 and DES, and is no standard", "PLAIN"),
    MECHANISM("GSSAPI", KERBEROS, "EXTERNAL"),
    MECHANISM("GSS-SPNEGO", KERBEROS, "EXTERNAL"),
    MECHANISM("OAUTHBEARER", TOKEN, "EXTERNAL"),
    MECHANISM("XOAUTH2", TOKEN, "EXTERNAL"),
    MECHANISM("MSSBCBS", TOKEN, "EXTERNAL"), /* Azure Service Bus: its tokens go over $cbs */
    {0},
};
