/* Values as people write them, by kind (accord/option.h), and whole option structs from their table. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <accord/option.h>

#include "util/error.h"

/* The value of one option, parsed. Texts point into the text given; a list is heap-allocated. */
struct conf_value {
    enum accord_kind kind;
    int64_t number; /* integer, duration, size, bool, date, port, choice */
    const char *text;
    struct accord_list list;
};
/* Parses and checks against the option's range and choices. ACCORD_EINVAL: `why` names what is allowed. */
int conf_value_parse(const struct accord_option *, const char *text, struct conf_value *, struct reason *why);
void conf_value_fini(struct conf_value *);
const char *conf_kind_name(enum accord_kind); /* "duration" */
/* "Where the service sends. ", where the option is for one direction only; otherwise "". */
const char *conf_direction_help(const struct accord_option *);
/* What may be written, for messages and the reference: "a duration such as 10 s or 90 days, 1 s to 1 day". */
void conf_kind_help(const struct accord_option *, char *to, size_t room);

/* The folders that these options open to the plugin's sandbox: each path, and "read" or "write". Appends to `folders`,
 * which holds `count` of at most `room`; returns how many there are then. The texts are those of the pairs. */
size_t conf_options_folders(const struct accord_option *table, const struct accord_pair *, size_t pair_count,
                            struct accord_pair *folders, size_t count, size_t room);

/* A plugin's options struct, filled from its table and the written pairs. The texts of the pairs are copied. */
struct conf_options;
int conf_options_fill(const struct accord_options *, const struct accord_pair *, size_t count,
                      struct conf_options **out, struct reason *why);
const void *conf_options_struct(const struct conf_options *);
void conf_options_free(struct conf_options *);

#endif
