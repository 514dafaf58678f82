/* Where the load connectors write their tallies, for their contract suites. */
#ifndef TESTS_LOAD_FOLDER_H
#define TESTS_LOAD_FOLDER_H

#include <accord/testkit/suite.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/scratch.h"

static char load_root[64];

static const struct accord_pair *load_begin(void *arg, bool *failed)
{
    static const struct accord_pair options[] = {{"folder", load_root}, {NULL, NULL}};
    (void)arg;
    strcpy(load_root, "/tmp/accord-contract-XXXXXX");
    *failed = !mkdtemp(load_root);
    return options;
}

static void load_end(void *arg)
{
    (void)arg;
    scratch_remove(load_root);
}

#endif
