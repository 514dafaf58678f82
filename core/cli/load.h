/* conf.d as the agent would load it, without the agent: for accord check, enable, init and plugins. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "cli/cli.h"
#include "conf/conf.h"

struct cli_loaded {
    struct conf_report report;
    struct conf_plugins plugins;
    struct conf *conf; /* NULL: it could not be read at all; the report says why */
};

/* What is wrong goes to the report. `elsewhere` and `instead` as in struct conf_setting; the checker is put in. */
void cli_load(struct cli *, const struct conf_setting *, struct cli_loaded *);
void cli_loaded_fini(struct cli_loaded *);

/* For people as compilers write it, so that editors can jump to the place; otherwise a row. */
void cli_problem(struct cli *, const struct conf_problem *);

#endif
