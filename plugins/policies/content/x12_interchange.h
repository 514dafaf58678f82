/* The envelope of an X12 interchange: ISA, TA1, GS, ST, SE, GE, IEA, their counts and their control numbers
 * (X12.5, X12.6). What stands between ST and SE is a body's: edi_body.h. Refuses, never repairs.
 */
#ifndef CONTENT_X12_INTERCHANGE_H
#define CONTENT_X12_INTERCHANGE_H

#include "edi_body.h"
#include "edi_references.h"
#include "x12.h"

struct x12_interchange {
    const struct edi_terms *terms;
    const struct edi_body *body;
    struct x12 x12;
    struct edi_fault fault;

    bool ended, in_group, in_set;
    int64_t groups, sets, acknowledgements; /* sets: of the group; acknowledgements: TA1 */
    struct edi_place set_place;
    char sender[16], reference[10];
    char group_code[3], group_reference[EDI_REFERENCE_MAX], group_version[16];
    char set_reference[EDI_REFERENCE_MAX];
    _Alignas(max_align_t) unsigned char body_state[EDI_BODY_STATE_MAX];
    struct edi_references references;
};

/* Of a zeroed struct. `offset` is where ISA stands in the file. */
void x12_interchange_init(struct x12_interchange *, const struct edi_terms *, int64_t offset);
/* 0, or ACCORD_EFORMAT, fault says why; ACCORD_ENOMEM. Then nothing more may be fed. */
int x12_interchange_feed(struct x12_interchange *, const uint8_t *, size_t);
int x12_interchange_finish(struct x12_interchange *);
void x12_interchange_fini(struct x12_interchange *);
/* After an accepted file: "x12:SENDER:ISA13", the control number that a sender may use once. */
void x12_interchange_key(const struct x12_interchange *, char *to, size_t room);

#endif
