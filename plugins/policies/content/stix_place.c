#include "stix_place.h"

#include <string.h>

#include "stix_name.h"

/* The first row that fits. */
static const struct {
    enum stix_place parent; /* STIX_PLACES: any */
    const char *space, *local;
    enum stix_place place;
} rows[] = {
    {STIX_DOCUMENT, STIX_NS_CORE, "STIX_Package", STIX_PACKAGE},
    {STIX_PACKAGE, STIX_NS_CORE, "STIX_Header", STIX_HEADER},
    {STIX_HEADER, STIX_NS_CORE, "Package_Intent", STIX_INTENT},
    {STIX_HEADER, STIX_NS_CORE, "Handling", STIX_HANDLING},
    {STIX_HEADER, STIX_NS_CORE, "Information_Source", STIX_SOURCE},
    {STIX_HANDLING, STIX_NS_MARKING, "Marking", STIX_MARKING},
    {STIX_HANDLING, STIX_NS_AIS, "Marking", STIX_AIS_MARKING},
    {STIX_MARKING, STIX_NS_MARKING, "Controlled_Structure", STIX_SCOPE},
    {STIX_MARKING, STIX_NS_MARKING, "Marking_Structure", STIX_STRUCTURE},
    {STIX_MARKING, STIX_NS_MARKING, "Information_Source", STIX_SOURCE},
    {STIX_AIS_MARKING, STIX_NS_AIS, "Controlled_Structure", STIX_SCOPE},
    {STIX_AIS_MARKING, STIX_NS_AIS, "Marking_Structure", STIX_STRUCTURE},
    {STIX_AIS_MARKING, STIX_NS_AIS, "Information_Source", STIX_SOURCE},
    {STIX_PART, STIX_NS_MARKING, "Controlled_Structure", STIX_SCOPE},
    {STIX_PART, STIX_NS_MARKING, "Marking_Structure", STIX_STRUCTURE},
    {STIX_PART, STIX_NS_AIS, "Controlled_Structure", STIX_SCOPE},
    {STIX_PART, STIX_NS_AIS, "Marking_Structure", STIX_STRUCTURE},
    {STIX_PLACES, STIX_NS_MARKING, "Marking", STIX_PART},
    {STIX_PLACES, STIX_NS_AIS, "Marking", STIX_PART},
    {STIX_PLACES, STIX_NS_MARKING, "Marking_Structure", STIX_STRAY},
    {STIX_PLACES, STIX_NS_AIS, "Marking_Structure", STIX_STRAY},
    {STIX_PLACES, STIX_NS_CYBOX, "Properties", STIX_PROPERTIES},
};

enum stix_place stix_place_of(enum stix_place parent, const struct xml_name *name)
{
    if (parent == STIX_STRUCTURE || parent == STIX_INSIDE)
        return STIX_INSIDE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((rows[i].parent == parent || rows[i].parent == STIX_PLACES) &&
            stix_is(name, rows[i].space, rows[i].local))
            return rows[i].place;
    return parent == STIX_PACKAGE ? STIX_CONTAINER : STIX_ELSEWHERE;
}

bool stix_place_is_free_text(const struct xml_name *name)
{
    static const char *const names[] = {"Title",   "Description", "Short_Description",
                                        "Comment", "Comments",    "Statement"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name->local, names[i]))
            return true;
    return false;
}
