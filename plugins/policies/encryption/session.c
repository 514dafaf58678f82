#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One question while it is judged. Every rule answers: does the session pass? */
struct judging {
    const struct encryption_options *options;
    const struct accord_inquiry *inquiry;
    struct session_ruling *ruling;
};

__attribute__((format(printf, 3, 4))) static bool deny(const struct judging *j, const char *rule,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(j->ruling->reason, sizeof j->ruling->reason, format, arguments);
    va_end(arguments);
    /* Facts are the session's words: nothing in them may steer a terminal; a cut may split a character. */
    for (char *c = j->ruling->reason; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    j->ruling->answer = ACCORD_DENY;
    j->ruling->rule = rule;
    return false;
}

static const char *find(const struct accord_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, name))
            return pairs[i].value && *pairs[i].value ? pairs[i].value : NULL;
    return NULL;
}

/* NULL, and the denial made, when the session does not say it. */
static const char *fact(const struct judging *j, const char *name)
{
    const char *value = find(j->inquiry->facts, j->inquiry->fact_count, name);
    if (!value)
        deny(j, "encryption.fact-missing", "link %s: the session does not report %s, so it cannot be judged",
             j->inquiry->link->name, name);
    return value;
}

static bool in_list(const struct judging *j, const char *name, enum algorithm_kind kind, const char *rule,
                    const char *option, const struct accord_list *list)
{
    const char *value = fact(j, name);
    if (!value)
        return false;
    if (algorithms_lists(list, value) &&
        (j->options->fips != FIPS_REQUIRED || algorithms_approved(kind, value)))
        return true;
    return deny(j, rule, "link %s: the session uses %.80s (%s), which %s does not allow",
                j->inquiry->link->name, value, name, option);
}

/* An AEAD cipher brings its own integrity; what is reported in place of a MAC is then not a choice. */
static bool mac(const struct judging *j, const char *mac_name, const char *cipher_name)
{
    const char *cipher = find(j->inquiry->facts, j->inquiry->fact_count, cipher_name);
    bool aead = cipher && (strstr(cipher, "-gcm@") || strstr(cipher, "-poly1305@"));
    if (aead)
        return fact(j, mac_name) != NULL;
    return in_list(j, mac_name, ALGORITHM_MAC, "encryption.ssh-mac", "ssh-macs", &j->options->macs);
}

static bool key_type(const struct judging *j, const char *name, const char *rule, const char *option,
                     const struct accord_list *list)
{
    const char *type = fact(j, name);
    if (!type)
        return false;
    if (algorithms_lists_key(list, type) &&
        (j->options->fips != FIPS_REQUIRED || algorithms_approved(ALGORITHM_KEY, type)))
        return true;
    return deny(j, rule, "link %s: a key of type %.80s, which %s does not allow", j->inquiry->link->name,
                type, option);
}

static bool key_bits(const struct judging *j, const char *type_name, const char *bits_name, const char *rule,
                     const char *whose)
{
    const char *type = fact(j, type_name), *text = type ? fact(j, bits_name) : NULL;
    if (!text)
        return false;
    char *end;
    long long bits = strtoll(text, &end, 10);
    bool rsa = !strcmp(type, "ssh-rsa") || !strncmp(type, "rsa-", 4);
    if (*end || bits <= 0 || (rsa && bits < j->options->rsa_bits))
        return deny(j, rule,
                    "link %s: %s %s key has %.20s bits, at least %" PRId64 " are demanded (ssh-rsa-bits)",
                    j->inquiry->link->name, whose, type, text, rsa ? j->options->rsa_bits : 1);
    return true;
}

/* Without strict key exchange someone on the way can remove the first packets of an encrypted session, unnoticed with
 * this cipher (CVE-2023-48795; CBC, of which the same is true, is never allowed). */
static bool strict(const struct judging *j)
{
    const char *is = fact(j, "ssh.strict-kex"), *out = is ? fact(j, "ssh.cipher.out") : NULL;
    const char *in = out ? fact(j, "ssh.cipher.in") : NULL;
    if (!in || !strcmp(is, "yes"))
        return in != NULL;
    bool needed = strstr(out, "chacha20-") || strstr(in, "chacha20-");
    if (!needed && j->options->strict_kex == STRICT_WHEN_NEEDED)
        return true;
    return deny(
        j, "encryption.ssh-strict-kex",
        "link %s: %s does not agree to strict key exchange, without which %s (CVE-2023-48795); it has to be "
        "updated, or use aes256-gcm@openssh.com",
        j->inquiry->link->name, j->inquiry->link->endpoint_host,
        needed ? "chacha20-poly1305@openssh.com can be tampered with"
               : "ssh-strict-kex = always allows nothing");
}

/* Is `value` one of the comma-separated `list`? */
static bool one_of(const char *list, const char *value)
{
    size_t size = strlen(value);
    while (*list) {
        list += strspn(list, ", \t");
        size_t length = strcspn(list, ", \t");
        if (length && length == size && !strncmp(list, value, size))
            return true;
        list += length;
    }
    return false;
}

/* The link pins its partner's key; there is no trust on first use. */
static bool host_key(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    const char *shown = fact(j, "ssh.host-key.sha256");
    if (!shown)
        return false;
    const char *pinned = find(link->options, link->option_count, "host-key");
    if (!pinned)
        return deny(j, "encryption.host-key",
                    "link %s pins no host key; write host-key = SHA256:... into its section", link->name);
    if (one_of(pinned, shown))
        return true;
    return deny(
        j, "encryption.host-key",
        "link %s: %s shows host key %.80s, pinned is %.200s; if the partner announced a new key, confirm it "
        "with them and change host-key",
        link->name, link->endpoint_host, shown, pinned);
}

static bool handshake(const struct judging *j)
{
    const struct encryption_options *o = j->options;
    return in_list(j, "ssh.kex", ALGORITHM_KEX, "encryption.ssh-kex", "ssh-kex", &o->kex) &&
           in_list(j, "ssh.cipher.out", ALGORITHM_CIPHER, "encryption.ssh-cipher", "ssh-ciphers",
                   &o->ciphers) &&
           in_list(j, "ssh.cipher.in", ALGORITHM_CIPHER, "encryption.ssh-cipher", "ssh-ciphers",
                   &o->ciphers) &&
           mac(j, "ssh.mac.out", "ssh.cipher.out") && mac(j, "ssh.mac.in", "ssh.cipher.in") && strict(j) &&
           key_type(j, "ssh.host-key.type", "encryption.ssh-host-key-type", "ssh-host-key-types",
                    &o->host_keys) &&
           key_bits(j, "ssh.host-key.type", "ssh.host-key.bits", "encryption.ssh-host-key-bits",
                    "the partner's") &&
           host_key(j);
}

static bool methods(const struct judging *j, const char *used)
{
    bool any = false;
    for (const char *at = used; *at;) {
        char name[64];
        size_t size = strcspn(at, ", ");
        snprintf(name, sizeof name, "%.*s", (int)size, at);
        if (size && !algorithms_lists(&j->options->auth, name))
            return deny(
                j, "encryption.ssh-auth",
                "link %s: authenticated by %.40s, which ssh-auth of [policy encryption] does not allow",
                j->inquiry->link->name, name);
        any = any || size;
        at += size + strspn(at + size, ", ");
    }
    return any || deny(j, "encryption.ssh-auth", "link %s: ssh.auth says nothing", j->inquiry->link->name);
}

/* A certificate's dates are the partner's to judge; that ours is over is known before anything is sent (sftp). */
static bool user_key(const struct judging *j)
{
    return key_type(j, "ssh.user-key.type", "encryption.ssh-user-key-type", "ssh-user-key-types",
                    &j->options->user_keys) &&
           key_bits(j, "ssh.user-key.type", "ssh.user-key.bits", "encryption.ssh-user-key-bits",
                    "the user's");
}

static bool authenticated(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    const char *user = fact(j, "ssh.user");
    const char *method = user ? fact(j, "ssh.auth") : NULL;
    if (!method)
        return false;
    const char *expected = find(link->options, link->option_count, "user");
    if (expected && strcmp(user, expected))
        return deny(j, "encryption.ssh-user", "link %s: authenticated as %.80s, the agreement says %.80s",
                    link->name, user, expected);
    return methods(j, method) && (!one_of(method, "publickey") || user_key(j));
}

bool session_known(const struct accord_policy_link *link)
{
    return !strcmp(link->connector, "sftp");
}

bool session_may_be_plain(const struct encryption_options *options, const struct accord_policy_link *link)
{
    for (size_t i = 0; i < options->unencrypted.count; i++)
        if (!strcmp(options->unencrypted.items[i], link->name))
            return true;
    return false;
}

/* A session that says itself that it is not encrypted. */
static bool is_plain(const struct accord_inquiry *inquiry)
{
    const char *encryption = find(inquiry->facts, inquiry->fact_count, "session.encryption");
    return encryption && !strcmp(encryption, "none");
}

void session_judge(const struct encryption_options *options, const struct accord_inquiry *inquiry,
                   struct session_ruling *ruling)
{
    struct judging j = {options, inquiry, ruling};
    *ruling = (struct session_ruling){.answer = ACCORD_ALLOW, .rule = ""};
    if (is_plain(inquiry) && session_may_be_plain(options, inquiry->link))
        return;
    if (is_plain(inquiry))
        deny(&j, "encryption.unencrypted",
             "link %s: the session is not encrypted; only where the agreement provides for that, write "
             "unencrypted = %s into [policy encryption]",
             inquiry->link->name, inquiry->link->name);
    else if (!session_known(inquiry->link))
        deny(&j, "encryption.unknown-protocol",
             "link %s: sessions of connector %s cannot be judged, and so not allowed", inquiry->link->name,
             inquiry->link->connector);
    else if (inquiry->question == ACCORD_ASK_HANDSHAKE)
        handshake(&j);
    else
        authenticated(&j);
}
