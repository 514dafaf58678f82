/* The heads of the running agent's audit chains. */
#ifndef CLI_HEADS_H
#define CLI_HEADS_H

#include "audit/anchor.h"

#define HEADS_VERB        "audit-heads"  /* rows of table `heads`: chain, sequence, hash */
#define HEADS_EXPORT_VERB "audit export" /* the same answer; the agent records who asked */

struct heads {
    struct audit_chain_head *rows;
    size_t count;
    bool bad; /* a row that is not a head */
};

/* Asks with one of the verbs above; the agent answers when its exported trail has come up to them. ACCORD_ENOENT: no
 * agent runs there. heads_fini() in any case. */
int heads_ask(const char *state, const char *verb, struct heads *, struct reason *why);
/* NULL: the agent has no such chain. */
const struct audit_head *heads_find(const struct heads *, const char *chain);
void heads_fini(struct heads *);

#endif
