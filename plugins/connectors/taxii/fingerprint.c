#include "fingerprint.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>

#define MAC_SIZE 16

EVP_MAC *fingerprint_method(void)
{
    return EVP_MAC_fetch(NULL, "GMAC", NULL);
}

bool fingerprint_begin(struct fingerprint *print, EVP_MAC *method)
{
    static const unsigned char key[16] = "accord names it", no_nonce[12] = {0};
    const OSSL_PARAM how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, (char *)"AES-128-GCM", 0),
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, (void *)no_nonce, sizeof no_nonce),
        OSSL_PARAM_construct_end(),
    };
    print->mac = EVP_MAC_CTX_new(method);
    return print->mac && EVP_MAC_init(print->mac, key, sizeof key, how) == 1;
}

bool fingerprint_add(struct fingerprint *print, const void *bytes, size_t size)
{
    return EVP_MAC_update(print->mac, bytes, size) == 1;
}

bool fingerprint_end(struct fingerprint *print, char text[FINGERPRINT_TEXT])
{
    unsigned char mac[MAC_SIZE];
    size_t size = 0;
    if (EVP_MAC_final(print->mac, mac, &size, sizeof mac) != 1 || size != sizeof mac)
        return false;
    for (size_t i = 0; i < MAC_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", mac[i]);
    return true;
}

void fingerprint_drop(struct fingerprint *print)
{
    EVP_MAC_CTX_free(print->mac);
    print->mac = NULL;
}
