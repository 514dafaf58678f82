/* Sealing of payload pieces with AES-256-GCM.
 *
 * The key is HKDF-SHA256 (RFC 5869) of the agreement's key (keyring.h) with a batch's random name as salt (seal_key.h).
 * The nonce counts within the batch, also what is sealed again after a write that failed: no key and nonce meet twice.
 * The associated data is the index, whether it is the last piece, for the last one the id of the message, and the
 * payload's random id: so that pieces cannot change places within a payload, nor stand in for those of another, nor be
 * cut off at the end. The message's id is not known before the payload is whole; the earlier pieces are bound to the
 * last one by the payload's id.
 *
 * RECORD_SEAL_SPACE of a sealed piece: payload[16], batch[16], number of the agreement's key (u32), tag[16], nonce[12].
 *
 * In the second format each piece had a key of its own: HKDF with 32 bytes of salt, the payload's id and 16 random bytes,
 * where payload and batch stand now; the nonce was its index, 12 zeros stood in its place, and the payload's id was not
 * among the associated data. Such pieces are read.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "store/record.h"

#define SEAL_KEY        32
#define SEAL_PAYLOAD_ID 16

/* What a piece belongs to. */
struct seal_bond {
    const char *agreement;  /* whose key seals; not needed for opening */
    uint8_t *payload;       /* SEAL_PAYLOAD_ID bytes; zeros before the first piece is sealed, which makes them.
                             * For opening NULL: not known */
    const char *message;    /* id, of the last piece; NULL: this is not the last one */
    uint32_t index;         /* for opening: which one it must be */
};

/* A sealer has its ciphers, its random numbers, and a piece that was opened. One thread. */
struct sealer;
struct keyring;
/* The keyring stays the caller's. NULL: out of memory, or the library lacks an algorithm. */
struct sealer *sealer_new(struct keyring *);
void sealer_free(struct sealer *);

/* Appends the body of a piece's record. `piece` has its index, data and bond. */
int sealer_put(struct sealer *, struct buf *to, const struct record_piece *piece);
/* What a decoded piece holds; `plain` until the next call. ACCORD_EFORMAT: it was changed, or is not the one that
 * belongs here. Pieces of the first format, which were not sealed, are given as they are. */
int sealer_take(struct sealer *, const struct record_piece *, const struct seal_bond *, const uint8_t **plain);
/* The same for who wants all of it: into `to`, which has room for the piece, and nowhere else. */
int sealer_take_whole(struct sealer *, const struct record_piece *, const struct seal_bond *, uint8_t *to);
/* The payload that a piece says it belongs to. */
void seal_payload_of(const struct record_piece *, uint8_t payload[SEAL_PAYLOAD_ID]);

/* HKDF-SHA256 with one block of output. */
struct hkdf;
struct hkdf *hkdf_new(void);
void hkdf_free(struct hkdf *);
int hkdf_derive(struct hkdf *, const uint8_t *key, size_t key_size, const uint8_t *salt, size_t salt_size,
                const char *purpose, uint8_t out[SEAL_KEY]);

#endif
