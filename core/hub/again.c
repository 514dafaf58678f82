#include "hub/again.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hub/child.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"

/* In the environment of the one that is started anew: the time, and what failed. */
#define WHEN "ACCORD_STORE_FAILED"
#define WHAT "ACCORD_STORE_FAILURE"
#define SOON (INT64_C(60) * 1000000) /* us: a disk that fails again so soon is not to be tried again */

void again_tell(struct hub *hub)
{
    const char *when = getenv(WHEN), *what = getenv(WHAT);
    char reason[ACCORD_REASON_MAX];
    if (!when)
        return;
    if (what && !strcmp(what, "index"))
        snprintf(
            reason, sizeof reason,
            "the store's index was found damaged at %.40s, and was made anew from the journal; nothing is "
            "missing. Look at the disk and at memory: something wrote into it that was not the agent",
            when);
    else
        snprintf(reason, sizeof reason,
                 "the disk failed under the store at %.40s; what it has was read back, nothing that was "
                 "acknowledged is missing. Look at the disk: the kernel's log says what failed",
                 when);
    trail_incident(hub, NULL, NULL, "store.failed", reason);
    hub->anew = true;
    unsetenv(WHEN);
    unsetenv(WHAT);
}

#define REAP_STEP 5   /* ms */
#define REAP_MOST 400 /* steps */

void again_reap(void)
{
    struct timespec pause = {.tv_nsec = REAP_STEP * 1000000};
    pid_t pid = 1;
    for (int i = 0; getenv(WHEN) && pid >= 0 && i < REAP_MOST; i++) {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid == 0)
            nanosleep(&pause, NULL);
    }
}

/* Nobody would reap them any more. */
static void end_children(const struct hub *hub)
{
    for (struct unit *unit = hub->units; unit; unit = unit->next)
        for (size_t i = 0; i < unit->child_count; i++) {
            struct child *child = &unit->children[i];
            if (!uv_is_active((const uv_handle_t *)&child->process))
                continue;
            kill(child->process.pid, SIGKILL);
            waitpid(child->process.pid, NULL, 0);
        }
}

static void start_anew(const struct hub *hub)
{
    const struct hub_options *options = &hub->options;
    char when[32];
    char *arguments[] = {(char *)"accordd", (char *)"--conf", (char *)options->folder, NULL, NULL, NULL};
    if (options->state) {
        arguments[3] = (char *)"--state";
        arguments[4] = (char *)options->state;
    }
    end_children(hub);
    text_time(when, sizeof when, clock_wall());
    if (setenv(WHEN, when, 1) == 0 && setenv(WHAT, store_lost_index(hub->store) ? "index" : "disk", 1) == 0)
        execv(options->executable, arguments);
    log_event(ACCORD_ERROR, "store.failed", NULL, "cannot start anew: %s; ending, start accordd again",
              strerror(errno));
}

void again_tick(struct hub *hub)
{
    if (!store_failed(hub->store))
        return;
    bool soon = hub->anew && clock_wall() - hub->started < SOON;
    log_event(ACCORD_ERROR, "store.failed", NULL, "%s: nothing was acknowledged since. %s",
              store_lost_index(hub->store) ? "the store's index is damaged"
                                           : "the disk failed under the store",
              hub->stopping ? "Ending"
              : soon        ? "It fails again and again: ending. Look at the disk, then start accordd again"
                            : "Starting anew, to read back what it has; look at the disk");
    if (!soon && !hub->stopping)
        start_anew(hub);
    _exit(1);
}
