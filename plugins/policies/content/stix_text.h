/* Text that comes in pieces, put together; NUL-terminated. */
#ifndef CONTENT_STIX_TEXT_H
#define CONTENT_STIX_TEXT_H

#include <accord/base.h>

#define STIX_TEXT_MAX (8 << 20) /* the longest that is put together */

struct stix_text {
    char *data; /* NULL: nothing was ever put in */
    size_t size, room;
};
/* 0; ACCORD_ENOMEM; ACCORD_ELIMIT. */
int stix_text_add(struct stix_text *, const char *, size_t);
const char *stix_text_get(const struct stix_text *);
void stix_text_clear(struct stix_text *); /* keeps the memory */
void stix_text_fini(struct stix_text *);

#endif
