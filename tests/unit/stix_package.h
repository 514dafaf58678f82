/* For the tests of the STIX validator: fixtures, what a change of them gives, and the verdict on it, which is the same
 * however the package is cut into pieces. Options are those of the policy, with its defaults; the clock stands at noon
 * of 1 February 2026.
 */
#ifndef TESTS_STIX_PACKAGE_H
#define TESTS_STIX_PACKAGE_H

#include "exchange_verdict.h"

#define STIX_NOW 1769947200000000

/* The package's marking stands in marking:Marking; in Handling of type AISHandling. Heap, of the caller. */
#define STIX_MARKING  "good-marking.xml"
#define STIX_HANDLING "good-handling.xml"
char *stix_fixture(const char *name);

/* How a package is judged; zero: it goes out, by the defaults, held against no schema. */
struct stix_judged {
    const struct accord_pair *options; /* as written in a file; ends with a NULL name */
    bool incoming;
    const struct stix_schema *schema;
};
struct verdict stix_verdict(const void *bytes, size_t size, const struct stix_judged *);

/* A fixture with the one `old` in it replaced by `new`; `rule` "": passes. `part`: of the reason. */
struct stix_change {
    const char *fixture, *old, *new, *rule, *part;
    const char *option, *value; /* other than the default; NULL */
};
/* Fails the test, showing the verdicts, unless every change has its own. */
void stix_changes(const struct stix_change *, size_t count);

/* `text` with its one `old` replaced; heap. Fails the test when there is none or more than one. */
char *stix_replace(const char *text, const char *old, const char *new);

#endif
