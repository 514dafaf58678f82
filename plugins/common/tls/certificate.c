#include "state.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Text of a certificate is the peer's: printable ASCII and no quotation marks, or it steers a terminal or a sentence. */
static void make_safe(char *text)
{
    for (char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e || *c == '"')
            *c = '?';
}

static void name_text(const X509_NAME *name, char to[TLS_NAME_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int size = 0;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        size = BIO_read(bio, to, TLS_NAME_MAX - 1);
    to[size > 0 ? size : 0] = 0;
    make_safe(to);
    BIO_free(bio);
}

void tls_subject(const X509 *certificate, char to[TLS_NAME_MAX])
{
    name_text(X509_get_subject_name(certificate), to);
}

void tls_issuer(const X509 *certificate, char to[TLS_NAME_MAX])
{
    name_text(X509_get_issuer_name(certificate), to);
}

void tls_serial(const X509 *certificate, char *to, size_t room)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    size_t used = 0;
    to[0] = 0;
    for (int i = 0; i < ASN1_STRING_length(serial) && used + 3 <= room; i++)
        used += (size_t)snprintf(to + used, room - used, "%02x", ASN1_STRING_get0_data(serial)[i]);
}

/* One subject alternative name; "" for a kind that names no host. */
static void host_name(const GENERAL_NAME *name, char *to, size_t room)
{
    int kind = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
    to[0] = 0;
    if (kind == GEN_DNS)
        snprintf(to, room, "%.*s", ASN1_STRING_length(value), ASN1_STRING_get0_data(value));
    if (kind == GEN_IPADD && (ASN1_STRING_length(value) == 4 || ASN1_STRING_length(value) == 16))
        inet_ntop(ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), to,
                  (socklen_t)room);
    make_safe(to);
    for (char *c = to; *c; c++)
        if (*c == ',')
            *c = '?';
}

void tls_names(const X509 *certificate, char *to, size_t room)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    to[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char one[TLS_NAME_MAX];
        host_name(sk_GENERAL_NAME_value(names, i), one, sizeof one);
        if (one[0] && used + strlen(one) + 2 <= room)
            used += (size_t)snprintf(to + used, room - used, "%s%s", used ? "," : "", one);
    }
    GENERAL_NAMES_free(names);
}

/* NIST's own curves are meant by "EC"; any other goes by its name, which no policy allows. */
static const char *curve_or_type(EVP_PKEY *key)
{
    static _Thread_local char curve[64];
    size_t size = 0;
    if (!EVP_PKEY_is_a(key, "EC"))
        return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS") ? "RSA"
                                                                          : EVP_PKEY_get0_type_name(key);
    if (EVP_PKEY_get_group_name(key, curve, sizeof curve, &size) != 1)
        return "unknown";
    const char *nist = EC_curve_nid2nist(OBJ_txt2nid(curve));
    return nist && !strncmp(nist, "P-", 2) ? "EC" : curve;
}

void tls_key_name(EVP_PKEY *key, char *to, size_t room)
{
    const char *type = key ? curve_or_type(key) : "unknown";
    snprintf(to, room, "%s %d", type ? type : "unknown", key ? EVP_PKEY_get_bits(key) : 0);
    make_safe(to);
}

bool tls_key_is_long_enough(const struct tls_allowed *allowed, EVP_PKEY *key)
{
    const char *type = key ? curve_or_type(key) : NULL;
    if (!type)
        return false;
    if (!strcmp(type, "RSA"))
        return EVP_PKEY_get_bits(key) >= allowed->rsa_bits;
    if (!strcmp(type, "EC"))
        return EVP_PKEY_get_bits(key) >= allowed->ec_bits;
    /* As strong as P-256 (RFC 7748, RFC 8032), where its signatures are allowed at all. */
    return (!strcmp(type, "ED25519") || !strcmp(type, "ED448")) && EVP_PKEY_get_bits(key) >= 253 &&
           allowed->ec_bits <= 256;
}

void tls_signature_name(int key, int digest, char *to, size_t room)
{
    const char *type = key == EVP_PKEY_RSA       ? "RSA"
                       : key == EVP_PKEY_RSA_PSS ? "RSA-PSS"
                       : key == EVP_PKEY_EC      ? "ECDSA"
                       : key == EVP_PKEY_ED25519 ? "ed25519"
                       : key == EVP_PKEY_ED448   ? "ed448"
                                                 : OBJ_nid2sn(key);
    bool pure = key == EVP_PKEY_ED25519 || key == EVP_PKEY_ED448;
    snprintf(to, room, "%s%s%s", type ? type : "unknown", pure ? "" : "+", pure ? "" : OBJ_nid2sn(digest));
}

void tls_signed_with(X509 *certificate, char *to, size_t room)
{
    int digest = NID_undef, key = NID_undef;
    if (!X509_get_signature_info(certificate, &digest, &key, NULL, NULL))
        snprintf(to, room, "unknown");
    else
        tls_signature_name(key, digest, to, room);
}

bool tls_public_key_hash(X509 *certificate, char to[TLS_PIN_TEXT])
{
    uint8_t *der = NULL, hash[32];
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool ok = size > 0 && EVP_Digest(der, (size_t)size, hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (ok)
        EVP_EncodeBlock((unsigned char *)to, hash, sizeof hash);
    else
        to[0] = 0;
    return ok;
}

int64_t tls_seconds(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void tls_day(const ASN1_TIME *time, char *to, size_t room)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1 || !strftime(to, room, "%Y-%m-%d", &tm))
        snprintf(to, room, "an unreadable date");
}

bool tls_signature_counts(int index, int count)
{
    return index == 0 || index < count - 1;
}
