/* The keys that pieces are sealed with, derived from the agreements' keys and kept in cipher contexts: one for a batch
 * of pieces, so that deriving costs nothing that counts.
 *
 * A batch has a random name of its own, which lies beside each of its pieces. It ends after SEAL_BATCH_MAX pieces, with
 * the agreement's key, and with the sealer. One thread.
 */
#ifndef STORE_SEAL_KEY_H
#define STORE_SEAL_KEY_H

#include <openssl/evp.h>

#include "store/seal.h"

#define SEAL_BATCH_NAME 16
#define SEAL_BATCH_MAX  65536
#define SEAL_NONCE      12
#define SEAL_SALT       32 /* of a piece with a key of its own, as in the second format */

struct seal_keys;
struct keyring;
struct seal_keys *seal_keys_new(struct keyring *); /* NULL: out of memory, or the library lacks an algorithm */
void seal_keys_free(struct seal_keys *);

/* What the next piece of an agreement is sealed with. */
struct seal_turn {
    EVP_CIPHER_CTX *ctx; /* has the key */
    uint32_t number;     /* of the agreement's key */
    const uint8_t *batch;
    uint8_t nonce[SEAL_NONCE]; /* never given again with this key */
};
int seal_keys_turn(struct seal_keys *, const char *agreement, struct seal_turn *);

/* A context that opens the pieces of a batch; that opens one with a key of its own. NULL: the keyring has no such key,
 * or the library failed. */
EVP_CIPHER_CTX *seal_keys_batch(struct seal_keys *, uint32_t number, const uint8_t batch[SEAL_BATCH_NAME]);
EVP_CIPHER_CTX *seal_keys_single(struct seal_keys *, uint32_t number, const uint8_t salt[SEAL_SALT]);

#endif
