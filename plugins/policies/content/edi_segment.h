/* Segments of EDIFACT and X12 out of bytes that arrive in pieces cut anywhere: tag, elements, components, and
 * their limits. Holds one segment at a time, never the file, and allocates nothing. Which separators there are,
 * and what may stand between segments, is edifact.h's and x12.h's.
 */
#ifndef CONTENT_EDI_SEGMENT_H
#define CONTENT_EDI_SEGMENT_H

#include "edi_fault.h"

#define EDI_SEGMENT_MAX  4096 /* bytes of a segment as written, release characters and terminator included */
#define EDI_ELEMENTS_MAX 64   /* the tag counts as one */
#define EDI_PARTS_MAX    256  /* components of all elements of a segment */

struct edi_segment {
    struct edi_place place;
    bool high; /* has bytes from 0x80 up */
    size_t element_count, part_count;
    uint16_t first[EDI_ELEMENTS_MAX]; /* of each element: its first part */
    uint16_t parts[EDI_PARTS_MAX];    /* of each component: where it begins in text, NUL-terminated */
    char text[EDI_SEGMENT_MAX + 1];
};
/* Component of an element, release characters taken out; element 0 is the tag. "" when absent. */
const char *edi_get(const struct edi_segment *, size_t element, size_t component);
size_t edi_components(const struct edi_segment *, size_t element);
/* Has the segment this tag, of two or three characters? */
static inline bool edi_is(const struct edi_segment *s, const char *tag)
{
    const char *own = s->place.tag;
    return own[0] == tag[0] && own[1] == tag[1] && own[2] == tag[2];
}

/* Takes a complete segment: 0, or ACCORD_EFORMAT with the fault filled in. Sets *last after the final one. */
typedef int (*edi_segment_fn)(void *arg, const struct edi_segment *, bool *last, struct edi_fault *);

enum edi_kind { EDI_DATA, EDI_COMPONENT, EDI_ELEMENT, EDI_OTHER }; /* other: ends or releases, or is refused */

struct edi_reader {
    uint8_t component, element, release, terminator; /* release 0: there is none */
    uint8_t kinds[256];                              /* edi_kind of each byte */
    bool released;
    int64_t segments, max_segments;
    size_t raw, used; /* bytes of the segment as written, and of segment.text */
    struct edi_segment segment;
};

void edi_reader_init(struct edi_reader *, int64_t max_segments);
void edi_reader_separators(struct edi_reader *, uint8_t component, uint8_t element, uint8_t release,
                           uint8_t terminator);
/* A segment begins with the byte at `offset`. 0, or a fault when there are too many. */
int edi_reader_begin(struct edi_reader *, int64_t offset, struct edi_fault *);
/* Reads on to the end of the bytes or of the segment: *ended. How many bytes that took is in *taken, also when
 * it fails at the last of them. `offset` is that of the first byte. */
int edi_reader_read(struct edi_reader *, const uint8_t *, size_t, int64_t offset, size_t *taken, bool *ended,
                    struct edi_fault *);
/* The file ends in the middle of the segment. */
int edi_reader_cut(struct edi_reader *, int64_t offset, struct edi_fault *);
/* A byte behind the end of the interchange, which the segment `end` is: line ends and spaces may stand there. */
int edi_behind_end(uint8_t byte, const char *end, int64_t offset, struct edi_fault *);

#endif
