/* What a child may still do inside, and what holds around it. The ways out are in test_escape. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#include <cmocka.h> /* last: it has a macro `fail` */

/* Runs `inside` in a process of its own after sandbox_begin() and, unless `role` is -1, sandbox_close().
 * What it returns is 0 when all is well, else the number of the line that is not. */
struct run {
    int role;
    const char *folder;
    int (*inside)(const struct run *, const struct sandbox_walls *);
};

#define HOLDS(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return __LINE__;                                                                                 \
    } while (0)

static int child(const struct run *run, pid_t parent)
{
    struct sandbox_walls walls = {0};
    struct sandbox_folder folder = {run->folder, true};
    struct reason why = {""};
    int result = sandbox_begin(parent, &why);
    if (!result && run->role >= 0)
        result = sandbox_close((enum sandbox_role)run->role, &folder, run->folder != NULL, &walls, &why);
    if (result) {
        fprintf(stderr, "sandbox: %s\n", why.text);
        return 1;
    }
    return run->inside(run, &walls);
}

/* The line comes back by a pipe on standard output: an exit status is too small. */
static int line_of(const struct run *run)
{
    int ends[2], line = -1, status;
    pid_t parent = getpid();
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        line = child(run, parent);
        _exit(write(STDOUT_FILENO, &line, sizeof line) != sizeof line);
    }
    close(ends[1]);
    (void)!read(ends[0], &line, sizeof line);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return line;
}

static void all_holds(const struct run *run)
{
    int line = line_of(run);
    if (line)
        fail_msg("line %d does not hold inside", line);
}

static int make_folder(void **state)
{
    *state = strdup("/tmp/accord-sandbox-XXXXXX");
    return mkdtemp(*state) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", (char *)*state);
    free(*state);
    return system(command);
}

/* ---- before the walls ---- */

static int inside_clean(const struct run *run, const struct sandbox_walls *walls)
{
    (void)run, (void)walls;
    struct rlimit core;
    HOLDS(fcntl(57, F_GETFD) < 0 && errno == EBADF);
    HOLDS(!getenv("LTDL_LIBRARY_PATH") && !getenv("LD_LIBRARY_PATH") && !getenv("SECRET_OF_THE_HUB"));
    HOLDS(getenv("TZ") && strcmp(getenv("TZ"), "UTC") == 0);
    HOLDS(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    return 0;
}

static void nothing_of_the_hub_is_inherited(void **state)
{
    (void)state;
    setenv("LTDL_LIBRARY_PATH", "/tmp", 1);
    setenv("LD_LIBRARY_PATH", "/tmp", 1);
    setenv("SECRET_OF_THE_HUB", "x", 1);
    setenv("TZ", "UTC", 1);
    assert_int_equal(dup2(STDERR_FILENO, 57), 57);
    all_holds(&(struct run){-1, NULL, inside_clean});
    close(57);
    unsetenv("LTDL_LIBRARY_PATH");
    unsetenv("LD_LIBRARY_PATH");
}

static void a_child_whose_parent_is_gone_does_not_begin(void **state)
{
    (void)state;
    struct reason why;
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_begin(1, &why) == ACCORD_ECANCELED ? 0 : 1);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void *sleep_on(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void a_process_with_threads_is_not_closed(void **state)
{
    (void)state;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        pthread_t thread;
        struct sandbox_walls walls;
        struct reason why;
        pthread_create(&thread, NULL, sleep_on, NULL);
        int result = sandbox_begin(parent, &why);
        _exit(!result && sandbox_close(SANDBOX_GUARD, NULL, 0, &walls, &why) == ACCORD_ESTATE ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* The middle process starts a confined one and is killed; the confined one holds a pipe's end until it
 * dies. */
static void a_child_dies_with_its_hub(void **state)
{
    (void)state;
    int ends[2], status;
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t hub = fork();
    if (hub == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            struct sandbox_walls walls;
            struct reason why;
            dup2(ends[1], STDOUT_FILENO);
            alarm(30); /* should it not die as it must */
            if (sandbox_begin(parent, &why) || sandbox_close(SANDBOX_LINK, NULL, 0, &walls, &why))
                _exit(1);
            (void)!write(STDOUT_FILENO, "x", 1);
            sleep_on(NULL);
        }
        close(ends[1]);
        sleep_on(NULL);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    kill(hub, SIGKILL);
    waitpid(hub, &status, 0);
    struct pollfd ended = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* ---- inside ---- */

static void *count_up(void *arg)
{
    ++*(int *)arg;
    return NULL;
}

static int inside_any(const struct run *run, const struct sandbox_walls *walls)
{
    (void)run;
    HOLDS(walls->seccomp == SANDBOX_UP);
    HOLDS(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) < 0 && errno == EPERM);
    HOLDS(open("/usr/lib/os-release", O_RDONLY) >= 0);
    HOLDS(open("/dev/urandom", O_RDONLY) >= 0);
    HOLDS(open("/dev/null", O_RDONLY) >= 0);
    HOLDS(open("/etc/ssl/openssl.cnf", O_RDONLY) >= 0 || errno == ENOENT);
    HOLDS(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EACCES);
    char *memory = malloc((size_t)8 << 20);
    HOLDS(memory);
    free(memory);
    return 0;
}

static int inside_loops(const struct run *run, const struct sandbox_walls *walls)
{
    int count = 0;
    pthread_t thread;
    HOLDS(pthread_create(&thread, NULL, count_up, &count) == 0);
    HOLDS(pthread_join(thread, NULL) == 0 && count == 1);
    return inside_any(run, walls);
}

static void each_role_can_do_its_work(void **state)
{
    (void)state;
    all_holds(&(struct run){SANDBOX_LINK, NULL, inside_loops});
    all_holds(&(struct run){SANDBOX_GUARD, NULL, inside_loops});
    all_holds(&(struct run){SANDBOX_INSPECT, NULL, inside_loops});
    all_holds(&(struct run){SANDBOX_DESCRIBE, NULL, inside_any});
}

/* All that the dir connector does. */
static int inside_folder(const struct run *run, const struct sandbox_walls *walls)
{
    (void)walls;
    struct stat st;
    int folder = open(run->folder, O_RDONLY | O_DIRECTORY);
    HOLDS(folder >= 0 && fsync(folder) == 0);
    int file = openat(folder, "a.part", O_WRONLY | O_CREAT | O_EXCL, 0600);
    HOLDS(file >= 0 && write(file, "x", 1) == 1 && fsync(file) == 0 && fdatasync(file) == 0);
    HOLDS(ftruncate(file, 0) == 0);
    HOLDS(mkdirat(folder, "claimed", 0700) == 0);
    HOLDS(renameat(folder, "a.part", folder, "claimed/a") == 0);
    HOLDS(fstatat(folder, "claimed/a", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0);
    HOLDS(linkat(folder, "claimed/a", folder, "b", 0) == 0);
    HOLDS(unlinkat(folder, "claimed/a", 0) == 0 && unlinkat(folder, "b", 0) == 0);
    HOLDS(unlinkat(folder, "claimed", AT_REMOVEDIR) == 0);
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    HOLDS(watch >= 0 && inotify_add_watch(watch, run->folder, IN_CLOSE_WRITE | IN_MOVED_TO) >= 0);
    return 0;
}

static void a_link_can_work_in_its_folder(void **state)
{
    all_holds(&(struct run){SANDBOX_LINK, *state, inside_folder});
}

static int inside_reader(const struct run *run, const struct sandbox_walls *walls)
{
    (void)walls;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/new", run->folder);
    HOLDS(open(run->folder, O_RDONLY) >= 0);
    HOLDS(open(path, O_WRONLY | O_CREAT, 0600) < 0);
    HOLDS(open("/dev/null", O_WRONLY) < 0);
    HOLDS(mkdir(path, 0700) < 0);
    return 0;
}

/* Even in a folder that a careless hub gave for writing: Landlock lets it, seccomp does not. */
static void only_a_link_writes(void **state)
{
    all_holds(&(struct run){SANDBOX_GUARD, *state, inside_reader});
    all_holds(&(struct run){SANDBOX_INSPECT, *state, inside_reader});
    all_holds(&(struct run){SANDBOX_DESCRIBE, *state, inside_reader});
}

/* ---- where walls are missing ---- */

static int inside_chroot(const struct run *run, const struct sandbox_walls *walls)
{
    (void)run;
    HOLDS(walls->seccomp == SANDBOX_UP);
    HOLDS(walls->namespaces == SANDBOX_MISSING && walls->namespaces_why.text[0]);
    HOLDS(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EACCES);
    return 0;
}

/* A chroot refuses user namespaces. */
static void without_user_namespaces_it_goes_on_and_says_so(void **state)
{
    int status;
    if (getuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        if (chroot(*state) < 0 || chdir("/") < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(1);
        _exit(line_of(&(struct run){SANDBOX_GUARD, NULL, inside_chroot}) != 0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void the_hub_is_hidden(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct reason why;
        _exit(sandbox_protect_hub(&why) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                      prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
                  ? 0
                  : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_the_hub_is_inherited),
        cmocka_unit_test(a_child_whose_parent_is_gone_does_not_begin),
        cmocka_unit_test(a_process_with_threads_is_not_closed),
        cmocka_unit_test(a_child_dies_with_its_hub),
        cmocka_unit_test(each_role_can_do_its_work),
        cmocka_unit_test_setup_teardown(a_link_can_work_in_its_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_a_link_writes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(without_user_namespaces_it_goes_on_and_says_so, make_folder,
                                        remove_folder),
        cmocka_unit_test(the_hub_is_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
