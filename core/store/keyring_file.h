/* The keyring's file, all numbers little-endian:
 *     "ACCORDKR"   u32 version   u32 wrappings (1 or 2)   u32 keys
 *     each wrapping: u8 id[16], of the key file's key
 *     each key: u32 number (ascending)   u32 version within the agreement   i64 made (wall microseconds)
 *               u16 size and text of the agreement, with its NUL
 *               for each wrapping: u8 nonce[12]   u8 wrapped[32]   u8 tag[16]    AES-256-GCM, the key's facts with it
 *     for each wrapping: u8 nonce[12]   u8 tag[16]     AES-256-GCM over everything before: no key can be taken out
 *     u32 CRC32C of everything before
 */
#ifndef STORE_KEYRING_FILE_H
#define STORE_KEYRING_FILE_H

#include "store/keyring.h"
#include "util/buf.h"

#define KEYRING_ID       16
#define KEYRING_WRAPS    2
#define KEYRING_FILE_MAX (2u << 20)

struct keyring_entry {
    uint32_t number, version;
    int64_t made;
    char agreement[STORE_NAME_MAX];
};

/* A file taken apart; points into its bytes. */
struct keyring_parts {
    uint32_t wraps, count;
    const uint8_t *ids;     /* KEYRING_ID each */
    const uint8_t *entries; /* where the keys begin */
    const uint8_t *seals;   /* what authenticates everything before */
    const uint8_t *bytes;
};
/* Form only: nothing in it is to be believed yet. ACCORD_ENOTSUP: another version; ACCORD_EFORMAT. */
int keyring_parse(const uint8_t *, size_t, struct keyring_parts *);
/* Which wrapping is this key's, and is the file its work? The wrapping's place, or ACCORD_EDENIED: none of them is
 * of this key, or ACCORD_EFORMAT. */
int keyring_authenticate(const struct keyring_parts *, const uint8_t wrapping[SEAL_KEY]);
/* Takes the next key: `at` begins at parts->entries. ACCORD_EFORMAT: it was changed. */
int keyring_take(const struct keyring_parts *, const uint8_t **at, int wrap, const uint8_t wrapping[SEAL_KEY],
                 struct keyring_entry *, uint8_t key[SEAL_KEY]);

/* Appends a whole file. */
int keyring_encode(struct buf *, const struct keyring_entry *, const uint8_t (*keys)[SEAL_KEY], size_t count,
                   const uint8_t *const *wrappings, size_t wraps);

#endif
