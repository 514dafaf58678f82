/* Names of mails, which whoever delivers them chooses: what is made of them fits, can be shown, and keeps
 * them apart. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/maildir/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[256], text[512], with[256];
    if (!size || size >= sizeof name)
        return 0;
    memcpy(name, data, size);
    name[size] = 0;
    if (!*name)
        return 0;
    for (size_t room = 40; room <= sizeof text; room += 118) {
        name_text(text, room, name);
        check(strlen(text) < room);
        for (const char *at = text; *at; at++)
            check(*at > 0x20 && *at < 0x7f && *at != '/');
    }
    for (unsigned n = 0; n < 3; n++) {
        name_with(with, sizeof with, name, n * 499, ":2,S");
        size_t length = strlen(with);
        check(length >= 5 && length < sizeof with && !strcmp(with + length - 4, ":2,S"));
    }
    name_is_mailbox(name);
    check(name_same(name, name));
    return 0;
}
