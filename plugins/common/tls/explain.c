/* What alerts say, kept as they pass, and turned into what a person can do (RFC 8446, 6.2; RFC 5246, 7.2.2). */
#include "state.h"

#include <openssl/tls1.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEVEL_FATAL   2
#define CLOSE_NOTIFY  0
#define USER_CANCELED 90
#define OLDEST        0x0303 /* TLS 1.2 on the wire, and what TLS 1.3 says it is */

int tls_fail(struct tls_problem *problem, int result, bool park, const char *rule, const char *format, ...)
{
    va_list arguments;
    problem->park = park;
    snprintf(problem->rule, sizeof problem->rule, "%s", rule);
    va_start(arguments, format);
    vsnprintf(problem->reason, sizeof problem->reason, format, arguments);
    va_end(arguments);
    /* A library's words may hold the peer's; a cut may split a character. */
    for (char *c = problem->reason; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return result;
}

/* ---- what passes ---- */

static void on_alert(struct tls_seen *seen, bool ours, int version, const uint8_t *alert)
{
    int *first = ours ? &seen->alert_out : &seen->alert_in;
    if (alert[1] == CLOSE_NOTIFY || alert[1] == USER_CANCELED)
        return;
    /* The level says nothing in TLS 1.3; earlier, a warning may be followed by a session that is good. */
    if (*first < 0 && (alert[0] == LEVEL_FATAL || version == TLS1_3_VERSION))
        *first = alert[1];
}

static void on_certificate(struct tls_seen *seen, int version, const uint8_t *message, size_t size)
{
    size_t list = version == TLS1_3_VERSION && size > 4 ? 5u + message[4] : 4u;
    seen->answered = true;
    seen->shown = size >= list + 3 && (message[list] | message[list + 1] | message[list + 2]);
}

static void on_handshake(struct tls_seen *seen, bool ours, int version, const uint8_t *message, size_t size)
{
    if (ours && message[0] == SSL3_MT_CERTIFICATE)
        on_certificate(seen, version, message, size);
    if (ours)
        return;
    if (message[0] == SSL3_MT_SERVER_HELLO && size >= 6)
        seen->version = message[4] << 8 | message[5];
    if (message[0] == SSL3_MT_CERTIFICATE_REQUEST)
        seen->asked = true;
    if (message[0] == SSL3_MT_FINISHED)
        seen->finished = true;
}

void tls_watch(int write, int version, int type, const void *bytes, size_t size, SSL *ssl, void *arg)
{
    struct tls *tls = arg;
    if (type == SSL3_RT_ALERT && size == 2)
        on_alert(&tls->seen, write, SSL_version(ssl), bytes);
    if (type == SSL3_RT_HANDSHAKE && size >= 4)
        on_handshake(&tls->seen, write, version, bytes, size);
}

/* ---- what it means ---- */

/* RFC 5246 and later name them so; OpenSSL's own texts leave out what came after TLS 1.2. */
static const char *alert_name(int alert)
{
    if (alert == TLS13_AD_CERTIFICATE_REQUIRED)
        return "certificate required";
    if (alert == TLS13_AD_MISSING_EXTENSION)
        return "missing extension";
    return SSL_alert_desc_string_long(alert);
}

static bool about_us(const struct tls_seen *seen)
{
    switch (seen->alert_in) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED:
        return true;
    case SSL_AD_HANDSHAKE_FAILURE: /* what TLS 1.2 servers say when they miss a certificate or do not like it */
    case SSL_AD_DECRYPT_ERROR:
        return seen->answered;
    default:
        return false;
    }
}

bool tls_refused_us(const struct tls *tls)
{
    return about_us(&tls->seen);
}

static void explain_refusal(const struct tls *tls, struct tls_problem *problem)
{
    const struct tls_seen *seen = &tls->seen;
    char subject[TLS_NAME_MAX] = "none", issuer[TLS_NAME_MAX] = "";
    if (!tls->certificate) {
        tls_fail(problem, 0, true, "tls.client-certificate",
                 "%s wants a certificate of ours, and the link has none (alert: %s); name certificate and "
                 "key in the "
                 "link's section",
                 tls->host, alert_name(seen->alert_in));
        return;
    }
    tls_subject(tls->certificate, subject);
    tls_issuer(tls->certificate, issuer);
    const char *hint = "ask the partner whether it is known there";
    if (!seen->shown)
        hint = "it could not be shown, since the partner takes no signature that its key can make";
    else if (seen->alert_in == SSL_AD_UNKNOWN_CA)
        hint = "the partner does not know its issuer: is the chain behind it in `certificate` whole?";
    else if (seen->alert_in == SSL_AD_CERTIFICATE_EXPIRED)
        hint = "the partner holds it to be out of its dates; compare the clocks, or renew it";
    else if (seen->alert_in == SSL_AD_CERTIFICATE_REVOKED)
        hint = "it has been revoked; ask for a new one";
    tls_fail(problem, 0, true, "tls.client-certificate",
             "%s refuses our certificate (alert: %s): %.120s, issued by %.120s; %s", tls->host,
             alert_name(seen->alert_in), subject, issuer, hint);
}

static void explain_version(const struct tls *tls, struct tls_problem *problem)
{
    char spoken[64] = "no version that the agreement allows";
    int version = tls->seen.version;
    if (version == 0x0300)
        snprintf(spoken, sizeof spoken, "SSL 3.0");
    else if (version == 0x0301 || version == 0x0302)
        snprintf(spoken, sizeof spoken, "TLS 1.%d", version - 0x0301);
    tls_fail(problem, 0, true, "tls.version",
             "%s speaks %s; allowed is %s (tls-versions): the partner has to turn a newer one on", tls->host,
             spoken,
             tls->allowed.least == TLS1_3_VERSION  ? "TLS 1.3"
             : tls->allowed.most == TLS1_2_VERSION ? "TLS 1.2"
                                                   : "TLS 1.3 and 1.2");
}

static bool explain_theirs(const struct tls *tls, struct tls_problem *problem)
{
    int alert = tls->seen.alert_in;
    if (alert < 0)
        return false;
    if (about_us(&tls->seen))
        explain_refusal(tls, problem);
    else if (alert == SSL_AD_PROTOCOL_VERSION)
        explain_version(tls, problem);
    else if (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_INSUFFICIENT_SECURITY)
        tls_fail(
            problem, 0, true, "tls.cipher",
            "%s has no suite, group or signature in common with the agreement (alert: %s); see tls-ciphers, "
            "tls-suites, tls-groups and tls-signatures of [policy encryption], and ask the partner for one "
            "of them",
            tls->host, alert_name(alert));
    else if (alert == SSL_AD_UNRECOGNIZED_NAME)
        tls_fail(problem, 0, true, "tls.name",
                 "the server behind %s does not know that name; check the endpoint's host", tls->host);
    else
        tls_fail(problem, 0, false, "tls.alert", "%s ended the session (alert: %s)", tls->host,
                 alert_name(alert));
    return true;
}

static bool explain_ours(const struct tls *tls, const char *otherwise, struct tls_problem *problem)
{
    const struct tls_seen *seen = &tls->seen;
    if (seen->alert_out < 0)
        return false;
    if (seen->alert_out == SSL_AD_PROTOCOL_VERSION || (seen->version && seen->version < OLDEST))
        explain_version(tls, problem);
    else if ((seen->alert_out == SSL_AD_ILLEGAL_PARAMETER || seen->alert_out == SSL_AD_HANDSHAKE_FAILURE) &&
             !seen->finished)
        tls_fail(
            problem, 0, true, "tls.cipher",
            "%s wants a suite, group, signature or other terms that the agreement does not allow%s%.200s",
            tls->host, *otherwise ? ": " : "", otherwise);
    else
        tls_fail(problem, 0, false, "tls.alert", "the session with %s was broken off (alert: %s)%s%.200s",
                 tls->host, alert_name(seen->alert_out), *otherwise ? ": " : "", otherwise);
    return true;
}

void tls_explain(const struct tls *tls, const char *otherwise, struct tls_problem *problem)
{
    *problem = (struct tls_problem){0};
    if (tls->seen.chain.rule[0])
        *problem = tls->seen.chain;
    else if (!explain_theirs(tls, problem) && !explain_ours(tls, otherwise ? otherwise : "", problem))
        tls_fail(problem, 0, false, "", "%s", otherwise ? otherwise : "");
}
