#include "columns.h"

#include <stdio.h>
#include <string.h>

static unsigned number(const char **text)
{
    unsigned value = 0;
    size_t digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < 3; (*text)++, digits++)
        value = value * 10 + (unsigned)(**text - '0');
    return value;
}

static bool read_item(const char *text, const char *records, struct columns *to)
{
    if (!*text || !strchr(records, text[0]) || text[1] != ':')
        return false;
    to->record = text[0];
    text += 2;
    unsigned first = number(&text), last = first;
    if (*text == '-') {
        text++;
        last = number(&text);
    }
    if (*text || first < 1 || first > last || last > COLUMNS_OF_RECORD)
        return false;
    to->first = (uint8_t)first;
    to->last = (uint8_t)last;
    return true;
}

bool columns_read(const struct accord_list *list, const char *records, struct columns_list *to, char *why,
                  size_t why_size)
{
    to->count = 0;
    if (list->count == 1 && !strcmp(list->items[0], "none"))
        return true;
    for (size_t i = 0; i < list->count; i++) {
        if (to->count == COLUMNS_MAX || !read_item(list->items[i], records, &to->items[to->count])) {
            snprintf(why, why_size,
                     "`%.40s` names no columns: expected one of %s, a colon, and columns from 1 to 80, as in "
                     "%c:11-12; at most %d of them",
                     list->items[i], records, records[0], COLUMNS_MAX);
            return false;
        }
        to->count++;
    }
    return true;
}

bool columns_secret(const struct columns *c)
{
    return c->record == 'A' && c->first <= 14 && c->last >= 9;
}
