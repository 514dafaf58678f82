#include "names.h"

#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 character at `p`, 0 when malformed (RFC 3629). The text ends with NUL, which is no
 * continuation byte. */
static size_t character(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

void name_safe(char to[NAME_ROOM], const char *from)
{
    const unsigned char *p = (const unsigned char *)from;
    size_t used = 0;
    while (*p) {
        size_t length = character(p);
        bool control = *p < 0x20 || *p == 0x7f || (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
        bool bad = !length || control || *p == '/' || *p == '\\' || (!used && *p == '.');
        size_t wanted = bad ? 1 : length;
        if (used + wanted >= NAME_ROOM)
            break;
        if (bad)
            to[used] = '_';
        else
            memcpy(to + used, p, length);
        used += wanted;
        p += length ? length : 1;
    }
    to[used] = 0;
    if (!used)
        strcpy(to, "unnamed");
}

/* Cuts at a character, where the name is UTF-8. */
static size_t cut(const char *name, size_t size, size_t room)
{
    if (size <= room)
        return size;
    for (size = room; size && ((unsigned char)name[size] & 0xc0) == 0x80;)
        size--;
    return size ? size : room;
}

void name_numbered(char to[NAME_ROOM], const char *name, unsigned n, const char *extra)
{
    char number[16] = "";
    const char *dot = strrchr(name, '.');
    size_t whole = strlen(name), ending = dot && dot != name ? strlen(dot) : 0;
    if (n)
        snprintf(number, sizeof number, "-%u", n);
    size_t fixed = strlen(number) + strlen(extra);
    if (ending > 32 || whole == ending)
        ending = 0;
    size_t stem = cut(name, whole - ending, NAME_ROOM - 1 - fixed - ending);
    snprintf(to, NAME_ROOM, "%.*s%s%.*s%s", (int)stem, name, number, (int)ending, name + whole - ending,
             extra);
}

bool name_is_below(const char *path)
{
    if (!strcmp(path, "."))
        return true;
    for (const char *at = path;;) {
        size_t size = strcspn(at, "/");
        if (!size || size >= NAME_ROOM || *at == '.')
            return false;
        if (!at[size])
            return true;
        at += size + 1;
    }
}
