/* STIX packages held against XML schemas, as they stream by.
 *
 * Schemas are read from the operator's folder and from nowhere else, and compiled once in a process, whoever asks
 * (about 0.2 s and 40 MB for all of STIX 1.1.1). No schemaLocation of a package is ever followed.
 */
#ifndef CONTENT_STIX_SCHEMA_H
#define CONTENT_STIX_SCHEMA_H

#include "stix_fault.h"

struct stix_schema;
/* ACCORD_EINVAL with the reason; the same folder and driver give the same schema again. */
int stix_schema_open(const char *folder, const char *driver, struct stix_schema **, char *why,
                     size_t why_size);
void stix_schema_close(struct stix_schema *); /* NULL is fine */

/* One package on its way through. */
struct stix_check;
struct stix_check *stix_check_new(const struct stix_schema *); /* NULL: no memory */
void stix_check_free(struct stix_check *);                     /* NULL is fine */
/* In document order, text of an element in as few pieces as possible: each costs the length of those before it.
 * 0; ACCORD_ENOMEM; ACCORD_EFORMAT: rule "schema" with what the schema says. */
int stix_check_start(struct stix_check *, const struct xml_element *, struct stix_fault *);
int stix_check_text(struct stix_check *, const char *, size_t, struct stix_fault *);
int stix_check_end(struct stix_check *, const struct xml_name *, int64_t line, struct stix_fault *);

#endif
