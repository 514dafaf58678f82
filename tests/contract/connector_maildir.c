/* The contract suite on the connector maildir, on Maildirs of its own. */
#include <accord/testkit/suite.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/scratch.h"

static char root[64];
static struct accord_pair link_options[] = {{"folder", root}, {NULL, NULL}};

static const char *at(const char *folder, const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s/%s", root, folder, name);
    return path;
}

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    strcpy(root, "/tmp/accord-contract-XXXXXX");
    *failed = !mkdtemp(root) || mkdir(at("in", ""), 0700) || mkdir(at("in", "tmp"), 0700) ||
              mkdir(at("in", "new"), 0700);
    return link_options;
}

static void end(void *arg)
{
    (void)arg;
    scratch_remove(root);
}

/* A mail has no name of the sender's: it is known by its content. */
static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)service, (void)name;
    bool found = false;
    DIR *dir = opendir(at("out", "new"));
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
        found = entry->d_name[0] != '.' && scratch_has(at("out/new", entry->d_name), bytes, size);
    if (dir)
        closedir(dir);
    return found;
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)service;
    return scratch_write(at("in/tmp", name), 0600, bytes, size) &&
           rename(at("in/tmp", name), at("in/new", name)) == 0;
}

static bool holds(void *arg, size_t service, const char *name)
{
    (void)arg, (void)service;
    return access(at("in/new", name), F_OK) == 0;
}

int main(void)
{
    static const struct accord_pair take[] = {{"mailbox", "in"}, {NULL, NULL}};
    static const struct accord_pair put[] = {{"mailbox", "out"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"take", "opaque", ACCORD_RECEIVE, take},
                                                        {"put", "opaque", ACCORD_SEND, put}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_VIRTUAL_CLOCK,
                                                 .services = services,
                                                 .service_count = 2,
                                                 .patience = 60000,
                                                 .begin = begin,
                                                 .end = end,
                                                 .got = got,
                                                 .give = give,
                                                 .holds = holds};
    return accord_connector_suite(&suite) ? 1 : 0;
}
