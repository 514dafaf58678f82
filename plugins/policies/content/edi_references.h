/* The references of the messages of one group, to find one that is used twice. Fixed in size: no allocation. */
#ifndef CONTENT_EDI_REFERENCES_H
#define CONTENT_EDI_REFERENCES_H

#include "edi_terms.h"

#define EDI_MESSAGES_MAX 10000

struct edi_references {
    uint32_t group, count; /* group: of the slots that count */
    struct edi_reference_slot {
        uint32_t group, number;
        char text[EDI_REFERENCE_MAX];
    } slots[1 << 14]; /* more than EDI_MESSAGES_MAX: the search always ends */
};

/* Forgets all: a new group begins. A zeroed struct needs this once. */
void edi_references_begin(struct edi_references *);
/* 0, or a refusal: "message 7 has the reference of message 3", or too many. */
int edi_references_add(struct edi_references *, const char *text, const struct edi_place *, const char *rule,
                       struct edi_fault *);

#endif
