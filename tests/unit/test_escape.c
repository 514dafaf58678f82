/* Every way out of a sandbox is tried from inside each of them, and outside in the same test: what is shut
 * inside must be open outside, or the probe proves nothing. Run by root, all of it runs again as an
 * ordinary user. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../faults/escape/drive.h"
#include "../faults/escape/stand_in.h"
#include "util/buf.h"
#include "util/file.h"

#include <cmocka.h> /* last: it has a macro `fail` */

#define NOBODY 65534
#define FOR_SHELL                                                                                            \
    "mkdir -p '%1$s/tests/faults/escape' '%1$s/lib/accord/faults' '%1$s/bin' && cp "                         \
    "'%2$s/tests/test_escape' "                                                                              \
    "'%2$s/tests/escape-outside' '%1$s/tests' && cp '%2$s'/lib/accord/faults/*-battery*.so "                 \
    "'%1$s/lib/accord/faults' "                                                                              \
    "&& cp '%3$s'/tests/faults/escape/*.txt '%1$s/tests/faults/escape' && { test ! -e '%2$s/bin/accordd' "   \
    "|| cp "                                                                                                 \
    "'%2$s/bin/accordd' '%1$s/bin'; } && chmod -R go=u-w '%1$s'"

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value ? value : ".";
}

static const char *built(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", environment("ACCORD_BUILD"), name);
    return path;
}

/* ---- inside ---- */

struct inside {
    struct drive_order order;
    unsigned escaped, tried;
};

static void report(struct inside *inside, const char *probe, const char *what, const struct drive *drive)
{
    inside->escaped++;
    print_error("%s in %s (uid %d): %s [%s]\n", probe, inside->order.role, (int)getuid(), what, drive->words);
}

static void judge_together(struct inside *inside, const struct probe *probe, const struct drive *drive)
{
    bool has_session = strcmp(inside->order.role, "link") == 0 || strcmp(inside->order.role, "describe") == 0;
    if (probe->alone || (probe->session && !has_session))
        return;
    const char *result = drive_result(drive, probe->name);
    if (!result || strncmp(result, "ESCAPED", 7) == 0)
        report(inside, probe->name, result ? result : "was not reported", drive);
    inside->tried++;
}

/* Death by SIGSYS is what the filter promises; one by SIGSEGV is a kernel without 32-bit calls. */
static void judge_alone(struct inside *inside, const struct probe *probe, const struct drive *drive)
{
    const char *result = drive_result(drive, probe->name);
    int killed = WIFSIGNALED(drive->status) ? WTERMSIG(drive->status) : 0;
    bool blocked = result
                       ? strncmp(result, "ESCAPED", 7) != 0
                       : killed == SIGSYS || (killed == SIGSEGV && strcmp(probe->name, "call-32-bit") == 0);
    char what[64];
    snprintf(what, sizeof what, "%s, wait status %#x", result ? result : "no report",
             (unsigned)drive->status);
    if (!blocked)
        report(inside, probe->name, what, drive);
    inside->tried++;
}

static const struct drive *together;

static void each_inside(void *arg, const struct probe *probe)
{
    struct inside *inside = arg;
    if (!probe->alone) {
        judge_together(inside, probe, together);
        return;
    }
    struct drive drive;
    struct drive_order order = inside->order;
    order.only = probe->name;
    assert_int_equal(drive_battery(&order, &drive), 0);
    judge_alone(inside, probe, &drive);
}

static void battery_inside(const char *executable, const char *role, const char *plugin)
{
    struct site site;
    struct drive drive;
    assert_int_equal(ground_open(&site, "/tmp"), 0);
    struct inside inside = {{executable, role, built("lib/accord/faults"), plugin, NULL, &site}, 0, 0};
    assert_int_equal(drive_battery(&inside.order, &drive), 0);
    if (!drive.ended)
        fail_msg("the battery did not end in %s: status %#x, %s", role, (unsigned)drive.status, drive.words);
    together = &drive;
    escape_each(each_inside, &inside);
    ground_close(&site);
    print_message("%s, uid %d: %u ways tried, %u open; %s\n", role, (int)getuid(), inside.tried,
                  inside.escaped, drive.words);
    assert_int_equal(inside.escaped, 0);
    assert_true(inside.tried > 80);
}

/* The stand-in has the true sandbox and loader. The true roles are driven too wherever they are built. */
static void battery_in_role(const char *role, const char *plugin)
{
    battery_inside(built("tests/test_escape"), role, plugin);
    if (strcmp(role, "describe") != 0 && access(built("bin/accordd"), X_OK) == 0)
        battery_inside(built("bin/accordd"), role, plugin);
}

static void nothing_escapes_from_a_link(void **state)
{
    (void)state;
    battery_in_role("link", "connector-battery.so");
}

static void nothing_escapes_from_a_guard(void **state)
{
    (void)state;
    battery_in_role("guard", "policy-battery.so");
}

static void nothing_escapes_from_an_inspect(void **state)
{
    (void)state;
    battery_in_role("inspect", "policy-battery-inspect.so");
}

static void nothing_escapes_from_a_describe(void **state)
{
    (void)state;
    battery_in_role("describe", "connector-battery.so");
}

/* ---- outside ---- */

static bool listed(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(list, name); at; at = strstr(at + 1, name))
        if ((at == list || at[-1] == '\n') && (at[size] == '\n' || !at[size]))
            return true;
    return false;
}

static void the_same_probes_succeed_outside(void **state)
{
    (void)state;
    char path[PATH_MAX], command[PATH_MAX], name[64], result[32], number[32];
    snprintf(path, sizeof path, "%s/tests/faults/escape/not-permitted-%s.txt", environment("ACCORD_SOURCE"),
             getuid() ? "user" : "root");
    struct buf list = {0};
    assert_int_equal(file_read(path, 65536, &list, NULL), 0);
    snprintf(command, sizeof command, "'%s'", built("tests/escape-outside"));
    FILE *lines = popen(command, "r");
    assert_non_null(lines);
    unsigned open = 0, shut = 0, wrong = 0;
    while (fscanf(lines, "%63s %31s %31s", name, result, number) == 3) {
        assert_non_null(escape_find(name));
        bool done = strcmp(result, "ESCAPED") == 0;
        open += done;
        shut += !done;
        if (!done && !listed(buf_string(&list), name)) {
            print_error("%s fails outside a sandbox too (%s %s), and %s does not list it\n", name, result,
                        number, path);
            wrong++;
        }
    }
    assert_int_equal(pclose(lines), 0);
    buf_fini(&list);
    print_message("outside, uid %d: %u open, %u not permitted by this kernel and listed\n", (int)getuid(),
                  open, shut);
    assert_int_equal(wrong, 0);
    assert_true(open > 100);
}

/* ---- all of it again ---- */

static void become_nobody(const char *copy)
{
    char program[PATH_MAX];
    snprintf(program, sizeof program, "%s/tests/test_escape", copy);
    setenv("ACCORD_BUILD", copy, 1);
    setenv("ACCORD_SOURCE", copy, 1);
    if (setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0)
        execl(program, program, (char *)NULL);
    _exit(126);
}

/* The build may lie where nobody can read. */
static void all_holds_for_an_ordinary_user(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("not root: this run is the ordinary user's\n");
        return;
    }
    char copy[] = "/tmp/accord-escape-copy-XXXXXX", command[4 * PATH_MAX];
    assert_non_null(mkdtemp(copy));
    snprintf(command, sizeof command, FOR_SHELL, copy, environment("ACCORD_BUILD"),
             environment("ACCORD_SOURCE"));
    int status = system(command);
    pid_t pid = status ? -1 : fork();
    if (pid == 0)
        become_nobody(copy);
    if (pid > 0)
        waitpid(pid, &status, 0);
    snprintf(command, sizeof command, "rm -r '%s'", copy);
    assert_int_equal(system(command), 0);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    int status = stand_in(argc, argv);
    if (status >= 0)
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_escapes_from_a_link),     cmocka_unit_test(nothing_escapes_from_a_guard),
        cmocka_unit_test(nothing_escapes_from_an_inspect), cmocka_unit_test(nothing_escapes_from_a_describe),
        cmocka_unit_test(the_same_probes_succeed_outside), cmocka_unit_test(all_holds_for_an_ordinary_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
