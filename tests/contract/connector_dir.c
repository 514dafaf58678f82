/* The contract suite on the connector dir, on a folder of its own. */
#include <accord/testkit/suite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/scratch.h"

static char root[64];
static struct accord_pair link_options[] = {{"path", root}, {NULL, NULL}};

static const char *at(const char *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    return path;
}

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    strcpy(root, "/tmp/accord-contract-XXXXXX");
    *failed = !mkdtemp(root) || mkdir(at("in", ""), 0750) || mkdir(at("out", ""), 0750);
    return link_options;
}

static void end(void *arg)
{
    (void)arg;
    scratch_remove(root);
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    (void)service;
    return scratch_has(at("out", name), bytes, size);
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    (void)service;
    return scratch_write(at("in", name), 0640, bytes, size);
}

/* Taken files are moved aside, so that two agents cannot take one; until the verdict they are there. */
static bool holds(void *arg, size_t service, const char *name)
{
    char path[600];
    (void)arg;
    (void)service;
    snprintf(path, sizeof path, "%s/in/.accord/claimed/take/%s", root, name);
    return access(at("in", name), F_OK) == 0 || access(path, F_OK) == 0;
}

int main(void)
{
    static const struct accord_pair take[] = {{"folder", "in"}, {NULL, NULL}};
    static const struct accord_pair drop[] = {{"folder", "out"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"take", "opaque", ACCORD_RECEIVE, take},
                                                        {"drop", "opaque", ACCORD_SEND, drop}};
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
