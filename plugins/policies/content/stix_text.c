#include "stix_text.h"

#include <stdlib.h>
#include <string.h>

static int make_room(struct stix_text *t, size_t size)
{
    size_t room = t->room ? t->room : 256;
    while (room <= size)
        room *= 2;
    char *larger = room > t->room ? realloc(t->data, room) : t->data;
    if (!larger)
        return ACCORD_ENOMEM;
    t->data = larger;
    t->room = room;
    return 0;
}

int stix_text_add(struct stix_text *t, const char *bytes, size_t size)
{
    if (size > STIX_TEXT_MAX - t->size)
        return ACCORD_ELIMIT;
    int result = make_room(t, t->size + size);
    if (result)
        return result;
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
    t->data[t->size] = 0;
    return 0;
}

const char *stix_text_get(const struct stix_text *t)
{
    return t->size ? t->data : "";
}

void stix_text_clear(struct stix_text *t)
{
    t->size = 0;
}

void stix_text_fini(struct stix_text *t)
{
    free(t->data);
    *t = (struct stix_text){0};
}
