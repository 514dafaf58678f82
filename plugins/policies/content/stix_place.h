/* Where in a STIX package an element stands: what it is follows from its name and from what its parent is. */
#ifndef CONTENT_STIX_PLACE_H
#define CONTENT_STIX_PLACE_H

#include "common/xml/xml.h"

enum stix_place {
    STIX_DOCUMENT, /* around the root */
    STIX_ELSEWHERE,
    STIX_PACKAGE,
    STIX_HEADER,
    STIX_CONTAINER, /* a child of the package that is not the header */
    STIX_INTENT,
    STIX_HANDLING,    /* of the header */
    STIX_MARKING,     /* marking:Marking of the header */
    STIX_AIS_MARKING, /* AIS:Marking of the header */
    STIX_PART,        /* any other Marking */
    STIX_SCOPE,       /* Controlled_Structure */
    STIX_STRUCTURE,   /* Marking_Structure */
    STIX_INSIDE,      /* below a Marking_Structure */
    STIX_STRAY,       /* a Marking_Structure that stands in no Marking */
    STIX_SOURCE,      /* Information_Source of the header or of its Markings */
    STIX_PROPERTIES,  /* cybox:Properties */
    STIX_PLACES,
};

enum stix_place stix_place_of(enum stix_place parent, const struct xml_name *);

#endif
