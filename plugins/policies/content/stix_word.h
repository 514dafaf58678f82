/* Which of the names that the rules go by a name is. Found by comparing once, then kept with the name (xml_name.word): a
 * package has few names, and many elements of each.
 */
#ifndef CONTENT_STIX_WORD_H
#define CONTENT_STIX_WORD_H

#include "common/xml/xml.h"

enum stix_known {
    STIX_NAME_OTHER,
    STIX_NAME_PACKAGE,
    STIX_NAME_HEADER,
    STIX_NAME_INTENT,
    STIX_NAME_HANDLING,
    STIX_NAME_SOURCE,
    STIX_NAME_MARKING,
    STIX_NAME_MARKING_SCOPE,
    STIX_NAME_MARKING_STRUCTURE,
    STIX_NAME_MARKING_SOURCE,
    STIX_NAME_AIS_MARKING,
    STIX_NAME_AIS_SCOPE,
    STIX_NAME_AIS_STRUCTURE,
    STIX_NAME_AIS_SOURCE,
    STIX_NAME_PROPERTIES,
    STIX_NAME_ORGANISATION,
    STIX_NAME_ORGANISATION_NAME,
    STIX_NAME_COUNTRY,
    STIX_NAME_AREA,
    STIX_NAME_PLACE_NAME,
    STIX_NAME_ORGANISATION_INFO,
};

/* A word: its lowest byte is of enum stix_known; above it stands what else the rules ask of a name. */
enum {
    STIX_WORD_FOUND = 1 << 8,
    STIX_WORD_FREE_TEXT = 1 << 9,    /* Title, Description and the like: what people write as they please */
    STIX_WORD_SUPERSEDED = 1 << 10,  /* of the AIS marking of before 2016 */
    STIX_WORD_IDS = 1 << 11,         /* of STIX or CybOX, which have one room of ids */
    STIX_WORD_CONTROL_SET = 1 << 12, /* of whatever namespace */
    STIX_WORD_ALLOWED = 1 << 13,     /* the agreement's stix-namespaces have it; set by that rule */
};

uint32_t stix_word_find(const struct xml_name *);
/* Of an element's name. */
static inline uint32_t stix_word(const struct xml_name *name)
{
    return *name->word ? *name->word : stix_word_find(name);
}
static inline enum stix_known stix_known(const struct xml_name *name)
{
    return (enum stix_known)(stix_word(name) & 0xff);
}

/* The attributes that most elements are asked for, found in one look over them; NULL: not there. */
struct stix_attributes {
    const char *id, *timestamp, *type; /* type: xsi:type */
};
void stix_attributes_of(const struct xml_element *, struct stix_attributes *);

#endif
