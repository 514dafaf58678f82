#include "stix_word.h"

#include <string.h>

#include "stix_name.h"

static const struct {
    const char *space, *local;
    enum stix_known known;
} rows[] = {
    {STIX_NS_CORE, "STIX_Package", STIX_NAME_PACKAGE},
    {STIX_NS_CORE, "STIX_Header", STIX_NAME_HEADER},
    {STIX_NS_CORE, "Package_Intent", STIX_NAME_INTENT},
    {STIX_NS_CORE, "Handling", STIX_NAME_HANDLING},
    {STIX_NS_CORE, "Information_Source", STIX_NAME_SOURCE},
    {STIX_NS_MARKING, "Marking", STIX_NAME_MARKING},
    {STIX_NS_MARKING, "Controlled_Structure", STIX_NAME_MARKING_SCOPE},
    {STIX_NS_MARKING, "Marking_Structure", STIX_NAME_MARKING_STRUCTURE},
    {STIX_NS_MARKING, "Information_Source", STIX_NAME_MARKING_SOURCE},
    {STIX_NS_AIS, "Marking", STIX_NAME_AIS_MARKING},
    {STIX_NS_AIS, "Controlled_Structure", STIX_NAME_AIS_SCOPE},
    {STIX_NS_AIS, "Marking_Structure", STIX_NAME_AIS_STRUCTURE},
    {STIX_NS_AIS, "Information_Source", STIX_NAME_AIS_SOURCE},
    {STIX_NS_CYBOX, "Properties", STIX_NAME_PROPERTIES},
    {STIX_NS_XNL, "OrganisationName", STIX_NAME_ORGANISATION},
    {STIX_NS_XNL, "NameElement", STIX_NAME_ORGANISATION_NAME},
    {STIX_NS_XAL, "Country", STIX_NAME_COUNTRY},
    {STIX_NS_XAL, "AdministrativeArea", STIX_NAME_AREA},
    {STIX_NS_XAL, "NameElement", STIX_NAME_PLACE_NAME},
    {STIX_NS_XPIL, "OrganisationInfo", STIX_NAME_ORGANISATION_INFO},
};

static bool is_free_text(const char *local)
{
    static const char *const names[] = {"Title",   "Description", "Short_Description",
                                        "Comment", "Comments",    "Statement"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(local, names[i]))
            return true;
    return false;
}

static bool begins(const char *space, const char *with)
{
    return !strncmp(space, with, strlen(with));
}

uint32_t stix_word_find(const struct xml_name *name)
{
    uint32_t word = STIX_WORD_FOUND;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (stix_is(name, rows[i].space, rows[i].local))
            word |= rows[i].known;
    if (is_free_text(name->local))
        word |= STIX_WORD_FREE_TEXT;
    if (!strcmp(name->space, STIX_NS_AIS_OLD))
        word |= STIX_WORD_SUPERSEDED;
    if (begins(name->space, "http://stix.mitre.org/") || begins(name->space, "http://cybox.mitre.org/"))
        word |= STIX_WORD_IDS;
    if (!strcmp(name->local, "ControlSet"))
        word |= STIX_WORD_CONTROL_SET;
    return *name->word = word;
}

/* ---- attributes ---- */

enum { OTHER = 1, ID, TIMESTAMP, TYPE };

static uint32_t attribute_word(const struct xml_name *name)
{
    uint32_t word = OTHER;
    if (stix_is(name, "", "id"))
        word = ID;
    else if (stix_is(name, "", "timestamp"))
        word = TIMESTAMP;
    else if (stix_is(name, STIX_NS_XSI, "type"))
        word = TYPE;
    return *name->word = word;
}

void stix_attributes_of(const struct xml_element *e, struct stix_attributes *to)
{
    *to = (struct stix_attributes){0};
    for (size_t i = 0; i < e->attribute_count; i++) {
        const struct xml_attribute *a = &e->attributes[i];
        uint32_t word = *a->name.word ? *a->name.word : attribute_word(&a->name);
        if (word == ID)
            to->id = a->value;
        else if (word == TIMESTAMP)
            to->timestamp = a->value;
        else if (word == TYPE)
            to->type = a->value;
    }
}
