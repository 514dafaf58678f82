/* Why a file of EDIFACT, X12 or 80-column records is refused, and where in it. */
#ifndef CONTENT_EDI_FAULT_H
#define CONTENT_EDI_FAULT_H

#include <accord/base.h>

#define EDI_QUOTE_MAX 48

/* `rule` has no type name before it: "unt-count". */
struct edi_fault {
    char rule[32];
    char reason[ACCORD_REASON_MAX];
};

/* Where something stands, for reasons that are found later than they happened. */
struct edi_place {
    const char *unit; /* "segment", "record" */
    int64_t number;   /* of the segment, from 1 (UNB or ISA; UNA is not a segment), or of the record */
    int64_t offset;   /* of its first byte in the file, from 0 */
    char tag[4];
};

/* Fills the fault with "segment 1204 (UNT) at byte 48211: ..." and returns ACCORD_EFORMAT. */
int edi_refuse(struct edi_fault *, const struct edi_place *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what stands outside of any segment or record. */
int edi_refuse_file(struct edi_fault *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A value from the file, fit for a reason: printable ASCII, quoted, cut when long. Returns `to`. */
const char *edi_quote(char to[EDI_QUOTE_MAX], const char *value);

#endif
