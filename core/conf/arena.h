/* Memory that lives and goes together: what a configuration, a file or an options struct is made of. Every
 * piece is an allocation of its own, so that the address sanitizer watches each one's edges. One thread. */
#ifndef CONF_ARENA_H
#define CONF_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_piece;

struct arena {
    struct arena_piece *last;
    bool failed; /* an allocation has failed since the arena was made */
};

/* `count` zeroed items; never NULL for count 0. NULL: out of memory (and `failed` is set). */
void *arena_array(struct arena *, size_t count, size_t item);
char *arena_text(struct arena *, const char *text);
char *arena_bytes(struct arena *, const char *bytes, size_t size); /* a NUL is added */
void arena_fini(struct arena *);

#endif
