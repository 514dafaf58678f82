/* Who submits: what the AIS marking schema requires of an Information_Source, wherever that stands. */
#ifndef CONTENT_STIX_IDENTITY_H
#define CONTENT_STIX_IDENTITY_H

#include "stix_fault.h"

struct stix_identity {
    /* Of the open Information_Source. */
    size_t organisation_depth, country_depth, area_depth; /* of the open element; 0: none */
    bool organisation, country, area, sector;
    /* Of the package: one Information_Source that had all four; else the most that one had. */
    bool complete;
    bool best[4];
    int best_count;
};

void stix_identity_open(struct stix_identity *);
/* True: the text of this element is wanted by stix_identity_name(). */
bool stix_identity_start(struct stix_identity *, const struct xml_element *);
void stix_identity_name(struct stix_identity *, const char *text);
void stix_identity_end(struct stix_identity *, size_t depth);
void stix_identity_close(struct stix_identity *);
/* The package has ended. */
int stix_identity_settle(const struct stix_identity *, const struct stix_spot *, struct stix_fault *);

#endif
