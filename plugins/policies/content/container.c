#include "container.h"

#include <string.h>

bool container_number(const char *text)
{
    const char *number = text + 4;
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 4 || !strchr("UJZ", text[3]))
        return false;
    number += *number == ' ';
    return strlen(number) == 7 && strspn(number, "0123456789") == 7;
}
