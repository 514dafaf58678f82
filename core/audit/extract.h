/* Copies an exported trail, chain by chain, while the agent goes on writing it: whole lines only, and nothing behind
 * the heads of one moment, so that the copies of all chains fit each other and verify as a whole. Lines are copied as
 * they are, damaged ones too: judging them is verify_trail()'s part. Blocking. */
#ifndef AUDIT_EXTRACT_H
#define AUDIT_EXTRACT_H

#include "audit/anchor.h"

/* In the folder of a copy: the chains that it was made without, one a line. */
#define EXTRACT_LEFT_OUT_FILE "left-out.txt"

struct extract_summary {
    uint64_t chains, files, records, bytes;
    uint64_t missing;      /* records between the oldest and the newest of their chain that are not there, or damaged */
    char from[32], to[32]; /* @timestamp of the oldest and the newest record; "" without any */
};

/* Copies the chain `name` of the trail's folder `trail` into the folder `to`, which is there: files 0600, synced.
 * `head`: its last record for this copy, which must be there (ACCORD_EFORMAT); NULL: whatever is there. A chain
 * without records is left out. Adds to the summary, which is zeroed at first. */
int extract_chain(const char *trail, const char *to, const char *name, const struct audit_head *head,
                  struct extract_summary *, struct reason *why);

#endif
