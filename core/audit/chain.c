#include "audit/chain.h"

#include <stdio.h>
#include <string.h>

#define NAME_ROOM      64
#define CHAIN_FIELD    ",\"accord.chain\":\""
#define SEQUENCE_FIELD "\",\"accord.sequence\":"
#define PREVIOUS_FIELD ",\"accord.previous\":\""
#define HASH_FIELD     ",\"accord.hash\":\""
#define HASH_TAIL      (sizeof HASH_FIELD - 1 + 2 * DIGEST_SIZE + 2) /* field, digits, quote, brace */

/* Names that need no escaping in JSON: file names of conf.d. */
static bool name_fits(const char *name)
{
    size_t size = strlen(name);
    return size && size < NAME_ROOM && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

int audit_seal(struct buf *line, const char *chain, struct audit_head *head)
{
    if (!name_fits(chain) || !line->size)
        return ACCORD_EINVAL;
    size_t size = line->size;
    struct audit_head next = {.sequence = head->sequence + 1};
    char hex[DIGEST_HEX], sequence[24];
    hex_encode(hex, head->hash, DIGEST_SIZE);
    snprintf(sequence, sizeof sequence, "%llu", (unsigned long long)next.sequence);
    buf_text(line, CHAIN_FIELD);
    buf_text(line, chain);
    buf_text(line, SEQUENCE_FIELD);
    buf_text(line, sequence);
    buf_text(line, PREVIOUS_FIELD);
    buf_text(line, hex);
    buf_text(line, "\"");
    int result = line->failed ? ACCORD_ENOMEM : line->size + HASH_TAIL > AUDIT_LINE_MAX ? ACCORD_ELIMIT : 0;
    if (!result)
        result = digest_of(line->data, line->size, next.hash);
    if (!result) {
        hex_encode(hex, next.hash, DIGEST_SIZE);
        buf_text(line, HASH_FIELD);
        buf_text(line, hex);
        buf_text(line, "\"}");
        result = line->failed ? ACCORD_ENOMEM : 0;
    }
    if (result)
        line->size = size;
    else
        *head = next;
    return result;
}

/* Finds the last occurrence: the rendered record before the seal may hold anything, also these words. */
static const char *find_last(const char *text, size_t size, const char *wanted)
{
    size_t length = strlen(wanted);
    for (size_t i = size < length ? 0 : size - length + 1; i-- > 0;)
        if (!memcmp(text + i, wanted, length))
            return text + i;
    return NULL;
}

/* `sealed` is the seal as text: chain, sequence and previous. */
static int parse_seal(const char *sealed, struct audit_seal_facts *facts)
{
    char previous[DIGEST_HEX], again[320];
    unsigned long long sequence;
    if (sscanf(sealed, CHAIN_FIELD "%63[a-z0-9-]" SEQUENCE_FIELD "%20llu" PREVIOUS_FIELD "%64[0-9a-f]\"",
               facts->chain, &sequence, previous) != 3)
        return ACCORD_EFORMAT;
    /* Written again it must be the same: no leading zero, blank or plus that scanf would forgive. */
    snprintf(again, sizeof again, CHAIN_FIELD "%s" SEQUENCE_FIELD "%llu" PREVIOUS_FIELD "%s\"", facts->chain,
             sequence, previous);
    facts->sequence = sequence;
    return !strcmp(again, sealed) && sequence && hex_decode(facts->previous, DIGEST_SIZE, previous)
               ? 0
               : ACCORD_EFORMAT;
}

static int parse_hash(const char *tail, struct audit_seal_facts *facts)
{
    char hex[DIGEST_HEX];
    if (memcmp(tail, HASH_FIELD, sizeof HASH_FIELD - 1) || memcmp(tail + HASH_TAIL - 2, "\"}", 2))
        return ACCORD_EFORMAT;
    memcpy(hex, tail + sizeof HASH_FIELD - 1, DIGEST_HEX - 1);
    hex[DIGEST_HEX - 1] = 0;
    return hex_decode(facts->hash, DIGEST_SIZE, hex) ? 0 : ACCORD_EFORMAT;
}

int audit_unseal(const char *line, size_t size, struct audit_seal_facts *facts, struct reason *why)
{
    char sealed[320];
    uint8_t hash[DIGEST_SIZE];
    if (size > AUDIT_LINE_MAX)
        return fail(why, ACCORD_EFORMAT, "the line is longer than %d bytes", AUDIT_LINE_MAX);
    if (size < HASH_TAIL || parse_hash(line + size - HASH_TAIL, facts))
        return fail(why, ACCORD_EFORMAT, "the line does not end with its accord.hash; it was cut or changed");
    size -= HASH_TAIL;
    const char *seal = find_last(line, size, CHAIN_FIELD);
    size_t length = seal ? size - (size_t)(seal - line) : 0;
    if (!seal || length >= sizeof sealed)
        return fail(why, ACCORD_EFORMAT, "the line has no accord.chain before its hash; it was changed");
    memcpy(sealed, seal, length);
    sealed[length] = 0;
    if (strlen(sealed) != length || parse_seal(sealed, facts))
        return fail(why, ACCORD_EFORMAT,
                    "chain, sequence or previous hash of the line is unreadable; it was changed");
    if (digest_of(line, size, hash))
        return fail(why, ACCORD_EIO, "cannot compute SHA-256");
    if (memcmp(hash, facts->hash, DIGEST_SIZE))
        return fail(why, ACCORD_EFORMAT, "the hash does not belong to it");
    return 0;
}
