/* The ids of a package, each of which stands once in it (stix_core.xsd, xs:unique). */
#ifndef CONTENT_STIX_IDS_H
#define CONTENT_STIX_IDS_H

#include <accord/base.h>

/* Zeroed: empty. Ids are kept as hashes of 64 bits with a seed, so that nobody can choose ids that meet. */
struct stix_ids {
    uint64_t seed;
    uint64_t *slots; /* 0: free */
    size_t count, room;
};
/* 0; ACCORD_EEXIST: it was there; ACCORD_ELIMIT; ACCORD_ENOMEM. */
int stix_ids_add(struct stix_ids *, const char *id);
void stix_ids_fini(struct stix_ids *);

#endif
