/* The names of a document, each kept once and for as long as the reader lives: they are compared by their addresses. */
#ifndef XML_NAMES_H
#define XML_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_SLOTS 1024        /* half of them are used */
#define NAMES_BYTES (256 << 10) /* all names and what is kept with them */

enum names_kind {
    NAMES_ELEMENT,
    NAMES_ATTRIBUTE,
    NAMES_TEXT, /* prefixes and names of namespaces */
};
enum names_declares { NAMES_NOTHING, NAMES_DEFAULT, NAMES_PREFIX };

struct names_entry {
    uint64_t first, last; /* eight bytes of the name as written; with `size` all of it up to 16 */
    size_t size;
    enum names_kind kind;
    /* Of elements and attributes. */
    enum names_declares declares; /* xmlns, xmlns:... */
    const char *prefix; /* a NAMES_TEXT, of NAMES_PREFIX the one that is declared; names_none without */
    const char *local;
    const char *space; /* as resolved among the declarations of `version`; NULL: not yet */
    uint64_t version;
    uint32_t word; /* the application's, for this local name in this space */
    char text[];   /* as written, NUL-terminated */
};

struct names {
    struct names_entry *slots[NAMES_SLOTS];
    size_t count, spent;
    struct names_chunk *chunks;
    char *at;
    size_t left;
};

extern const char names_none[1]; /* "" */

/* Of elements and attributes: NCName, or two with a ':' between them, which the caller has seen to. NULL: there are too
 * many, too many of them fall together, or there is no memory. */
struct names_entry *names_keep(struct names *, enum names_kind, const uint8_t *, size_t);
void names_fini(struct names *);

#endif
