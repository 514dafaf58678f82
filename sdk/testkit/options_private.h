/* What options.c and random.c share. */
#ifndef TESTKIT_OPTIONS_PRIVATE_H
#define TESTKIT_OPTIONS_PRIVATE_H

#include <accord/testkit/options.h>

struct testoptions {
    char *values; /* the struct; NULL: there are no options */
    char **texts;
    size_t text_count;
    const char ***lists;
    size_t list_count;
};

struct filling {
    struct testoptions *to;
    char *why;
    size_t room;
};

struct testoptions *options_empty(const struct accord_options *);
/* Does the option's least and greatest value count? */
bool options_limited(const struct accord_option *);
/* Writes the value into the struct; false: `why` says what is wrong with it. */
bool options_set(struct filling *, const struct accord_option *, const char *text);
const char *options_written(const struct accord_pair *, const char *name); /* NULL: it is not */

#endif
