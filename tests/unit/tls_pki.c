#include "tls_pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MADE_MAX 256
#define DAY      86400

static struct pki made[MADE_MAX];
static size_t made_count;
static long serial = 4096;

static EVP_PKEY *make_key(const char *kind)
{
    if (!strncmp(kind, "RSA-PSS ", 8)) {
        EVP_PKEY *key = NULL;
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        assert_true(EVP_PKEY_keygen_init(context) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(context, atoi(kind + 8)) > 0);
        assert_true(EVP_PKEY_generate(context, &key) > 0);
        EVP_PKEY_CTX_free(context);
        return key;
    }
    if (!strncmp(kind, "RSA ", 4))
        return EVP_RSA_gen((unsigned)atoi(kind + 4));
    if (!strncmp(kind, "EC ", 3))
        return EVP_EC_gen(kind + 3);
    return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_true(X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static void date(ASN1_TIME *to, int days)
{
    assert_non_null(ASN1_TIME_set(to, (time_t)(PKI_NOW + (int64_t)days * DAY)));
}

struct pki pki_make(const struct pki_wish *wish)
{
    struct pki it = {X509_new(), make_key(wish->key ? wish->key : "EC P-256")};
    const struct pki *issuer = wish->issuer ? wish->issuer : &it;
    X509_NAME *name = X509_get_subject_name(it.certificate);
    bool pure = EVP_PKEY_is_a(issuer->key, "ED25519");
    assert_non_null(it.key);
    assert_true(made_count < MADE_MAX);
    made[made_count++] = it;
    X509_set_version(it.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(it.certificate), serial++);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->name, -1, -1, 0);
    X509_set_issuer_name(it.certificate, X509_get_subject_name(issuer->certificate));
    date(X509_getm_notBefore(it.certificate), wish->from || wish->until ? wish->from : -10);
    date(X509_getm_notAfter(it.certificate), wish->from || wish->until ? wish->until : 90);
    X509_set_pubkey(it.certificate, it.key);
    extend(it.certificate, issuer->certificate, NID_basic_constraints,
           wish->role == PKI_CA ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->role == PKI_CLIENT)
        extend(it.certificate, issuer->certificate, NID_ext_key_usage, "clientAuth");
    if (wish->hosts)
        extend(it.certificate, issuer->certificate, NID_subject_alt_name, wish->hosts);
    assert_true(X509_sign(it.certificate, issuer->key,
                          pure ? NULL : EVP_get_digestbyname(wish->digest ? wish->digest : "SHA256")) > 0);
    return it;
}

static char *text_of(BIO *bio)
{
    char *bytes;
    long size = BIO_get_mem_data(bio, &bytes);
    char *text = calloc(1, (size_t)size + 1);
    memcpy(text, bytes, (size_t)size);
    BIO_free(bio);
    return text;
}

char *pki_pem(const struct pki *it)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_X509(bio, it->certificate));
    return text_of(bio);
}

static char *key_pem(const struct pki *it, const char *passphrase, bool old)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
    const unsigned char *bytes = (const unsigned char *)passphrase;
    int size = passphrase ? (int)strlen(passphrase) : 0;
    if (old)
        assert_true(PEM_write_bio_PrivateKey_traditional(bio, it->key, cipher, bytes, size, NULL, NULL));
    else
        assert_true(PEM_write_bio_PrivateKey(bio, it->key, cipher, bytes, size, NULL, NULL));
    return text_of(bio);
}

char *pki_key_pem(const struct pki *it, const char *passphrase)
{
    return key_pem(it, passphrase, false);
}

char *pki_old_key_pem(const struct pki *it, const char *passphrase)
{
    return key_pem(it, passphrase, true);
}

void pki_sweep(void)
{
    for (size_t i = 0; i < made_count; i++) {
        X509_free(made[i].certificate);
        EVP_PKEY_free(made[i].key);
    }
    made_count = 0;
}
