/* The session profile, strictly: a name that is missing or empty allows nothing. */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct tls_problem *problem, const char *name, const char *what)
{
    return tls_fail(problem, ACCORD_EINVAL, true, "tls.profile",
                    "the session profile's %s %s; see [policy encryption] of the agreement", name, what);
}

/* OpenSSL's lists know orders as well as names ("!", "+", "@SECLEVEL"); only names are taken. */
static bool plain(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+.,")] == 0 &&
           text[0] != ',' && text[0] != '+' && !strstr(text, ",+") && !strstr(text, ",-") && text[0] != '-';
}

static int text_of(const struct tls_setup *setup, const char *name, char to[TLS_LIST_MAX],
                   struct tls_problem *problem)
{
    const char *value = setup->profile(setup->profile_arg, name);
    if (!value || !*value)
        return refuse(problem, name, "allows nothing");
    if (strlen(value) >= TLS_LIST_MAX || !plain(value))
        return refuse(problem, name, "is not a list of names");
    strcpy(to, value);
    return 0;
}

static void with_colons(char *list)
{
    for (; *list; list++)
        if (*list == ',')
            *list = ':';
}

static int versions(struct tls_allowed *allowed, const struct tls_setup *setup, struct tls_problem *problem)
{
    char list[TLS_LIST_MAX];
    int result = text_of(setup, "tls.versions", list, problem);
    if (result)
        return result;
    bool newer = tls_lists(list, "1.3"), older = tls_lists(list, "1.2");
    size_t length = strlen(list);
    if ((!newer && !older) || length != (newer && older ? 7 : 3))
        return refuse(problem, "tls.versions", "names something else than 1.3 and 1.2");
    allowed->least = older ? TLS1_2_VERSION : TLS1_3_VERSION;
    allowed->most = newer ? TLS1_3_VERSION : TLS1_2_VERSION;
    return 0;
}

/* "RSA-PSS+SHA256" means both kinds of keys that sign so; OpenSSL takes it for one of them. */
static int signatures(struct tls_allowed *allowed, const struct tls_setup *setup, struct tls_problem *problem)
{
    int result = text_of(setup, "tls.signatures", allowed->signatures, problem);
    char *to = allowed->handshake_signatures;
    size_t used = 0;
    for (const char *at = allowed->signatures; !result && *at;) {
        char name[64], low[64];
        int size = (int)strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", size, at);
        snprintf(low, sizeof low, "%s", name + (strncmp(name, "RSA-PSS+SHA", 11) ? 0 : 11));
        if (!strncmp(name, "RSA-PSS+SHA", 11))
            used += (size_t)snprintf(to + used, TLS_LIST_MAX - used, "%srsa_pss_rsae_sha%s:rsa_pss_pss_sha%s",
                                     used ? ":" : "", low, low);
        else
            used += (size_t)snprintf(to + used, TLS_LIST_MAX - used, "%s%s", used ? ":" : "", name);
        if (used >= TLS_LIST_MAX)
            return refuse(problem, "tls.signatures", "is too long");
        at += size + (at[size] == ',');
    }
    return result;
}

static int bits(const struct tls_setup *setup, const char *name, int64_t least, int64_t *to,
                struct tls_problem *problem)
{
    char text[TLS_LIST_MAX], *end;
    int result = text_of(setup, name, text, problem);
    if (result)
        return result;
    *to = strtoll(text, &end, 10);
    return *end || *to < least || *to > 65536 ? refuse(problem, name, "is not a number of bits") : 0;
}

static int client_certificate(struct tls_allowed *allowed, const struct tls_setup *setup,
                              struct tls_problem *problem)
{
    char text[TLS_LIST_MAX];
    int result = text_of(setup, "tls.client-certificate", text, problem);
    if (result)
        return result;
    allowed->certificate_required = !strcmp(text, "required");
    return allowed->certificate_required || !strcmp(text, "allowed")
               ? 0
               : refuse(problem, "tls.client-certificate", "is neither \"required\" nor \"allowed\"");
}

int tls_read_profile(struct tls *tls, const struct tls_setup *setup, struct tls_problem *problem)
{
    struct tls_allowed *allowed = &tls->allowed;
    int result = versions(allowed, setup, problem);
    if (!result && allowed->least == TLS1_2_VERSION)
        result = text_of(setup, "tls.ciphers", allowed->ciphers, problem);
    if (!result && allowed->most == TLS1_3_VERSION)
        result = text_of(setup, "tls.suites", allowed->suites, problem);
    if (!result)
        result = text_of(setup, "tls.groups", allowed->groups, problem);
    if (!result)
        result = signatures(allowed, setup, problem);
    if (!result)
        result = bits(setup, "tls.rsa-bits", 2048, &allowed->rsa_bits, problem);
    if (!result)
        result = bits(setup, "tls.ec-bits", 256, &allowed->ec_bits, problem);
    if (!result)
        result = client_certificate(allowed, setup, problem);
    with_colons(allowed->ciphers);
    with_colons(allowed->suites);
    with_colons(allowed->groups);
    return result;
}
