/* The content of a TAXII 1.1 content block, out of its envelope: the bytes of the one element that stands there, which
 * gets the namespace declarations that only the envelope makes; or, where no element stands there, the text, unescaped
 * once. White space, comments and instructions around it are left out.
 *
 * Declarations of TAXII's own namespaces and of xmldsig's are not carried over, unless the element's own name needs one:
 * almost every envelope declares them and no content uses them. The order of what is carried over is by prefix: the same
 * content has the same bytes in every answer.
 */
#ifndef TAXII_ANSWER11_CONTENT_H
#define TAXII_ANSWER11_CONTENT_H

#include "common/xml/xml.h"

#define CONTENT11_NAMESPACES 64
#define CONTENT11_INJECTED   8192 /* bytes of declarations */
#define CONTENT11_WHITE      4096 /* bytes of white space at the end of text that are left out, at most */

struct content11 {
    int (*take)(void *arg, const uint8_t *, size_t);
    void *arg;
    enum { CONTENT11_NONE, CONTENT11_ELEMENT, CONTENT11_TEXT } kind; /* what it is, as far as known */
    struct xml_namespace outer[CONTENT11_NAMESPACES];
    size_t outer_count;
    char reference[12]; /* begun in an earlier piece, from its '&' on */
    size_t reference_size;
    char white[CONTENT11_WHITE];
    size_t white_size;
};

/* From the start of Content. */
int content11_begin(struct content11 *, struct xml_reader *);
/* A piece of its raw content (xml_raw_fn). ACCORD_EFORMAT, refused with the reason; or what `take` gave. */
int content11_piece(struct content11 *, struct xml_reader *, const uint8_t *, size_t);
int content11_end(struct content11 *, struct xml_reader *);

#endif
