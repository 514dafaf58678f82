#include "edi_references.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (1 << 14) /* more than EDI_MESSAGES_MAX: the search always ends */

struct edi_reference_slot {
    uint32_t group, number;
    char text[EDI_REFERENCE_MAX];
};

void edi_references_begin(struct edi_references *r)
{
    r->group++;
    r->count = 0;
}

void edi_references_fini(struct edi_references *r)
{
    free(r->slots);
    r->slots = NULL;
}

static size_t hash(const char *text) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

/* The number of the message that has it; 0, and it is noted: none has. */
static uint32_t note(struct edi_references *r, const char *text, uint32_t number)
{
    size_t at = hash(text) % SLOTS;
    for (; r->slots[at].group == r->group; at = (at + 1) % SLOTS)
        if (!strcmp(r->slots[at].text, text))
            return r->slots[at].number;
    r->slots[at].group = r->group;
    r->slots[at].number = number;
    strcpy(r->slots[at].text, text);
    return 0;
}

int edi_references_add(struct edi_references *r, const char *text, const struct edi_place *place,
                       const char *rule, struct edi_fault *fault)
{
    if (r->count == EDI_MESSAGES_MAX)
        return edi_refuse(fault, place, "message-limit", "more than %d messages in one group or interchange",
                          EDI_MESSAGES_MAX);
    if (++r->count == 1) {
        strcpy(r->first, text);
        return 0;
    }
    if (!r->slots)
        r->slots = calloc(SLOTS, sizeof *r->slots);
    if (!r->slots)
        return ACCORD_ENOMEM;
    if (r->count == 2)
        note(r, r->first, 1);
    uint32_t earlier = note(r, text, r->count);
    return earlier
               ? edi_refuse(fault, place, rule, "message %" PRIu32 " has the reference of message %" PRIu32,
                            r->count, earlier)
               : 0;
}
