#include "edi_terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool edi_version_is(const char *item, const char *version, char stop)
{
    size_t size = strlen(item);
    return size && !strncmp(item, version, size) && (!version[size] || version[size] == stop);
}

bool edi_plain(const char *text, size_t most)
{
    size_t size = strlen(text);
    if (!size || size > most || text[0] == ' ' || text[size - 1] == ' ')
        return false;
    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c >= 0x7f || *c == ':')
            return false;
    return true;
}

bool edi_digits(const char *text, size_t least, size_t most)
{
    size_t size = strlen(text);
    return size >= least && size <= most && strspn(text, "0123456789") == size;
}

bool edi_date(const char *date)
{
    size_t width = strlen(date);
    if ((width != 6 && width != 8) || !edi_digits(date, width, width))
        return false;
    const char *month = date + width - 4, *day = date + width - 2;
    return memcmp(month, "01", 2) >= 0 && memcmp(month, "12", 2) <= 0 && memcmp(day, "01", 2) >= 0 &&
           memcmp(day, "31", 2) <= 0;
}

bool edi_time(const char *time)
{
    return strspn(time, "0123456789") >= 4 && memcmp(time, "23", 2) <= 0 && time[2] <= '5';
}

/* "ACME" takes any qualifier, "ACME:ZZ" only that one; without a qualifier to compare (NULL) both do. */
static bool listed(const struct accord_list *list, const char *id, const char *qualifier)
{
    size_t size = strlen(id);
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        if (!strncmp(item, id, size) &&
            (!item[size] || (item[size] == ':' && (!qualifier || !strcmp(item + size + 1, qualifier)))))
            return true;
    }
    return list->count == 0;
}

int edi_terms_party(const struct accord_list *allowed, const struct edi_place *place, const char *who,
                    const char *id, const char *qualifier, struct edi_fault *fault)
{
    char name[EDI_QUOTE_MAX], kind[EDI_QUOTE_MAX];
    if (!*id)
        return edi_refuse(fault, place, who, "names no %s", who);
    if (!edi_plain(id, EDI_PARTY_MAX - 1))
        return edi_refuse(fault, place, who, "the %s is %s, expected 1 to 35 plain characters", who,
                          edi_quote(name, id));
    if (!listed(allowed, id, qualifier))
        return edi_refuse(fault, place, who, "the %s is %s%s%s, which is not on the agreement's list", who,
                          edi_quote(name, id), qualifier ? ", qualifier " : "",
                          qualifier ? edi_quote(kind, qualifier) : "");
    return 0;
}

/* "BAPLIE", or "315, 322": those that are `letters` long, as many as have room. */
static const char *names(const struct accord_list *list, size_t letters, char *to, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < list->count && used < room; i++)
        if (strlen(list->items[i]) == letters)
            used += (size_t)snprintf(to + used, room - used, "%s%s", used ? ", " : "", list->items[i]);
    return to;
}

int edi_terms_message(const struct edi_terms *terms, const struct edi_place *place, size_t letters,
                      const char *message, struct edi_fault *fault)
{
    char found[EDI_QUOTE_MAX], expected[200] = "none";
    for (size_t i = 0; strlen(message) == letters && i < terms->messages.count; i++)
        if (!strcmp(terms->messages.items[i], message))
            return 0;
    return edi_refuse(fault, place, "type", "message type %s, expected %s", edi_quote(found, message),
                      names(&terms->messages, letters, expected, sizeof expected));
}

int edi_terms_version(const struct edi_terms *terms, const struct edi_place *place, const char *message,
                      const char *version, char stop, struct edi_fault *fault)
{
    char found[EDI_QUOTE_MAX];
    for (size_t i = 0; i < terms->versions.count; i++)
        if (edi_version_is(terms->versions.items[i], version, stop))
            return 0;
    return terms->versions.count == 0
               ? 0
               : edi_refuse(fault, place, "version", "%s version %s is not one that the agreement accepts",
                            message, edi_quote(found, version));
}

int edi_count(const struct edi_place *place, const char *rule, const char *says, size_t digits,
              const char *what, int64_t has, struct edi_fault *fault)
{
    char quoted[EDI_QUOTE_MAX];
    if (!edi_digits(says, 1, digits))
        return edi_refuse(fault, place, rule, "says %s %s, expected a number of up to %zu digits",
                          edi_quote(quoted, says), what, digits);
    int64_t number = 0;
    for (; *says; says++)
        number = number * 10 + (*says - '0');
    if (number != has)
        return edi_refuse(fault, place, rule, "says %" PRId64 " %s, has %" PRId64, number, what, has);
    return 0;
}

int edi_reference(const struct edi_place *place, const char *rule, const char *value,
                  char to[EDI_REFERENCE_MAX], struct edi_fault *fault)
{
    char quoted[EDI_QUOTE_MAX];
    if (!edi_plain(value, EDI_REFERENCE_MAX - 1))
        return edi_refuse(fault, place, rule, "the reference is %s, expected 1 to 14 plain characters",
                          edi_quote(quoted, value));
    strcpy(to, value);
    return 0;
}

int edi_same_reference(const struct edi_place *place, const char *rule, const char *value, const char *opener,
                       const char *expected, struct edi_fault *fault)
{
    char found[EDI_QUOTE_MAX], wanted[EDI_QUOTE_MAX];
    if (!strcmp(value, expected))
        return 0;
    return edi_refuse(fault, place, rule, "refers to %s, but the %s that it ends says %s",
                      edi_quote(found, value), opener, edi_quote(wanted, expected));
}
