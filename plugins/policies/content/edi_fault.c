#include "edi_fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *edi_quote(char to[EDI_QUOTE_MAX], const char *value)
{
    size_t used = 0;
    to[used++] = '"';
    for (; *value && used < EDI_QUOTE_MAX - 5; value++)
        to[used++] = *value >= 0x20 && *value < 0x7f ? *value : '?';
    snprintf(to + used, EDI_QUOTE_MAX - used, "%s", *value ? "...\"" : "\"");
    return to;
}

static int fill(struct edi_fault *fault, const char *rule, const char *where, const char *format,
                va_list arguments)
{
    snprintf(fault->rule, sizeof fault->rule, "%s", rule);
    int used = snprintf(fault->reason, sizeof fault->reason, "%s", where);
    if (used >= 0 && (size_t)used < sizeof fault->reason)
        vsnprintf(fault->reason + used, sizeof fault->reason - (size_t)used, format, arguments);
    return ACCORD_EFORMAT;
}

int edi_refuse(struct edi_fault *fault, const struct edi_place *place, const char *rule, const char *format,
               ...)
{
    char where[96];
    snprintf(where, sizeof where, "%s %" PRId64 "%s%s%s at byte %" PRId64 ": ", place->unit, place->number,
             *place->tag ? " (" : "", place->tag, *place->tag ? ")" : "", place->offset);
    va_list arguments;
    va_start(arguments, format);
    int result = fill(fault, rule, where, format, arguments);
    va_end(arguments);
    return result;
}

int edi_refuse_file(struct edi_fault *fault, const char *rule, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = fill(fault, rule, "", format, arguments);
    va_end(arguments);
    return result;
}
