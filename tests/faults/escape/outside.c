/* escape-outside: runs every probe without a sandbox, each in a process and a ground of its own, and
 * prints one line for each: NAME ESCAPED|blocked|not-possible ERRNO. A battery that finds nothing shut
 * here proves nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ground.h"

/* What a probe's process says with its exit status, beside ESCAPE_EXIT. */
#define STATUS_RESULT 20

static enum escape probe_here(const struct probe *probe, const struct site *site, int *number)
{
    int local[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, local) < 0)
        return ESCAPE_IMPOSSIBLE;
    struct ground ground = {.outside = site->outside,
                            .inside = site->inside,
                            .abstract = site->abstract,
                            .port = site->port,
                            .address = (uintptr_t)ground_bytes,
                            .local = local[0],
                            .connected = probe->session ? ground_connected(site) : -1,
                            .reset = probe->session ? ground_reset(site) : -1};
    alarm(20);
    errno = 0;
    enum escape result = probe->run(&ground);
    *number = errno;
    return result;
}

/* The errno comes back through a pipe; the result through the exit status, since a probe may become a
 * program. */
static enum escape probe_apart(const struct probe *probe, const struct site *site, int *number)
{
    int ends[2], status = 0;
    *number = 0;
    if (pipe(ends) < 0)
        return ESCAPE_IMPOSSIBLE;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        enum escape result = probe_here(probe, site, number);
        (void)!write(ends[1], number, sizeof *number);
        _exit(STATUS_RESULT + (int)result);
    }
    close(ends[1]);
    (void)!read(ends[0], number, sizeof *number);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == ESCAPE_EXIT)
        return ESCAPE_DONE;
    return WIFEXITED(status) ? (enum escape)(WEXITSTATUS(status) - STATUS_RESULT) : ESCAPE_IMPOSSIBLE;
}

static void run(void *arg, const struct probe *probe)
{
    const char *folder = arg;
    struct site site;
    int number = 0;
    enum escape result = ESCAPE_IMPOSSIBLE;
    if (ground_open(&site, folder) == 0)
        result = probe_apart(probe, &site, &number);
    else
        fprintf(stderr, "escape-outside: cannot make the ground below %s: %s\n", folder, strerror(errno));
    ground_close(&site);
    printf("%s %s %s\n", probe->name, escape_name(result),
           result != ESCAPE_DONE && number ? strerrorname_np(number) : "-");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    escape_each(run, argc > 1 ? argv[1] : "/tmp");
    return 0;
}
