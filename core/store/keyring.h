/* The keyring: a random key for each agreement of origin, in numbered versions, wrapped by the key file's key.
 *
 * STORE/keyring is replaced whole and synced before a key in it is used; pieces name their key by its number. While
 * the key file is being replaced the keys are wrapped by the old and by the new one. Keys in memory lie in pages that
 * are not swapped (where the limits permit) nor dumped, and are wiped. One thread.
 */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include "store/seal.h"
#include "util/error.h"

#define KEYRING_FILE    "keyring"
#define KEYRING_VERSION 1
#define KEYRING_MAX     4096 /* keys */

struct keyring;

/* A new one, saved. */
int keyring_make(struct keyring **, const char *folder, const uint8_t wrapping[SEAL_KEY], struct reason *why);
/* ACCORD_ENOENT: there is none. ACCORD_EDENIED: `wrapping` is not the key that it is wrapped by. ACCORD_ENOTSUP: a
 * newer format. ACCORD_EFORMAT: damaged. */
int keyring_open(struct keyring **, const char *folder, const uint8_t wrapping[SEAL_KEY], struct reason *why);
void keyring_free(struct keyring *);

/* The agreement's newest key, which is made when it has none. */
int keyring_current(struct keyring *, const char *agreement, uint32_t *number, const uint8_t **key);
const uint8_t *keyring_key(const struct keyring *, uint32_t number); /* NULL: there is none */
/* A new key for what is sealed for this agreement from now on. */
int keyring_add(struct keyring *, const char *agreement, struct reason *why);

/* Changing the wrapping key: add the new one, put it into the key file, then use it alone. Each step is durable. */
int keyring_add_wrapping(struct keyring *, const uint8_t wrapping[SEAL_KEY], struct reason *why);
int keyring_use_wrapping(struct keyring *, const uint8_t wrapping[SEAL_KEY], struct reason *why);
/* The file has another wrapping key, too: a change was not finished. */
bool keyring_unfinished(const struct keyring *);

#endif
