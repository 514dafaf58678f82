#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "store/keyring.h"

#define SALT     32
#define OWN      (SALT - SEAL_PAYLOAD_ID) /* of the salt: this sealing's alone */
#define KEY_AT   SALT
#define TAG_AT   (SALT + 4)
#define TAG      16
#define ZEROS_AT (TAG_AT + TAG)
#define NONCE    12
#define BOUND    (4 + 1 + ACCORD_ID_MAX)
#define RANDOM   4096

static const char *const purpose = "accord payload piece 1";

/* The piece that was opened last: a reader takes it in small parts. */
struct opened {
    uint8_t seal_data[RECORD_SEAL_SPACE], bound[BOUND];
    size_t size;
    uint8_t *plain; /* ACCORD_PIECE_MAX bytes */
    bool holds;
};

struct sealer {
    struct keyring *keyring;
    struct hkdf *hkdf;
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *sealing, *opening;
    uint8_t random[RANDOM]; /* one call to the generator for many pieces */
    size_t random_left;
    struct opened opened;
};

struct sealer *sealer_new(struct keyring *keyring)
{
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return NULL;
    sealer->keyring = keyring;
    sealer->hkdf = hkdf_new();
    sealer->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sealer->sealing = EVP_CIPHER_CTX_new();
    sealer->opening = EVP_CIPHER_CTX_new();
    sealer->opened.plain = malloc(ACCORD_PIECE_MAX);
    if (sealer->hkdf && sealer->cipher && sealer->sealing && sealer->opening && sealer->opened.plain &&
        EVP_EncryptInit_ex2(sealer->sealing, sealer->cipher, NULL, NULL, NULL) == 1 &&
        EVP_DecryptInit_ex2(sealer->opening, sealer->cipher, NULL, NULL, NULL) == 1)
        return sealer;
    sealer_free(sealer);
    return NULL;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    hkdf_free(sealer->hkdf);
    EVP_CIPHER_CTX_free(sealer->sealing);
    EVP_CIPHER_CTX_free(sealer->opening);
    EVP_CIPHER_free(sealer->cipher);
    if (sealer->opened.plain)
        OPENSSL_cleanse(sealer->opened.plain, ACCORD_PIECE_MAX);
    free(sealer->opened.plain);
    OPENSSL_cleanse(sealer, sizeof *sealer);
    free(sealer);
}

static int take_random(struct sealer *sealer, uint8_t *to, size_t size)
{
    if (sealer->random_left < size) {
        if (RAND_bytes(sealer->random, RANDOM) != 1)
            return ACCORD_EIO;
        sealer->random_left = RANDOM;
    }
    sealer->random_left -= size;
    memcpy(to, sealer->random + sealer->random_left, size);
    memset(sealer->random + sealer->random_left, 0, size);
    return 0;
}

/* ---- what a piece is bound to ---- */

static void put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static int describe(const struct record_piece *piece, const struct seal_bond *bond, uint8_t bound[BOUND])
{
    memset(bound, 0, BOUND);
    put32(bound, piece->index);
    if (!bond->message)
        return 0;
    if (strlen(bond->message) != ACCORD_ID_MAX - 1)
        return ACCORD_EINVAL;
    bound[4] = 1;
    memcpy(bound + 5, bond->message, ACCORD_ID_MAX);
    return 0;
}

static void make_nonce(const struct record_piece *piece, uint8_t nonce[NONCE])
{
    memset(nonce, 0, NONCE);
    put32(nonce, piece->index);
}

/* ---- sealing ---- */

/* The piece's salt; the first sealing makes the payload's part of it. */
static int make_salt(struct sealer *sealer, const struct seal_bond *bond, uint8_t salt[SALT])
{
    static const uint8_t none[SEAL_PAYLOAD_ID];
    int result = 0;
    if (!memcmp(bond->payload, none, SEAL_PAYLOAD_ID))
        result = take_random(sealer, bond->payload, SEAL_PAYLOAD_ID);
    memcpy(salt, bond->payload, SEAL_PAYLOAD_ID);
    return result ? result : take_random(sealer, salt + SEAL_PAYLOAD_ID, OWN);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *bound,
                    const struct record_piece *piece, uint8_t *to, uint8_t *tag)
{
    int n = 0, rest = 0;
    return EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, bound, BOUND) == 1 &&
           EVP_EncryptUpdate(ctx, to, &n, piece->data, (int)piece->size) == 1 &&
           EVP_EncryptFinal_ex(ctx, to + n, &rest) == 1 && (size_t)(n + rest) == piece->size &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
}

/* The record is put with room for the sealed bytes, which are then written in their place. */
static int put_sealed(struct sealer *sealer, struct buf *to, const struct record_piece *piece,
                      const uint8_t *key, const uint8_t *bound, uint8_t *seal_data)
{
    uint8_t nonce[NONCE];
    size_t start = to->size;
    make_nonce(piece, nonce);
    if (!buf_reserve(to, RECORD_PIECE_HEAD + piece->size))
        return ACCORD_ENOMEM;
    if (!encrypt(sealer->sealing, key, nonce, bound, piece, to->data + start + RECORD_PIECE_HEAD,
                 seal_data + TAG_AT))
        return ACCORD_EIO;
    record_put_piece(
        to, &(struct record_piece){.seal = SEAL_AES_256_GCM, .index = piece->index, .seal_data = seal_data});
    to->size += piece->size;
    return 0;
}

int sealer_put(struct sealer *sealer, struct buf *to, const struct record_piece *piece)
{
    const struct seal_bond *bond = piece->bond;
    uint8_t seal_data[RECORD_SEAL_SPACE] = {0}, bound[BOUND], key[SEAL_KEY];
    const uint8_t *agreement_key = NULL;
    uint32_t number = 0;
    if (!piece->size || piece->size > ACCORD_PIECE_MAX)
        return ACCORD_EINVAL;
    int result = keyring_current(sealer->keyring, bond->agreement, &number, &agreement_key);
    if (!result)
        result = describe(piece, bond, bound);
    if (!result)
        result = make_salt(sealer, bond, seal_data);
    put32(seal_data + KEY_AT, number);
    if (!result)
        result = hkdf_derive(sealer->hkdf, agreement_key, SEAL_KEY, seal_data, SALT, purpose, key);
    if (!result)
        result = put_sealed(sealer, to, piece, key, bound, seal_data);
    OPENSSL_cleanse(key, sizeof key);
    return result;
}

/* ---- opening ---- */

static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, const uint8_t *bound,
                    const struct record_piece *piece, uint8_t *to)
{
    uint8_t tag[TAG];
    int n = 0, rest = 0;
    memcpy(tag, piece->seal_data + TAG_AT, TAG);
    return EVP_DecryptInit_ex2(ctx, NULL, key, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, bound, BOUND) == 1 &&
           EVP_DecryptUpdate(ctx, to, &n, piece->data, (int)piece->size) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, to + n, &rest) == 1 && (size_t)(n + rest) == piece->size;
}

static int open_piece(struct sealer *sealer, const struct record_piece *piece, const uint8_t *bound)
{
    static const uint8_t zeros[RECORD_SEAL_SPACE - ZEROS_AT];
    uint8_t key[SEAL_KEY], nonce[NONCE];
    const uint8_t *agreement_key = keyring_key(sealer->keyring, get32(piece->seal_data + KEY_AT));
    if (!agreement_key || memcmp(piece->seal_data + ZEROS_AT, zeros, sizeof zeros))
        return ACCORD_EFORMAT;
    make_nonce(piece, nonce);
    int result = hkdf_derive(sealer->hkdf, agreement_key, SEAL_KEY, piece->seal_data, SALT, purpose, key);
    if (!result && !decrypt(sealer->opening, key, nonce, bound, piece, sealer->opened.plain))
        result = ACCORD_EFORMAT;
    OPENSSL_cleanse(key, sizeof key);
    return result;
}

static bool is_open(const struct opened *opened, const struct record_piece *piece, const uint8_t *bound)
{
    return opened->holds && opened->size == piece->size &&
           !memcmp(opened->seal_data, piece->seal_data, RECORD_SEAL_SPACE) &&
           !memcmp(opened->bound, bound, BOUND);
}

static void note_open(struct opened *opened, const struct record_piece *piece, const uint8_t *bound)
{
    memcpy(opened->seal_data, piece->seal_data, RECORD_SEAL_SPACE);
    memcpy(opened->bound, bound, BOUND);
    opened->size = piece->size;
    opened->holds = true;
}

int sealer_take(struct sealer *sealer, const struct record_piece *piece, const struct seal_bond *bond,
                const uint8_t **plain)
{
    uint8_t bound[BOUND];
    *plain = piece->data;
    if (piece->index != bond->index)
        return ACCORD_EFORMAT;
    if (piece->seal == SEAL_NONE)
        return 0;
    if (piece->seal != SEAL_AES_256_GCM || !piece->size || piece->size > ACCORD_PIECE_MAX ||
        (bond->payload && memcmp(piece->seal_data, bond->payload, SEAL_PAYLOAD_ID)))
        return ACCORD_EFORMAT;
    int result = describe(piece, bond, bound);
    if (!result && !is_open(&sealer->opened, piece, bound)) {
        sealer->opened.holds = false;
        result = open_piece(sealer, piece, bound);
        if (!result)
            note_open(&sealer->opened, piece, bound);
    }
    *plain = sealer->opened.plain;
    return result;
}

void seal_payload_of(const struct record_piece *piece, uint8_t payload[SEAL_PAYLOAD_ID])
{
    memcpy(payload, piece->seal_data, SEAL_PAYLOAD_ID);
}
