/* Content as it stands in an inbox message: XML, in which only the XML declaration and a byte order mark at its beginning
 * cannot stay (they are overwritten with blanks, so that the size is the same); or text with its markup escaped. Pure. */
#ifndef TAXII_CONTENT_H
#define TAXII_CONTENT_H

#include "draft.h"

enum content_form { FORM_XML, FORM_ESCAPED };

struct content {
    enum content_form form;
    enum { CONTENT_MARK, CONTENT_PREFIX, CONTENT_DECLARATION, CONTENT_FIRST, CONTENT_BODY } stage;
    size_t held; /* bytes of the mark or of the prefix that have come */
    char declaration[256];
    size_t declared;
    uint32_t point, least; /* of a character in UTF-8 that is under way; */
    unsigned more;         /* and how many bytes it lacks */
};

void content_init(struct content *, enum content_form);
/* Adds the next bytes to the draft. NULL, or why this cannot be sent so: it ends there. */
const char *content_add(struct content *, struct draft *, const uint8_t *, size_t);
const char *content_end(struct content *);

#endif
