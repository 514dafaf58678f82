/* The encryption policy: what a session must look like before credentials or payload leave in it (CBP-1c,
 * CBP-2a, CBP-2f: FIPS-approved AES-256; AIS-3.1, AIS-3.4b: TLS 1.2 and 1.3 with certificates). It compiles
 * the session profile, so that a forbidden session cannot be negotiated at all, and judges what the session
 * then reports: SSH of sftp, TLS of every other connector, and inside it the SASL of mq and smtp. Links without endpoint
 * have no sessions. `tunnel` is not judged here: the hub refuses to dial an endpoint whose tunnel it cannot prove.
 *
 * fips = required: nothing yet proves that the link's libcrypto runs on a FIPS provider, so such a
 * configuration is refused when it is read and when the module opens, rather than believed.
 */
#include <accord/plugin.h>

#include <stdio.h>
#include <string.h>

#include "sasl.h"
#include "session.h"

#define OPTION(field) offsetof(struct encryption_options, field)

struct encryption {
    struct accord_instance *instance;
    const struct accord_policy_host *host;
    const struct encryption_options *options;
};

/* The session profile's names and the lists behind them: docs/reference/session-profile.md. */
static const struct {
    const char *name, *option;
    size_t offset;
    enum algorithm_kind kind;
    bool certificates;
} profile_lists[] = {
    {"ssh.kex", "ssh-kex", OPTION(kex), ALGORITHM_KEX, false},
    {"ssh.ciphers", "ssh-ciphers", OPTION(ciphers), ALGORITHM_CIPHER, false},
    {"ssh.macs", "ssh-macs", OPTION(macs), ALGORITHM_MAC, false},
    {"ssh.host-key-types", "ssh-host-key-types", OPTION(host_keys), ALGORITHM_KEY, false},
    {"ssh.user-key-types", "ssh-user-key-types", OPTION(user_keys), ALGORITHM_KEY, true},
    {"tls.versions", "tls-versions", OPTION(tls_versions), ALGORITHM_TLS_VERSION, false},
    {"tls.ciphers", "tls-ciphers", OPTION(tls_ciphers), ALGORITHM_TLS_CIPHER, false},
    {"tls.suites", "tls-suites", OPTION(tls_suites), ALGORITHM_TLS_SUITE, false},
    {"tls.groups", "tls-groups", OPTION(tls_groups), ALGORITHM_TLS_GROUP, false},
    {"tls.signatures", "tls-signatures", OPTION(tls_signatures), ALGORITHM_TLS_SIGNATURE, false},
};
#define PROFILE_LISTS (sizeof profile_lists / sizeof *profile_lists)

static bool is_ssh_list(size_t list)
{
    return profile_lists[list].kind <= ALGORITHM_KEY;
}

/* Of one version alone, the other's suites are of no use. */
static bool is_needed(const struct encryption_options *o, size_t list)
{
    if (profile_lists[list].kind == ALGORITHM_TLS_CIPHER)
        return algorithms_lists(&o->tls_versions, "1.2");
    if (profile_lists[list].kind == ALGORITHM_TLS_SUITE)
        return algorithms_lists(&o->tls_versions, "1.3");
    return true;
}

static const struct accord_list *list_of(const struct encryption_options *o, size_t list)
{
    return (const void *)((const char *)o + profile_lists[list].offset);
}

static int compile(const struct encryption_options *o, size_t list, char text[ALGORITHMS_TEXT_MAX], char *why,
                   size_t why_size)
{
    const struct accord_list *items = list_of(o, list);
    int result = algorithms_check(profile_lists[list].kind, profile_lists[list].option, items, why, why_size);
    if (result)
        return result;
    result = algorithms_compile(profile_lists[list].kind, items, (enum fips)o->fips, text);
    if (!result && profile_lists[list].certificates)
        result = algorithms_add_certificates(text);
    if (!result && (*text || !is_needed(o, list)))
        return 0;
    snprintf(why, why_size, result ? "%s is too long" : "%s leaves nothing that a session may use",
             profile_lists[list].option);
    return ACCORD_EINVAL;
}

/* Only a connector that has no encryption can be let go without. */
static int check_unencrypted(const struct accord_policy_setup *setup, const char *name, char *why,
                             size_t why_size)
{
    for (size_t i = 0; i < setup->link_count; i++) {
        const struct accord_policy_link *link = setup->links[i];
        if (strcmp(link->name, name))
            continue;
        if (!session_is_ssh(link) && !session_is_tls(link))
            return 0;
        snprintf(why, why_size, "unencrypted = %.64s, but connector %s always encrypts", name,
                 link->connector);
        return ACCORD_EINVAL;
    }
    snprintf(why, why_size, "unencrypted = %.64s, but this agreement has no link of that name", name);
    return ACCORD_EINVAL;
}

/* What a link says itself about how it authenticates. */
static int check_auth(const struct encryption_options *o, const struct accord_policy_link *link, char *why,
                      size_t why_size)
{
    for (size_t i = 0; i < link->option_count && session_is_ssh(link); i++) {
        if (strcmp(link->options[i].name, "auth"))
            continue;
        for (const char *at = link->options[i].value; *(at += strspn(at, ", \t"));) {
            char name[64];
            size_t size = strcspn(at, ", \t");
            snprintf(name, sizeof name, "%.*s", (int)size, at);
            if (!algorithms_lists(&o->auth, name)) {
                snprintf(why, why_size, "ssh-auth does not allow %s, which link %s has in its auth", name,
                         link->name);
                return ACCORD_EINVAL;
            }
            at += size;
        }
    }
    return 0;
}

/* ---- TLS: lists that cannot be met together ---- */

static bool any_begins(const struct accord_list *list, const char *const beginnings[])
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; beginnings[k]; k++)
            if (!strncmp(list->items[i], beginnings[k], strlen(beginnings[k])))
                return true;
    return false;
}

/* The key that a suite of TLS 1.2 wants of the partner must have a signature to prove it with. */
static int check_signatures(const struct encryption_options *o, char *why, size_t why_size)
{
    static const char *const rsa_suites[] = {"ECDHE-RSA-", NULL}, *const ec_suites[] = {"ECDHE-ECDSA-", NULL};
    static const char *const rsa[] = {"RSA", NULL}, *const ec[] = {"ECDSA", "ed", NULL};
    static const char *const newer[] = {"ECDSA", "RSA-PSS", "ed", NULL};
    bool older = algorithms_lists(&o->tls_versions, "1.2");
    const char *lacks = NULL;
    if (older && any_begins(&o->tls_ciphers, rsa_suites) && !any_begins(&o->tls_ciphers, ec_suites) &&
        !any_begins(&o->tls_signatures, rsa))
        lacks = "the ECDHE-RSA suites of tls-ciphers";
    else if (older && any_begins(&o->tls_ciphers, ec_suites) && !any_begins(&o->tls_ciphers, rsa_suites) &&
             !any_begins(&o->tls_signatures, ec))
        lacks = "the ECDHE-ECDSA suites of tls-ciphers";
    else if (algorithms_lists(&o->tls_versions, "1.3") && !any_begins(&o->tls_signatures, newer))
        lacks = "TLS 1.3, where RSA signs with RSA-PSS,";
    if (!lacks)
        return 0;
    snprintf(why, why_size, "tls-signatures has none that %s can be used with", lacks);
    return ACCORD_EINVAL;
}

/* Certificates of 521 bits and suites whose group is P-256 alone do not meet (RFC 8422, 5.1.1). */
static int check_curves(const struct encryption_options *o, char *why, size_t why_size)
{
    static const char *const rsa[] = {"RSA", "ed", NULL};
    int64_t widest = algorithms_lists(&o->tls_groups, "P-521")   ? 521
                     : algorithms_lists(&o->tls_groups, "P-384") ? 384
                     : algorithms_lists(&o->tls_groups, "P-256") ? 256
                                                                 : 0;
    if (o->tls_ec_bits <= widest || any_begins(&o->tls_signatures, rsa) ||
        algorithms_lists(&o->tls_versions, "1.3"))
        return 0;
    snprintf(why, why_size, "tls-ec-bits = %d is more than any curve in tls-groups has", (int)o->tls_ec_bits);
    return ACCORD_EINVAL;
}

static int check_certificate(const struct encryption_options *o, const struct accord_policy_link *link,
                             char *why, size_t why_size)
{
    if (o->tls_client_certificate != CERTIFICATE_REQUIRED || !session_is_tls(link) ||
        session_option(link, "certificate"))
        return 0;
    snprintf(why, why_size, "tls-client-certificate = required, but link %s names no certificate",
             link->name);
    return ACCORD_EINVAL;
}

static int check_links(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct encryption_options *o = setup->options;
    if (sasl_check_list(o, setup, why, why_size))
        return ACCORD_EINVAL;
    for (size_t i = 0; i < setup->link_count; i++)
        if (check_auth(o, setup->links[i], why, why_size) ||
            check_certificate(o, setup->links[i], why, why_size) ||
            sasl_check(o, setup->links[i], why, why_size))
            return ACCORD_EINVAL;
    for (size_t i = 0; i < o->unencrypted.count; i++)
        if (check_unencrypted(setup, o->unencrypted.items[i], why, why_size))
            return ACCORD_EINVAL;
    return 0;
}

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct encryption_options *o = setup->options;
    char text[ALGORITHMS_TEXT_MAX];
    for (size_t i = 0; i < PROFILE_LISTS; i++)
        if (compile(o, i, text, why, why_size))
            return ACCORD_EINVAL;
    if (check_signatures(o, why, why_size) || check_curves(o, why, why_size) ||
        check_links(setup, why, why_size))
        return ACCORD_EINVAL;
    if (o->fips != FIPS_REQUIRED)
        return 0;
    snprintf(why, why_size,
             "encryption.fips-missing: fips = required, but that a link's cryptography runs on a FIPS "
             "provider cannot "
             "be proven yet; fips = preferred puts approved algorithms first without that proof");
    return ACCORD_EINVAL;
}

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    *(struct encryption *)state =
        (struct encryption){.instance = instance, .host = host, .options = setup->options};
    return check(setup, why, why_size);
}

static void close_module(void *state)
{
    (void)state;
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct encryption *e = state;
    struct session_ruling ruling;
    session_judge(e->options, inquiry, e->host->base->wall(e->instance), &ruling);
    e->host->answer(inquiry->handle, &(struct accord_verdict){
                                         .answer = ruling.answer,
                                         .rule = ruling.rule,
                                         .reason = ruling.reason,
                                         .good_for = ruling.answer == ACCORD_ALLOW ? ruling.good_for : 0});
}

/* Answers at once, so there is never anything to cancel. */
static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static int put(const struct accord_profile_sink *sink, const char *name, const char *value, char *why,
               size_t why_size)
{
    int result = sink->put(sink->arg, name, value);
    if (result)
        snprintf(why, why_size, "the profile could not take %s", name);
    return result;
}

static int put_lists(const struct encryption_options *o, bool ssh, const struct accord_profile_sink *sink,
                     char *why, size_t why_size)
{
    char text[ALGORITHMS_TEXT_MAX];
    int result = 0;
    for (size_t i = 0; !result && i < PROFILE_LISTS; i++) {
        if (is_ssh_list(i) != ssh)
            continue;
        result = compile(o, i, text, why, why_size);
        if (!result)
            result = put(sink, profile_lists[i].name, text, why, why_size);
    }
    return result;
}

static int put_ssh(const struct encryption_options *o, const struct accord_profile_sink *sink, char *why,
                   size_t why_size)
{
    char text[128] = "";
    int result = put_lists(o, true, sink, why, why_size);
    for (size_t i = 0; i < o->auth.count; i++) /* three choices, none twice */
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "", o->auth.items[i]);
    return result ? result : put(sink, "ssh.auth", text, why, why_size);
}

/* Of taxii, whose logins are HTTP's, none. */
static int put_sasl(const struct encryption_options *o, const struct accord_policy_link *link,
                    const struct accord_profile_sink *sink, char *why, size_t why_size)
{
    char text[SASL_TEXT_MAX];
    if (session_is_tls(link) && !sasl_logs_in(link))
        return 0;
    sasl_compile(o, link, text);
    return put(sink, "sasl.mechanisms", text, why, why_size);
}

static int put_tls(const struct encryption_options *o, const struct accord_policy_link *link,
                   const struct accord_profile_sink *sink, char *why, size_t why_size)
{
    char rsa[32], ec[32];
    snprintf(rsa, sizeof rsa, "%d", (int)o->tls_rsa_bits);
    snprintf(ec, sizeof ec, "%d", (int)o->tls_ec_bits);
    int result = put_lists(o, false, sink, why, why_size);
    if (!result)
        result = put(sink, "tls.rsa-bits", rsa, why, why_size);
    if (!result)
        result = put(sink, "tls.ec-bits", ec, why, why_size);
    if (!result)
        result =
            put(sink, "tls.client-certificate",
                o->tls_client_certificate == CERTIFICATE_REQUIRED ? "required" : "allowed", why, why_size);
    return result ? result : put_sasl(o, link, sink, why, why_size);
}

/* Every connector but sftp may speak TLS, and nothing else that is encrypted. */
static int profile(void *state, const struct accord_policy_link *link, const struct accord_profile_sink *sink,
                   char *why, size_t why_size)
{
    struct encryption *e = state;
    int result = 0;
    if (session_is_ssh(link))
        result = put_ssh(e->options, sink, why, why_size);
    else if (*link->endpoint_host)
        result = put_tls(e->options, link, sink, why, why_size);
    if (!result && session_may_be_plain(e->options, link))
        result = put(sink, "session.encryption", "none", why, why_size);
    return result;
}

static const struct accord_policy encryption = {
    .size = sizeof encryption,
    .asks = ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_AUTHENTICATED),
    .options = {encryption_option_table, sizeof(struct encryption_options)},
    .check = check,
    .state_size = sizeof(struct encryption),
    .open = open_module,
    .close = close_module,
    .judge = judge,
    .cancel = cancel,
    .profile = profile,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "encryption",
    .version = "0.1",
    .summary = "Decides what a session may negotiate, and whether what it negotiated may carry anything.",
    .policy = &encryption,
};
