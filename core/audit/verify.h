/* Verifies an exported trail: every record's hash, the sequence of each chain across its files, the link from
 * each record to the one before it, the signed anchors and the heads that they name, and, when the caller has
 * them, the heads of the store, so that a cut tail shows.
 *
 * What it cannot show: a trail rewritten by someone who holds the signing key. That is why anchors should also
 * leave the host.
 */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "audit/anchor.h"

enum verify_fault {
    VERIFY_CHANGED,    /* a line is not what was sealed */
    VERIFY_CUT,        /* the end of a chain is missing */
    VERIFY_MISSING,    /* records before others are missing */
    VERIFY_SWAPPED,    /* a line stands in another place than it was written to */
    VERIFY_DUPLICATED, /* a sequence stands twice */
    VERIFY_FORGED,     /* an anchor that the key did not sign */
    VERIFY_UNREADABLE, /* a file or folder could not be read */
};
const char *verify_fault_name(enum verify_fault);

struct verify_problem {
    enum verify_fault fault;
    const char *file; /* "CHAIN/DATE.jsonl"; or the chain when it is about no line */
    uint64_t line;    /* 0: about the whole file or chain */
    const char *text; /* one line for a person */
};

struct verify_options {
    const char *folder;
    const struct anchor_key *key;         /* NULL: signatures are not checked */
    const struct audit_chain_head *heads; /* of the store, read after its records were exported; NULL: not compared */
    size_t head_count;
    /* Asked once, when a chain goes on beyond `heads`: the store's heads of now, for an agent that runs meanwhile.
     * NULL: the store has ended. */
    const struct audit_chain_head *(*heads_now)(void *arg, size_t *count);
    bool begins_late; /* older records were archived: a chain may begin after 1 */
    /* Chains that an anchor may name without their folder being there: this is a copy that was made without them. */
    const char *const *left_out;
    size_t left_out_count;
    void (*report)(void *arg, const struct verify_problem *);
    void *arg;
};

struct verify_summary {
    uint64_t chains, files, records, anchors, problems;
    uint64_t left_out; /* chains that are named and neither there nor missed */
};

/* 0 when the trail was looked at, with or without problems: see summary.problems. */
int verify_trail(const struct verify_options *, struct verify_summary *, struct reason *why);

#endif
