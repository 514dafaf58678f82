#include "stix_name.h"

#include <string.h>

#define BLANKS " \t\r\n"

bool stix_is(const struct xml_name *name, const char *space, const char *local)
{
    return *name->local == *local && !strcmp(name->local, local) && !strcmp(name->space, space);
}

const char *stix_attribute(const struct xml_element *element, const char *space, const char *local)
{
    for (size_t i = 0; i < element->attribute_count; i++)
        if (stix_is(&element->attributes[i].name, space, local))
            return element->attributes[i].value;
    return NULL;
}

void stix_type_of(struct xml_reader *reader, const char *value, struct stix_type *type)
{
    char prefix[128] = "";
    type->given = value != NULL;
    type->space = NULL;
    type->local[0] = 0;
    if (!value)
        return;
    value += strspn(value, BLANKS);
    size_t size = strcspn(value, BLANKS ":");
    if (value[size] == ':') {
        if (size < sizeof prefix)
            memcpy(prefix, value, size);
        type->space = size && size < sizeof prefix ? xml_namespace_of(reader, prefix) : NULL;
        value += size + 1;
        size = strcspn(value, BLANKS);
    } else {
        const char *fallback = xml_namespace_of(reader, "");
        type->space = fallback ? fallback : "";
    }
    size = size < sizeof type->local ? size : sizeof type->local - 1;
    memcpy(type->local, value, size);
    type->local[size] = 0;
}

bool stix_type_is(const struct stix_type *type, const char *space, const char *local)
{
    return type->given && type->space && !strcmp(type->space, space) && !strcmp(type->local, local);
}
