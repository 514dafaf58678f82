/* Whom we trust and who we are, from the operator's PEM: nothing of it is passed over in silence, for what is left out
 * would be missed only when the partner hangs up. */
#include "state.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- certificates of a PEM file ---- */

static int add_block(STACK_OF(X509) * to, const char *name, const unsigned char *der, long size, bool keys,
                     const char *option, struct tls_problem *problem)
{
    int number = sk_X509_num(to) + 1;
    if (strstr(name, "PRIVATE KEY") || !strcmp(name, "EC PARAMETERS"))
        return keys ? 0
                    : tls_fail(problem, ACCORD_EINVAL, true, "tls.trust",
                               "%s holds a private key; only certificates belong there", option);
    const unsigned char *at = der;
    X509 *certificate =
        strcmp(name, "CERTIFICATE") && strcmp(name, "X509 CERTIFICATE") ? NULL : d2i_X509(NULL, &at, size);
    if (certificate && at == der + size && sk_X509_push(to, certificate) > 0)
        return 0;
    X509_free(certificate);
    return tls_fail(problem, ACCORD_EFORMAT, true, keys ? "tls.certificate" : "tls.trust",
                    "%s: block %d (%.40s) is not a certificate that can be read; write each as -----BEGIN "
                    "CERTIFICATE-----",
                    option, number, name);
}

/* Every block of the file; a key is let pass only where `keys`. */
static int read_certificates(const struct tls_bytes *from, bool keys, const char *option, STACK_OF(X509) * to,
                             struct tls_problem *problem)
{
    BIO *bio = BIO_new_mem_buf(from->bytes, (int)from->size);
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size = 0;
    int result = bio ? 0 : tls_fail(problem, ACCORD_ENOMEM, false, "tls.memory", "out of memory");
    while (!result && PEM_read_bio(bio, &name, &header, &der, &size)) {
        result = add_block(to, name, der, size, keys, option, problem);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)size);
    }
    if (!result && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        result =
            tls_fail(problem, ACCORD_EFORMAT, true, keys ? "tls.certificate" : "tls.trust",
                     "%s: block %d is damaged; the file has to be whole PEM", option, sk_X509_num(to) + 1);
    if (!result && !sk_X509_num(to))
        result = tls_fail(problem, ACCORD_EFORMAT, true, keys ? "tls.certificate" : "tls.trust",
                          "%s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", option);
    BIO_free(bio);
    ERR_clear_error();
    return result;
}

int tls_read_trust(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    int result = 0;
    tls->trust = X509_STORE_new();
    if (!list || !tls->trust)
        result = tls_fail(problem, ACCORD_ENOMEM, false, "tls.memory", "out of memory");
    else if (!setup->trust.bytes)
        result = tls_fail(problem, ACCORD_EINVAL, true, "tls.trust",
                          "there is no trust bundle: nothing vouches for %s; name one in `trust` of the link",
                          tls->host);
    else
        result = read_certificates(&setup->trust, false, "trust", list, problem);
    for (int i = 0; !result && i < sk_X509_num(list); i++)
        if (!X509_STORE_add_cert(tls->trust, sk_X509_value(list, i)))
            result = tls_fail(problem, ACCORD_EFORMAT, true, "tls.trust",
                              "trust: certificate %d cannot be used", i + 1);
    sk_X509_pop_free(list, X509_free);
    return result;
}

/* ---- our key ---- */

struct passphrase {
    const struct tls_bytes *is;
    bool asked;
};

/* A file's last newline is no part of it. */
static int give(char *to, int room, int writing, void *arg)
{
    struct passphrase *passphrase = arg;
    size_t size = passphrase->is->bytes ? passphrase->is->size : 0;
    (void)writing;
    passphrase->asked = true;
    while (size && (passphrase->is->bytes[size - 1] == '\n' || passphrase->is->bytes[size - 1] == '\r'))
        size--;
    if (!size || size > (size_t)room)
        return -1;
    memcpy(to, passphrase->is->bytes, size);
    return (int)size;
}

static int read_key(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    const struct tls_bytes *from = setup->key.bytes ? &setup->key : &setup->certificate;
    struct passphrase passphrase = {&setup->passphrase, false};
    BIO *bio = BIO_new_mem_buf(from->bytes, (int)from->size);
    tls->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give, &passphrase) : NULL;
    BIO_free(bio);
    ERR_clear_error(); /* the passphrase must not be in anybody's list of errors */
    if (tls->key)
        return 0;
    if (passphrase.asked && !setup->passphrase.bytes)
        return tls_fail(problem, ACCORD_EINVAL, true, "tls.key",
                        "the private key is encrypted and there is no passphrase; name it in "
                        "`key-passphrase` of the link");
    if (passphrase.asked)
        return tls_fail(
            problem, ACCORD_EINVAL, true, "tls.key",
            "the passphrase does not open the private key; check key and key-passphrase of the link, or "
            "encrypt the key anew (openssl pkcs8 -topk8 -v2 aes-256-cbc): OpenSSL 3 reads no DES or RC2");
    return tls_fail(
        problem, ACCORD_EFORMAT, true, "tls.key",
        "%s holds no private key in PEM form that can be read; write one as PKCS#8 (openssl pkcs8 -topk8)",
        setup->key.bytes ? "key" : "key is not set, and certificate");
}

/* ---- our certificate and its chain ---- */

static bool is_root(X509 *certificate)
{
    return X509_check_issued(certificate, certificate) == X509_V_OK;
}

/* Takes out of `list` what issued `certificate`; NULL: it is not there. */
static X509 *take_issuer(STACK_OF(X509) * list, X509 *certificate)
{
    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *at = sk_X509_value(list, i);
        if (X509_check_issued(at, certificate) == X509_V_OK &&
            X509_verify(certificate, X509_get0_pubkey(at)) == 1)
            return sk_X509_delete(list, i);
    }
    return NULL;
}

static X509 *take_own(STACK_OF(X509) * list, EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (X509_check_private_key(sk_X509_value(list, i), key) == 1)
            return sk_X509_delete(list, i);
    return NULL;
}

static bool same_subject(const X509 *one, const X509 *other)
{
    return X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0;
}

/* What is left over: a root, or another certificate of a CA that is there already (cross-certified), may stay behind. */
static bool harmless(const struct tls *tls, X509 *left)
{
    bool known = same_subject(left, tls->certificate) && X509_cmp(left, tls->certificate) == 0;
    for (int i = 0; i < sk_X509_num(tls->chain); i++)
        known = known || same_subject(left, sk_X509_value(tls->chain, i));
    return known || is_root(left);
}

/* Ours first, then each one's issuer, whatever the order in the file; a root is not sent (RFC 8446, 4.4.2). */
static int order_chain(struct tls *tls, STACK_OF(X509) * list, struct tls_problem *problem)
{
    char own[TLS_NAME_MAX], other[TLS_NAME_MAX];
    tls->certificate = take_own(list, tls->key);
    if (!tls->certificate)
        return tls_fail(
            problem, ACCORD_EINVAL, true, "tls.certificate",
            "the private key belongs to none of the certificates (%d) in certificate; use the key that "
            "the certificate was asked for with",
            sk_X509_num(list));
    X509 *at = tls->certificate, *issuer;
    while (!is_root(at) && (issuer = take_issuer(list, at))) {
        if (is_root(issuer)) {
            X509_free(issuer);
            break;
        }
        if (sk_X509_push(tls->chain, issuer) <= 0) {
            X509_free(issuer);
            return tls_fail(problem, ACCORD_ENOMEM, false, "tls.memory", "out of memory");
        }
        at = issuer;
    }
    for (int i = 0; i < sk_X509_num(list); i++) {
        if (harmless(tls, sk_X509_value(list, i)))
            continue;
        tls_subject(tls->certificate, own);
        tls_subject(sk_X509_value(list, i), other);
        return tls_fail(
            problem, ACCORD_EINVAL, true, "tls.certificate",
            "certificate holds %.160s, which is not in the chain of %.160s; put only the certificates "
            "there that lead to its root",
            other, own);
    }
    return 0;
}

static int check_one(const struct tls *tls, X509 *at, struct tls_problem *problem)
{
    char subject[TLS_NAME_MAX], what[80];
    tls_subject(at, subject);
    if (tls_seconds(X509_get0_notAfter(at)) < tls->now) {
        tls_day(X509_get0_notAfter(at), what, sizeof what);
        return tls_fail(
            problem, ACCORD_EINVAL, true, "tls.certificate-expired",
            "our certificate %.200s expired on %s and is not shown to %.100s any more; put a renewed one in "
            "its place",
            subject, what, tls->host);
    }
    if (tls_seconds(X509_get0_notBefore(at)) > tls->now) {
        tls_day(X509_get0_notBefore(at), what, sizeof what);
        return tls_fail(problem, ACCORD_EINVAL, false, "tls.certificate-not-yet-valid",
                        "our certificate %.200s is valid only from %s; check this host's clock", subject,
                        what);
    }
    if (!tls_key_is_long_enough(&tls->allowed, X509_get0_pubkey(at))) {
        tls_key_name(X509_get0_pubkey(at), what, sizeof what);
        return tls_fail(
            problem, ACCORD_EINVAL, true, "tls.certificate",
            "the key of our certificate %.200s is %s, which the agreement does not allow (tls-rsa-bits, "
            "tls-ec-bits); ask for one with a longer key",
            subject, what);
    }
    tls_signed_with(at, what, sizeof what);
    if (!tls_lists(tls->allowed.signatures, what))
        return tls_fail(problem, ACCORD_EINVAL, true, "tls.certificate",
                        "our certificate %.200s is signed with %s, which the agreement does not allow "
                        "(tls-signatures); ask for a new one",
                        subject, what);
    return 0;
}

int tls_read_identity(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    if (!setup->certificate.bytes && !setup->key.bytes && !tls->allowed.certificate_required)
        return 0;
    if (!setup->certificate.bytes)
        return tls_fail(problem, ACCORD_EINVAL, true, "tls.certificate-missing",
                        "%s; name it in `certificate` of the link",
                        setup->key.bytes
                            ? "there is a private key and no certificate"
                            : "the agreement demands a certificate of ours (tls-client-certificate)");
    STACK_OF(X509) *list = sk_X509_new_null();
    tls->chain = sk_X509_new_null();
    int result =
        list && tls->chain ? 0 : tls_fail(problem, ACCORD_ENOMEM, false, "tls.memory", "out of memory");
    if (!result)
        result = read_certificates(&setup->certificate, true, "certificate", list, problem);
    if (!result)
        result = read_key(tls, setup, problem);
    if (!result)
        result = order_chain(tls, list, problem);
    if (!result)
        result = check_one(tls, tls->certificate, problem);
    for (int i = 0; !result && i < sk_X509_num(tls->chain); i++)
        result = check_one(tls, sk_X509_value(tls->chain, i), problem);
    sk_X509_pop_free(list, X509_free);
    ERR_clear_error();
    return result;
}
