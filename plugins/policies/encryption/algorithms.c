#include "algorithms.h"

#include <stdio.h>
#include <string.h>

static bool is_ssh(enum algorithm_kind kind)
{
    return kind <= ALGORITHM_KEY;
}

const struct algorithm *algorithms_of(enum algorithm_kind kind)
{
    return is_ssh(kind)                   ? ssh_algorithms
           : kind == ALGORITHM_SASL       ? sasl_mechanisms
           : kind == ALGORITHM_TLS_CIPHER ? tls_ciphers
                                          : tls_algorithms;
}

const struct algorithm *algorithms_find(enum algorithm_kind kind, const char *name)
{
    for (const struct algorithm *a = algorithms_of(kind); a->name; a++)
        if (a->kind == kind && strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

bool algorithms_approved(enum algorithm_kind kind, const char *name)
{
    const struct algorithm *a = algorithms_find(kind, name);
    if (a && strcmp(name, "ssh-rsa") == 0 &&
        kind == ALGORITHM_KEY) /* the key's type; see algorithms_lists_key */
        return true;
    return a && !a->refused && a->approved;
}

static const char *page_of(enum algorithm_kind kind)
{
    return is_ssh(kind) ? "ssh-algorithms" : kind == ALGORITHM_SASL ? "sasl-mechanisms" : "tls-algorithms";
}

/* The allowed name that has most of its beginning and length in common with one that is not known. */
static const char *nearest(enum algorithm_kind kind, const char *name)
{
    const char *best = "";
    size_t most = 0;
    for (const struct algorithm *a = algorithms_of(kind); a->name; a++) {
        size_t same = 0;
        while (name[same] && a->name[same] == name[same])
            same++;
        if (a->kind == kind && !a->refused && (!*best || same > most)) {
            best = a->name;
            most = same;
        }
    }
    return best;
}

int algorithms_check(enum algorithm_kind kind, const char *option, const struct accord_list *list, char *why,
                     size_t why_size)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct algorithm *a = algorithms_find(kind, list->items[i]);
        if (a && !a->refused)
            continue;
        if (a)
            snprintf(why, why_size, "%s: %s is never allowed: %s; the nearest that is: %s", option, a->name,
                     a->refused, a->instead);
        else
            snprintf(why, why_size,
                     "%s: \"%.80s\" is no %s that is known here; the nearest: %s "
                     "(docs/reference/%s.md has all of them)",
                     option, list->items[i], kind == ALGORITHM_SASL ? "mechanism" : "algorithm",
                     nearest(kind, list->items[i]), page_of(kind));
        return ACCORD_EINVAL;
    }
    return ACCORD_OK;
}

bool algorithms_lists(const struct accord_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], name))
            return true;
    return false;
}

bool algorithms_lists_key(const struct accord_list *list, const char *type)
{
    if (!strcmp(type, "ssh-rsa"))
        return algorithms_lists(list, "rsa-sha2-256") || algorithms_lists(list, "rsa-sha2-512");
    return algorithms_lists(list, type);
}

static int append(char to[ALGORITHMS_TEXT_MAX], const char *name, size_t size, const char *ending)
{
    size_t used = strlen(to), behind = strlen(ending);
    if (used + size + behind + 2 > ALGORITHMS_TEXT_MAX)
        return ACCORD_ELIMIT;
    if (used)
        to[used++] = ',';
    memcpy(to + used, name, size);
    memcpy(to + used + size, ending, behind + 1);
    return 0;
}

int algorithms_compile(enum algorithm_kind kind, const struct accord_list *list, enum fips fips,
                       char to[ALGORITHMS_TEXT_MAX])
{
    int result = 0;
    to[0] = 0;
    for (size_t i = 0; !result && i < list->count; i++)
        if (fips == FIPS_OFF || algorithms_approved(kind, list->items[i]))
            result = append(to, list->items[i], strlen(list->items[i]), "");
    for (size_t i = 0; !result && fips == FIPS_PREFERRED && i < list->count; i++)
        if (!algorithms_approved(kind, list->items[i]))
            result = append(to, list->items[i], strlen(list->items[i]), "");
    return result;
}

int algorithms_add_certificates(char text[ALGORITHMS_TEXT_MAX])
{
    char plain[ALGORITHMS_TEXT_MAX];
    int result = 0;
    memcpy(plain, text, ALGORITHMS_TEXT_MAX);
    text[0] = 0;
    for (const char *at = plain; *at && !result;) {
        size_t size = strcspn(at, ",");
        result = append(text, at, size, "");
        if (!result)
            result = append(text, at, size, "-cert-v01@openssh.com");
        at += size + (at[size] == ',');
    }
    return result;
}
