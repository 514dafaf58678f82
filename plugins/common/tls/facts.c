#include "state.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 1024 /* of one fact; the peer's names may be many */

struct writer {
    struct tls_facts *facts;
    size_t used;
};

/* What does not fit is left out, and what is left out is denied. */
__attribute__((format(printf, 3, 4))) static void put(struct writer *to, const char *name, const char *format,
                                                      ...)
{
    struct tls_facts *facts = to->facts;
    size_t room = sizeof facts->text - to->used;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(facts->text + to->used, room, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= room || facts->count == TLS_FACTS_MAX)
        return;
    facts->pairs[facts->count++] = (struct accord_pair){name, facts->text + to->used};
    to->used += (size_t)size + 1;
}

static const char *version(SSL *ssl)
{
    const char *name = SSL_get_version(ssl);
    return strncmp(name, "TLSv", 4) ? name : name + 4;
}

/* NIST's names for its curves, as the profile has them. */
static const char *group(SSL *ssl)
{
    int nid = (int)SSL_get_negotiated_group(ssl);
    if (nid == NID_undef)
        return "";
    if (nid & TLSEXT_nid_unknown)
        return "unknown";
    const char *nist = EC_curve_nid2nist(nid);
    return nist ? nist : OBJ_nid2sn(nid);
}

static void put_signature(struct writer *to, SSL *ssl)
{
    int key = NID_undef, digest = NID_undef;
    char name[80] = "";
    if (SSL_get_peer_signature_type_nid(ssl, &key))
        SSL_get_peer_signature_nid(ssl, &digest);
    if (key != NID_undef)
        tls_signature_name(key, digest, name, sizeof name);
    put(to, "tls.signature", "%s", name);
}

static void put_peer(struct writer *to, X509 *peer)
{
    char text[VALUE_MAX], pin[TLS_PIN_TEXT];
    tls_subject(peer, text);
    put(to, "tls.peer.subject", "%s", text);
    tls_issuer(peer, text);
    put(to, "tls.peer.issuer", "%s", text);
    tls_serial(peer, text, sizeof text);
    put(to, "tls.peer.serial", "%s", text);
    tls_names(peer, text, sizeof text);
    put(to, "tls.peer.names", "%s", text);
    tls_public_key_hash(peer, pin);
    put(to, "tls.peer.sha256", "%s", pin);
    tls_key_name(X509_get0_pubkey(peer), text, sizeof text);
    put(to, "tls.peer.key", "%s", text);
    put(to, "tls.peer.until", "%" PRId64, tls_seconds(X509_get0_notAfter(peer)));
}

static void append(char *list, size_t room, const char *one)
{
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s%s", used ? "," : "", one);
}

static void put_chain(struct writer *to, STACK_OF(X509) * chain)
{
    char keys[VALUE_MAX] = "", signatures[VALUE_MAX] = "", one[80];
    int count = sk_X509_num(chain);
    int64_t until = 0;
    for (int i = 0; i < count; i++) {
        X509 *at = sk_X509_value(chain, i);
        int64_t ends = tls_seconds(X509_get0_notAfter(at));
        until = i == 0 || ends < until ? ends : until;
        tls_key_name(X509_get0_pubkey(at), one, sizeof one);
        append(keys, sizeof keys, one);
        tls_signed_with(at, one, sizeof one);
        if (tls_signature_counts(i, count))
            append(signatures, sizeof signatures, one);
    }
    put(to, "tls.chain", "%d", count > 0 ? count : 0);
    put(to, "tls.chain.keys", "%s", keys);
    put(to, "tls.chain.signatures", "%s", signatures);
    put(to, "tls.chain.until", "%" PRId64, until);
}

static void put_identity(struct writer *to, const struct tls *tls, SSL *ssl)
{
    long error = SSL_get_verify_result(ssl);
    bool good = tls->seen.verified && error == X509_V_OK;
    const char *name = SSL_get0_peername(ssl);
    put(to, "tls.verified", "%s",
        good                 ? "yes"
        : error != X509_V_OK ? X509_verify_cert_error_string(error)
                             : "it was not verified");
    put(to, "tls.identity", "%s", !good ? "" : tls->address ? tls->host : name ? name : "");
}

void tls_handshake_facts(const struct tls *tls, SSL *ssl, struct tls_facts *facts)
{
    struct writer to = {facts, 0};
    X509 *peer = SSL_get0_peer_certificate(ssl);
    facts->count = 0;
    put(&to, "tls.version", "%s", version(ssl));
    put(&to, "tls.cipher", "%s", SSL_get_cipher_name(ssl));
    put(&to, "tls.group", "%s", group(ssl));
    put_signature(&to, ssl);
    if (peer)
        put_peer(&to, peer);
    put_chain(&to, SSL_get0_verified_chain(ssl));
    put_identity(&to, tls, ssl);
}

void tls_authenticated_facts(const struct tls *tls, SSL *ssl, struct tls_facts *facts)
{
    struct writer to = {facts, 0};
    char text[TLS_NAME_MAX];
    X509 *own = tls->seen.shown ? SSL_get_certificate(ssl) : NULL;
    facts->count = 0;
    if (own)
        tls_subject(own, text);
    put(&to, "tls.client.subject", "%s", own ? text : "");
    if (own)
        tls_issuer(own, text);
    put(&to, "tls.client.issuer", "%s", own ? text : "");
    if (own)
        tls_key_name(X509_get0_pubkey(own), text, sizeof text);
    put(&to, "tls.client.key", "%s", own ? text : "");
    if (own)
        put(&to, "tls.client.until", "%" PRId64, tls_seconds(X509_get0_notAfter(own)));
    else
        put(&to, "tls.client.until", "%s", "");
}
