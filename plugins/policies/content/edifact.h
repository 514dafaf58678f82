/* EDIFACT (ISO 9735) segments out of bytes that arrive in pieces cut anywhere. Knows separators, the release
 * character, UNA and the limits; what segments mean is interchange.h's. Holds one segment at a time, never
 * the file. Include no more than this header and libc: tests and the fuzz target call it directly.
 */
#ifndef CONTENT_EDIFACT_H
#define CONTENT_EDIFACT_H

#include <accord/base.h>

#define EDIFACT_SEGMENT_MAX  4096 /* bytes of a segment as written, release characters included */
#define EDIFACT_ELEMENTS_MAX 64   /* the tag counts as one */
#define EDIFACT_PARTS_MAX    256  /* components of all elements of a segment */
#define EDIFACT_QUOTE_MAX    48

/* Why a file is refused. `rule` has no type name before it: "unt-count". */
struct edifact_fault {
    char rule[32];
    char reason[ACCORD_REASON_MAX];
};

/* Where something stands, for reasons that are found later than they happened. */
struct edifact_place {
    int64_t number; /* of the segment, from 1 (UNB; UNA is not a segment) */
    int64_t offset; /* of its first byte in the file, from 0 */
    char tag[4];
};

struct edifact_segment {
    struct edifact_place place;
    bool high; /* has bytes from 0x80 up */
    size_t element_count, part_count;
    uint16_t first[EDIFACT_ELEMENTS_MAX]; /* of each element: its first part */
    uint16_t parts[EDIFACT_PARTS_MAX];    /* of each component: where it begins in text, NUL-terminated */
    char text[EDIFACT_SEGMENT_MAX + 1];
};
/* Component of an element, release characters taken out; element 0 is the tag. "" when absent. */
const char *edifact_get(const struct edifact_segment *, size_t element, size_t component);
size_t edifact_components(const struct edifact_segment *, size_t element);

/* Takes a complete segment: 0, or ACCORD_EFORMAT with the fault filled in. Sets *last after the final one. */
typedef int (*edifact_segment_fn)(void *arg, const struct edifact_segment *, bool *last,
                                  struct edifact_fault *);

struct edifact {
    int64_t max_segments;
    bool allow_bom;
    edifact_segment_fn take;
    void *arg;

    int state, step; /* step: bytes of the BOM or UNA seen */
    uint8_t head[9];
    uint8_t component, element, release, terminator; /* release 0: there is none */
    bool released;
    int64_t offset, segments;
    size_t raw, used; /* bytes of the segment as written, and of segment.text */
    struct edifact_segment segment;
};

void edifact_init(struct edifact *, int64_t max_segments, bool allow_bom, edifact_segment_fn, void *arg);
/* 0, or ACCORD_EFORMAT with the fault filled in; nothing more may be fed then. */
int edifact_feed(struct edifact *, const uint8_t *, size_t, struct edifact_fault *);
/* The file ends here. 0 at a segment's end; whether it was the last one is the taker's matter. */
int edifact_finish(struct edifact *, struct edifact_fault *);

/* Fills the fault with "segment 1204 (UNT) at byte 48211: ..." and returns ACCORD_EFORMAT. */
int edifact_fault(struct edifact_fault *, const struct edifact_place *, const char *rule, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* A value from the file, fit for a reason: printable ASCII, quoted, cut when long. Returns `to`. */
const char *edifact_quote(char to[EDIFACT_QUOTE_MAX], const char *value);

#endif
