#include "host/start.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "plugin/child.h"
#include "plugin/loader.h"
#include "util/log.h"

#define CANCEL_GRACE_MS 5000

static int load(void *arg, const char *plugin, const char *sha256, const struct accord_plugin **out,
                char rule[ACCORD_RULE_MAX], struct reason *why)
{
    char path[1024], found[DIGEST_HEX];
    int result = child_plugin_path(arg, plugin, path, sizeof path, why);
    if (result)
        return result;
    return plugin_load(path, sha256[0] ? sha256 : NULL, out, found, rule, why);
}

/* The terminal's and the service manager's signals are the hub's business, which ends its children by closing
 * their channels. A peer that went away is found by the write that fails. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

/* Whoever wakes a child goes on first: on cores that are all in use, the hub is not put aside by each datagram that it
 * sends, and the child finds more of them when its turn comes. Where that cannot be had, nothing else changes. */
static void give_way(void)
{
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

int start_role(const char *title, const char *name, enum sandbox_role sandbox, pid_t parent,
               struct process *p, const struct process_role *role)
{
    static char process_name[128];
    static struct child child;
    struct reason why;
    snprintf(process_name, sizeof process_name, "%s %s", title, name);
    log_setup(process_name, ACCORD_INFO, false);
    ignore_signals();
    give_way();
    if (child_begin(&child, sandbox, parent, &why) < 0)
        return child_failed("hub.sandbox", &why);
    log_setup(process_name, child.log_level, child.log_json);
    struct process_setup setup = {.fd = CHILD_FD,
                                  .agreement = child.agreement,
                                  .rest = child.rest,
                                  .load = load,
                                  .load_arg = &child,
                                  .grace = CANCEL_GRACE_MS};
    int status = process_run(p, role, &setup);
    child_fini(&child);
    return status;
}
