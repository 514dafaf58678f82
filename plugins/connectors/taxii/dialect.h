/* What differs between versions of TAXII in what we say: the requests and the headers they go with. What is answered is
 * read by answer.h. taxii11.c: TAXII 1.1, XML over HTTPS. */
#ifndef TAXII_DIALECT_H
#define TAXII_DIALECT_H

#include <accord/base.h>

#include "draft.h"

struct dialect_poll {
    const char *collection;
    const char *begin, *end;    /* timestamp labels; NULL: none */
    const char *subscription;   /* NULL: none, then the content bindings that are wanted, none for all: */
    const char *const *bindings;
    size_t binding_count;
};

struct dialect_part {
    const char *collection, *result;
    int64_t part;
};

struct dialect_inbox {
    const char *collection; /* NULL: no destination is named */
    size_t blocks;
};

struct dialect_block {
    const char *binding, *subtype; /* subtype NULL: none */
};

/* Each writes what it is called for at the end of the draft. `id`: the message's own. */
struct dialect {
    const char *version;
    const struct accord_pair *headers; /* of every request */
    size_t header_count;
    const char *answer_type;     /* what X-TAXII-Content-Type of an answer must be */
    void (*discovery)(struct draft *, const char *id);
    void (*collections)(struct draft *, const char *id);
    void (*poll)(struct draft *, const char *id, const struct dialect_poll *);
    void (*part)(struct draft *, const char *id, const struct dialect_part *);
    /* A message of content: inbox, then for each block block, the content, block_end; then inbox_end. */
    void (*inbox)(struct draft *, const char *id, const struct dialect_inbox *);
    void (*block)(struct draft *, const struct dialect_block *);
    void (*block_end)(struct draft *);
    void (*inbox_end)(struct draft *);
};

extern const struct dialect taxii11;

#endif
