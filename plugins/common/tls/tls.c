#include "state.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_DEPTH 10 /* certificates between the peer's and the root */

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int copy_pins(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (setup->pin_count > TLS_PINS_MAX)
        return tls_fail(problem, ACCORD_ELIMIT, true, "tls.pin", "more than %d pins", TLS_PINS_MAX);
    for (size_t i = 0; i < setup->pin_count; i++) {
        const char *pin = setup->pins[i];
        if (strspn(pin, base64) != TLS_PIN_TEXT - 2 || strcmp(pin + TLS_PIN_TEXT - 2, "="))
            return tls_fail(problem, ACCORD_EINVAL, true, "tls.pin",
                            "pin %.60s is not the base64 of a SHA-256 (43 characters and \"=\")", pin);
        strcpy(tls->pins[tls->pin_count++], pin);
    }
    return 0;
}

static int read_setup(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    if (!setup->host || !*setup->host || strlen(setup->host) >= sizeof tls->host)
        return tls_fail(problem, ACCORD_EINVAL, true, "tls.name", "there is no host that the peer could be");
    strcpy(tls->host, setup->host);
    tls->address = is_address(tls->host);
    tls->now = setup->now / 1000000;
    tls->seen.alert_in = tls->seen.alert_out = -1;
    int result = tls_read_profile(tls, setup, problem);
    if (!result)
        result = copy_pins(tls, setup, problem);
    if (!result)
        result = tls_read_trust(tls, setup, problem);
    if (!result)
        result = tls_read_identity(tls, setup, problem);
    return result;
}

struct tls *tls_new(const struct tls_setup *setup, struct tls_problem *problem)
{
    struct tls *tls = calloc(1, sizeof *tls);
    *problem = (struct tls_problem){0};
    if (!tls) {
        tls_fail(problem, 0, false, "tls.memory", "out of memory");
        return NULL;
    }
    if (read_setup(tls, setup, problem) == 0)
        return tls;
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    X509_STORE_free(tls->trust);
    X509_free(tls->certificate);
    EVP_PKEY_free(tls->key);
    sk_X509_pop_free(tls->chain, X509_free);
    free(tls);
}

/* Nothing but what is listed may be in the context: OpenSSL's lists can mean more than they say. */
static bool only_listed(const struct tls *tls, SSL_CTX *context)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    char list[2 * TLS_LIST_MAX];
    bool newer = false, older = false;
    snprintf(list, sizeof list, "%s:%s", tls->allowed.suites, tls->allowed.ciphers);
    for (char *c = list; *c; c++)
        if (*c == ':')
            *c = ',';
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        bool is_newer = !strncmp(SSL_CIPHER_get_name(cipher), "TLS_", 4);
        if (!tls_lists(list, SSL_CIPHER_get_name(cipher)) &&
            (is_newer || tls->allowed.least == TLS1_2_VERSION))
            return false;
        newer = newer || is_newer;
        older = older || !is_newer;
    }
    return (newer || tls->allowed.most < TLS1_3_VERSION) && (older || tls->allowed.least > TLS1_2_VERSION);
}

static bool set_algorithms(const struct tls *tls, SSL_CTX *context)
{
    const struct tls_allowed *allowed = &tls->allowed;
    SSL_CTX_set_security_level(context, 2); /* 112 bits; what is asked beyond that is checked by us */
    return SSL_CTX_set_min_proto_version(context, allowed->least) &&
           SSL_CTX_set_max_proto_version(context, allowed->most) &&
           (allowed->least > TLS1_2_VERSION || SSL_CTX_set_cipher_list(context, allowed->ciphers)) &&
           SSL_CTX_set_ciphersuites(context, allowed->suites) &&
           SSL_CTX_set1_groups_list(context, allowed->groups) &&
           SSL_CTX_set1_sigalgs_list(context, allowed->handshake_signatures) && only_listed(tls, context);
}

/* No second handshake, no compression (CRIME), nothing of an earlier session: a resumed one shows no certificate, and
 * early data would leave before any verdict. */
static void set_terms(SSL_CTX *context)
{
    SSL_CTX_clear_options(context, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | SSL_OP_LEGACY_SERVER_CONNECT |
                                       SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
}

static bool set_peer(struct tls *tls, SSL_CTX *context)
{
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);
    SSL_CTX_set1_cert_store(context, tls->trust);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH);
    SSL_CTX_set_cert_verify_callback(context, tls_verify, tls);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)tls->now);
    /* Whatever stands in the bundle is trusted as it is: an issuer below its root, too. */
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    /* RFC 9525, 6.3: only subjectAltName, and a wildcard is a whole first label. */
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return tls->address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, tls->host)
                        : X509_VERIFY_PARAM_set1_host(parameters, tls->host, 0);
}

static bool set_identity(const struct tls *tls, SSL_CTX *context)
{
    if (!tls->certificate)
        return true;
    return SSL_CTX_use_certificate(context, tls->certificate) && SSL_CTX_use_PrivateKey(context, tls->key) &&
           SSL_CTX_set1_chain(context, tls->chain) && SSL_CTX_check_private_key(context);
}

int tls_configure(struct tls *tls, SSL_CTX *context, struct tls_problem *problem)
{
    int result = 0;
    *problem = (struct tls_problem){0};
    set_terms(context);
    if (!set_algorithms(tls, context))
        result = tls_fail(
            problem, ACCORD_EINVAL, true, "tls.profile",
            "the session profile names what this OpenSSL does not have: %s; see [policy encryption] of "
            "the agreement",
            ERR_peek_last_error() ? ERR_reason_error_string(ERR_peek_last_error()) : "a list of suites");
    else if (!set_peer(tls, context))
        result = tls_fail(problem, ACCORD_EINVAL, true, "tls.name",
                          "%s is no name that a certificate can have", tls->host);
    else if (!set_identity(tls, context))
        result = tls_fail(
            problem, ACCORD_EINVAL, true, "tls.certificate", "our certificate cannot be used: %s",
            ERR_peek_last_error() ? ERR_reason_error_string(ERR_peek_last_error()) : "no reason given");
    SSL_CTX_set_msg_callback(context, tls_watch);
    SSL_CTX_set_msg_callback_arg(context, tls);
    ERR_clear_error();
    return result;
}

int64_t tls_until(const struct tls *tls)
{
    return tls->certificate ? tls_seconds(X509_get0_notAfter(tls->certificate)) * 1000000 : 0;
}
