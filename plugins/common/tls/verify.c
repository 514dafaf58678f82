/* Is the peer who it should be? OpenSSL's own verification first, against the operator's bundle alone, with name and
 * date; then what the agreement asks of keys and signatures, over the whole chain; then the pin. */
#include "state.h"

#include <openssl/x509v3.h>
#include <string.h>

static int broken(struct tls *tls, X509_STORE_CTX *context, int error)
{
    if (X509_STORE_CTX_get_error(context) == X509_V_OK)
        X509_STORE_CTX_set_error(context, error);
    tls->seen.verified = false;
    return 0;
}

/* In the words of someone who can do something about it. */
static void explain(struct tls *tls, X509_STORE_CTX *context)
{
    struct tls_problem *problem = &tls->seen.chain;
    int error = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);
    X509 *leaf = X509_STORE_CTX_get0_cert(context), *at = X509_STORE_CTX_get_current_cert(context);
    char subject[TLS_NAME_MAX], issuer[TLS_NAME_MAX], names[TLS_NAME_MAX], day[32];
    const char *which = depth ? "a certificate in the chain of" : "the certificate of";
    at = at ? at : leaf;
    if (!at) {
        tls_fail(problem, 0, true, "tls.untrusted", "%s shows no certificate", tls->host);
        return;
    }
    tls_subject(at, subject);
    tls_issuer(at, issuer);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        tls_day(X509_get0_notAfter(at), day, sizeof day);
        tls_fail(problem, 0, true, "tls.expired", "%s %s expired on %s (%.160s); the partner has to renew it",
                 which, tls->host, day, subject);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        tls_day(X509_get0_notBefore(at), day, sizeof day);
        tls_fail(problem, 0, false, "tls.not-yet-valid",
                 "%s %s is valid only from %s (%.160s); check this host's clock, or ask the partner", which,
                 tls->host, day, subject);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        tls_names(leaf, names, sizeof names);
        tls_fail(problem, 0, true, "tls.name",
                 "the certificate is not for %s but for %s (%.160s); check the endpoint's host", tls->host,
                 names[0] ? names : "no host at all", subject);
        break;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        tls_fail(problem, 0, true, "tls.key-bits",
                 "%s %s has a key that is too weak (%.160s); the partner has to replace it", which, tls->host,
                 subject);
        break;
    case X509_V_ERR_CA_MD_TOO_WEAK:
        tls_fail(problem, 0, true, "tls.signature",
                 "%s %s is signed too weakly (%.160s); the partner has to replace it", which, tls->host,
                 subject);
        break;
    default:
        tls_fail(problem, 0, true, "tls.untrusted",
                 "%s %s is not trusted: %s (%.120s, issued by %.120s); put its issuer into the trust bundle "
                 "only if "
                 "the partner confirms it",
                 which, tls->host, X509_verify_cert_error_string(error), subject, issuer);
    }
}

static bool strong(struct tls *tls, X509 *certificate, bool signature)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char subject[TLS_NAME_MAX], name[80];
    tls_subject(certificate, subject);
    if (!tls_key_is_long_enough(&tls->allowed, key)) {
        tls_key_name(key, name, sizeof name);
        tls_fail(
            &tls->seen.chain, 0, true, "tls.key-bits",
            "the key of %.200s in the chain of %s is %s, which the agreement does not allow (tls-rsa-bits, "
            "tls-ec-bits); the partner has to replace it",
            subject, tls->host, name);
        return false;
    }
    tls_signed_with(certificate, name, sizeof name);
    if (!signature || tls_lists(tls->allowed.signatures, name))
        return true;
    tls_fail(&tls->seen.chain, 0, true, "tls.signature",
             "%.200s in the chain of %s is signed with %s, which the agreement does not allow "
             "(tls-signatures); the "
             "partner has to replace it",
             subject, tls->host, name);
    return false;
}

static bool pinned(struct tls *tls, X509 *leaf)
{
    char shown[TLS_PIN_TEXT];
    bool is = !tls->pin_count;
    if (!tls_public_key_hash(leaf, shown))
        return false;
    for (size_t i = 0; i < tls->pin_count; i++)
        is = is || !strcmp(tls->pins[i], shown);
    if (!is)
        tls_fail(&tls->seen.chain, 0, true, "tls.pin",
                 "%s shows a key that is not pinned: %s; if the partner announced a new key, confirm it with "
                 "them and "
                 "change `pin` of the link",
                 tls->host, shown);
    return is;
}

int tls_verify(X509_STORE_CTX *context, void *arg)
{
    struct tls *tls = arg;
    STACK_OF(X509) * chain;
    tls->seen.chain = (struct tls_problem){0};
    if (X509_verify_cert(context) != 1) {
        explain(tls, context);
        return broken(tls, context, X509_V_ERR_UNSPECIFIED);
    }
    chain = X509_STORE_CTX_get0_chain(context);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (!strong(tls, sk_X509_value(chain, i), tls_signature_counts(i, sk_X509_num(chain))))
            return broken(tls, context, X509_V_ERR_APPLICATION_VERIFICATION);
    if (!pinned(tls, sk_X509_value(chain, 0)))
        return broken(tls, context, X509_V_ERR_APPLICATION_VERIFICATION);
    tls->seen.verified = true;
    return 1;
}
