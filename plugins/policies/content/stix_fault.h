/* Why a STIX package is refused, and where in it. */
#ifndef CONTENT_STIX_FAULT_H
#define CONTENT_STIX_FAULT_H

#include "common/xml/xml.h"

#define STIX_ELEMENT_MAX 64
#define STIX_QUOTE_MAX   64

/* Where something stands, for reasons that are found later than they happened. */
struct stix_spot {
    int64_t line;
    char element[STIX_ELEMENT_MAX]; /* as written: "marking:Marking" */
};

struct stix_fault {
    char rule[40]; /* without the type: "marking-missing" */
    char reason[ACCORD_REASON_MAX];
};

struct stix_spot stix_spot(const struct xml_element *);
/* Fills the fault with "line 12 (stix:Handling): ..." and returns ACCORD_EFORMAT. */
int stix_refuse(struct stix_fault *, const struct stix_spot *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A value from the package, fit for a reason: printable ASCII, quoted, cut when long. Returns `to`. */
const char *stix_quote(char to[STIX_QUOTE_MAX], const char *value);

#endif
