/* The references of the messages of one group, to find one that is used twice. Most files hold one message: the
 * table is made for the second.
 */
#ifndef CONTENT_EDI_REFERENCES_H
#define CONTENT_EDI_REFERENCES_H

#include "edi_terms.h"

#define EDI_MESSAGES_MAX 10000

struct edi_reference_slot;
struct edi_references {
    uint32_t group, count;            /* group: of the slots that count */
    char first[EDI_REFERENCE_MAX];
    struct edi_reference_slot *slots; /* NULL before a second message */
};

/* Of a zeroed struct: forgets all, a new group begins. Needed once before the first. */
void edi_references_begin(struct edi_references *);
/* 0, ACCORD_ENOMEM, or a refusal: "message 7 has the reference of message 3", or too many. */
int edi_references_add(struct edi_references *, const char *text, const struct edi_place *, const char *rule,
                       struct edi_fault *);
void edi_references_fini(struct edi_references *);

#endif
