#include "store/keys.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "util/text.h"

#define ADVICE                                                                                               \
    "put it back from your copy of it; without it no payload in the store can be read. Nothing was changed"

/* ---- the key file ---- */

/* systemd gives the unit's user access by an access list, which shows in the mode as rights of a group. */
static bool from_systemd(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t size = folder ? strlen(folder) : 0;
    return size && !strncmp(path, folder, size) && path[size] == '/';
}

/* ACCORD_ENOENT without a reason: there is none. */
static int read_key(const char *path, uint8_t key[SEAL_KEY], struct reason *why)
{
    struct buf bytes = {0};
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return ACCORD_ENOENT;
    int result =
        from_systemd(path) ? file_read(path, 4096, &bytes, why) : file_read_secret(path, 4096, &bytes, why);
    if (!result && bytes.size != SEAL_KEY)
        result = fail(why, ACCORD_EFORMAT, "the store's key %s holds %zu bytes, and must hold %d: " ADVICE,
                      path, bytes.size, SEAL_KEY);
    if (!result)
        memcpy(key, bytes.data, SEAL_KEY);
    if (bytes.data)
        OPENSSL_cleanse(bytes.data, bytes.room);
    buf_fini(&bytes);
    return result;
}

static int make_key(const char *path, uint8_t key[SEAL_KEY], struct reason *why)
{
    char folder[PATH_MAX];
    if (from_systemd(path))
        return fail(why, ACCORD_ENOENT, "there is no credential %s; make 32 random bytes for it", path);
    if (RAND_priv_bytes(key, SEAL_KEY) != 1)
        return fail(why, ACCORD_EIO, "the system gives no random numbers for the store's key");
    text_copy(folder, sizeof folder, path);
    int result = file_make_folder(dirname(folder), why);
    return result ? result : file_replace(path, key, SEAL_KEY, 0600, why);
}

static int sync_folder_of(const char *path, struct reason *why)
{
    char folder[PATH_MAX];
    text_copy(folder, sizeof folder, path);
    return file_sync_folder(dirname(folder), why);
}

/* ---- opening ---- */

static bool has_ring(const char *folder)
{
    char path[PATH_MAX];
    return !file_path(path, sizeof path, folder, KEYRING_FILE) && access(path, F_OK) == 0;
}

static int take_key(const struct keys *keys, bool ring, enum keys_store store, uint8_t key[SEAL_KEY],
                    struct reason *why)
{
    int result = read_key(keys->file, key, why);
    if (result != ACCORD_ENOENT)
        return result;
    if (ring || store == KEYS_SEALED)
        return fail(why, ACCORD_ENOENT, "the store in %s is sealed, and its key %s is not there: " ADVICE,
                    keys->folder, keys->file);
    return make_key(keys->file, key, why);
}

static int open_ring(struct keys *keys, bool ring, enum keys_store store, const uint8_t *key,
                     struct reason *why)
{
    if (!ring && store == KEYS_SEALED)
        return fail(
            why, ACCORD_ENOENT,
            "the store in %s is sealed, and its keyring %s/" KEYRING_FILE
            " is not there: put it back from a backup of the store; without it no payload can be read",
            keys->folder, keys->folder);
    if (!ring)
        return keyring_make(&keys->ring, keys->folder, key, why);
    int result = keyring_open(&keys->ring, keys->folder, key, why);
    if (result == ACCORD_EDENIED)
        return fail(
            why, result,
            "the key in %s is not the one that the store in %s is sealed with; put back the right one, "
            "which belongs to this store or to the backup that it came from. Nothing was changed",
            keys->file, keys->folder);
    return result;
}

/* What is in the key file now counts, once it is certain to stay there. */
static int finish_change(struct keys *keys, const uint8_t *key, struct reason *why)
{
    char left[PATH_MAX];
    if (!keyring_unfinished(keys->ring))
        return 0;
    int result = sync_folder_of(keys->file, why);
    if (!result)
        result = keyring_use_wrapping(keys->ring, key, why);
    int n = snprintf(left, sizeof left, "%s.new", keys->file);
    if (!result && n > 0 && (size_t)n < sizeof left)
        unlink(left);
    return result;
}

int keys_open(struct keys *keys, const char *folder, const char *file, enum keys_store store,
              void (*fault)(const char *point), struct reason *why)
{
    char beside[PATH_MAX];
    uint8_t key[SEAL_KEY];
    bool ring = has_ring(folder);
    if (!file && file_path(beside, sizeof beside, folder, "store.key"))
        return fail(why, ACCORD_EINVAL, "folder name too long: %s", folder);
    *keys = (struct keys){.folder = strdup(folder), .file = strdup(file ? file : beside), .fault = fault};
    if (!keys->folder || !keys->file)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    int result = take_key(keys, ring, store, key, why);
    if (!result)
        result = open_ring(keys, ring, store, key, why);
    if (!result)
        finish_change(keys, key, NULL); /* otherwise later: it opens with either */
    OPENSSL_cleanse(key, sizeof key);
    if (!result && !(keys->sealer = sealer_new(keys->ring)))
        result =
            fail(why, ACCORD_ENOMEM, "out of memory opening the store, or OpenSSL lacks AES-256-GCM or HMAC");
    return result;
}

void keys_close(struct keys *keys)
{
    sealer_free(keys->sealer);
    keyring_free(keys->ring);
    free(keys->folder);
    free(keys->file);
    *keys = (struct keys){0};
}

/* ---- replacing the key file ---- */

static void fault(const struct keys *keys)
{
    if (keys->fault)
        keys->fault("rekey");
}

/* Whatever went wrong, the keyring is left wrapped by what the file has now. */
static void fall_back(struct keys *keys)
{
    uint8_t key[SEAL_KEY];
    if (!read_key(keys->file, key, NULL))
        finish_change(keys, key, NULL);
    OPENSSL_cleanse(key, sizeof key);
}

static int replace(struct keys *keys, const uint8_t *key, struct reason *why)
{
    int result = keyring_add_wrapping(keys->ring, key, why);
    if (result)
        return result;
    fault(keys);
    if ((result = file_replace(keys->file, key, SEAL_KEY, 0600, why)))
        return result;
    fault(keys);
    result = keyring_use_wrapping(keys->ring, key, why);
    fault(keys);
    return result;
}

int keys_replace_file(struct keys *keys, struct reason *why)
{
    uint8_t key[SEAL_KEY];
    if (from_systemd(keys->file))
        return fail(
            why, ACCORD_EDENIED,
            "the key %s is a systemd credential, which the agent cannot replace; see docs/OPERATIONS.md",
            keys->file);
    int result = read_key(keys->file, key, why);
    if (result == ACCORD_ENOENT)
        fail(why, result, "the store's key %s is not there any more: put it back before you rotate it",
             keys->file);
    if (!result)
        result = finish_change(keys, key, why);
    if (!result && RAND_priv_bytes(key, sizeof key) != 1)
        result = fail(why, ACCORD_EIO, "the system gives no random numbers for the store's key");
    if (!result && (result = replace(keys, key, why)))
        fall_back(keys);
    OPENSSL_cleanse(key, sizeof key);
    return result;
}
