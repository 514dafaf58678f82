/* The dir connector's options, and that it works in the sandbox with only its own folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dir_folder.h"
#include "sandbox/sandbox.h"

#include <cmocka.h> /* last: its fail() is a macro */

/* ---- configuration ---- */

static bool refused(const char *expected)
{
    char why[512] = "";
    int result = accord_plugin.connector->check(&setup, why, sizeof why);
    return result == ACCORD_EINVAL && strstr(why, expected);
}

static void mistakes_across_options_are_refused(void **state)
{
    (void)state;
    char why[512];
    assert_int_equal(accord_plugin.connector->check(&setup, why, sizeof why), 0);
    const char *bad[] = {"", "/in", "in/", "in//x", "..", "in/../x", ".hidden", "in/.accord"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options[TAKE].folder = bad[i];
        assert_true(refused("not a folder below"));
    }
    options[TAKE].folder = "in/deep";
    assert_int_equal(accord_plugin.connector->check(&setup, why, sizeof why), 0);
    options[TAKE].after = AFTER_KEEP;
    assert_true(refused("needs keep-in"));
    options[TAKE].keep_in = "../done";
    assert_true(refused("another folder"));
    options[TAKE].keep_in = "in/deep";
    assert_true(refused("another folder"));
    options[TAKE].keep_in = "done";
    options[TAKE].pattern = "a/b";
    assert_true(refused("pattern"));
    options[TAKE].pattern = "*";
    services[DROP].direction = ACCORD_RECEIVE;
    options[DROP].folder = "in/deep";
    assert_true(refused("take the same files"));
}

/* ---- in the sandbox ---- */

static int inside(void)
{
    struct sandbox_folder folder = {root, true};
    struct sandbox_walls walls;
    struct reason why = {0};
    if (sandbox_begin(getppid(), &why) || sandbox_close(SANDBOX_LINK, &folder, 1, &walls, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 2;
    }
    connector_begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.type", "no");
    if (!within(60000, is_there, "in/rejected/plan.edi"))
        return 3;
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    put_text("in/good.edi", "good");
    if (!within(60000, is_there, "done/good.edi"))
        return 4;
    struct accord_delivery *delivery = drop("answer.txt", NULL, 1, "x", 1);
    if (!testhost_settle(host, delivery, 10000) || delivery->outcome != ACCORD_DELIVERED) {
        fprintf(stderr, "%s\n", delivery->reason);
        return 5;
    }
    testhost_close(host);
    return testhost_complaints(host) ? 6 : 0;
}

static void it_works_with_only_its_own_folder(void **state)
{
    (void)state;
    options[TAKE].after = AFTER_KEEP;
    options[TAKE].keep_in = "done";
    put_text("in/plan.edi", "UNB+...");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(inside());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(file_exists("in/rejected/plan.edi.reason.txt") && file_exists("out/answer.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(mistakes_across_options_are_refused),
        in_folder(it_works_with_only_its_own_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
