#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define FRAMES  24
#define MINUTES 60 /* seconds that one run may take, on a busy machine */

/* Shared with the process that runs the scenario. */
static struct {
    atomic_int reached[TORTURE_KINDS]; /* calls so far */
    atomic_int failed;
    char name[32]; /* of the call that failed first */
    int frames;
    void *trace[FRAMES];
} * seen;

static enum torture_kind kind;
static int nth; /* 0: nothing fails */
static bool forever;
static atomic_bool counting;

void torture_begin(void)
{
    counting = true;
}

void torture_rest(void)
{
    counting = false;
}

static bool fails(enum torture_kind of, const char *name)
{
    if (!counting || !seen)
        return false;
    int now = atomic_fetch_add(&seen->reached[of], 1) + 1;
    if (of != kind || !nth || (forever ? now < nth : now != nth))
        return false;
    if (!atomic_exchange(&seen->failed, 1)) {
        snprintf(seen->name, sizeof seen->name, "%s", name);
        bool before = counting;
        counting = false; /* it allocates */
        seen->frames = backtrace(seen->trace, FRAMES);
        counting = before;
    }
    return true;
}

#define CALL(type, name, parameters, arguments, failure, once, always, of)                                   \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        if (!fails(of, #name))                                                                               \
            return __real_##name arguments;                                                                  \
        errno = forever ? always : once;                                                                     \
        return failure;                                                                                      \
    }
#include "calls.def"

int __real_open(const char *, int, ...);
int __wrap_open(const char *, int, ...);
int __real_openat(int, const char *, int, ...);
int __wrap_openat(int, const char *, int, ...);

static mode_t mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    if (!fails(TORTURE_CALL, "open"))
        return __real_open(path, flags, mode);
    errno = forever && flags & O_CREAT ? ENOSPC : EMFILE;
    return -1;
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    if (!fails(TORTURE_CALL, "openat"))
        return __real_openat(folder, path, flags, mode);
    errno = forever && flags & O_CREAT ? ENOSPC : EMFILE;
    return -1;
}

void torture_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    _exit(3);
}

/* Ends with 0 when all was as promised; leaks are looked for at the end of the process. */
static int run(void (*scenario)(void))
{
    memset(seen, 0, sizeof *seen);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        alarm(MINUTES);
        scenario();
        torture_rest();
        exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        ;
    return status;
}

static void tell(const char *name, int status)
{
    char how[64];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, WTERMSIG(status) == SIGALRM ? "it hangs" : "killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(how, sizeof how,
                 WEXITSTATUS(status) == 3 ? "not as promised" : "exit %d (a crash, or a leak)",
                 WEXITSTATUS(status));
    printf("%s: %s %d fails %s (%s): %s\n", name, kind == TORTURE_CALL ? "call" : "allocation", nth,
           forever ? "for ever" : "once", seen->name, how);
    fflush(stdout);
    backtrace_symbols_fd(seen->trace, seen->frames, STDOUT_FILENO);
}

static int torture_kind(const char *name, void (*scenario)(void), int total, int most)
{
    const char *all = getenv("ACCORD_TORTURE");
    int step = all && !strcmp(all, "all") ? 1 : (total + most - 1) / most, broken = 0, runs = 0;
    for (nth = 1; broken < 20; nth += step, runs++) {
        int status = run(scenario);
        if (status) {
            tell(name, status);
            broken++;
        }
        if (!seen->failed)
            break; /* it was not reached */
    }
    printf("%s: %d of %d %s fail %s: %d runs, %d not as promised\n", name, runs, total,
           kind == TORTURE_CALL ? "calls" : "allocations", forever ? "for ever" : "once", runs, broken);
    return broken;
}

int torture(const char *name, void (*scenario)(void), int most)
{
    int broken = 0, totals[TORTURE_KINDS];
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *warm[1];
    backtrace(warm, 1); /* loads what it needs */
    nth = 0;
    if (run(scenario)) {
        printf("%s: with nothing failing, it fails\n", name);
        return 1;
    }
    for (int i = 0; i < TORTURE_KINDS; i++)
        totals[i] = seen->reached[i];
    for (int i = 0; i < 2 * TORTURE_KINDS; i++) {
        kind = (enum torture_kind)(i / 2);
        forever = i % 2;
        broken += torture_kind(name, scenario, totals[kind], most);
    }
    munmap(seen, sizeof *seen);
    return broken;
}
