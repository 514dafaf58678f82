/* accordd: the hub, and with --role the child processes that it starts from the same binary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "connect.h"
#include "guard/guard.h"
#include "hub/hub.h"
#include "link/link.h"
#include "plugin/describe.h"

#ifndef ACCORD_VERSION
#define ACCORD_VERSION "unknown"
#endif

static const char usage[] = "usage: accordd [--conf DIR] [--state DIR] [--version]\n"
                            "Runs the interconnection agent in the foreground. Defaults: --conf /etc/accord/conf.d,\n"
                            "--state as agent.conf says (/var/lib/accord).\n";

/* The value of --NAME=VALUE or --NAME VALUE, moving *i; NULL when argument i is another. */
static const char *option(int argc, char **argv, int *i, const char *name)
{
    size_t size = strlen(name);
    if (strncmp(argv[*i], name, size) != 0)
        return NULL;
    if (argv[*i][size] == '=')
        return argv[*i] + size + 1;
    return !argv[*i][size] && *i + 1 < argc ? argv[++*i] : NULL;
}

static int child_main(const char *role, const char *name, const char *parent)
{
    pid_t pid = (pid_t)atoi(parent ? parent : "0");
    if (strcmp(role, "link") == 0) {
        connect_only_connected();
        return link_main(name, pid);
    }
    if (strcmp(role, "guard") == 0)
        return guard_main(name, pid, false);
    if (strcmp(role, "inspect") == 0)
        return guard_main(name, pid, true);
    if (strcmp(role, "describe") == 0)
        return describe_main(pid);
    fprintf(stderr, "accordd: there is no role '%s'; this option is the hub's own\n", role);
    return 2;
}

int main(int argc, char **argv)
{
    static char executable[4096];
    size_t room = sizeof executable;
    struct hub_options options = {.folder = "/etc/accord/conf.d", .executable = executable};
    const char *role = NULL, *name = "", *parent = NULL, *value;
    for (int i = 1; i < argc; i++) {
        if ((value = option(argc, argv, &i, "--role")))
            role = value;
        else if ((value = option(argc, argv, &i, "--name")))
            name = value;
        else if ((value = option(argc, argv, &i, "--parent")))
            parent = value;
        else if ((value = option(argc, argv, &i, "--conf")))
            options.folder = value;
        else if ((value = option(argc, argv, &i, "--state")))
            options.state = value;
        else if (strcmp(argv[i], "--version") == 0)
            return printf("accordd %s\n", ACCORD_VERSION) < 0;
        else
            return fprintf(stderr, "accordd: unknown or incomplete option '%s'\n%s", argv[i], usage) < 0 ? 1 : 2;
    }
    if (role)
        return child_main(role, name, parent);
    if (uv_exepath(executable, &room) < 0) {
        fprintf(stderr, "accordd: cannot find out where this program is\n");
        return 1;
    }
    return hub_main(&options);
}
