/* XML schemas out of a folder, compiled. */
#ifndef CONTENT_STIX_COMPILE_H
#define CONTENT_STIX_COMPILE_H

#include <libxml/xmlschemas.h>

/* NULL: `why` says so. The driver and whatever it imports or includes must lie in the folder or below it. Identity
 * constraints (xs:unique, xs:key, xs:keyref) are left out: libxml2 2.9 compares each value with all before it, so that a
 * package of 12 MB took a minute. That ids are unique is stix_ids.h's matter. */
xmlSchemaPtr stix_compile(const char *folder, const char *driver, char *why, size_t why_size);

#endif
