/* What stands between the header and the trailer of a message: one row for each kind, in EDIFACT and in X12. */
#ifndef CONTENT_EDI_BODY_H
#define CONTENT_EDI_BODY_H

#include "edi_segment.h"

/* Every slot returns 0, or ACCORD_EFORMAT with the fault filled in. The state is zeroed before `begin`. */
struct edi_body {
    const char *message; /* UNH S009 0065, or ST01 */
    int (*begin)(void *state, const struct edi_segment *header, struct edi_fault *); /* NULL: nothing to do */
    int (*segment)(void *state, const struct edi_segment *, struct edi_fault *);
    int (*end)(void *state, const struct edi_segment *trailer, struct edi_fault *);
};

#define EDI_BODY_STATE_MAX 512
/* Asserts that a body's state has room. */
#define EDI_BODY_STATE(type) _Static_assert(sizeof(type) <= EDI_BODY_STATE_MAX, #type " has no room")

/* The body of a kind of message; one that only asks for a segment when nothing is known of it. */
const struct edi_body *edi_body(const char *message);

extern const struct edi_body baplie_body;                                       /* baplie.c */
extern const struct edi_body set_315_body, set_322_body;                        /* status.c */
extern const struct edi_body codeco_body, coarri_body, iftsta_body;             /* status.c */
extern const struct edi_body cusres_body, contrl_body, set_997_body, set_999_body; /* answers.c */
extern const struct edi_body set_601_body;                                      /* export.c */

#endif
