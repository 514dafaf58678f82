/* Anchors: the heads of all chains in one record of the host chain, signed, so that nobody without the key can
 * rewrite what lies before it. ECDSA P-256 with SHA-256 over a canonical text:
 *
 *     accord-audit-anchor 1\n
 *     host NAME\n
 *     time 2025-03-14T12:00:00.000000Z\n
 *     CHAIN SEQUENCE:HASH\n            one for each chain, in byte order of the names
 *
 * In the record: accord.details.chain.CHAIN = "SEQUENCE:HASH", accord.details.key = SHA-256 of the public key
 * (DER), accord.details.signature = base64.
 */
#ifndef AUDIT_ANCHOR_H
#define AUDIT_ANCHOR_H

#include "audit/chain.h"
#include "audit/line.h"
#include "audit/record.h"

#define ANCHOR_KEY_FILE        "audit-key.pem"
#define ANCHOR_PUBLIC_KEY_FILE "audit-key.pub.pem"
/* Chains in one anchor, so that it fits a line. Whoever has more makes several anchors. */
#define ANCHOR_HEADS_MAX 256

struct audit_chain_head {
    const char *chain;
    struct audit_head head;
};

struct anchor_key;
/* Reads STATE/audit-key.pem, or makes it (0600) with STATE/audit-key.pub.pem beside it. A private key that is
 * gone while the public one is there is refused: a new one would hide that older anchors were forged. */
int anchor_key_open(struct anchor_key **, const char *state, struct reason *why);
/* Reads a public key to verify with. */
int anchor_key_public(struct anchor_key **, const char *path, struct reason *why);
void anchor_key_close(struct anchor_key *);

/* What the details of an anchor's event point to; keep it until the event is rendered. */
struct anchor {
    struct accord_pair details[ANCHOR_HEADS_MAX + 2];
    size_t count;
    struct buf text;
};
/* Signs heads and fills `event`: action, outcome, time, details. Heads of chains without records are left out.
 * ACCORD_ELIMIT: more than ANCHOR_HEADS_MAX. */
int anchor_make(struct anchor *, const struct anchor_key *, const struct audit_chain_head *, size_t count,
                int64_t time, struct audit_event *event, struct reason *why);
void anchor_fini(struct anchor *);

/* Checks a parsed record that says it is an anchor. `key` NULL: only its form. ACCORD_EFORMAT: no anchor of
 * ours; ACCORD_EDENIED: made with another key, or the signature does not belong to it. */
int anchor_check(const struct line *, const struct anchor_key *key, struct reason *why);
/* The heads that a checked anchor names, one by one: `at` starts at 0. False at the end. */
bool anchor_next(const struct line *, size_t *at, struct audit_chain_head *);

#endif
