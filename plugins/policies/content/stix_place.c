#include "stix_place.h"

#include "stix_word.h"

/* The first row that fits. */
static const struct {
    uint8_t parent; /* enum stix_place; STIX_PLACES: any */
    uint8_t name;   /* enum stix_known */
    uint8_t place;  /* enum stix_place */
} rows[] = {
    {STIX_DOCUMENT, STIX_NAME_PACKAGE, STIX_PACKAGE},
    {STIX_PACKAGE, STIX_NAME_HEADER, STIX_HEADER},
    {STIX_HEADER, STIX_NAME_INTENT, STIX_INTENT},
    {STIX_HEADER, STIX_NAME_HANDLING, STIX_HANDLING},
    {STIX_HEADER, STIX_NAME_SOURCE, STIX_SOURCE},
    {STIX_HANDLING, STIX_NAME_MARKING, STIX_MARKING},
    {STIX_HANDLING, STIX_NAME_AIS_MARKING, STIX_AIS_MARKING},
    {STIX_MARKING, STIX_NAME_MARKING_SCOPE, STIX_SCOPE},
    {STIX_MARKING, STIX_NAME_MARKING_STRUCTURE, STIX_STRUCTURE},
    {STIX_MARKING, STIX_NAME_MARKING_SOURCE, STIX_SOURCE},
    {STIX_AIS_MARKING, STIX_NAME_AIS_SCOPE, STIX_SCOPE},
    {STIX_AIS_MARKING, STIX_NAME_AIS_STRUCTURE, STIX_STRUCTURE},
    {STIX_AIS_MARKING, STIX_NAME_AIS_SOURCE, STIX_SOURCE},
    {STIX_PART, STIX_NAME_MARKING_SCOPE, STIX_SCOPE},
    {STIX_PART, STIX_NAME_MARKING_STRUCTURE, STIX_STRUCTURE},
    {STIX_PART, STIX_NAME_AIS_SCOPE, STIX_SCOPE},
    {STIX_PART, STIX_NAME_AIS_STRUCTURE, STIX_STRUCTURE},
    {STIX_PLACES, STIX_NAME_MARKING, STIX_PART},
    {STIX_PLACES, STIX_NAME_AIS_MARKING, STIX_PART},
    {STIX_PLACES, STIX_NAME_MARKING_STRUCTURE, STIX_STRAY},
    {STIX_PLACES, STIX_NAME_AIS_STRUCTURE, STIX_STRAY},
    {STIX_PLACES, STIX_NAME_PROPERTIES, STIX_PROPERTIES},
};

enum stix_place stix_place_of(enum stix_place parent, const struct xml_name *name)
{
    if (parent == STIX_STRUCTURE || parent == STIX_INSIDE)
        return STIX_INSIDE;
    enum stix_known known = stix_known(name);
    for (size_t i = 0; known != STIX_NAME_OTHER && i < sizeof rows / sizeof *rows; i++)
        if (rows[i].name == known && (rows[i].parent == parent || rows[i].parent == STIX_PLACES))
            return (enum stix_place)rows[i].place;
    return parent == STIX_PACKAGE ? STIX_CONTAINER : STIX_ELSEWHERE;
}
