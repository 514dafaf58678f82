#include "audit/chain.h"

#include <string.h>

#define NAME_ROOM      64
#define CHAIN_FIELD    ",\"accord.chain\":\""
#define SEQUENCE_FIELD "\",\"accord.sequence\":"
#define PREVIOUS_FIELD ",\"accord.previous\":\""
#define HASH_FIELD     ",\"accord.hash\":\""
#define SEAL_MAX       512 /* all that sealing appends, and a byte */
#define HASH_TAIL      (sizeof HASH_FIELD - 1 + 2 * DIGEST_SIZE + 2) /* field, digits, quote, brace */
/* What follows the first field's name at least: a chain's and a sequence of one character, a hash, a quote. */
#define SEAL_LEAST (sizeof SEQUENCE_FIELD - 1 + sizeof PREVIOUS_FIELD - 1 + 2 * DIGEST_SIZE + 3)

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

int audit_seal(struct buf *line, size_t from, const char *chain, struct audit_head *head)
{
    if (!name_fits(chain) || line->size <= from)
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
    size_t size = line->size - from + (size_t)(to - begin);
    int result =
        size + HASH_TAIL > AUDIT_LINE_MAX ? ACCORD_ELIMIT : digest_of(line->data + from, size, next.hash);
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

/* Where the hashed part of the line ends. */
static int read_seal(const char *line, size_t size, struct audit_seal_facts *facts, size_t *hashed,
                     struct reason *why)
{
    if (size > AUDIT_LINE_MAX)
        return fail(why, ACCORD_EFORMAT, "the line is longer than %d bytes", AUDIT_LINE_MAX);
    if (size < HASH_TAIL || parse_hash(line + size - HASH_TAIL, facts))
        return fail(why, ACCORD_EFORMAT, "the line does not end with its accord.hash; it was cut or changed");
    size -= HASH_TAIL;
    const char *seal = size < SEAL_LEAST ? NULL : find_last(line, size - SEAL_LEAST, CHAIN_FIELD);
    if (!seal)
        return fail(why, ACCORD_EFORMAT, "the line has no accord.chain before its hash; it was changed");
    if (parse_seal((struct seal){seal, line + size}, facts))
        return fail(why, ACCORD_EFORMAT,
                    "chain, sequence or previous hash of the line is unreadable; it was changed");
    *hashed = size;
    return 0;
}

int audit_read_seal(const char *line, size_t size, struct audit_seal_facts *facts, struct reason *why)
{
    size_t hashed;
    return read_seal(line, size, facts, &hashed, why);
}

int audit_unseal(const char *line, size_t size, struct audit_seal_facts *facts, struct reason *why)
{
    uint8_t hash[DIGEST_SIZE];
    int result = read_seal(line, size, facts, &size, why);
    if (result)
        return result;
    if (digest_of(line, size, hash))
        return fail(why, ACCORD_EIO, "cannot compute SHA-256");
    if (memcmp(hash, facts->hash, DIGEST_SIZE))
        return fail(why, ACCORD_EFORMAT, "the hash does not belong to it");
    return 0;
}
