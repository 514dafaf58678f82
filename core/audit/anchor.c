#include "audit/anchor.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "util/text.h"

#define KEY_FILE_MAX   16384
#define SIGNATURE_MAX  128 /* bytes of DER; P-256 needs at most 72 */
#define CHAIN_PREFIX   "accord.details.chain."
#define SIGNATURE_NAME "accord.details.signature"
#define KEY_NAME       "accord.details.key"

struct anchor_key {
    EVP_PKEY *key;
    char print[DIGEST_HEX]; /* of the public half, as DER */
};

/* ---- keys ---- */

static int wrap(struct anchor_key **out, EVP_PKEY *pkey, const char *path, struct reason *why)
{
    uint8_t *der = NULL, hash[DIGEST_SIZE];
    struct anchor_key *key = calloc(1, sizeof *key);
    int size = key ? i2d_PUBKEY(pkey, &der) : -1;
    int result = size > 0 ? digest_of(der, (size_t)size, hash) : ACCORD_EIO;
    OPENSSL_free(der);
    if (result) {
        free(key);
        EVP_PKEY_free(pkey);
        return fail(why, result, "cannot use the key in %s", path);
    }
    hex_encode(key->print, hash, sizeof hash);
    key->key = pkey;
    *out = key;
    return 0;
}

static bool is_p256(EVP_PKEY *pkey)
{
    char group[32];
    size_t size;
    return EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, &size) == 1 &&
           !strcmp(group, "prime256v1");
}

static int parse_key(EVP_PKEY **out, const struct buf *pem, bool private, const char *path,
                     struct reason *why)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
    *out = !bio      ? NULL
           : private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"")
                     : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (*out && is_p256(*out))
        return 0;
    EVP_PKEY_free(*out);
    *out = NULL;
    return fail(why, ACCORD_EFORMAT, "%s holds no %s P-256 key in PEM", path, private ? "private" : "public");
}

static int write_key(EVP_PKEY *pkey, bool private, const char *path, struct reason *why)
{
    BIO *bio = BIO_new(private ? BIO_s_secmem() : BIO_s_mem());
    char *bytes = NULL;
    int done = !bio      ? 0
               : private ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
                         : PEM_write_bio_PUBKEY(bio, pkey);
    long size = done == 1 ? BIO_get_mem_data(bio, &bytes) : 0;
    int result = size > 0 ? file_replace(path, bytes, (size_t)size, private ? 0600 : 0644, why)
                          : fail(why, ACCORD_EIO, "cannot write a key to %s", path);
    if (private && size > 0)
        OPENSSL_cleanse(bytes, (size_t)size);
    BIO_free(bio);
    return result;
}

static int make_key(EVP_PKEY **out, const char *path, const char *public_path, struct reason *why)
{
    if (access(public_path, F_OK) == 0)
        return fail(
            why, ACCORD_ENOENT,
            "%s is missing although %s is there: restore it from the backup; to begin with a new key, move "
            "the public one away and keep it to verify older anchors",
            path, public_path);
    *out = EVP_EC_gen("P-256");
    return *out ? write_key(*out, true, path, why) : fail(why, ACCORD_EIO, "cannot make an audit key");
}

/* The public file is for whoever verifies: it must be the one that belongs to the private key. */
static int keep_public(EVP_PKEY *pkey, const char *path, struct reason *why)
{
    struct buf pem = {0};
    EVP_PKEY *public = NULL;
    int result;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return write_key(pkey, false, path, why);
    result = file_read(path, KEY_FILE_MAX, &pem, why);
    if (!result)
        result = parse_key(&public, &pem, false, path, why);
    if (!result && EVP_PKEY_eq(pkey, public) != 1)
        result = fail(why, ACCORD_EDENIED, "%s does not belong to the private audit key beside it", path);
    EVP_PKEY_free(public);
    buf_fini(&pem);
    return result;
}

int anchor_key_open(struct anchor_key **out, const char *state, struct reason *why)
{
    char path[PATH_MAX], public_path[PATH_MAX];
    struct buf pem = {0};
    EVP_PKEY *pkey = NULL;
    if (file_path(path, sizeof path, state, ANCHOR_KEY_FILE) ||
        file_path(public_path, sizeof public_path, state, ANCHOR_PUBLIC_KEY_FILE))
        return fail(why, ACCORD_EINVAL, "the state folder's name is too long: %s", state);
    int result = file_read_secret(path, KEY_FILE_MAX, &pem, why);
    if (result == ACCORD_ENOENT)
        result = make_key(&pkey, path, public_path, why);
    else if (!result)
        result = parse_key(&pkey, &pem, true, path, why);
    if (pem.data)
        OPENSSL_cleanse(pem.data, pem.room);
    buf_fini(&pem);
    if (!result)
        result = keep_public(pkey, public_path, why);
    if (!result)
        return wrap(out, pkey, path, why);
    EVP_PKEY_free(pkey);
    return result;
}

int anchor_key_public(struct anchor_key **out, const char *path, struct reason *why)
{
    struct buf pem = {0};
    EVP_PKEY *pkey = NULL;
    int result = file_read(path, KEY_FILE_MAX, &pem, why);
    if (!result)
        result = parse_key(&pkey, &pem, false, path, why);
    buf_fini(&pem);
    return result ? result : wrap(out, pkey, path, why);
}

void anchor_key_close(struct anchor_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->key);
    free(key);
}

/* ---- the signed text ---- */

static void text_begin(struct buf *text, const char *host, const char *time)
{
    buf_format(text, "accord-audit-anchor 1\nhost %s\ntime %s\n", host, time);
}

static int by_chain(const void *a, const void *b)
{
    return strcmp(((const struct audit_chain_head *)a)->chain, ((const struct audit_chain_head *)b)->chain);
}

static void text_heads(struct buf *text, struct audit_chain_head *heads, size_t count)
{
    char hex[DIGEST_HEX];
    qsort(heads, count, sizeof *heads, by_chain);
    for (size_t i = 0; i < count; i++) {
        hex_encode(hex, heads[i].head.hash, DIGEST_SIZE);
        buf_format(text, "%s %" PRIu64 ":%s\n", heads[i].chain, heads[i].head.sequence, hex);
    }
}

static int sign(const struct anchor_key *key, const struct buf *text, char base64[], struct reason *why)
{
    uint8_t signature[SIGNATURE_MAX];
    size_t size = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && !text->failed && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestSign(ctx, signature, &size, text->data, text->size) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good)
        return fail(why, ACCORD_EIO, "the audit anchor could not be signed");
    EVP_EncodeBlock((unsigned char *)base64, signature, (int)size);
    return 0;
}

static bool signature_holds(const struct anchor_key *key, const struct buf *text, const char *base64)
{
    uint8_t signature[SIGNATURE_MAX + 3];
    size_t size = strlen(base64), padding = size - strcspn(base64, "=");
    if (!size || size % 4 || size / 4 * 3 > SIGNATURE_MAX || padding > 2)
        return false;
    int decoded = EVP_DecodeBlock(signature, (const unsigned char *)base64, (int)size);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && decoded > (int)padding && !text->failed &&
                EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestVerify(ctx, signature, (size_t)decoded - padding, text->data, text->size) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

/* ---- making ---- */

/* Room for one detail: "chain.NAME" and "SEQUENCE:HASH", or the signature. */
struct detail {
    char name[72], value[192];
};

static int make_signature(struct anchor *anchor, const struct anchor_key *key, struct audit_chain_head *heads,
                          size_t count, int64_t time, struct reason *why)
{
    char when[32];
    struct buf text = {0};
    struct detail *room = (struct detail *)anchor->text.data;
    text_time(when, sizeof when, time);
    text_begin(&text, audit_host_name(), when);
    text_heads(&text, heads, count);
    int result = sign(key, &text, room[count + 1].value, why);
    buf_fini(&text);
    for (size_t i = 0; i < count; i++) {
        char hex[DIGEST_HEX];
        hex_encode(hex, heads[i].head.hash, DIGEST_SIZE);
        snprintf(room[i].name, sizeof room[i].name, "chain.%.63s", heads[i].chain);
        snprintf(room[i].value, sizeof room[i].value, "%" PRIu64 ":%s", heads[i].head.sequence, hex);
    }
    text_copy(room[count].name, sizeof room->name, "key");
    text_copy(room[count].value, sizeof room->value, key->print);
    text_copy(room[count + 1].name, sizeof room->name, "signature");
    anchor->count = count + 2;
    for (size_t i = 0; i < anchor->count; i++)
        anchor->details[i] = (struct accord_pair){room[i].name, room[i].value};
    return result;
}

int anchor_make(struct anchor *anchor, const struct anchor_key *key, const struct audit_chain_head *heads,
                size_t count, int64_t time, struct audit_event *event, struct reason *why)
{
    struct audit_chain_head sorted[ANCHOR_HEADS_MAX];
    size_t used = 0;
    *anchor = (struct anchor){0};
    for (size_t i = 0; i < count; i++) {
        if (!heads[i].head.sequence)
            continue;
        if (used == ANCHOR_HEADS_MAX)
            return fail(why, ACCORD_ELIMIT, "one anchor holds at most %d chains", ANCHOR_HEADS_MAX);
        if (!text_is_name(heads[i].chain, 63))
            return fail(why, ACCORD_EINVAL, "no name of a chain: %.80s", heads[i].chain);
        sorted[used++] = heads[i];
    }
    if (!buf_reserve(&anchor->text, (used + 2) * sizeof(struct detail)))
        return fail(why, ACCORD_ENOMEM, "out of memory making an audit anchor");
    int result = make_signature(anchor, key, sorted, used, time, why);
    if (result) {
        anchor_fini(anchor);
        return result;
    }
    *event = (struct audit_event){.action = AUDIT_ANCHOR,
                                  .outcome = AUDIT_SUCCESS,
                                  .time = time,
                                  .details = anchor->details,
                                  .detail_count = anchor->count};
    return 0;
}

void anchor_fini(struct anchor *anchor)
{
    buf_fini(&anchor->text);
    anchor->count = 0;
}

/* ---- checking ---- */

/* "SEQUENCE:HASH" */
static bool parse_head(const char *value, struct audit_head *head)
{
    char *end;
    if (*value < '1' || *value > '9')
        return false;
    errno = 0;
    head->sequence = strtoull(value, &end, 10);
    return !errno && *end == ':' && hex_decode(head->hash, DIGEST_SIZE, end + 1);
}

bool anchor_next(const struct line *line, size_t *at, struct audit_chain_head *head)
{
    const size_t skip = sizeof CHAIN_PREFIX - 1;
    while (*at < line->count) {
        const struct accord_pair *field = &line->fields[(*at)++];
        if (strncmp(field->name, CHAIN_PREFIX, skip) != 0 || !parse_head(field->value, &head->head))
            continue;
        head->chain = field->name + skip;
        return true;
    }
    return false;
}

/* Every chain field must be a head, else a reader would pass over what the signature covers. */
static int collect(const struct line *line, struct audit_chain_head *heads, size_t *count, struct reason *why)
{
    const size_t skip = sizeof CHAIN_PREFIX - 1;
    *count = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct accord_pair *field = &line->fields[i];
        if (strncmp(field->name, CHAIN_PREFIX, skip) != 0)
            continue;
        if (*count == ANCHOR_HEADS_MAX || !text_is_name(field->name + skip, 63) ||
            !parse_head(field->value, &heads[*count].head))
            return fail(why, ACCORD_EFORMAT, "the anchor's field %.80s is no head of a chain", field->name);
        heads[(*count)++].chain = field->name + skip;
    }
    return 0;
}

int anchor_check(const struct line *line, const struct anchor_key *key, struct reason *why)
{
    struct audit_chain_head heads[ANCHOR_HEADS_MAX];
    size_t count;
    const char *host = line_get(line, "host.name"), *time = line_get(line, "@timestamp");
    const char *print = line_get(line, KEY_NAME), *signature = line_get(line, SIGNATURE_NAME);
    int result = collect(line, heads, &count, why);
    if (result)
        return result;
    if (!time || !print || !signature)
        return fail(why, ACCORD_EFORMAT, "the anchor has no time, key or signature");
    if (!key)
        return 0;
    if (strcmp(print, key->print) != 0)
        return fail(why, ACCORD_EDENIED, "the anchor was signed with the key %.16s..., not with %.16s...",
                    print, key->print);
    struct buf text = {0};
    text_begin(&text, host ? host : "", time);
    text_heads(&text, heads, count);
    if (!signature_holds(key, &text, signature))
        result =
            fail(why, ACCORD_EDENIED, "the anchor's signature does not belong to the heads that it names");
    buf_fini(&text);
    return result;
}
