#include "store/keyring_file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "store/crc.h"
#include "util/text.h"

#define HEAD  20
#define NONCE 12
#define TAG   16
#define WRAP  (NONCE + SEAL_KEY + TAG)
#define SEAL  (NONCE + TAG)
#define FACTS (16 + 2 + STORE_NAME_MAX) /* most that a key's facts take */

static const char magic[8] = "ACCORDKR";

/* ---- numbers ---- */

static void put(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *from, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

/* ---- AES-256-GCM, rarely ---- */

static int gcm_seal(const uint8_t *key, const void *facts, size_t facts_size, const uint8_t *plain,
                    size_t size, uint8_t *to)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool good = ctx && RAND_bytes(to, NONCE) == 1 &&
                EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, to) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &n, facts, (int)facts_size) == 1 &&
                (!size || EVP_EncryptUpdate(ctx, to + NONCE, &n, plain, (int)size) == 1) &&
                EVP_EncryptFinal_ex(ctx, to + NONCE + size, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + NONCE + size) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good ? 0 : ACCORD_EIO;
}

static int gcm_open(const uint8_t *key, const void *facts, size_t facts_size, const uint8_t *from,
                    size_t size, uint8_t *plain)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG], rest[TAG];
    int n = 0;
    memcpy(tag, from + NONCE + size, TAG);
    bool good = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, from) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &n, facts, (int)facts_size) == 1 &&
                (!size || EVP_DecryptUpdate(ctx, plain, &n, from + NONCE, (int)size) == 1) &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
                EVP_DecryptFinal_ex(ctx, rest, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good ? 0 : ACCORD_EFORMAT;
}

/* Names a key file's key without giving it away: it is random. */
static int make_id(const uint8_t *wrapping, uint8_t id[KEYRING_ID])
{
    static const char label[] = "accord key file 1";
    uint8_t text[sizeof label + SEAL_KEY], hash[DIGEST_SIZE];
    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, wrapping, SEAL_KEY);
    int result = digest_of(text, sizeof text, hash);
    memcpy(id, hash, KEYRING_ID);
    OPENSSL_cleanse(text, sizeof text);
    return result;
}

/* ---- reading ---- */

/* The size of a key's facts and wraps; 0: they do not fit, or are not what they should be. */
static size_t entry_size(const uint8_t *at, size_t left, uint32_t wraps, uint32_t before)
{
    if (left < 18)
        return 0;
    size_t text = (size_t)get(at + 16, 2), size = 18 + text + (size_t)wraps * WRAP;
    bool good = text > 1 && text <= STORE_NAME_MAX && size <= left && get(at, 4) > before &&
                get(at + 4, 4) > 0 && memchr(at + 18, 0, text) == at + 18 + text - 1 &&
                text_is_name((const char *)at + 18, STORE_NAME_MAX - 1);
    return good ? size : 0;
}

static int parse_entries(const uint8_t *end, struct keyring_parts *parts)
{
    const uint8_t *at = parts->entries;
    uint32_t before = 0;
    for (uint32_t i = 0; i < parts->count; i++) {
        size_t size = entry_size(at, (size_t)(end - at), parts->wraps, before);
        if (!size)
            return ACCORD_EFORMAT;
        before = (uint32_t)get(at, 4);
        at += size;
    }
    parts->seals = at;
    return (size_t)(end - at) == (size_t)parts->wraps * SEAL ? 0 : ACCORD_EFORMAT;
}

int keyring_parse(const uint8_t *bytes, size_t size, struct keyring_parts *parts)
{
    if (size < HEAD + KEYRING_ID + SEAL + 4 || size > KEYRING_FILE_MAX ||
        memcmp(bytes, magic, sizeof magic) || get(bytes + size - 4, 4) != crc32c(0, bytes, size - 4))
        return ACCORD_EFORMAT;
    if (get(bytes + 8, 4) != KEYRING_VERSION)
        return ACCORD_ENOTSUP;
    *parts = (struct keyring_parts){.wraps = (uint32_t)get(bytes + 12, 4),
                                    .count = (uint32_t)get(bytes + 16, 4),
                                    .ids = bytes + HEAD,
                                    .bytes = bytes};
    if (parts->wraps < 1 || parts->wraps > KEYRING_WRAPS || parts->count > KEYRING_MAX ||
        size < HEAD + (size_t)parts->wraps * (KEYRING_ID + SEAL) + 4)
        return ACCORD_EFORMAT;
    parts->entries = parts->ids + (size_t)parts->wraps * KEYRING_ID;
    return parse_entries(bytes + size - 4, parts);
}

int keyring_authenticate(const struct keyring_parts *parts, const uint8_t wrapping[SEAL_KEY])
{
    uint8_t id[KEYRING_ID];
    int result = make_id(wrapping, id);
    for (uint32_t i = 0; !result && i < parts->wraps; i++) {
        if (memcmp(parts->ids + (size_t)i * KEYRING_ID, id, KEYRING_ID))
            continue;
        result = gcm_open(wrapping, parts->bytes, (size_t)(parts->seals - parts->bytes),
                          parts->seals + (size_t)i * SEAL, 0, NULL);
        return result ? result : (int)i;
    }
    return result ? result : ACCORD_EDENIED;
}

int keyring_take(const struct keyring_parts *parts, const uint8_t **at, int wrap,
                 const uint8_t wrapping[SEAL_KEY], struct keyring_entry *entry, uint8_t key[SEAL_KEY])
{
    const uint8_t *facts = *at;
    size_t size = 18 + (size_t)get(facts + 16, 2);
    *entry = (struct keyring_entry){.number = (uint32_t)get(facts, 4),
                                    .version = (uint32_t)get(facts + 4, 4),
                                    .made = (int64_t)get(facts + 8, 8)};
    text_copy(entry->agreement, sizeof entry->agreement, (const char *)facts + 18);
    *at += size + (size_t)parts->wraps * WRAP;
    return gcm_open(wrapping, facts, size, facts + size + (size_t)wrap * WRAP, SEAL_KEY, key);
}

/* ---- writing ---- */

static void put_entry(struct buf *to, const struct keyring_entry *entry)
{
    uint8_t facts[18];
    size_t text = strlen(entry->agreement) + 1;
    put(facts, entry->number, 4);
    put(facts + 4, entry->version, 4);
    put(facts + 8, (uint64_t)entry->made, 8);
    put(facts + 16, text, 2);
    buf_put(to, facts, sizeof facts);
    buf_put(to, entry->agreement, text);
}

/* Both read what stands in the buffer from `start` on; nothing may move it meanwhile. */
static int put_wraps(struct buf *to, size_t start, const uint8_t *key, const uint8_t *const *wrappings,
                     size_t wraps)
{
    size_t size = to->size - start;
    int result = buf_reserve(to, wraps * WRAP) ? 0 : ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < wraps; i++) {
        result = gcm_seal(wrappings[i], to->data + start, size, key, SEAL_KEY, to->data + to->size);
        to->size += WRAP;
    }
    return result;
}

static int put_seals(struct buf *to, size_t start, const uint8_t *const *wrappings, size_t wraps)
{
    size_t size = to->size - start;
    int result = buf_reserve(to, wraps * SEAL) ? 0 : ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < wraps; i++) {
        result = gcm_seal(wrappings[i], to->data + start, size, NULL, 0, to->data + to->size);
        to->size += SEAL;
    }
    return result;
}

static int put_head(struct buf *to, size_t count, const uint8_t *const *wrappings, size_t wraps)
{
    uint8_t head[HEAD], id[KEYRING_ID];
    int result = 0;
    memcpy(head, magic, sizeof magic);
    put(head + 8, KEYRING_VERSION, 4);
    put(head + 12, wraps, 4);
    put(head + 16, count, 4);
    buf_put(to, head, sizeof head);
    for (size_t i = 0; !result && i < wraps; i++) {
        result = make_id(wrappings[i], id);
        buf_put(to, id, sizeof id);
    }
    return result;
}

int keyring_encode(struct buf *to, const struct keyring_entry *entries, const uint8_t (*keys)[SEAL_KEY],
                   size_t count, const uint8_t *const *wrappings, size_t wraps)
{
    size_t start = to->size;
    uint8_t crc[4];
    int result = put_head(to, count, wrappings, wraps);
    for (size_t i = 0; !result && i < count; i++) {
        size_t facts = to->size;
        put_entry(to, &entries[i]);
        result = to->failed ? ACCORD_ENOMEM : put_wraps(to, facts, keys[i], wrappings, wraps);
    }
    if (!result && !to->failed)
        result = put_seals(to, start, wrappings, wraps);
    if (!result && !to->failed)
        put(crc, crc32c(0, to->data + start, to->size - start), 4);
    buf_put(to, crc, result ? 0 : sizeof crc);
    return result ? result : to->failed ? ACCORD_ENOMEM : 0;
}
