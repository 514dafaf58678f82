/* A message as it is written: bytes that grow, and text escaped as XML wants it. Running out of memory is remembered
 * (`failed`), so that it needs to be asked once, at the end. */
#ifndef TAXII_DRAFT_H
#define TAXII_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draft {
    char *bytes; /* NUL behind them; NULL: nothing was written */
    size_t size, room;
    bool failed;
};

void draft_fini(struct draft *);
void draft_empty(struct draft *); /* keeps the room */
void draft_reserve(struct draft *, size_t); /* bytes in all, to be written without growing */
void draft_bytes(struct draft *, const void *, size_t);
void draft_put(struct draft *, const char *text); /* as it is */
/* Texts of a configuration or of a partner, inside an element or a quoted attribute. */
void draft_text(struct draft *, const char *text);
void draft_number(struct draft *, int64_t);

#endif
