/* The encryption policy: what a session must look like before credentials or payload leave in it (CBP-1c,
 * CBP-2a, CBP-2f: FIPS-approved AES-256). SSH so far. It compiles the session profile, so that a forbidden
 * session cannot be negotiated at all, and judges what the session then reports. Links without endpoint have
 * no sessions. `tunnel` is not judged here: the hub refuses to dial an endpoint whose tunnel it cannot prove.
 *
 * fips = required: nothing yet proves that the link's libcrypto runs on a FIPS provider, so such a
 * configuration is refused when it is read and when the module opens, rather than believed.
 */
#include <accord/plugin.h>

#include <stdio.h>
#include <string.h>

#include "session.h"

#define OPTION(field) offsetof(struct encryption_options, field)

static const char *const fips[] = {
    [FIPS_OFF] = "off", [FIPS_PREFERRED] = "preferred", [FIPS_REQUIRED] = "required", NULL};

static const char *const auth_methods[] = {"publickey", "password", "keyboard-interactive", NULL};
static const char *const strict_kex[] = {
    [STRICT_WHEN_NEEDED] = "when-needed", [STRICT_ALWAYS] = "always", NULL};

static const struct accord_option options[] = {
    {.name = "ssh-kex",
     .kind = ACCORD_LIST,
     .offset = OPTION(kex),
     .fallback = "ecdh-sha2-nistp384, ecdh-sha2-nistp521, ecdh-sha2-nistp256, diffie-hellman-group16-sha512, "
                 "diffie-hellman-group18-sha512, curve25519-sha256, curve25519-sha256@libssh.org",
     .help =
         "SSH key exchanges that a session may use, the preferred one first (RFC 8268, RFC 5656, RFC 8731). "
         "docs/reference/ssh-algorithms.md has every algorithm, and why some are never allowed."},
    {.name = "ssh-ciphers",
     .kind = ACCORD_LIST,
     .offset = OPTION(ciphers),
     .fallback = "aes256-gcm@openssh.com, aes256-ctr",
     .help = "SSH ciphers, the preferred one first; by default AES-256 alone (CBP-2a, CBP-2f)."},
    {.name = "ssh-macs",
     .kind = ACCORD_LIST,
     .offset = OPTION(macs),
     .fallback = "hmac-sha2-256-etm@openssh.com, hmac-sha2-512-etm@openssh.com, hmac-sha2-256, hmac-sha2-512",
     .help = "SSH message authentication codes for ciphers that do not bring their own."},
    {.name = "ssh-host-key-types",
     .kind = ACCORD_LIST,
     .offset = OPTION(host_keys),
     .fallback = "ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, rsa-sha2-512, rsa-sha2-256, "
                 "ssh-ed25519",
     .help =
         "Signatures by which the partner's host may prove its key; the key itself is pinned in the link."},
    {.name = "ssh-user-key-types",
     .kind = ACCORD_LIST,
     .offset = OPTION(user_keys),
     .fallback = "ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ecdsa-sha2-nistp521, rsa-sha2-512, rsa-sha2-256, "
                 "ssh-ed25519",
     .help = "Signatures by which we may prove ours, and certificates of such keys."},
    {.name = "ssh-auth",
     .kind = ACCORD_LIST,
     .offset = OPTION(auth),
     .choices = auth_methods,
     .fallback = "publickey",
     .help = "Ways by which we may authenticate; of several that the partner asks for in turn each must be "
             "here. A "
             "password leaves only in a session whose handshake was allowed."},
    {.name = "ssh-rsa-bits",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(rsa_bits),
     .fallback = "3072",
     .min = 2048,
     .max = 16384,
     .help = "Shortest RSA key, the partner's and ours, in bits (NIST SP 800-57: 3072 for 128 bits of "
             "strength)."},
    {.name = "ssh-strict-kex",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(strict_kex),
     .fallback = "when-needed",
     .choices = strict_kex,
     .help = "Whether both sides must have agreed on strict key exchange (CVE-2023-48795): when the cipher "
             "needs it, "
             "which is chacha20-poly1305@openssh.com, or always."},
    {.name = "fips",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(fips),
     .fallback = "off",
     .choices = fips,
     .help = "preferred: FIPS-approved algorithms first; required: these alone, on a FIPS provider (CBP-2a), "
             "which "
             "cannot be proven yet and is therefore refused."},
    {.name = "unencrypted",
     .kind = ACCORD_LIST,
     .offset = OPTION(unencrypted),
     .help = "Links whose sessions may go without encryption of their own, because the agreement provides "
             "for that "
             "(a tunnel or a line of their own); their connector says so in every session's facts. By "
             "default none."},
    {0},
};

struct encryption {
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
};
#define PROFILE_LISTS (sizeof profile_lists / sizeof *profile_lists)

static int compile(const struct encryption_options *o, size_t list, char text[ALGORITHMS_TEXT_MAX], char *why,
                   size_t why_size)
{
    const struct accord_list *items = (const void *)((const char *)o + profile_lists[list].offset);
    int result = algorithms_check(profile_lists[list].kind, profile_lists[list].option, items, why, why_size);
    if (result)
        return result;
    result = algorithms_compile(profile_lists[list].kind, items, (enum fips)o->fips, text);
    if (!result && profile_lists[list].certificates)
        result = algorithms_add_certificates(text);
    if (!result && *text)
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
        if (!session_known(link))
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
    for (size_t i = 0; i < link->option_count && session_known(link); i++) {
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

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct encryption_options *o = setup->options;
    char text[ALGORITHMS_TEXT_MAX];
    for (size_t i = 0; i < PROFILE_LISTS; i++)
        if (compile(o, i, text, why, why_size))
            return ACCORD_EINVAL;
    for (size_t i = 0; i < setup->link_count; i++)
        if (check_auth(o, setup->links[i], why, why_size))
            return ACCORD_EINVAL;
    for (size_t i = 0; i < o->unencrypted.count; i++)
        if (check_unencrypted(setup, o->unencrypted.items[i], why, why_size))
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
    (void)instance;
    *(struct encryption *)state = (struct encryption){.host = host, .options = setup->options};
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
    session_judge(e->options, inquiry, &ruling);
    e->host->answer(
        inquiry->handle,
        &(struct accord_verdict){.answer = ruling.answer, .rule = ruling.rule, .reason = ruling.reason});
}

/* Answers at once, so there is never anything to cancel. */
static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static int put_auth(const struct encryption_options *o, const struct accord_profile_sink *sink, char *why,
                    size_t why_size)
{
    char text[128] = "";
    for (size_t i = 0; i < o->auth.count; i++) /* three choices, none twice */
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "", o->auth.items[i]);
    int result = sink->put(sink->arg, "ssh.auth", text);
    if (result)
        snprintf(why, why_size, "the profile could not take ssh.auth");
    return result;
}

/* A link of a protocol that is not known here gets an empty profile: its connector must not go on. */
static int profile(void *state, const struct accord_policy_link *link, const struct accord_profile_sink *sink,
                   char *why, size_t why_size)
{
    struct encryption *e = state;
    char text[ALGORITHMS_TEXT_MAX];
    int result = 0;
    for (size_t i = 0; session_known(link) && !result && i < PROFILE_LISTS; i++) {
        result = compile(e->options, i, text, why, why_size);
        if (result)
            return result;
        result = sink->put(sink->arg, profile_lists[i].name, text);
        if (result)
            snprintf(why, why_size, "the profile could not take %s", profile_lists[i].name);
    }
    if (!result && session_known(link))
        result = put_auth(e->options, sink, why, why_size);
    if (!result && session_may_be_plain(e->options, link)) {
        result = sink->put(sink->arg, "session.encryption", "none");
        if (result)
            snprintf(why, why_size, "the profile could not take session.encryption");
    }
    return result;
}

static const struct accord_policy encryption = {
    .size = sizeof encryption,
    .asks = ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_AUTHENTICATED),
    .options = {options, sizeof(struct encryption_options)},
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
