/* TLS: what plugins/common/tls reports, or a connector with a library of its own (SP 800-52 Rev. 2). */
#include "judging.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHAIN_MAX 32                      /* certificates */
#define YEARS_10  (INT64_C(3650) * 86400) /* s: no session lasts as long */
#define ITEM_MAX  80

static const char *link_name(const struct judging *j)
{
    return j->inquiry->link->name;
}

/* A fact that is a decimal number from `least` up; -1, and the denial made, when it is none. */
static int64_t number(const struct judging *j, const char *name, int64_t least, const char *rule)
{
    const char *text = judging_fact(j, name);
    char *end;
    if (!text)
        return -1;
    long long value = strtoll(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && value >= least)
        return value;
    judging_deny(j, rule, "link %s: %s is \"%.40s\", which is no number that it can be", link_name(j), name,
                 text);
    return -1;
}

/* The next item of a list separated by commas; false: there is none. */
static bool next(const char **at, char item[ITEM_MAX])
{
    size_t size = strcspn(*at, ",");
    if (!**at)
        return false;
    snprintf(item, ITEM_MAX, "%.*s", (int)size, *at);
    *at += size + ((*at)[size] == ',');
    return true;
}

static int64_t count(const char *list)
{
    char item[ITEM_MAX];
    int64_t items = 0;
    while (next(&list, item))
        items++;
    return items;
}

/* ---- what was negotiated ---- */

static bool negotiated(const struct judging *j)
{
    const struct encryption_options *o = j->options;
    if (!judging_in_list(j, "tls.version", ALGORITHM_TLS_VERSION, "encryption.tls-version", "tls-versions",
                         &o->tls_versions))
        return false;
    bool newer = !strcmp(judging_fact(j, "tls.version"), "1.3");
    return judging_in_list(j, "tls.cipher", newer ? ALGORITHM_TLS_SUITE : ALGORITHM_TLS_CIPHER,
                           "encryption.tls-cipher", newer ? "tls-suites" : "tls-ciphers",
                           newer ? &o->tls_suites : &o->tls_ciphers) &&
           judging_in_list(j, "tls.group", ALGORITHM_TLS_GROUP, "encryption.tls-group", "tls-groups",
                           &o->tls_groups) &&
           judging_in_list(j, "tls.signature", ALGORITHM_TLS_SIGNATURE, "encryption.tls-signature",
                           "tls-signatures", &o->tls_signatures);
}

/* ---- keys ---- */

/* "EC 384", "RSA 2048"; Edwards curves where their signatures are allowed. */
static bool key(const struct judging *j, const char *text, const char *rule, const char *whose)
{
    const struct encryption_options *o = j->options;
    const char *space = strchr(text, ' ');
    char *end = NULL, type[ITEM_MAX];
    long long bits = space && space[1] >= '0' && space[1] <= '9' ? strtoll(space + 1, &end, 10) : -1;
    snprintf(type, sizeof type, "%.*s", (int)strcspn(text, " "), text);
    bool rsa = !strcmp(type, "RSA"), ec = !strcmp(type, "EC");
    bool edwards = (!strcmp(type, "ED25519") && algorithms_lists(&o->tls_signatures, "ed25519")) ||
                   (!strcmp(type, "ED448") && algorithms_lists(&o->tls_signatures, "ed448"));
    if (end && !*end &&
        ((rsa && bits >= o->tls_rsa_bits) || (ec && bits >= o->tls_ec_bits) || (edwards && bits >= 253)))
        return true;
    return judging_deny(j, rule,
                        "link %s: %s key is %.40s; demanded are RSA keys of at least %" PRId64
                        " bits (tls-rsa-bits) or NIST's curves of at least %" PRId64 " (tls-ec-bits)",
                        link_name(j), whose, text, o->tls_rsa_bits, o->tls_ec_bits);
}

static bool keys(const struct judging *j)
{
    const char *peer = judging_fact(j, "tls.peer.key"),
               *list = peer ? judging_fact(j, "tls.chain.keys") : NULL;
    char item[ITEM_MAX];
    if (!list || !key(j, peer, "encryption.tls-key-bits", "the partner's"))
        return false;
    while (next(&list, item))
        if (!key(j, item, "encryption.tls-key-bits", "in the partner's chain a"))
            return false;
    return true;
}

/* ---- the chain ---- */

/* As many keys and signatures as certificates: what was left out could be the weak one. */
static bool chain(const struct judging *j)
{
    int64_t certificates = number(j, "tls.chain", 1, "encryption.tls-chain");
    const char *list = certificates > 0 ? judging_fact(j, "tls.chain.keys") : NULL;
    const char *signatures = list ? judging_fact(j, "tls.chain.signatures") : NULL;
    const char *first = signatures ? judging_fact(j, "tls.peer.key") : NULL;
    char item[ITEM_MAX];
    if (!first)
        return false;
    /* A root's signature of itself says nothing; a certificate that is trusted as it is has one all the same. */
    int64_t signed_ones = certificates > 1 ? certificates - 1 : 1;
    if (certificates > CHAIN_MAX || count(list) != certificates || count(signatures) != signed_ones ||
        strncmp(list, first, strlen(first)))
        return judging_deny(j, "encryption.tls-chain",
                            "link %s: the chain has %" PRId64
                            " certificates, and the session reports keys \"%.80s\" and "
                            "signatures \"%.80s\" of it, which do not belong together",
                            link_name(j), certificates, list, signatures);
    while (next(&signatures, item))
        if (!algorithms_lists(&j->options->tls_signatures, item))
            return judging_deny(j, "encryption.tls-chain",
                                "link %s: a certificate in the partner's chain is signed with %.60s, which "
                                "tls-signatures does not allow",
                                link_name(j), item);
    return true;
}

static bool verified(const struct judging *j)
{
    const char *is = judging_fact(j, "tls.verified");
    if (!is || !strcmp(is, "yes"))
        return is != NULL;
    return judging_deny(j, "encryption.tls-verified",
                        "link %s: the certificate of %.100s is not trusted: %.200s", link_name(j),
                        j->inquiry->link->endpoint_host, is);
}

/* ---- who it is ---- */

static bool same_address(const char *one, const char *other)
{
    uint8_t a[16], b[16];
    return (inet_pton(AF_INET, one, a) == 1 && inet_pton(AF_INET, other, b) == 1 && !memcmp(a, b, 4)) ||
           (inet_pton(AF_INET6, one, a) == 1 && inet_pton(AF_INET6, other, b) == 1 && !memcmp(a, b, 16));
}

/* RFC 9525, 6.3: a wildcard stands for the whole first label, with two labels at least behind it. */
static bool covers(const char *name, const char *host)
{
    const char *rest = strchr(host, '.');
    if (!strcasecmp(name, host) || same_address(name, host))
        return true;
    return !strncmp(name, "*.", 2) && strchr(name + 2, '.') && rest && rest != host &&
           !strcasecmp(name + 1, rest) && !same_address(host, host);
}

static bool identity(const struct judging *j)
{
    const char *matched = judging_fact(j, "tls.identity"), *host = j->inquiry->link->endpoint_host;
    if (!matched || covers(matched, host))
        return matched != NULL;
    return judging_deny(
        j, "encryption.tls-identity",
        "link %s: the certificate is for %.100s, and the endpoint is %.100s; check the endpoint's host",
        link_name(j), matched, host);
}

static bool pin(const struct judging *j)
{
    const char *pinned = session_option(j->inquiry->link, "pin"), *shown = judging_fact(j, "tls.peer.sha256");
    if (!shown || !pinned || judging_one_of(pinned, shown))
        return shown != NULL;
    return judging_deny(
        j, "encryption.tls-pin",
        "link %s: %.100s shows the key %.60s, pinned is %.200s; if the partner announced a new key, "
        "confirm it with them and change pin",
        link_name(j), j->inquiry->link->endpoint_host, shown, pinned);
}

/* The certificate is good beyond now; the verdict is good no longer than it. */
static bool until(const struct judging *j, const char *name, const char *rule, const char *whose)
{
    int64_t ends = number(j, name, 0, rule);
    if (ends < 0)
        return false;
    if (ends <= j->now)
        return judging_deny(j, rule, "link %s: %s has expired (%s = %" PRId64 "); it has to be renewed",
                            link_name(j), whose, name, ends);
    int64_t left = (ends - j->now > YEARS_10 ? YEARS_10 : ends - j->now) * 1000;
    if (!j->ruling->good_for || left < j->ruling->good_for)
        j->ruling->good_for = left;
    return true;
}

bool tls_handshake(const struct judging *j)
{
    return negotiated(j) && judging_fact(j, "tls.peer.issuer") && judging_fact(j, "tls.peer.serial") &&
           judging_fact(j, "tls.peer.names") && chain(j) && keys(j) && verified(j) && identity(j) && pin(j) &&
           until(j, "tls.peer.until", "encryption.tls-expired", "the partner's certificate") &&
           until(j, "tls.chain.until", "encryption.tls-expired", "a certificate in the partner's chain");
}

/* ---- who we are to it ---- */

/* Nothing was asked of us: every name is there and empty. */
static bool unasked(const struct judging *j)
{
    static const char *const names[] = {"tls.client.subject", "tls.client.issuer", "tls.client.key",
                                        "tls.client.until"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (judging_find(j->inquiry->facts, j->inquiry->fact_count, names[i]))
            return false;
    return true;
}

bool tls_authenticated(const struct judging *j)
{
    if (!judging_reports(j, "tls.client.subject") || !judging_reports(j, "tls.client.issuer") ||
        !judging_reports(j, "tls.client.key") || !judging_reports(j, "tls.client.until"))
        return false;
    if (unasked(j) && j->options->tls_client_certificate == CERTIFICATE_ALLOWED)
        return true;
    if (unasked(j))
        return judging_deny(
            j, "encryption.tls-client-certificate",
            "link %s: %.100s did not get a certificate of ours, which tls-client-certificate = required "
            "demands; did it ask for one, and does it take certificates like ours?",
            link_name(j), j->inquiry->link->endpoint_host);
    const char *shown = judging_fact(j, "tls.client.issuer") ? judging_fact(j, "tls.client.key") : NULL;
    return shown && key(j, shown, "encryption.tls-client-key-bits", "our own") &&
           until(j, "tls.client.until", "encryption.tls-client-expired", "our own certificate");
}
