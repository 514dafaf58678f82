/* The hash chain of audit records: pure arithmetic, shared by the store that seals and the verifier.
 *
 * A sealed record is one line of JSON that ends
 *     ,"accord.chain":"NAME","accord.sequence":N,"accord.previous":"HEX","accord.hash":"HEX"}
 * where the hash is SHA-256 of the line up to and without `,"accord.hash"`, and previous is the hash of the
 * record before it in the same chain (64 zeros for the first, whose sequence is 1).
 */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include "util/buf.h"
#include "util/digest.h"
#include "util/error.h"

#define AUDIT_HOST_CHAIN "host"
#define AUDIT_LINE_MAX   65536

struct audit_head {
    uint64_t sequence; /* of the last record; 0: none yet */
    uint8_t hash[DIGEST_SIZE];
};

/* Appends the chain fields to a rendered record (record.h) that begins at `from`, and moves `head` on. The caller keeps the old head
 * if the commit fails. */
int audit_seal(struct buf *, size_t from, const char *chain, struct audit_head *head);

/* What a sealed line says of itself. */
struct audit_seal_facts {
    char chain[64];
    uint64_t sequence;
    uint8_t previous[DIGEST_SIZE];
    uint8_t hash[DIGEST_SIZE];
};
/* Parses the seal, and does not ask whether the hash belongs to the line. */
int audit_read_seal(const char *line, size_t size, struct audit_seal_facts *, struct reason *why);
/* Parses the seal and checks that the hash belongs to the line; ACCORD_EFORMAT with the reason otherwise. */
int audit_unseal(const char *line, size_t size, struct audit_seal_facts *, struct reason *why);

#endif
