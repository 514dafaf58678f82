/* The keyring as it comes from a disk that may have been changed: everything but its checksum, which is made to fit.
 * What has the right form is taken apart with a key that is not its own, and with the one that some of the corpus has. */
#include "store/crc.h"
#include "store/keyring_file.h"

#include <stdlib.h>
#include <string.h>

static void take_all(const struct keyring_parts *parts, int wrap, const uint8_t wrapping[SEAL_KEY])
{
    const uint8_t *at = parts->entries;
    struct keyring_entry entry;
    uint8_t key[SEAL_KEY];
    for (uint32_t i = 0; i < parts->count; i++) {
        keyring_take(parts, &at, wrap, wrapping, &entry, key);
        if (!entry.number || !entry.version || !entry.agreement[0])
            abort();
    }
    if (at != parts->seals)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t wrapping[SEAL_KEY] = {1, 2, 3};
    struct keyring_parts parts;
    uint8_t *file = malloc(size + 4);
    if (!file)
        return 0;
    memcpy(file, data, size);
    uint32_t crc = crc32c(0, file, size);
    for (size_t i = 0; i < 4; i++)
        file[size + i] = (uint8_t)(crc >> 8 * i);
    if (!keyring_parse(file, size + 4, &parts)) {
        int wrap = keyring_authenticate(&parts, wrapping);
        take_all(&parts, wrap < 0 ? 0 : wrap, wrapping);
    }
    free(file);
    return 0;
}
