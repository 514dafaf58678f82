/* The envelope of an EDIFACT interchange: UNB, UNG, UNH, UNT, UNE, UNZ, their counts and their references
 * (ISO 9735 parts 1 and 2). What stands between UNH and UNT is a body's: baplie.h.
 *
 * Feed bytes, finish, read the verdict. Refuses, never repairs.
 */
#ifndef CONTENT_INTERCHANGE_H
#define CONTENT_INTERCHANGE_H

#include <accord/option.h>

#include "edifact.h"

#define INTERCHANGE_MESSAGES_MAX  256 /* in one interchange: references are kept to find one used twice */
#define INTERCHANGE_REFERENCE_MAX 15  /* an..14 and NUL */
#define INTERCHANGE_PARTY_MAX     36  /* an..35 and NUL */

/* A kind of message. Every slot returns 0, or ACCORD_EFORMAT with the fault filled in. */
struct interchange_body {
    const char *message; /* UNH S009 0065 */
    int (*begin)(void *state, const struct edifact_segment *unh, struct edifact_fault *);
    int (*segment)(void *state, const struct edifact_segment *, struct edifact_fault *);
    int (*end)(void *state, const struct edifact_segment *unt, struct edifact_fault *);
};

/* What the agreement says; must outlive the interchange. */
struct interchange_rules {
    struct accord_list versions;   /* S009 after the type, or its beginning: "D:95B", "D:95B:UN:SMDG20" */
    struct accord_list senders;    /* S002: "ACME" or "ACME:ZZ"; empty: any */
    struct accord_list recipients; /* S003, likewise */
    bool allow_test;               /* 0035 may be set */
    bool allow_bom;
    int64_t max_segments;
};

struct interchange {
    const struct interchange_rules *rules;
    const struct interchange_body *body;
    void *body_state;
    struct edifact edifact;
    struct edifact_fault fault;

    bool opened, ended, in_group, in_message, seven_bit;
    int64_t groups, messages, group_messages;
    struct edifact_place message_place;
    char sender[INTERCHANGE_PARTY_MAX];
    char reference[INTERCHANGE_REFERENCE_MAX];
    char group_reference[INTERCHANGE_REFERENCE_MAX], group_version[32];
    /* Of the messages so far; the last is the open one's. */
    char references[INTERCHANGE_MESSAGES_MAX][INTERCHANGE_REFERENCE_MAX];
};

void interchange_init(struct interchange *, const struct interchange_rules *, const struct interchange_body *,
                      void *body_state);
/* 0, or ACCORD_EFORMAT: interchange.fault says why, and nothing more may be fed. */
int interchange_feed(struct interchange *, const uint8_t *, size_t);
int interchange_finish(struct interchange *);
/* After an accepted file: "edifact:SENDER:0020", the control reference that a sender may use once. */
void interchange_key(const struct interchange *, char *to, size_t room);

#endif
