/* Texts one behind the other in fixed room, for what is written with each message: snprintf() reads its format for as
 * long as all the rest of a short answer takes. Pure. */
#ifndef TAXII_PHRASE_H
#define TAXII_PHRASE_H

#include <stddef.h>

/* Writes at most `most` bytes of the text to `at`, as far as there is room before `end` for them and a NUL: where the next
 * text goes. */
char *phrase_put(char *at, const char *end, const char *text, size_t most);

#endif
