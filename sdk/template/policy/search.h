/* Looks for words in a text that comes in pieces, wherever the pieces are cut. */
#ifndef SEARCH_H
#define SEARCH_H

#include <accord/option.h>

#define WORD_MAX 64 /* bytes */

struct search {
    const struct accord_list *words; /* each 1 to WORD_MAX bytes */
    char tail[WORD_MAX];             /* the last bytes of what has been seen: a word may begin in them */
    size_t tail_size;
    int64_t seen;
};

/* The word that ends in this piece, and where it begins in the text; NULL: none. */
const char *search_piece(struct search *, const uint8_t *bytes, size_t size, int64_t *at);

#endif
