#include "conf/names.h"

#include <stdio.h>
#include <string.h>

#include "util/text.h"

void names_add(struct names *names, const char *name)
{
    if (names->count < NAMES_MAX)
        names->items[names->count++] = name;
    names->items[names->count] = NULL;
}

void names_add_options(struct names *names, const struct accord_option *table)
{
    for (; table && table->name; table++)
        names_add(names, table->name);
}

void names_hint(const struct names *names, const char *text, char *to, size_t room)
{
    const char *nearest = names->count ? text_nearest(text, names->items) : NULL;
    size_t used = 0;
    to[0] = 0;
    if (!names->count)
        snprintf(to, room, "there are none here");
    if (nearest)
        used = (size_t)snprintf(to, room, "did you mean `%s`? ", nearest);
    for (size_t i = 0; i < names->count && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%s%s", i ? ", " : "known: ", names->items[i]);
    if (used >= room && room > 4)
        memcpy(to + room - 4, "...", 4);
}
