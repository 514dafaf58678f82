#include "store/seal_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "store/keyring.h"
#include "store/record_bytes.h"
#include "util/clock.h"

#define SEALING 16 /* agreements' keys that seal in turns without being derived anew */
#define OPENING 16 /* batches that are read in turns */

static const char *const batch_purpose = "accord payload batch 1", *const piece_purpose =
                                                                       "accord payload piece 1";

struct batch {
    EVP_CIPHER_CTX *ctx; /* NULL: never used */
    uint32_t number;     /* of the agreement's key; 0: none */
    uint32_t used;
    uint8_t name[SEAL_BATCH_NAME];
};

struct seal_keys {
    struct keyring *keyring;
    struct hkdf *hkdf;
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *single;
    struct batch sealing[SEALING]; /* by the key's number */
    struct batch opening[OPENING];
    size_t opened, next; /* the one that was used last; the one that is given up next */
};

struct seal_keys *seal_keys_new(struct keyring *keyring)
{
    struct seal_keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return NULL;
    keys->keyring = keyring;
    keys->hkdf = hkdf_new();
    keys->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    keys->single = EVP_CIPHER_CTX_new();
    if (keys->hkdf && keys->cipher && keys->single)
        return keys;
    seal_keys_free(keys);
    return NULL;
}

void seal_keys_free(struct seal_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < SEALING; i++)
        EVP_CIPHER_CTX_free(keys->sealing[i].ctx); /* wipes the key */
    for (size_t i = 0; i < OPENING; i++)
        EVP_CIPHER_CTX_free(keys->opening[i].ctx);
    EVP_CIPHER_CTX_free(keys->single);
    EVP_CIPHER_free(keys->cipher);
    hkdf_free(keys->hkdf);
    free(keys);
}

/* Puts a derived key into a context. */
static int prepare(struct seal_keys *keys, EVP_CIPHER_CTX *ctx, bool seals, const uint8_t *agreement_key,
                   const uint8_t *salt, size_t size, const char *purpose)
{
    uint8_t key[SEAL_KEY];
    int result = hkdf_derive(keys->hkdf, agreement_key, SEAL_KEY, salt, size, purpose, key);
    if (!result && EVP_CipherInit_ex2(ctx, keys->cipher, key, NULL, seals, NULL) != 1)
        result = ACCORD_EIO;
    OPENSSL_cleanse(key, sizeof key);
    return result;
}

static int prepare_batch(struct seal_keys *keys, struct batch *batch, bool seals, uint32_t number,
                         const uint8_t *agreement_key)
{
    batch->number = 0;
    batch->used = 0;
    if (!batch->ctx && !(batch->ctx = EVP_CIPHER_CTX_new()))
        return ACCORD_ENOMEM;
    int result = prepare(keys, batch->ctx, seals, agreement_key, batch->name, SEAL_BATCH_NAME, batch_purpose);
    if (!result)
        batch->number = number;
    return result;
}

/* The count keeps nonces of a batch apart; the time those of a machine's image that was woken up twice, where both have
 * the same batch and the same count. */
int seal_keys_turn(struct seal_keys *keys, const char *agreement, struct seal_turn *turn)
{
    const uint8_t *key = NULL;
    uint32_t number = 0;
    int result = keyring_current(keys->keyring, agreement, &number, &key);
    if (result)
        return result;
    struct batch *batch = &keys->sealing[number % SEALING];
    if (batch->number != number || batch->used >= SEAL_BATCH_MAX) {
        if (RAND_bytes(batch->name, SEAL_BATCH_NAME) != 1)
            return ACCORD_EIO;
        if ((result = prepare_batch(keys, batch, true, number, key)))
            return result;
    }
    *turn = (struct seal_turn){.ctx = batch->ctx, .number = number, .batch = batch->name};
    bytes_put32(turn->nonce, batch->used++);
    bytes_put64(turn->nonce + 4, (uint64_t)clock_wall());
    return 0;
}

static bool is_batch(const struct batch *batch, uint32_t number, const uint8_t name[SEAL_BATCH_NAME])
{
    return number && batch->number == number && !memcmp(batch->name, name, SEAL_BATCH_NAME);
}

EVP_CIPHER_CTX *seal_keys_batch(struct seal_keys *keys, uint32_t number, const uint8_t name[SEAL_BATCH_NAME])
{
    if (is_batch(&keys->opening[keys->opened], number, name))
        return keys->opening[keys->opened].ctx;
    for (size_t i = 0; i < OPENING; i++)
        if (is_batch(&keys->opening[i], number, name)) {
            keys->opened = i;
            return keys->opening[i].ctx;
        }
    const uint8_t *key = keyring_key(keys->keyring, number);
    struct batch *batch = &keys->opening[keys->next];
    if (!key)
        return NULL;
    memcpy(batch->name, name, SEAL_BATCH_NAME);
    if (prepare_batch(keys, batch, false, number, key))
        return NULL;
    keys->opened = keys->next;
    keys->next = (keys->next + 1) % OPENING;
    return batch->ctx;
}

EVP_CIPHER_CTX *seal_keys_single(struct seal_keys *keys, uint32_t number, const uint8_t salt[SEAL_SALT])
{
    const uint8_t *key = keyring_key(keys->keyring, number);
    if (!key || prepare(keys, keys->single, false, key, salt, SEAL_SALT, piece_purpose))
        return NULL;
    return keys->single;
}
