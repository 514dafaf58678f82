/* Asks the content policy about one file, in an inspect process of its own, as the hub would: the same binary,
 * the same sandbox, the same messages. */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "conf/conf.h"
#include "util/error.h"

struct inspect_question {
    const char *daemon;                /* accordd */
    const struct conf_plugin *plugin;  /* the policy module */
    const char *agreement;             /* "validate" when it is about none */
    const struct accord_pair *options; /* of the module */
    size_t option_count;
    const char *type;
    const char *path;
};

struct inspect_verdict {
    enum accord_answer answer;
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
    int64_t size;
    char sha256[DIGEST_HEX];
};

int inspect_file(const struct inspect_question *, struct inspect_verdict *, struct reason *why);

#endif
