#include "hub/spawn.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hub/unit.h"
#include "util/log.h"

/* A child takes nothing from the hub's environment but what it would keep itself (sandbox/begin.c); this
 * is for the time before, when the dynamic linker reads it. */
static void child_environment(char *environment[], size_t room)
{
    static const char *const kept[] = {
        "LANG=", "LC_ALL=", "LC_CTYPE=", "TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    size_t count = 0;
    for (char **entry = environ; entry && *entry; entry++)
        for (size_t i = 0; i < sizeof kept / sizeof *kept && count + 1 < room; i++)
            if (strncmp(*entry, kept[i], strlen(kept[i])) == 0)
                environment[count++] = *entry;
    environment[count] = NULL;
}

int child_spawn(struct child *child, int theirs, uv_exit_cb exited)
{
    char role[32], name[2 * CONF_NAME_MAX + 16], parent[32], *environment[16];
    snprintf(role, sizeof role, "--role=%s", child_role_name(child->role));
    snprintf(name, sizeof name, "--name=%s", child->name);
    snprintf(parent, sizeof parent, "--parent=%d", (int)getpid());
    child_environment(environment, sizeof environment / sizeof *environment);
    char *const arguments[] = {(char *)"accordd", role, name, parent, NULL};
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = log_descriptor()},
                                    {.flags = UV_INHERIT_FD, .data.fd = theirs}};
    uv_process_options_t options = {.exit_cb = exited,
                                    .file = child->unit->hub->options.executable,
                                    .args = (char **)arguments,
                                    .env = environment,
                                    .stdio = stdio,
                                    .stdio_count = 4};
    int result = uv_spawn(&child->unit->hub->loop, &child->process, &options);
    log_spawned();
    child->process.data = child;
    return result;
}
