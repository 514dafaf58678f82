/* Namespaces and names that the rules for STIX packages go by. */
#ifndef CONTENT_STIX_NAME_H
#define CONTENT_STIX_NAME_H

#include "common/xml/xml.h"

#define STIX_NS_CORE       "http://stix.mitre.org/stix-1"
#define STIX_NS_VOCABS     "http://stix.mitre.org/default_vocabularies-1"
#define STIX_NS_CYBOX      "http://cybox.mitre.org/cybox-2"
#define STIX_NS_OBJECTS    "http://cybox.mitre.org/objects#"
#define STIX_NS_MARKING    "http://data-marking.mitre.org/Marking-1"
#define STIX_NS_STRUCTURES "http://data-marking.mitre.org/extensions/MarkingStructure#"
#define STIX_NS_AIS        "http://www.us-cert.gov/STIXMarkingStructure#AISConsentMarking-2"
#define STIX_NS_AIS_OLD    "http://www.us-cert.gov/STIXMarkingStructure#AISConsentMarking-1"
#define STIX_NS_ISA        "http://www.us-cert.gov/sites/default/files/STIX_Namespace/ISAMarkingsType.v2.xsd"
#define STIX_NS_ASSERTIONS                                                                                   \
    "http://www.us-cert.gov/sites/default/files/STIX_Namespace/ISAMarkingsAssertionsType.v2.xsd"
#define STIX_NS_XSI  "http://www.w3.org/2001/XMLSchema-instance"
#define STIX_NS_XPIL "urn:oasis:names:tc:ciq:xpil:3"
#define STIX_NS_XNL  "urn:oasis:names:tc:ciq:xnl:3"
#define STIX_NS_XAL  "urn:oasis:names:tc:ciq:xal:3"

bool stix_is(const struct xml_name *, const char *space, const char *local);
/* An attribute's value; NULL: not there. Unprefixed attributes have the namespace "". */
const char *stix_attribute(const struct xml_element *, const char *space, const char *local);

/* xsi:type, its prefix resolved by the declarations in scope: a QName is a namespace and a name, never a prefix. */
struct stix_type {
    bool given;
    const char *space; /* NULL: the prefix is not declared */
    char local[128];   /* cut when longer: no type of STIX has so long a name */
};
/* Of the attribute's value, NULL: not given. Only from inside a reader's start(). */
void stix_type_of(struct xml_reader *, const char *value, struct stix_type *);
bool stix_type_is(const struct stix_type *, const char *space, const char *local);

#endif
