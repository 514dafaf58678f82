/* The envelope of an EDIFACT interchange: UNB, UNG, UNH, UNT, UNE, UNZ, their counts and their references
 * (ISO 9735 parts 1 and 2). What stands between UNH and UNT is a body's: edi_body.h.
 *
 * Feed bytes, finish, read the verdict. Refuses, never repairs.
 */
#ifndef CONTENT_INTERCHANGE_H
#define CONTENT_INTERCHANGE_H

#include "edi_body.h"
#include "edi_references.h"
#include "edifact.h"

struct interchange {
    const struct edi_terms *terms;
    const struct edi_body *body;
    struct edifact edifact;
    struct edi_fault fault;

    bool opened, ended, in_group, in_message, seven_bit;
    int64_t groups, messages, group_messages;
    struct edi_place message_place;
    char sender[EDI_PARTY_MAX];
    char reference[EDI_REFERENCE_MAX], group_reference[EDI_REFERENCE_MAX];
    char message_reference[EDI_REFERENCE_MAX];
    char group_version[32];
    _Alignas(max_align_t) unsigned char body_state[EDI_BODY_STATE_MAX];
    struct edi_references references;
};

/* Of a zeroed struct. `offset` is where the first byte stands in the file. */
void interchange_init(struct interchange *, const struct edi_terms *, int64_t offset);
/* 0, or ACCORD_EFORMAT, interchange.fault says why; ACCORD_ENOMEM. Then nothing more may be fed. */
int interchange_feed(struct interchange *, const uint8_t *, size_t);
int interchange_finish(struct interchange *);
void interchange_fini(struct interchange *);
/* After an accepted file: "edifact:SENDER:0020", the control reference that a sender may use once. */
void interchange_key(const struct interchange *, char *to, size_t room);

#endif
