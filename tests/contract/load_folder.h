/* Where the load connectors write their tallies, for their contract suites. */
#ifndef TESTS_LOAD_FOLDER_H
#define TESTS_LOAD_FOLDER_H

#include <accord/testkit/suite.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char path[512];
    DIR *folder = opendir(load_root);
    (void)arg;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%.255s", load_root, entry->d_name);
        unlink(path);
    }
    if (folder)
        closedir(folder);
    rmdir(load_root);
}

#endif
