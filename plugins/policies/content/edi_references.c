#include "edi_references.h"

#include <inttypes.h>
#include <string.h>

#define SLOTS (sizeof((struct edi_references *)0)->slots / sizeof(struct edi_reference_slot))

void edi_references_begin(struct edi_references *r)
{
    r->group++;
    r->count = 0;
}

static size_t hash(const char *text) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

int edi_references_add(struct edi_references *r, const char *text, const struct edi_place *place,
                       const char *rule, struct edi_fault *fault)
{
    if (r->count == EDI_MESSAGES_MAX)
        return edi_refuse(fault, place, "message-limit", "more than %d messages in one group or interchange",
                          EDI_MESSAGES_MAX);
    r->count++;
    size_t at = hash(text) % SLOTS;
    for (; r->slots[at].group == r->group; at = (at + 1) % SLOTS)
        if (!strcmp(r->slots[at].text, text))
            return edi_refuse(fault, place, rule, "message %" PRIu32 " has the reference of message %" PRIu32,
                              r->count, r->slots[at].number);
    r->slots[at].group = r->group;
    r->slots[at].number = r->count;
    strcpy(r->slots[at].text, text);
    return 0;
}
