/* Where an export stopped: the position file, and what a crash left behind it. */
#ifndef AUDIT_EXPORT_RESUME_H
#define AUDIT_EXPORT_RESUME_H

#include "audit/chain.h"
#include "audit/line.h"

#define EXPORT_CHAINS_MAX    4096
#define EXPORT_POSITION_FILE "export.position" /* the dot: no chain has this name */

/* One chain: what is durable and counted, and which later sequences stand in its files all the same. */
struct export_chain {
    char name[64];
    uint64_t sequence;         /* the last one counted */
    char date[LINE_DATE_SIZE]; /* the file that holds it; "" when unknown */
    int64_t size;              /* bytes of that file that are counted */
    uint64_t *present;         /* sorted: later sequences found at start */
    size_t present_count, present_room;
    struct audit_head last; /* found in its files at start, the uncounted ones included; 0: none, or unreadable */
};

struct export_state {
    uint64_t position;
    struct export_chain *chains;
    size_t count, room;
};

/* The chain of this name, made when it is new; NULL: out of memory or EXPORT_CHAINS_MAX. The pointer is good
 * until the next call. */
struct export_chain *export_chain_of(struct export_state *, const char *name);
bool export_chain_has(const struct export_chain *, uint64_t sequence);
/* Reads FOLDER/export.position and examines every file of every chain. */
int export_resume(struct export_state *, const char *folder, struct reason *why);
int export_state_save(const struct export_state *, const char *folder, struct reason *why);
void export_state_fini(struct export_state *);

#endif
