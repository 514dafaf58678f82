#include "store/keyring.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/keyring_file.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

#define VAULT ((KEYRING_MAX + KEYRING_WRAPS) * SEAL_KEY)

struct keyring {
    char path[PATH_MAX];
    struct keyring_entry *entries;
    size_t count, room;
    uint8_t (*keys)[SEAL_KEY];      /* KEYRING_MAX of them, by place; in the vault */
    uint8_t (*wrappings)[SEAL_KEY]; /* the key file's key, then one that is coming; in the vault */
    size_t wraps;
    bool unfinished;
    size_t last; /* place of the newest key of the agreement that was asked for last */
};

/* ---- life ---- */

static struct keyring *keyring_new(const char *folder, const uint8_t *wrapping)
{
    struct keyring *keyring = calloc(1, sizeof *keyring);
    void *vault =
        keyring ? mmap(NULL, VAULT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (vault == MAP_FAILED || file_path(keyring->path, sizeof keyring->path, folder, KEYRING_FILE)) {
        if (vault != MAP_FAILED)
            munmap(vault, VAULT);
        free(keyring);
        return NULL;
    }
    mlock(vault, VAULT); /* the limits may not permit it: the keys are then only as safe as the swap */
    madvise(vault, VAULT, MADV_DONTDUMP);
    keyring->keys = vault;
    keyring->wrappings = keyring->keys + KEYRING_MAX;
    memcpy(keyring->wrappings[0], wrapping, SEAL_KEY);
    keyring->wraps = 1;
    keyring->last = SIZE_MAX;
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring)
        return;
    OPENSSL_cleanse(keyring->keys, VAULT);
    munmap(keyring->keys, VAULT);
    free(keyring->entries);
    free(keyring);
}

static int save(const struct keyring *keyring, struct reason *why)
{
    const uint8_t *wrappings[KEYRING_WRAPS] = {keyring->wrappings[0], keyring->wrappings[1]};
    struct buf file = {0};
    int result = keyring_encode(&file, keyring->entries, (const uint8_t(*)[SEAL_KEY])keyring->keys,
                                keyring->count, wrappings, keyring->wraps);
    result = result ? fail(why, result, "cannot wrap the store's keys (%s)", error_name(result))
                    : file_replace(keyring->path, file.data, file.size, 0600, why);
    buf_fini(&file);
    return result;
}

int keyring_make(struct keyring **out, const char *folder, const uint8_t wrapping[SEAL_KEY],
                 struct reason *why)
{
    struct keyring *keyring = keyring_new(folder, wrapping);
    if (!keyring)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    int result = save(keyring, why);
    if (result)
        keyring_free(keyring);
    else
        *out = keyring;
    return result;
}

static struct keyring_entry *add_entry(struct keyring *keyring)
{
    if (keyring->count == KEYRING_MAX)
        return NULL;
    if (keyring->count == keyring->room) {
        size_t room = keyring->room ? 2 * keyring->room : 16;
        struct keyring_entry *entries = realloc(keyring->entries, room * sizeof *entries);
        if (!entries)
            return NULL;
        keyring->entries = entries;
        keyring->room = room;
    }
    return &keyring->entries[keyring->count];
}

static int load(struct keyring *keyring, const struct buf *file, struct reason *why)
{
    struct keyring_parts parts;
    int result = keyring_parse(file->data, file->size, &parts);
    if (result == ACCORD_ENOTSUP)
        return fail(why, result,
                    "%s has a newer format than this agent reads (%d); start the version that wrote it",
                    keyring->path, KEYRING_VERSION);
    int wrap = result ? result : keyring_authenticate(&parts, keyring->wrappings[0]);
    if (wrap == ACCORD_EDENIED)
        return wrap; /* the caller knows where the key came from */
    const uint8_t *at = parts.entries;
    for (uint32_t i = 0; wrap >= 0 && i < parts.count; i++) {
        struct keyring_entry *entry = add_entry(keyring);
        if (!entry)
            return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
        if (keyring_take(&parts, &at, wrap, keyring->wrappings[0], entry, keyring->keys[i]))
            wrap = ACCORD_EFORMAT;
        else
            keyring->count++;
    }
    if (wrap < 0)
        return fail(
            why, ACCORD_EFORMAT,
            "%s is damaged; without it no payload in the store can be read: put it back from a backup",
            keyring->path);
    keyring->unfinished = parts.wraps > 1;
    return 0;
}

int keyring_open(struct keyring **out, const char *folder, const uint8_t wrapping[SEAL_KEY],
                 struct reason *why)
{
    struct keyring *keyring = keyring_new(folder, wrapping);
    struct buf file = {0};
    if (!keyring)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    int result = file_read(keyring->path, KEYRING_FILE_MAX, &file, why);
    if (!result)
        result = load(keyring, &file, why);
    buf_fini(&file);
    if (result)
        keyring_free(keyring);
    else
        *out = keyring;
    return result;
}

/* ---- keys ---- */

/* The newest key stands behind the older ones. */
static bool find(struct keyring *keyring, const char *agreement)
{
    for (size_t i = keyring->count; i-- > 0;)
        if (!strcmp(keyring->entries[i].agreement, agreement)) {
            keyring->last = i;
            return true;
        }
    return false;
}

int keyring_add(struct keyring *keyring, const char *agreement, struct reason *why)
{
    if (!text_is_name(agreement, STORE_NAME_MAX - 1))
        return fail(why, ACCORD_EINVAL, "\"%.64s\" is no name of an agreement", agreement);
    uint32_t version = find(keyring, agreement) ? keyring->entries[keyring->last].version : 0;
    struct keyring_entry *entry = add_entry(keyring);
    if (!entry)
        return fail(why, ACCORD_ELIMIT, "the store has no room for another key (%d), or out of memory",
                    KEYRING_MAX);
    *entry = (struct keyring_entry){
        .number = keyring->count ? entry[-1].number + 1 : 1, .version = version + 1, .made = clock_wall()};
    text_copy(entry->agreement, sizeof entry->agreement, agreement);
    if (RAND_priv_bytes(keyring->keys[keyring->count], SEAL_KEY) != 1)
        return fail(why, ACCORD_EIO, "the system gives no random numbers");
    keyring->count++;
    int result = save(keyring, why);
    if (result)
        OPENSSL_cleanse(keyring->keys[--keyring->count], SEAL_KEY);
    else
        keyring->last = keyring->count - 1;
    return result;
}

int keyring_current(struct keyring *keyring, const char *agreement, uint32_t *number, const uint8_t **key)
{
    struct reason why;
    bool same =
        keyring->last < keyring->count && !strcmp(keyring->entries[keyring->last].agreement, agreement);
    if (!same && !find(keyring, agreement)) {
        int result = keyring_add(keyring, agreement, &why);
        if (result)
            return result;
    }
    *number = keyring->entries[keyring->last].number;
    *key = keyring->keys[keyring->last];
    return 0;
}

const uint8_t *keyring_key(const struct keyring *keyring, uint32_t number)
{
    size_t low = 0, high = keyring->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (keyring->entries[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < keyring->count && keyring->entries[low].number == number ? keyring->keys[low] : NULL;
}

/* ---- the wrapping key ---- */

int keyring_add_wrapping(struct keyring *keyring, const uint8_t wrapping[SEAL_KEY], struct reason *why)
{
    memcpy(keyring->wrappings[1], wrapping, SEAL_KEY);
    keyring->wraps = 2;
    int result = save(keyring, why);
    keyring->unfinished = true;
    if (result) {
        OPENSSL_cleanse(keyring->wrappings[1], SEAL_KEY);
        keyring->wraps = 1;
    }
    return result;
}

int keyring_use_wrapping(struct keyring *keyring, const uint8_t wrapping[SEAL_KEY], struct reason *why)
{
    memcpy(keyring->wrappings[0], wrapping, SEAL_KEY);
    OPENSSL_cleanse(keyring->wrappings[1], SEAL_KEY);
    keyring->wraps = 1;
    int result = save(keyring, why);
    keyring->unfinished = result != 0;
    return result;
}

bool keyring_unfinished(const struct keyring *keyring)
{
    return keyring->unfinished;
}
