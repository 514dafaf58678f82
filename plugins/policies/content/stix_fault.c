#include "stix_fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t printable(char *to, size_t room, const char *value)
{
    size_t used = 0;
    for (; *value && used + 1 < room; value++)
        to[used++] = *value >= 0x20 && *value < 0x7f ? *value : '?';
    to[used] = 0;
    return used;
}

struct stix_spot stix_spot(const struct xml_element *element)
{
    struct stix_spot spot = {.line = element->line};
    size_t used = 0;
    if (*element->name.prefix) {
        used = printable(spot.element, 24, element->name.prefix);
        spot.element[used++] = ':';
    }
    printable(spot.element + used, sizeof spot.element - used, element->name.local);
    return spot;
}

int stix_refuse(struct stix_fault *fault, const struct stix_spot *spot, const char *rule, const char *format,
                ...)
{
    snprintf(fault->rule, sizeof fault->rule, "%s", rule);
    int used =
        snprintf(fault->reason, sizeof fault->reason, "line %" PRId64 " (%s): ", spot->line, spot->element);
    va_list args;
    va_start(args, format);
    vsnprintf(fault->reason + used, sizeof fault->reason - (size_t)used, format, args);
    va_end(args);
    return ACCORD_EFORMAT;
}

const char *stix_quote(char to[STIX_QUOTE_MAX], const char *value)
{
    bool longer = strlen(value) > STIX_QUOTE_MAX - 6;
    to[0] = '"';
    size_t used = 1 + printable(to + 1, longer ? STIX_QUOTE_MAX - 5 : STIX_QUOTE_MAX - 2, value);
    strcpy(to + used, longer ? "...\"" : "\"");
    return to;
}
