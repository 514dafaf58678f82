/* What an agreement says of interchanges, and the questions that EDIFACT and X12 ask alike: parties, versions,
 * counts, control references.
 */
#ifndef CONTENT_EDI_TERMS_H
#define CONTENT_EDI_TERMS_H

#include <accord/option.h>

#include "edi_segment.h"

#define EDI_REFERENCE_MAX 15 /* an..14 and NUL */
#define EDI_PARTY_MAX     36 /* an..35 and NUL */

/* Must outlive the interchange. */
struct edi_terms {
    struct accord_list messages;   /* "BAPLIE", "315": kinds of message that an interchange may hold */
    struct accord_list versions;   /* "D:95B", "D:95B:UN:SMDG20", "004010"; empty: any */
    struct accord_list senders;    /* "ACME" or "ACME:ZZ"; empty: any */
    struct accord_list recipients; /* likewise */
    struct accord_list groups;     /* X12: "QO:315", the group code of each kind of transaction set */
    bool allow_test;               /* UNB 0035 or ISA15 may mark a test */
    bool allow_indent;             /* X12: spaces before a segment */
    int64_t max_segments;
};

/* Does "D:95B" take this version? Equal as far as the item goes, up to the end or to `stop`. */
bool edi_version_is(const char *item, const char *version, char stop);
/* An identification that may go into a unique key: printable ASCII, no colon, no space at its ends. */
bool edi_plain(const char *text, size_t most);
bool edi_digits(const char *text, size_t least, size_t most);
/* YYMMDD or CCYYMMDD, and HHMM at the beginning of `time`. */
bool edi_date(const char *date);
bool edi_time(const char *time);

/* Each of these returns 0, or refuses with a rule of this name. */
int edi_terms_party(const struct accord_list *allowed, const struct edi_place *, const char *who,
                    const char *id, const char *qualifier, struct edi_fault *);
/* `letters`: how long the names of messages are in this syntax, the others are another's. */
int edi_terms_message(const struct edi_terms *, const struct edi_place *, size_t letters, const char *message,
                      struct edi_fault *);
int edi_terms_version(const struct edi_terms *, const struct edi_place *, const char *message,
                      const char *version, char stop, struct edi_fault *);
/* "says 1200 segments, has 1199" */
int edi_count(const struct edi_place *, const char *rule, const char *says, size_t digits, const char *what,
              int64_t has, struct edi_fault *);
int edi_reference(const struct edi_place *, const char *rule, const char *value, char to[EDI_REFERENCE_MAX],
                  struct edi_fault *);
int edi_same_reference(const struct edi_place *, const char *rule, const char *value, const char *opener,
                       const char *expected, struct edi_fault *);

#endif
