#include "phrase.h"

#include <string.h>

char *phrase_put(char *at, const char *end, const char *text, size_t most)
{
    size_t room = (size_t)(end - at) - 1, size = strnlen(text, most < room ? most : room);
    memcpy(at, text, size);
    at[size] = '\0';
    return at + size;
}
