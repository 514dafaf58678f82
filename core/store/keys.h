/* The store's keys: the key file, which is kept apart from the store and its backups, and the keyring that it unwraps.
 *
 * The key file holds 32 random bytes and belongs to the agent's user alone (mode 0600). It is made for a store that has
 * nothing sealed yet, and never again: a store whose key is missing or wrong is not opened.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/keyring.h"

enum keys_store {
    KEYS_EMPTY,   /* nothing is in the store */
    KEYS_UNSEALED, /* all of it is of the first format, which did not seal */
    KEYS_SEALED,
};

struct keys {
    struct keyring *ring;
    struct sealer *sealer;
    char *folder, *file;
    void (*fault)(const char *point);
};

int keys_open(struct keys *, const char *folder, const char *file, enum keys_store,
              void (*fault)(const char *point), struct reason *why);
void keys_close(struct keys *);
/* A new key in the key file, and every key wrapped again. Killed at any point it leaves a store that opens: the fault
 * point "rekey" is passed after each of the three steps. */
int keys_replace_file(struct keys *, struct reason *why);

#endif
