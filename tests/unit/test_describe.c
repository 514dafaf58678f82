/* Describing plugins, good and bad. The program describes itself: with --role=describe it is the child. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/answers.h"
#include "plugin/child.h"
#include "plugin/describe.h"
#include "plugin/loader.h"
#include "util/file.h"

#include <cmocka.h> /* last: it has a macro `fail` */

#define LONG_MS  20000 /* enough on a busy machine with sanitizers */
#define SHORT_MS 500

static char executable[PATH_MAX];

static const char *faults(void)
{
    static char path[256];
    const char *build = getenv("ACCORD_BUILD");
    snprintf(path, sizeof path, "%s/lib/accord/faults", build ? build : ".");
    return path;
}

static struct conf_plugin plugin;
static struct reason why;
static char rule[ACCORD_RULE_MAX];

static void forget(void)
{
    answers_free_options(plugin.options);
    answers_free_options(plugin.service_options);
    plugin = (struct conf_plugin){0};
}

/* `sha256` NULL: as it is. */
static int describe(const char *name, const char *sha256, int deadline_ms)
{
    char path[512], hash[DIGEST_HEX];
    plugin = (struct conf_plugin){0};
    snprintf(path, sizeof path, "%s/connector-%s.so", faults(), name);
    assert_int_equal(plugin_inspect_file(path, hash, rule, &why), 0);
    return plugin_describe(executable, path, sha256 ? sha256 : hash, deadline_ms, &plugin, rule, &why);
}

static void refused(const char *name, const char *expected_rule, const char *words)
{
    assert_true(describe(name, NULL, LONG_MS) < 0);
    if (strcmp(rule, expected_rule) != 0 || !strstr(why.text, words))
        fail_msg("%s: %s \"%s\" instead of %s \"%s\"", name, rule, why.text, expected_rule, words);
}

static void a_good_plugin_says_what_it_declares(void **state)
{
    (void)state;
    if (describe("good", NULL, LONG_MS) < 0)
        fail_msg("%s: %s", rule, why.text);
    assert_string_equal(plugin.name, "good");
    assert_int_equal(plugin.kind, ACCORD_CONNECTOR);
    assert_int_equal(plugin.flags, ACCORD_CAN_SEND);
    assert_string_equal(plugin.summary, "Does nothing, correctly.");
    assert_int_equal(strlen(plugin.sha256), 64);
    const struct accord_option *o = plugin.options;
    assert_string_equal(o[0].name, "folder");
    assert_int_equal(o[0].kind, ACCORD_PATH);
    assert_int_equal(o[0].flags, ACCORD_REQUIRED | ACCORD_FOLDER_READ);
    assert_null(o[0].fallback);
    assert_string_equal(o[1].fallback, "10 s");
    assert_int_equal(o[1].min, 1000);
    assert_int_equal(o[1].max, 60000);
    assert_null(o[2].choices);
    assert_string_equal(o[3].choices[1], "careful");
    assert_null(o[3].choices[2]);
    assert_string_equal(o[3].help, "How it works.");
    assert_null(o[4].name);
    assert_string_equal(plugin.service_options[0].name, "directory");
    assert_string_equal(plugin.service_options[0].fallback, "");
    assert_null(plugin.service_options[1].name);
    forget();
}

static void what_the_loader_refuses_comes_back_by_rule(void **state)
{
    (void)state;
    refused("wrong-major", "plugin.abi", "build the plugin against this release's headers");
    refused("newer-minor", "plugin.abi", "install a newer Accord");
    refused("no-symbol", "plugin.no-symbol", "exports no symbol");
    refused("missing-slot", "plugin.malformed", "`deliver` is missing");
    refused("option-beyond", "plugin.malformed", "does not fit its struct");
    refused("undefined", "plugin.corrupt", "nobody_defines_this");
    refused("other-name", "plugin.malformed", "connector good, which its file name does not say");
}

static void a_crash_while_loading_names_the_signal(void **state)
{
    (void)state;
    refused("crash", "plugin.crashed", "signal 11");
    refused("leave", "plugin.crashed", "ended its process");
}

static void a_program_started_while_loading_ends_the_child(void **state)
{
    (void)state;
    refused("exec", "plugin.crashed", "system call that no plugin may use");
}

static void forged_words_are_refused(void **state)
{
    (void)state;
    refused("forger", "plugin.protocol", "may not come from here");
}

static void a_child_that_hangs_up_and_stays_is_ended(void **state)
{
    (void)state;
    refused("hang-up", "plugin.crashed", "signal 9");
}

static void a_plugin_that_never_finishes_loading_is_ended(void **state)
{
    (void)state;
    assert_true(describe("silent", NULL, SHORT_MS) < 0);
    assert_string_equal(rule, "plugin.silent");
    assert_non_null(strstr(why.text, "in time"));
}

static void a_file_changed_after_its_hash_was_taken_is_refused(void **state)
{
    (void)state;
    char other[DIGEST_HEX];
    memset(other, '0', sizeof other - 1);
    other[sizeof other - 1] = 0;
    assert_true(describe("good", other, LONG_MS) < 0);
    assert_string_equal(rule, "plugin.hash");
}

static void an_executable_that_is_not_there_is_said(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/connector-good.so", faults());
    assert_true(plugin_describe("/nonexistent/accordd", path, "", LONG_MS, &plugin, rule, &why) < 0);
    assert_string_equal(rule, "hub.spawn");
    assert_non_null(strstr(why.text, "/nonexistent/accordd"));
}

/* ---- a folder ---- */

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/accord-plugins-XXXXXX"), command[4096];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command,
             "bash -c 'cp %s/connector-{good,wrong-major,crash}.so %s && head -c 9000 %s/connector-good.so "
             "> %s/connector-cut.so && cp %s/connector-good.so %s/notes.so'",
             faults(), folder, faults(), folder, faults(), folder);
    assert_int_equal(system(command), 0);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", (char *)*state);
    free(*state);
    return system(command);
}

static const char *problem(const struct conf_report *report, const char *file)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->items[i].file, file) == 0 && report->items[i].severity == CONF_ERROR)
            return report->items[i].text;
    return "";
}

static void a_folder_gives_its_good_plugins_and_reports_the_others(void **state)
{
    struct conf_plugins plugins;
    struct conf_report report = {0};
    assert_int_equal(plugin_describe_all(executable, *state, NULL, 0, &plugins, &report), 0);
    assert_int_equal(plugins.count, 1);
    assert_string_equal(plugins.items[0].name, "good");
    assert_int_equal(report.count, 3);
    assert_non_null(strstr(problem(&report, "connector-wrong-major.so"), "[plugin.abi]"));
    assert_non_null(strstr(problem(&report, "connector-crash.so"), "[plugin.crashed]"));
    assert_non_null(strstr(problem(&report, "connector-cut.so"), "install it again [plugin.corrupt]"));
    conf_plugins_free(&plugins);
    conf_report_fini(&report);
}

static void a_pin_that_does_not_fit_is_reported(void **state)
{
    struct conf_plugins plugins;
    struct conf_report report = {0};
    const struct accord_pair pins[] = {{"connector-good.so", "aaaa"}, {"policy-gone.so", "bbbb"}};
    assert_int_equal(plugin_describe_all(executable, *state, pins, 2, &plugins, &report), 0);
    assert_int_equal(plugins.count, 0);
    assert_non_null(strstr(problem(&report, "connector-good.so"), "[plugin.hash]"));
    assert_non_null(strstr(problem(&report, "policy-gone.so"), "install it or remove the pin"));
    conf_plugins_free(&plugins);
    conf_report_fini(&report);
}

static void a_folder_that_is_not_there_is_reported(void **state)
{
    (void)state;
    struct conf_plugins plugins;
    struct conf_report report = {0};
    assert_int_equal(plugin_describe_all(executable, "/nonexistent/plugins", NULL, 0, &plugins, &report),
                     ACCORD_ENOENT);
    assert_non_null(strstr(problem(&report, "plugins"), "/nonexistent/plugins"));
    conf_plugins_free(&plugins);
    conf_report_fini(&report);
}

/* ---- SETUP, as the child takes it ---- */

/* The FAILED that a describing child says to this first datagram. */
static void child_refuses(struct buf *first, const char *words)
{
    uint8_t said[WIRE_DATAGRAM_MAX];
    int pair[2], status;
    pid_t parent = getpid();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pair[1], CHILD_FD);
        _exit(describe_main(parent));
    }
    close(pair[1]);
    assert_true(send(pair[0], first->data, first->size, 0) > 0);
    ssize_t n = recv(pair[0], said, sizeof said, 0);
    struct wire_bytes bytes = {said, n > 0 ? (size_t)n : 0};
    struct wire_message message;
    assert_int_equal(wire_decode(&bytes, WIRE_D, &message, &why), 0);
    assert_int_equal(message.type, WIRE_FAILED);
    assert_string_equal(message.FAILED.rule, "hub.sandbox");
    if (!strstr(message.FAILED.reason, words))
        fail_msg("\"%s\" does not say \"%s\"", message.FAILED.reason, words);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(pair[0]);
    buf_fini(first);
    *first = (struct buf){0};
}

static void a_child_refuses_a_setup_that_cannot_be(void **state)
{
    (void)state;
    struct buf out = {0};
    struct accord_pair folders[] = {{"/tmp", "all"}, {"tmp", "read"}};
    struct wire_SETUP setup = {.version = WIRE_VERSION + 1, .role = "describe"};
    wire_put_SETUP(&out, &setup);
    child_refuses(&out, "restart it");
    setup = (struct wire_SETUP){.version = WIRE_VERSION, .role = "link"};
    wire_put_SETUP(&out, &setup);
    child_refuses(&out, "SETUP says link");
    setup = (struct wire_SETUP){.version = WIRE_VERSION, .role = "describe", .plugins = "plugins"};
    wire_put_SETUP(&out, &setup);
    child_refuses(&out, "plugin folder that cannot be");
    for (int i = 0; i < 2; i++) {
        setup = (struct wire_SETUP){
            .version = WIRE_VERSION, .role = "describe", .folders = WIRE_PAIRS(folders + i, 1)};
        wire_put_SETUP(&out, &setup);
        child_refuses(&out, "a folder it should not");
    }
    wire_put_START(&out, &(struct wire_START){0});
    child_refuses(&out, "was START, not SETUP");
    buf_text(&out, "no frame");
    child_refuses(&out, "frame size");
}

static void only_files_of_the_plugin_folder_are_found(void **state)
{
    (void)state;
    const struct child child = {.plugins = "/usr/lib/accord/plugins"};
    char path[512];
    assert_int_equal(child_plugin_path(&child, "connector-a.so", path, sizeof path, &why), 0);
    assert_string_equal(path, "/usr/lib/accord/plugins/connector-a.so");
    assert_int_equal(
        child_plugin_path(&child, "/usr/lib/accord/plugins/connector-a.so", path, sizeof path, &why), 0);
    assert_string_equal(path, "/usr/lib/accord/plugins/connector-a.so");
    assert_true(child_plugin_path(&child, "../connector-a.so", path, sizeof path, &why) < 0);
    assert_true(child_plugin_path(&child, "/tmp/connector-a.so", path, sizeof path, &why) < 0);
    assert_true(
        child_plugin_path(&child, "/usr/lib/accord/plugins/x/connector-a.so", path, sizeof path, &why) < 0);
    assert_true(child_plugin_path(&child, "/usr/lib/accord/plugins/", path, sizeof path, &why) < 0);
    assert_true(child_plugin_path(&child, "", path, sizeof path, &why) < 0);
}

/* ---- answers, decoded alone ---- */

static int give(struct answers *answers, struct buf *out)
{
    int result = answers_take(answers, (struct wire_bytes){out->data, out->size}, &why);
    buf_fini(out);
    *out = (struct buf){0};
    return result;
}

static void begin(struct answers *answers, struct buf *out)
{
    struct accord_pair wall = {"seccomp", "yes"};
    answers_init(answers);
    wire_put_SANDBOXED(out, &(struct wire_SANDBOXED){.walls = WIRE_PAIRS(&wall, 1)});
    wire_put_PLUGIN(out, &(struct wire_PLUGIN){.kind = 1, .name = "x", .version = "1", .summary = "It is."});
}

static void answers_out_of_order_are_refused(void **state)
{
    (void)state;
    struct answers answers;
    struct buf out = {0};
    answers_init(&answers);
    wire_put_DESCRIBED(&out, &(struct wire_DESCRIBED){0});
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    answers_init(&answers);
    wire_put_OPTION(&out, &(struct wire_OPTION){.name = "early", .help = "Too early."});
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    begin(&answers, &out);
    wire_put_DESCRIBED(&out, &(struct wire_DESCRIBED){0});
    wire_put_OPTION(&out, &(struct wire_OPTION){.name = "late", .help = "Too late."});
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    answers_fini(&answers);
}

static void a_child_without_its_sandbox_is_refused(void **state)
{
    (void)state;
    struct answers answers;
    struct buf out = {0};
    struct accord_pair wall = {"seccomp", "no: not here"};
    answers_init(&answers);
    wire_put_SANDBOXED(&out, &(struct wire_SANDBOXED){.walls = WIRE_PAIRS(&wall, 1)});
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    wire_put_PLUGIN(&out, &(struct wire_PLUGIN){.kind = 1, .name = "x", .version = "1", .summary = "It is."});
    wire_put_DESCRIBED(&out, &(struct wire_DESCRIBED){0});
    answers_init(&answers);
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    answers_fini(&answers);
}

static void more_options_than_allowed_are_refused(void **state)
{
    (void)state;
    struct answers answers;
    struct buf out = {0};
    begin(&answers, &out);
    assert_int_equal(give(&answers, &out), 1);
    for (int i = 0; i <= ANSWERS_OPTIONS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "option-%d", i);
        wire_put_OPTION(&out, &(struct wire_OPTION){.name = name, .help = "One of many."});
        assert_int_equal(give(&answers, &out), i < ANSWERS_OPTIONS_MAX ? 1 : ACCORD_EPROTO);
    }
    answers_fini(&answers);
}

static void one_bad_option(struct wire_OPTION option)
{
    struct answers answers;
    struct buf out = {0};
    begin(&answers, &out);
    option.name = option.name ? option.name : "option";
    option.help = option.help ? option.help : "Help.";
    wire_put_OPTION(&out, &option);
    assert_int_equal(give(&answers, &out), ACCORD_EPROTO);
    answers_fini(&answers);
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct accord_pair words[65] = {{"one\ntwo", ""}};
    one_bad_option((struct wire_OPTION){.table = 2});
    one_bad_option((struct wire_OPTION){.name = "No Name"});
    one_bad_option((struct wire_OPTION){.kind = ACCORD_CHOICE + 1});
    one_bad_option((struct wire_OPTION){.kind = ACCORD_CHOICE});
    one_bad_option((struct wire_OPTION){.flags = 1u << 6});
    one_bad_option((struct wire_OPTION){.flags = ACCORD_WHEN_SENDING}); /* not of a service */
    one_bad_option((struct wire_OPTION){.table = 1, .flags = ACCORD_WHEN_SENDING | ACCORD_WHEN_RECEIVING});
    one_bad_option((struct wire_OPTION){.table = 1, .flags = ACCORD_WHEN_SENDING | ACCORD_REQUIRED});
    one_bad_option((struct wire_OPTION){.flags = ACCORD_FOLDER_WRITE});
    one_bad_option((struct wire_OPTION){.flags = ACCORD_FOR_HANDSHAKE});
    one_bad_option((struct wire_OPTION){.help = "two\nlines"});
    one_bad_option((struct wire_OPTION){.fallback = "not announced"});
    one_bad_option((struct wire_OPTION){.flags = ACCORD_REQUIRED, .has_fallback = 1, .fallback = "x"});
    one_bad_option((struct wire_OPTION){.min = 1});
    one_bad_option((struct wire_OPTION){.kind = ACCORD_TEXT, .choices = WIRE_PAIRS(words, 1)});
    one_bad_option((struct wire_OPTION){.kind = ACCORD_LIST, .choices = WIRE_PAIRS(words, 1)});
    for (size_t i = 0; i < 65; i++)
        words[i] = (struct accord_pair){"word", ""};
    one_bad_option((struct wire_OPTION){.kind = ACCORD_LIST, .choices = WIRE_PAIRS(words, 65)});
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--parent=", 9) == 0)
            return describe_main(atoi(argv[i] + 9));
    if (readlink("/proc/self/exe", executable, sizeof executable - 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_plugin_says_what_it_declares),
        cmocka_unit_test(what_the_loader_refuses_comes_back_by_rule),
        cmocka_unit_test(a_crash_while_loading_names_the_signal),
        cmocka_unit_test(a_program_started_while_loading_ends_the_child),
        cmocka_unit_test(forged_words_are_refused),
        cmocka_unit_test(a_child_that_hangs_up_and_stays_is_ended),
        cmocka_unit_test(a_plugin_that_never_finishes_loading_is_ended),
        cmocka_unit_test(a_file_changed_after_its_hash_was_taken_is_refused),
        cmocka_unit_test(an_executable_that_is_not_there_is_said),
        cmocka_unit_test_setup_teardown(a_folder_gives_its_good_plugins_and_reports_the_others, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_pin_that_does_not_fit_is_reported, make_folder, remove_folder),
        cmocka_unit_test(a_folder_that_is_not_there_is_reported),
        cmocka_unit_test(a_child_refuses_a_setup_that_cannot_be),
        cmocka_unit_test(only_files_of_the_plugin_folder_are_found),
        cmocka_unit_test(answers_out_of_order_are_refused),
        cmocka_unit_test(a_child_without_its_sandbox_is_refused),
        cmocka_unit_test(more_options_than_allowed_are_refused),
        cmocka_unit_test(options_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
