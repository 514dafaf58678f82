/* The contract suites' runner: every case in a process of its own, watched from outside. */
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

/* Reads until the case ends; false: it did not in time. */
static bool listen_to(int fd, char *text, int64_t until)
{
    size_t size = 0;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        if (poll(&polled, 1, left > 1000 ? 1000 : (int)left) <= 0)
            continue;
        char block[4096];
        ssize_t got = read(fd, block, sizeof block);
        if (got <= 0)
            return true;
        size_t room = TEXT_MAX - 1 - size;
        size_t taken = (size_t)got < room ? (size_t)got : room;
        memcpy(text + size, block, taken);
        size += taken;
        text[size] = 0;
    }
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

static void judge(struct testsuite_result *result, bool in_time, int status, int64_t patience)
{
    char where[TESTKIT_WATCHED + TESTKIT_NOTE + 8];
    const char *slot = *testkit_watched ? testkit_watched : "the host or the other side";
    const char *note = testkit_watched + TESTKIT_WATCHED;
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

static void run_one(const struct suite_case *c, void *suite, around_fn *around, int64_t patience,
                    struct testsuite_result *result)
{
    int ends[2];
    result->name = c->name;
    result->text = testkit_alloc(TEXT_MAX);
    *testkit_watched = testkit_watched[TESTKIT_WATCHED] = 0;
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0); /* with what its hooks start */
        close(ends[0]);
        be_case(c, suite, around, ends[1]);
    }
    close(ends[1]);
    int status = 0;
    bool in_time = child > 0 && listen_to(ends[0], result->text, now_ms() + patience);
    close(ends[0]);
    kill(-child, SIGKILL);
    kill(child, in_time ? 0 : SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    judge(result, in_time, status, patience);
    result->text = testkit_grow(result->text, strlen(result->text) + 1);
}

struct testsuite_results *suite_run(const struct suite_case *cases, size_t count, void *suite,
                                    around_fn *around, int64_t patience)
{
    struct testsuite_results *results = testkit_alloc(sizeof *results);
    const char *wanted = getenv("TESTSUITE_CASE");
    results->items = testkit_alloc(count * sizeof *results->items);
    testkit_watched =
        mmap(NULL, TESTKIT_WATCHED + TESTKIT_NOTE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < count; i++) {
        if (wanted && !strstr(cases[i].name, wanted))
            continue;
        struct testsuite_result *result = &results->items[results->count++];
        run_one(&cases[i], suite, around, patience, result);
        results->passed += result->outcome == TESTSUITE_PASSED;
        results->failed += result->outcome == TESTSUITE_FAILED;
        results->not_run += result->outcome == TESTSUITE_NOT_RUN;
    }
    munmap(testkit_watched, TESTKIT_WATCHED + TESTKIT_NOTE);
    testkit_watched = NULL;
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
