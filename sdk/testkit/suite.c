/* The contract suites' runner: every case in a process of its own, watched from outside, some at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite_private.h"

#define ENDED    3 /* exit status of a case that came to its end */
#define CANNOT   4 /* of one that was not run */
#define TEXT_MAX (64 * 1024)
#define JOBS_MAX 32
#define WATCHED  (TESTKIT_WATCHED + TESTKIT_NOTE) /* bytes that are shared with a case's process */

typedef void around_fn(void *suite, void (*run)(void *suite));

/* the leak sanitizer, where there is one */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

const int suite_points[] = {0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 26, 34};
const size_t suite_point_count = sizeof suite_points / sizeof *suite_points;

/* ---- in the case's process ---- */

static int report_fd = -1;
static bool complained;

static void report(const char *text)
{
    char line[1024];
    int size = snprintf(line, sizeof line, "%s\n", text);
    if (size >= (int)sizeof line)
        size = (int)sizeof line - 1;
    for (int done = 0; done < size;) {
        ssize_t put = write(report_fd, line + done, (size_t)(size - done));
        if (put < 0 && errno != EINTR)
            return;
        done += put > 0 ? (int)put : 0;
    }
}

static void on_complaint(const char *text)
{
    complained = true;
    report(text);
}

void suite_complain(const char *format, ...)
{
    char text[768];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    on_complaint(text);
}

void suite_not_run(const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    report(text);
    _exit(CANNOT);
}

void suite_give_up(void)
{
    _exit(ENDED);
}

void suite_note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(testkit_watched + TESTKIT_WATCHED, TESTKIT_NOTE, format, list);
    va_end(list);
}

bool suite_complained(void)
{
    return complained;
}

size_t suite_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

void suite_check_memory(void)
{
    size_t held = testmemory_held();
    if (held)
        suite_complain("close left %zu block(s) of memory that the plugin had asked for", held);
    else if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
        suite_complain("close left memory that nobody holds any more (the leak sanitizer says more above)");
}

static _Noreturn void be_case(const struct suite_case *c, void *suite, around_fn *around, int fd)
{
    signal(SIGPIPE, SIG_IGN);
    report_fd = fd;
    testkit_complained = on_complaint;
    testhost_free(testhost_new(NULL, TESTHOST_VIRTUAL_CLOCK)); /* libuv opens descriptors once in a process */
    around(suite, c->run);
    _exit(ENDED);
}

/* ---- outside ---- */

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* A case while it runs. */
struct job {
    pid_t pid; /* 0: none */
    int fd;    /* what it reports */
    int64_t until;
    char *watched;
    struct testsuite_result *result;
    size_t size; /* of the result's text */
};

/* False: that was all, or time is up. */
static bool take_report(struct job *job)
{
    char block[4096];
    ssize_t got = read(job->fd, block, sizeof block);
    if (got <= 0)
        return false;
    size_t room = TEXT_MAX - 1 - job->size;
    size_t taken = (size_t)got < room ? (size_t)got : room;
    memcpy(job->result->text + job->size, block, taken);
    job->size += taken;
    job->result->text[job->size] = 0;
    return true;
}

static void add(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *text, const char *format, ...)
{
    size_t size = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + size, TEXT_MAX - size, format, list);
    va_end(list);
}

static void judge(const struct job *job, bool in_time, int status, int64_t patience)
{
    struct testsuite_result *result = job->result;
    char where[WATCHED + 8];
    const char *slot = *job->watched ? job->watched : "the host or the other side";
    const char *note = job->watched + TESTKIT_WATCHED;
    snprintf(where, sizeof where, "%s%s%s", slot, *note ? ", " : "", note);
    if (!in_time)
        add(result->text, "it did not end within %lld ms: it hangs, or waits for what never comes; in %s\n",
            (long long)patience, where);
    else if (WIFSIGNALED(status))
        add(result->text, "it died of signal %d (%s), in %s\n", WTERMSIG(status), strsignal(WTERMSIG(status)),
            where);
    else if (WEXITSTATUS(status) != ENDED && WEXITSTATUS(status) != CANNOT)
        add(result->text, "the process ended with status %d, in %s (a sanitizer says more above)\n",
            WEXITSTATUS(status), where);
    bool cannot = in_time && WIFEXITED(status) && WEXITSTATUS(status) == CANNOT;
    result->outcome = cannot ? TESTSUITE_NOT_RUN : *result->text ? TESTSUITE_FAILED : TESTSUITE_PASSED;
}

static void begin_job(struct job *job, const struct suite_case *c, void *suite, around_fn *around,
                      int64_t patience)
{
    int ends[2];
    job->result->name = c->name;
    job->result->text = testkit_alloc(TEXT_MAX);
    job->size = 0;
    *job->watched = job->watched[TESTKIT_WATCHED] = 0;
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0 || (job->pid = fork()) < 0)
        abort();
    if (job->pid == 0) {
        setpgid(0, 0); /* with what its hooks start */
        close(ends[0]);
        testkit_watched = job->watched;
        be_case(c, suite, around, ends[1]);
    }
    close(ends[1]);
    job->fd = ends[0];
    job->until = now_ms() + patience;
}

static void end_job(struct job *job, bool in_time, int64_t patience)
{
    int status = 0;
    close(job->fd);
    kill(-job->pid, SIGKILL);
    kill(job->pid, in_time ? 0 : SIGKILL);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    judge(job, in_time, status, patience);
    job->result->text = testkit_grow(job->result->text, strlen(job->result->text) + 1);
    job->pid = 0;
}

/* Waits until one of them has something to say or its time is up. */
static void wait_for_jobs(struct job *jobs, size_t count, int64_t patience)
{
    struct pollfd polled[JOBS_MAX];
    int64_t now = now_ms(), wait = 1000;
    for (size_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = jobs[i].pid ? jobs[i].fd : -1, .events = POLLIN};
        if (jobs[i].pid && jobs[i].until - now < wait)
            wait = jobs[i].until > now ? jobs[i].until - now : 0;
    }
    if (poll(polled, count, (int)wait) < 0)
        return;
    now = now_ms();
    for (size_t i = 0; i < count; i++)
        if (jobs[i].pid && polled[i].revents && !take_report(&jobs[i]))
            end_job(&jobs[i], true, patience);
        else if (jobs[i].pid && now >= jobs[i].until)
            end_job(&jobs[i], false, patience);
}

/* TESTSUITE_JOBS in the environment: how many may run at a time; one unless it says otherwise. */
static size_t jobs_at_a_time(void)
{
    const char *text = getenv("TESTSUITE_JOBS");
    long jobs = text ? strtol(text, NULL, 10) : 1;
    return jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : (size_t)jobs;
}

static struct job *free_job(struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!jobs[i].pid)
            return &jobs[i];
    return NULL;
}

static bool any_runs(const struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].pid)
            return true;
    return false;
}

struct testsuite_results *suite_run(const struct suite_case *cases, size_t count, void *suite,
                                    around_fn *around, int64_t patience)
{
    struct testsuite_results *results = testkit_alloc(sizeof *results);
    struct job jobs[JOBS_MAX] = {{0}}, *job;
    const char *wanted = getenv("TESTSUITE_CASE");
    size_t job_count = jobs_at_a_time(), next = 0;
    results->items = testkit_alloc(count * sizeof *results->items);
    char *shared = mmap(NULL, job_count * WATCHED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < job_count; i++)
        jobs[i].watched = shared + i * WATCHED;
    while (next < count || any_runs(jobs, job_count)) {
        for (; next < count && (job = free_job(jobs, job_count)); next++) {
            if (wanted && !strstr(cases[next].name, wanted))
                continue;
            job->result = &results->items[results->count++];
            begin_job(job, &cases[next], suite, around, patience);
        }
        if (any_runs(jobs, job_count))
            wait_for_jobs(jobs, job_count, patience);
    }
    munmap(shared, job_count * WATCHED);
    for (size_t i = 0; i < results->count; i++) {
        results->passed += results->items[i].outcome == TESTSUITE_PASSED;
        results->failed += results->items[i].outcome == TESTSUITE_FAILED;
        results->not_run += results->items[i].outcome == TESTSUITE_NOT_RUN;
    }
    return results;
}

void testsuite_results_free(struct testsuite_results *results)
{
    for (size_t i = 0; results && i < results->count; i++)
        free(results->items[i].text);
    if (results)
        free(results->items);
    free(results);
}

/* ---- printing ---- */

static void print_text(const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        printf("#   %.*s\n", (int)size, text);
        text += size + (text[size] == '\n');
    }
}

int suite_print(const char *plugin, struct testsuite_results *results)
{
    printf("# the contract suite on %s\n1..%zu\n", plugin, results->count);
    for (size_t i = 0; i < results->count; i++) {
        const struct testsuite_result *result = &results->items[i];
        bool cannot = result->outcome == TESTSUITE_NOT_RUN;
        printf("%s %zu - %s%s%.*s\n", result->outcome == TESTSUITE_FAILED ? "not ok" : "ok", i + 1,
               result->name, cannot ? " # SKIP " : "", cannot ? (int)strcspn(result->text, "\n") : 0,
               result->text);
        if (!cannot)
            print_text(result->text);
    }
    printf("# %zu passed, %zu failed, %zu not run\n", results->passed, results->failed, results->not_run);
    int failed = (int)results->failed;
    testsuite_results_free(results);
    return failed;
}
