#include "audit/chain.h"

#include <string.h>

#include "util/text.h"

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

static void put(struct buf *line, const char *text, size_t size)
{
    buf_put(line, text, size);
}

int audit_seal(struct buf *line, const char *chain, struct audit_head *head)
{
    if (!name_fits(chain) || !line->size)
        return ACCORD_EINVAL;
    size_t size = line->size;
    struct audit_head next = {.sequence = head->sequence + 1};
    char hex[DIGEST_HEX], sequence[TEXT_DECIMAL];
    hex_encode(hex, head->hash, DIGEST_SIZE);
    put(line, CHAIN_FIELD, sizeof CHAIN_FIELD - 1);
    buf_text(line, chain);
    put(line, SEQUENCE_FIELD, sizeof SEQUENCE_FIELD - 1);
    put(line, sequence, text_decimal(sequence, (int64_t)next.sequence));
    put(line, PREVIOUS_FIELD, sizeof PREVIOUS_FIELD - 1);
    put(line, hex, DIGEST_HEX - 1);
    put(line, "\"", 1);
    int result = line->failed ? ACCORD_ENOMEM : line->size + HASH_TAIL > AUDIT_LINE_MAX ? ACCORD_ELIMIT : 0;
    if (!result)
        result = digest_of(line->data, line->size, next.hash);
    if (!result) {
        hex_encode(hex, next.hash, DIGEST_SIZE);
        put(line, HASH_FIELD, sizeof HASH_FIELD - 1);
        put(line, hex, DIGEST_HEX - 1);
        put(line, "\"}", 2);
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
        if (text[i] == wanted[0] && !memcmp(text + i, wanted, length))
            return text + i;
    return NULL;
}

/* What is left of a text that is being read. */
struct seal {
    const char *at, *end;
};

static bool skip(struct seal *seal, const char *text, size_t size)
{
    if ((size_t)(seal->end - seal->at) < size || memcmp(seal->at, text, size) != 0)
        return false;
    seal->at += size;
    return true;
}

static bool take_name(struct seal *seal, char name[NAME_ROOM])
{
    size_t size = 0;
    while (seal->at + size < seal->end && size < NAME_ROOM - 1 && seal->at[size] != '"')
        size++;
    memcpy(name, seal->at, size);
    name[size] = 0;
    seal->at += size;
    return name_fits(name);
}

/* From 1 on, without leading zeros: written again it is the same. */
static bool take_sequence(struct seal *seal, uint64_t *sequence)
{
    const char *begin = seal->at;
    *sequence = 0;
    for (; seal->at < seal->end && *seal->at >= '0' && *seal->at <= '9'; seal->at++) {
        unsigned digit = (unsigned)(*seal->at - '0');
        if (*sequence > (UINT64_MAX - digit) / 10)
            return false;
        *sequence = *sequence * 10 + digit;
    }
    return seal->at > begin && *begin != '0';
}

static bool take_hash(struct seal *seal, uint8_t hash[DIGEST_SIZE])
{
    char hex[DIGEST_HEX];
    if ((size_t)(seal->end - seal->at) < DIGEST_HEX - 1)
        return false;
    memcpy(hex, seal->at, DIGEST_HEX - 1);
    hex[DIGEST_HEX - 1] = 0;
    seal->at += DIGEST_HEX - 1;
    return hex_decode(hash, DIGEST_SIZE, hex);
}

/* Chain, sequence and previous, and nothing else. */
static int parse_seal(struct seal seal, struct audit_seal_facts *facts)
{
    bool good = skip(&seal, CHAIN_FIELD, sizeof CHAIN_FIELD - 1) && take_name(&seal, facts->chain) &&
                skip(&seal, SEQUENCE_FIELD, sizeof SEQUENCE_FIELD - 1) &&
                take_sequence(&seal, &facts->sequence) &&
                skip(&seal, PREVIOUS_FIELD, sizeof PREVIOUS_FIELD - 1) && take_hash(&seal, facts->previous) &&
                skip(&seal, "\"", 1);
    return good && seal.at == seal.end ? 0 : ACCORD_EFORMAT;
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
    uint8_t hash[DIGEST_SIZE];
    if (size > AUDIT_LINE_MAX)
        return fail(why, ACCORD_EFORMAT, "the line is longer than %d bytes", AUDIT_LINE_MAX);
    if (size < HASH_TAIL || parse_hash(line + size - HASH_TAIL, facts))
        return fail(why, ACCORD_EFORMAT, "the line does not end with its accord.hash; it was cut or changed");
    size -= HASH_TAIL;
    const char *seal = find_last(line, size, CHAIN_FIELD);
    if (!seal)
        return fail(why, ACCORD_EFORMAT, "the line has no accord.chain before its hash; it was changed");
    if (parse_seal((struct seal){seal, line + size}, facts))
        return fail(why, ACCORD_EFORMAT,
                    "chain, sequence or previous hash of the line is unreadable; it was changed");
    if (digest_of(line, size, hash))
        return fail(why, ACCORD_EIO, "cannot compute SHA-256");
    if (memcmp(hash, facts->hash, DIGEST_SIZE))
        return fail(why, ACCORD_EFORMAT, "the hash does not belong to it");
    return 0;
}
