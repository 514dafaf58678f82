/* accord/testkit/options.h: fills a plugin's option struct from values as they are written in conf.d, as the host
 * does: defaults, limits, kinds. So tests need not know the struct, and a default that cannot be is found.
 */
#ifndef ACCORD_TESTKIT_OPTIONS_H
#define ACCORD_TESTKIT_OPTIONS_H

#include <accord/option.h>

#ifdef __cplusplus
extern "C" {
#endif

struct testoptions;

/* `written` ends with a NULL name; NULL: nothing is. NULL, and a sentence in `why`, when a name is unknown, a required
 * one is missing or a value cannot be. */
struct testoptions *testoptions_new(const struct accord_options *, const struct accord_pair *written, char *why,
                                    size_t why_size);
/* Legal values, by the table alone, that follow from `seed`: short and long texts, least and greatest numbers, lists
 * of none and many; options that `keep` names have these values. */
struct testoptions *testoptions_random(const struct accord_options *, const struct accord_pair *keep, unsigned seed);
/* The struct; NULL when there are no options. */
const void *testoptions_struct(const struct testoptions *);
void testoptions_free(struct testoptions *); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
