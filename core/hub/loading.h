/* One load of conf.d, beside the loop: files are read, new plugins describe themselves, `check` slots are asked. What comes
 * out is applied on the loop thread (reload.c).
 */
#ifndef HUB_LOADING_H
#define HUB_LOADING_H

#include <stdatomic.h>

#include "conf/folder.h"
#include "hub/reload.h"
#include "plugin/check.h"

struct loading {
    /* In. */
    const struct hub_options *options;
    const struct conf_agent *agent; /* that runs; NULL at start */
    const struct conf_agreement **running;
    size_t running_count;
    struct check_memory *memory; /* NULL: none */
    atomic_bool cancel;
    /* Out. */
    struct hub_conf *conf; /* NULL with `why`: nothing usable; else with one reference */
    struct conf_report problems;
    struct reason why;
    struct conf_signature signature; /* of the folder, before it was read */
    bool is_signed;
};

/* Blocks; any thread. */
void loading_run(struct loading *);

#endif
