#include "plugin/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_MAX 4

/* The child clears its environment itself; this is for the time before, when the dynamic linker reads it. */
static void child_environment(char *environment[KEPT_MAX + 1])
{
    static const char *const kept[KEPT_MAX] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LANG=", "TZ="};
    size_t count = 0;
    for (char **entry = environ; entry && *entry; entry++)
        for (size_t i = 0; i < KEPT_MAX && count < KEPT_MAX; i++)
            if (strncmp(*entry, kept[i], strlen(kept[i])) == 0)
                environment[count++] = *entry;
    environment[count] = NULL;
}

static int set_files(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int fd)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int result = posix_spawn_file_actions_adddup2(files, fd, 3);
    if (!result)
        result = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!result)
        result = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!result)
        result = posix_spawnattr_setsigmask(attributes, &none);
    if (!result)
        result = posix_spawnattr_setsigdefault(attributes, &all);
    if (!result)
        result = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return result;
}

static int spawn(const char *executable, const char *role, const char *name, int fd, pid_t *pid)
{
    char role_option[64], name_option[300], parent_option[32], *environment[KEPT_MAX + 1];
    snprintf(role_option, sizeof role_option, "--role=%s", role);
    snprintf(name_option, sizeof name_option, "--name=%.255s", name);
    snprintf(parent_option, sizeof parent_option, "--parent=%d", (int)getpid());
    child_environment(environment);
    char *arguments[] = {(char *)executable, role_option, name_option, parent_option, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&files);
    if (result)
        return result;
    result = posix_spawnattr_init(&attributes);
    if (!result) {
        result = set_files(&files, &attributes, fd);
        if (!result)
            result = posix_spawn(pid, executable, &files, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return result;
}

int spawn_child(const char *executable, const char *role, const char *name, pid_t *pid, int *channel,
                struct reason *why)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(why, ACCORD_ELIMIT, "cannot make a channel: %s", strerror(errno));
    int number = spawn(executable, role, name, pair[1], pid);
    close(pair[1]);
    if (!number) {
        *channel = pair[0];
        return 0;
    }
    close(pair[0]);
    return fail(why, ACCORD_EIO, "cannot start %s: %s", executable, strerror(number));
}

int spawn_end(pid_t pid, int patience_ms)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd poll_fd = {.fd = handle, .events = POLLIN};
    if (handle < 0 || poll(&poll_fd, 1, patience_ms) <= 0)
        kill(pid, SIGKILL);
    if (handle >= 0)
        close(handle);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}
