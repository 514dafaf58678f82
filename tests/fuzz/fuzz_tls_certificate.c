/* What a partner may show as its certificate: every text made of it is one line of plain ASCII within its room. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "common/tls/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plain(const char *text, size_t room)
{
    if (!memchr(text, 0, room))
        abort();
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char subject[TLS_NAME_MAX], text[128], pin[TLS_PIN_TEXT];
    const struct tls_allowed allowed = {.rsa_bits = 2048, .ec_bits = 256};
    const uint8_t *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    if (certificate) {
        EVP_PKEY *key = X509_get0_pubkey(certificate);
        tls_subject(certificate, subject);
        plain(subject, sizeof subject);
        tls_issuer(certificate, subject);
        plain(subject, sizeof subject);
        tls_serial(certificate, text, sizeof text);
        plain(text, sizeof text);
        tls_names(certificate, text, sizeof text);
        plain(text, sizeof text);
        tls_signed_with(certificate, text, sizeof text);
        plain(text, sizeof text);
        tls_key_name(key, text, sizeof text);
        plain(text, sizeof text);
        if (tls_key_is_long_enough(&allowed, key) && EVP_PKEY_get_bits(key) < 253)
            abort();
        tls_seconds(X509_get0_notAfter(certificate));
        tls_day(X509_get0_notBefore(certificate), text, sizeof text);
        plain(text, sizeof text);
        tls_public_key_hash(certificate, pin);
        plain(pin, sizeof pin);
    }
    X509_free(certificate);
    ERR_clear_error();
    return 0;
}
