#include "judging.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool judging_deny(const struct judging *j, const char *rule, const char *format, ...)
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

const char *judging_find(const struct accord_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, name))
            return pairs[i].value && *pairs[i].value ? pairs[i].value : NULL;
    return NULL;
}

const char *judging_fact(const struct judging *j, const char *name)
{
    const char *value = judging_find(j->inquiry->facts, j->inquiry->fact_count, name);
    if (!value)
        judging_deny(j, "encryption.fact-missing",
                     "link %s: the session does not report %s, so it cannot be judged",
                     j->inquiry->link->name, name);
    return value;
}

bool judging_reports(const struct judging *j, const char *name)
{
    for (size_t i = 0; i < j->inquiry->fact_count; i++)
        if (!strcmp(j->inquiry->facts[i].name, name))
            return true;
    return judging_fact(j, name);
}

bool judging_in_list(const struct judging *j, const char *name, enum algorithm_kind kind, const char *rule,
                     const char *option, const struct accord_list *list)
{
    const char *value = judging_fact(j, name);
    if (!value)
        return false;
    if (algorithms_lists(list, value) &&
        (j->options->fips != FIPS_REQUIRED || algorithms_approved(kind, value)))
        return true;
    return judging_deny(j, rule, "link %s: the session uses %.80s (%s), which %s does not allow",
                        j->inquiry->link->name, value, name, option);
}

bool judging_one_of(const char *list, const char *value)
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
