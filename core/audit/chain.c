#include "audit/chain.h"

#include <stdio.h>
#include <string.h>

#define NAME_ROOM      64
#define CHAIN_FIELD    ",\"accord.chain\":\""
#define SEQUENCE_FIELD "\",\"accord.sequence\":"
#define PREVIOUS_FIELD ",\"accord.previous\":\""
#define HASH_FIELD     ",\"accord.hash\":\""
#define SEAL_MAX       512 /* all that sealing appends, and a byte */
#define HASH_TAIL      (sizeof HASH_FIELD - 1 + 2 * DIGEST_SIZE + 2) /* field, digits, quote, brace */

/* Names that need no escaping in JSON: file names of conf.d. */
static bool name_fits(const char *name)
{
    size_t size = 0;
    for (; name[size]; size++)
        if (name[size] != '-' && !(name[size] >= '0' && name[size] <= '9') &&
            !(name[size] >= 'a' && name[size] <= 'z'))
            return false;
    return size && size < NAME_ROOM;
}

static char *put(char *to, const char *text, size_t size)
{
    memcpy(to, text, size);
    return to + size;
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return put(to, digits + at, sizeof digits - at);
}

static char *put_hash(char *to, const uint8_t hash[DIGEST_SIZE])
{
    hex_encode(to, hash, DIGEST_SIZE); /* its NUL is overwritten, or stands in the spare byte */
    return to + 2 * DIGEST_SIZE;
}

#define PUT(to, literal) put(to, literal, sizeof literal - 1)

int audit_seal(struct buf *line, const char *chain, struct audit_head *head)
{
    if (!name_fits(chain) || !line->size)
        return ACCORD_EINVAL;
    struct audit_head next = {.sequence = head->sequence + 1};
    char *begin = (char *)buf_reserve(line, SEAL_MAX), *to = begin;
    if (!to || line->failed)
        return ACCORD_ENOMEM;
    to = PUT(to, CHAIN_FIELD);
    to = put(to, chain, strlen(chain));
    to = PUT(to, SEQUENCE_FIELD);
    to = put_number(to, next.sequence);
    to = PUT(to, PREVIOUS_FIELD);
    to = put_hash(to, head->hash);
    to = PUT(to, "\"");
    size_t size = line->size + (size_t)(to - begin);
    int result = size + HASH_TAIL > AUDIT_LINE_MAX ? ACCORD_ELIMIT : digest_of(line->data, size, next.hash);
    if (result)
        return result;
    to = PUT(to, HASH_FIELD);
    to = put_hash(to, next.hash);
    to = PUT(to, "\"}");
    line->size += (size_t)(to - begin);
    *head = next;
    return 0;
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
