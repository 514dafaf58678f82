#include "tls_allowed.h"

void allow_tls(struct testhost *host)
{
    static const struct accord_pair tls[] = {
        {"tls.versions", "1.3,1.2"},
        {"tls.ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384"},
        {"tls.suites", "TLS_AES_256_GCM_SHA384"},
        {"tls.groups", "P-384,P-256,X25519"},
        {"tls.signatures", "ECDSA+SHA384,ECDSA+SHA256,RSA-PSS+SHA256,RSA+SHA256"},
        {"tls.rsa-bits", "2048"},
        {"tls.ec-bits", "256"},
        {"tls.client-certificate", "allowed"},
    };
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        testhost_profile(host, tls[i].name, tls[i].value);
}
