#include "names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 17 /* "~" and 16 digits */

/* Length without the flags. Readers of other systems write '!' or ';' for ':', which no name in new/ has
 * on this one. */
static size_t base_length(const char *name)
{
    const char *flags = strstr(name, ":2,");
    return flags && flags != name ? (size_t)(flags - name) : strlen(name);
}

/* FNV-1a; it keeps names apart, it proves nothing. */
static uint64_t digest(const char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    return hash;
}

void name_text(char *to, size_t room, const char *name)
{
    size_t size = base_length(name), used = 0, fits = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = c > 0x20 && c < 0x7f && c != '%' && c != '/';
        size_t wanted = plain ? 1 : 3;
        if (used + wanted + DIGEST_SIZE < room)
            fits = used + wanted;
        if (used + wanted >= room) {
            snprintf(to + fits, room - fits, "~%016llx", (unsigned long long)digest(name, size));
            return;
        }
        if (plain)
            to[used] = (char)c;
        else
            snprintf(to + used, 4, "%%%02X", c);
        used += wanted;
    }
    to[used] = 0;
}

void name_with(char *to, size_t room, const char *name, unsigned n, const char *ending)
{
    char extra[48], cut[24] = "";
    size_t size = base_length(name), most;
    if (n)
        snprintf(extra, sizeof extra, ".%u%s", n, ending);
    else
        snprintf(extra, sizeof extra, "%s", ending);
    most = room - 1 - strlen(extra);
    if (size > most) {
        snprintf(cut, sizeof cut, "~%016llx", (unsigned long long)digest(name, size));
        size = most - strlen(cut);
    }
    snprintf(to, room, "%.*s%s%s", (int)size, name, cut, extra);
}

bool name_same(const char *a, const char *b)
{
    size_t size = base_length(a);
    return size == base_length(b) && !memcmp(a, b, size);
}

bool name_is_mailbox(const char *path)
{
    if (!strcmp(path, "."))
        return true;
    for (const char *at = path;;) {
        size_t size = strcspn(at, "/");
        bool dots = size && strspn(at, ".") >= size && size <= 2;
        if (!size || size > 255 || dots)
            return false;
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
                return false;
        if (!at[size])
            return true;
        at += size + 1;
    }
}
