#include "judging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An AEAD cipher brings its own integrity; what is reported in place of a MAC is then not a choice. */
static bool mac(const struct judging *j, const char *mac_name, const char *cipher_name)
{
    const char *cipher = judging_find(j->inquiry->facts, j->inquiry->fact_count, cipher_name);
    bool aead = cipher && (strstr(cipher, "-gcm@") || strstr(cipher, "-poly1305@"));
    if (aead)
        return judging_fact(j, mac_name) != NULL;
    return judging_in_list(j, mac_name, ALGORITHM_MAC, "encryption.ssh-mac", "ssh-macs", &j->options->macs);
}

static bool key_type(const struct judging *j, const char *name, const char *rule, const char *option,
                     const struct accord_list *list)
{
    const char *type = judging_fact(j, name);
    if (!type)
        return false;
    if (algorithms_lists_key(list, type) &&
        (j->options->fips != FIPS_REQUIRED || algorithms_approved(ALGORITHM_KEY, type)))
        return true;
    return judging_deny(j, rule, "link %s: a key of type %.80s, which %s does not allow",
                        j->inquiry->link->name, type, option);
}

static bool key_bits(const struct judging *j, const char *type_name, const char *bits_name, const char *rule,
                     const char *whose)
{
    const char *type = judging_fact(j, type_name), *text = type ? judging_fact(j, bits_name) : NULL;
    if (!text)
        return false;
    char *end;
    long long bits = strtoll(text, &end, 10);
    bool rsa = !strcmp(type, "ssh-rsa") || !strncmp(type, "rsa-", 4);
    if (*end || bits <= 0 || (rsa && bits < j->options->rsa_bits))
        return judging_deny(
            j, rule, "link %s: %s %s key has %.20s bits, at least %" PRId64 " are demanded (ssh-rsa-bits)",
            j->inquiry->link->name, whose, type, text, rsa ? j->options->rsa_bits : 1);
    return true;
}

/* Without strict key exchange someone on the way can remove the first packets of an encrypted session, unnoticed with
 * this cipher (CVE-2023-48795; CBC, of which the same is true, is never allowed). */
static bool strict(const struct judging *j)
{
    const char *is = judging_fact(j, "ssh.strict-kex"), *out = is ? judging_fact(j, "ssh.cipher.out") : NULL;
    const char *in = out ? judging_fact(j, "ssh.cipher.in") : NULL;
    if (!in || !strcmp(is, "yes"))
        return in != NULL;
    bool needed = strstr(out, "chacha20-") || strstr(in, "chacha20-");
    if (!needed && j->options->strict_kex == STRICT_WHEN_NEEDED)
        return true;
    return judging_deny(
        j, "encryption.ssh-strict-kex",
        "link %s: %s does not agree to strict key exchange, without which %s (CVE-2023-48795); it has to be "
        "updated, or use aes256-gcm@openssh.com",
        j->inquiry->link->name, j->inquiry->link->endpoint_host,
        needed ? "chacha20-poly1305@openssh.com can be tampered with"
               : "ssh-strict-kex = always allows nothing");
}

/* The link pins its partner's key; there is no trust on first use. */
static bool host_key(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    const char *shown = judging_fact(j, "ssh.host-key.sha256");
    if (!shown)
        return false;
    const char *pinned = session_option(j->inquiry->link, "host-key");
    if (!pinned)
        return judging_deny(j, "encryption.host-key",
                            "link %s pins no host key; write host-key = SHA256:... into its section",
                            link->name);
    if (judging_one_of(pinned, shown))
        return true;
    return judging_deny(
        j, "encryption.host-key",
        "link %s: %s shows host key %.80s, pinned is %.200s; if the partner announced a new key, confirm it "
        "with them and change host-key",
        link->name, link->endpoint_host, shown, pinned);
}

bool ssh_handshake(const struct judging *j)
{
    const struct encryption_options *o = j->options;
    return judging_in_list(j, "ssh.kex", ALGORITHM_KEX, "encryption.ssh-kex", "ssh-kex", &o->kex) &&
           judging_in_list(j, "ssh.cipher.out", ALGORITHM_CIPHER, "encryption.ssh-cipher", "ssh-ciphers",
                           &o->ciphers) &&
           judging_in_list(j, "ssh.cipher.in", ALGORITHM_CIPHER, "encryption.ssh-cipher", "ssh-ciphers",
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
            return judging_deny(
                j, "encryption.ssh-auth",
                "link %s: authenticated by %.40s, which ssh-auth of [policy encryption] does not allow",
                j->inquiry->link->name, name);
        any = any || size;
        at += size + strspn(at + size, ", ");
    }
    return any ||
           judging_deny(j, "encryption.ssh-auth", "link %s: ssh.auth says nothing", j->inquiry->link->name);
}

/* A certificate's dates are the partner's to judge; that ours is over is known before anything is sent (sftp). */
static bool user_key(const struct judging *j)
{
    return key_type(j, "ssh.user-key.type", "encryption.ssh-user-key-type", "ssh-user-key-types",
                    &j->options->user_keys) &&
           key_bits(j, "ssh.user-key.type", "ssh.user-key.bits", "encryption.ssh-user-key-bits",
                    "the user's");
}

bool ssh_authenticated(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    const char *user = judging_fact(j, "ssh.user");
    const char *method = user ? judging_fact(j, "ssh.auth") : NULL;
    if (!method)
        return false;
    const char *expected = session_option(j->inquiry->link, "user");
    if (expected && strcmp(user, expected))
        return judging_deny(j, "encryption.ssh-user",
                            "link %s: authenticated as %.80s, the agreement says %.80s", link->name, user,
                            expected);
    return methods(j, method) && (!judging_one_of(method, "publickey") || user_key(j));
}
