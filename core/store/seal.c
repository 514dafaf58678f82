#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "store/record_bytes.h"
#include "store/seal_key.h"

/* RECORD_SEAL_SPACE of a piece */
#define BATCH_AT SEAL_PAYLOAD_ID
#define KEY_AT   (BATCH_AT + SEAL_BATCH_NAME)
#define TAG_AT   (KEY_AT + 4)
#define TAG      16
#define NONCE_AT (TAG_AT + TAG)
#define BOUND    (4 + 1 + ACCORD_ID_MAX) /* what the tag covers besides: of a SEAL_PIECE all there is */
#define RANDOM   4096

_Static_assert(NONCE_AT + SEAL_NONCE == RECORD_SEAL_SPACE, "the space is full");
_Static_assert(BATCH_AT + SEAL_BATCH_NAME == SEAL_SALT, "a salt stands where payload and batch stand now");

/* What a piece is bound to. */
struct bound {
    uint8_t bytes[BOUND + SEAL_PAYLOAD_ID];
    size_t size;
};

/* The piece that was opened last: a reader takes it in small parts. */
struct opened {
    uint8_t seal_data[RECORD_SEAL_SPACE];
    struct bound bound;
    size_t size;
    uint8_t *plain; /* ACCORD_PIECE_MAX bytes */
    bool holds;
};

struct sealer {
    struct seal_keys *keys;
    uint8_t random[RANDOM]; /* one call to the generator for many payloads */
    size_t random_left;
    struct opened opened;
};

struct sealer *sealer_new(struct keyring *keyring)
{
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return NULL;
    sealer->keys = seal_keys_new(keyring);
    sealer->opened.plain = malloc(ACCORD_PIECE_MAX);
    if (sealer->keys && sealer->opened.plain)
        return sealer;
    sealer_free(sealer);
    return NULL;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    seal_keys_free(sealer->keys);
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

/* The index, whether it is the last and then of which message, and, unless the key is of one payload alone, which
 * payload. */
static int describe(const struct record_piece *piece, unsigned seal, const uint8_t *payload,
                    const struct seal_bond *bond, struct bound *bound)
{
    *bound = (struct bound){.size = seal == SEAL_PIECE ? BOUND : sizeof bound->bytes};
    bytes_put32(bound->bytes, piece->index);
    memcpy(bound->bytes + BOUND, payload, SEAL_PAYLOAD_ID);
    if (!bond->message)
        return 0;
    if (strlen(bond->message) != ACCORD_ID_MAX - 1)
        return ACCORD_EINVAL;
    bound->bytes[4] = 1;
    memcpy(bound->bytes + 5, bond->message, ACCORD_ID_MAX);
    return 0;
}

/* ---- sealing ---- */

/* The first sealing makes the payload's own id. */
static int name_payload(struct sealer *sealer, const struct seal_bond *bond)
{
    static const uint8_t none[SEAL_PAYLOAD_ID];
    if (memcmp(bond->payload, none, SEAL_PAYLOAD_ID) != 0)
        return 0;
    return take_random(sealer, bond->payload, SEAL_PAYLOAD_ID);
}

static bool encrypt(const struct seal_turn *turn, const struct bound *bound, const struct record_piece *piece,
                    uint8_t *to, uint8_t *tag)
{
    int n = 0, rest = 0;
    return EVP_EncryptInit_ex2(turn->ctx, NULL, NULL, turn->nonce, NULL) == 1 &&
           EVP_EncryptUpdate(turn->ctx, NULL, &n, bound->bytes, (int)bound->size) == 1 &&
           EVP_EncryptUpdate(turn->ctx, to, &n, piece->data, (int)piece->size) == 1 &&
           EVP_EncryptFinal_ex(turn->ctx, to + n, &rest) == 1 && (size_t)(n + rest) == piece->size &&
           EVP_CIPHER_CTX_ctrl(turn->ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
}

/* The record is put with room for the sealed bytes, which are then written in their place. */
static int put_sealed(struct buf *to, const struct record_piece *piece, const struct seal_turn *turn,
                      const struct bound *bound)
{
    uint8_t seal_data[RECORD_SEAL_SPACE];
    size_t start = to->size;
    memcpy(seal_data, piece->bond->payload, SEAL_PAYLOAD_ID);
    memcpy(seal_data + BATCH_AT, turn->batch, SEAL_BATCH_NAME);
    bytes_put32(seal_data + KEY_AT, turn->number);
    memcpy(seal_data + NONCE_AT, turn->nonce, SEAL_NONCE);
    if (!buf_reserve(to, RECORD_PIECE_HEAD + piece->size))
        return ACCORD_ENOMEM;
    if (!encrypt(turn, bound, piece, to->data + start + RECORD_PIECE_HEAD, seal_data + TAG_AT))
        return ACCORD_EIO;
    record_put_piece(
        to, &(struct record_piece){.seal = SEAL_BATCH, .index = piece->index, .seal_data = seal_data});
    to->size += piece->size;
    return 0;
}

int sealer_put(struct sealer *sealer, struct buf *to, const struct record_piece *piece)
{
    const struct seal_bond *bond = piece->bond;
    struct seal_turn turn;
    struct bound bound;
    if (!piece->size || piece->size > ACCORD_PIECE_MAX)
        return ACCORD_EINVAL;
    int result = name_payload(sealer, bond);
    if (!result)
        result = describe(piece, SEAL_BATCH, bond->payload, bond, &bound);
    if (!result)
        result = seal_keys_turn(sealer->keys, bond->agreement, &turn);
    return result ? result : put_sealed(to, piece, &turn, &bound);
}

/* ---- opening ---- */

static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, const struct bound *bound,
                    const struct record_piece *piece, uint8_t *to)
{
    uint8_t tag[TAG];
    int n = 0, rest = 0;
    memcpy(tag, piece->seal_data + TAG_AT, TAG);
    return EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, bound->bytes, (int)bound->size) == 1 &&
           EVP_DecryptUpdate(ctx, to, &n, piece->data, (int)piece->size) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, to + n, &rest) == 1 && (size_t)(n + rest) == piece->size;
}

/* Of the second format: a key of its own, and its index as the nonce. */
static bool open_single(struct sealer *sealer, const struct record_piece *piece, const struct bound *bound,
                        uint8_t *to)
{
    static const uint8_t zeros[SEAL_NONCE];
    const uint8_t *data = piece->seal_data;
    uint8_t nonce[SEAL_NONCE] = {0};
    if (memcmp(data + NONCE_AT, zeros, SEAL_NONCE) != 0)
        return false;
    bytes_put32(nonce, piece->index);
    EVP_CIPHER_CTX *ctx = seal_keys_single(sealer->keys, bytes_get32(data + KEY_AT), data);
    return ctx && decrypt(ctx, nonce, bound, piece, to);
}

static bool open_of_batch(struct sealer *sealer, const struct record_piece *piece, const struct bound *bound,
                          uint8_t *to)
{
    const uint8_t *data = piece->seal_data;
    EVP_CIPHER_CTX *ctx = seal_keys_batch(sealer->keys, bytes_get32(data + KEY_AT), data + BATCH_AT);
    return ctx && decrypt(ctx, data + NONCE_AT, bound, piece, to);
}

static bool is_open(const struct opened *opened, const struct record_piece *piece, const struct bound *bound)
{
    return opened->holds && opened->size == piece->size && opened->bound.size == bound->size &&
           !memcmp(opened->seal_data, piece->seal_data, RECORD_SEAL_SPACE) &&
           !memcmp(opened->bound.bytes, bound->bytes, bound->size);
}

static void note_open(struct opened *opened, const struct record_piece *piece, const struct bound *bound)
{
    memcpy(opened->seal_data, piece->seal_data, RECORD_SEAL_SPACE);
    opened->bound = *bound;
    opened->size = piece->size;
    opened->holds = true;
}

/* What a sealed piece must be, before it is opened. */
static int expect(const struct record_piece *piece, const struct seal_bond *bond, struct bound *bound)
{
    if (piece->seal > SEAL_NEWEST || !piece->size || piece->size > ACCORD_PIECE_MAX ||
        (bond->payload && memcmp(piece->seal_data, bond->payload, SEAL_PAYLOAD_ID)))
        return ACCORD_EFORMAT;
    return describe(piece, piece->seal, piece->seal_data, bond, bound);
}

static bool open_piece(struct sealer *sealer, const struct record_piece *piece, const struct bound *bound,
                       uint8_t *to)
{
    return piece->seal == SEAL_PIECE ? open_single(sealer, piece, bound, to)
                                     : open_of_batch(sealer, piece, bound, to);
}

int sealer_take(struct sealer *sealer, const struct record_piece *piece, const struct seal_bond *bond,
                const uint8_t **plain)
{
    struct bound bound;
    *plain = piece->data;
    if (piece->index != bond->index)
        return ACCORD_EFORMAT;
    if (piece->seal == SEAL_NONE)
        return 0;
    int result = expect(piece, bond, &bound);
    if (!result && !is_open(&sealer->opened, piece, &bound)) {
        sealer->opened.holds = false;
        if (open_piece(sealer, piece, &bound, sealer->opened.plain))
            note_open(&sealer->opened, piece, &bound);
        else
            result = ACCORD_EFORMAT;
    }
    *plain = sealer->opened.plain;
    return result;
}

int sealer_take_whole(struct sealer *sealer, const struct record_piece *piece, const struct seal_bond *bond,
                      uint8_t *to)
{
    struct bound bound;
    if (piece->index != bond->index)
        return ACCORD_EFORMAT;
    if (piece->seal == SEAL_NONE) {
        memcpy(to, piece->data, piece->size);
        return 0;
    }
    int result = expect(piece, bond, &bound);
    if (!result && !open_piece(sealer, piece, &bound, to)) {
        memset(to, 0, piece->size); /* what is not authentic is nobody's */
        result = ACCORD_EFORMAT;
    }
    return result;
}

void seal_payload_of(const struct record_piece *piece, uint8_t payload[SEAL_PAYLOAD_ID])
{
    memcpy(payload, piece->seal_data, SEAL_PAYLOAD_ID);
}
