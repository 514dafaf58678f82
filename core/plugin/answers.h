/* Decodes, as untrusted, what a describing child says: SANDBOXED, PLUGIN, OPTION..., DESCRIBED; or FAILED. */
#ifndef PLUGIN_ANSWERS_H
#define PLUGIN_ANSWERS_H

#include "conf/conf.h"
#include "util/error.h"
#include "wire/codec.h"

#define ANSWERS_OPTIONS_MAX 128 /* in each of the two tables */
#define ANSWERS_BYTES_MAX   ((size_t)1 << 20)

struct answers {
    struct conf_plugin plugin; /* the name, kind, flags, options; not path and hash */
    size_t option_count[2];
    size_t bytes;
    bool sandboxed, named, finished;
    char rule[ACCORD_RULE_MAX]; /* after an error */
};

void answers_init(struct answers *);
/* Takes one datagram. 1 more is wanted, 0 finished, or an error with its rule. */
int answers_take(struct answers *, struct wire_bytes datagram, struct reason *why);
/* Frees what was not moved out of `plugin`. */
void answers_fini(struct answers *);
/* The heap parts of one plugin: both option tables and all their texts. */
void answers_free_options(struct accord_option *);

#endif
