/* What plugins said is kept, and `check` slots are asked in a child: good ones, and those that crash or hang. The program is
 * its own describing child. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/answers.h"
#include "plugin/cache.h"
#include "plugin/check.h"
#include "plugin/describe.h"
#include "plugin/loader.h"
#include "util/file.h"

#include <cmocka.h> /* last: it has a macro `fail` */

#define LONG_MS  20000 /* enough on a busy machine with sanitizers */
#define SHORT_MS 1500

static char executable[PATH_MAX];

/* ---- a folder of plugins, and a conf.d that uses them ---- */

struct place {
    char root[64], plugins[128], conf[128], cache[128];
    struct conf_plugins list;
    struct conf *loaded;
    struct conf_report report;
    struct plugin_checker checker;
};

static const char *faults(void)
{
    static char path[256];
    const char *build = getenv("ACCORD_BUILD");
    snprintf(path, sizeof path, "%s/lib/accord/faults", build ? build : ".");
    return path;
}

static int place_make(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char command[4096];
    strcpy(p->root, "/tmp/accord-slots-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->plugins, sizeof p->plugins, "%s/plugins", p->root);
    snprintf(p->conf, sizeof p->conf, "%s/conf.d", p->root);
    snprintf(p->cache, sizeof p->cache, "%s/state/cache/plugins", p->root);
    snprintf(command, sizeof command,
             "bash -c 'mkdir %s %s && cp %s/connector-{good,check-object,check-crash,check-hang}.so %s/'",
             p->plugins, p->conf, faults(), p->plugins);
    assert_int_equal(system(command), 0);
    p->checker = (struct plugin_checker){.executable = executable, .deadline_ms = LONG_MS};
    *state = p;
    return 0;
}

static void forget(struct place *p)
{
    conf_free(p->loaded);
    conf_report_fini(&p->report);
    conf_plugins_free(&p->list);
    p->loaded = NULL;
}

static int place_remove(void **state)
{
    struct place *p = *state;
    char command[128];
    forget(p);
    check_memory_free(p->checker.memory);
    snprintf(command, sizeof command, "rm -r '%s'", p->root);
    free(p);
    return system(command);
}

static int describe(struct place *p, const char *program)
{
    const struct describing how = {
        .executable = program, .folder = p->plugins, .cache = p->cache, .deadline_ms = LONG_MS};
    return plugin_describe_with(&how, &p->list, &p->report);
}

static void load(struct place *p, const char *site)
{
    struct conf_agent agent;
    struct reason why;
    char path[256];
    const struct conf_checker checker = {plugin_check, &p->checker};
    const struct conf_setting setting = {.checker = &checker};
    forget(p);
    snprintf(path, sizeof path, "%s/site.conf", p->conf);
    assert_int_equal(file_replace(path, site, strlen(site), 0600, &why), 0);
    assert_int_equal(conf_load_agent(p->conf, NULL, &agent, &p->report), 0);
    assert_int_equal(describe(p, executable), 0);
    assert_int_equal(conf_load_with(p->conf, &agent, &p->list, &setting, &p->loaded, &p->report), 0);
    conf_report_sort(&p->report);
}

static const struct conf_problem *error_at(const struct place *p, int line)
{
    for (size_t i = 0; i < p->report.count; i++)
        if (p->report.items[i].severity == CONF_ERROR && p->report.items[i].line == line)
            return &p->report.items[i];
    return NULL;
}

static void expect(const struct place *p, int line, const char *words)
{
    const struct conf_problem *problem = error_at(p, line);
    if (problem && strstr(problem->text, words))
        return;
    for (size_t i = 0; i < p->report.count; i++)
        print_error("%s:%d: %s\n", p->report.items[i].file, p->report.items[i].line, p->report.items[i].text);
    fail_msg("nothing on line %d says \"%s\"", line, words);
}

static size_t errors(const struct place *p)
{
    return conf_report_count(&p->report, CONF_ERROR, NULL);
}

#define LINK(name, connector) "[link " name "]\nconnector = " connector "\nfolder = /srv\n"
#define SERVICE(name, link)                                                                                  \
    "[service " name "]\ntype = opaque\ndirection = send\nlink = " link "\ndirectory = /x\n"

/* ---- check ---- */

static void an_objection_stands_at_the_key_that_it_names(void **state)
{
    struct place *p = *state;
    load(p, "[site]\nname = A\n" LINK("good", "good")
                LINK("one", "check-object") "mode = plain\nwait = 1 s\n" LINK("two", "check-object")
                    SERVICE("s", "two") LINK("three", "check-object"));
    expect(p, 10, "[link one]: wait of 1000 ms is too short for mode plain");
    expect(p, 18, "[link two]: service s: directory = /x is not one");
    assert_int_equal(errors(p), 2);
    assert_null(conf_agreement_find(p->loaded, "site"));
    assert_int_equal(p->checker.children, 1);
}

static void a_check_that_crashes_is_an_error_of_its_link_and_of_no_other(void **state)
{
    struct place *p = *state;
    load(p, "[site]\nname = A\n" LINK("one", "check-object") "mode = plain\n" LINK("bad", "check-crash")
                LINK("two", "check-object") "mode = plain\n");
    expect(p, 6, "too short");
    expect(p, 8, "the connector `check-crash` could not check this: it crashed while its `check` was asked");
    expect(p, 13, "too short");
    assert_int_equal(errors(p), 3);
    assert_int_equal(p->checker.children, 2);
}

static void a_check_that_hangs_is_an_error_of_its_link(void **state)
{
    struct place *p = *state;
    p->checker.deadline_ms = SHORT_MS;
    load(p, "[site]\nname = A\n" LINK("bad", "check-hang") LINK("two", "check-object"));
    expect(p, 4, "its `check` does not come to an end");
    assert_int_equal(errors(p), 1);
}

static void a_plugin_that_changes_meanwhile_is_not_asked(void **state)
{
    struct place *p = *state;
    const char *site = "[site]\nname = A\n" LINK("one", "check-object");
    load(p, site);
    assert_int_equal(errors(p), 0);
    /* After it described itself, before it is asked. */
    strcpy(p->list.items[0].sha256, "0000");
    for (size_t i = 0; i < p->list.count; i++)
        memset(p->list.items[i].sha256, '0', 64);
    struct conf_agent agent;
    struct conf_report report = {0};
    struct conf *conf = NULL;
    const struct conf_checker checker = {plugin_check, &p->checker};
    const struct conf_setting setting = {.checker = &checker};
    assert_int_equal(conf_load_agent(p->conf, NULL, &agent, &report), 0);
    assert_int_equal(conf_load_with(p->conf, &agent, &p->list, &setting, &conf, &report), 0);
    assert_int_equal(conf_report_count(&report, CONF_ERROR, NULL), 1);
    assert_non_null(strstr(report.items[0].text, "SHA-256"));
    conf_free(conf);
    conf_report_fini(&report);
}

static void the_same_question_is_asked_once(void **state)
{
    struct place *p = *state;
    const char *objected = "[site]\nname = A\n" LINK("one", "check-object") "mode = plain\n";
    const char *other = "[site]\nname = A\n" LINK("one", "check-object") "mode = plain\nwait = 2 s\n";
    p->checker.memory = check_memory_new();
    load(p, objected);
    load(p, objected);
    assert_int_equal(p->checker.children, 1);
    expect(p, 6, "10000 ms is too short");
    load(p, other);
    assert_int_equal(p->checker.children, 2);
    expect(p, 7, "2000 ms is too short");
    load(p, objected);
    assert_int_equal(p->checker.children, 2);
    expect(p, 6, "10000 ms is too short");
}

static void a_crash_is_not_remembered(void **state)
{
    struct place *p = *state;
    const char *site = "[site]\nname = A\n" LINK("bad", "check-crash");
    p->checker.memory = check_memory_new();
    load(p, site);
    load(p, site);
    assert_int_equal(p->checker.children, 2);
    assert_int_equal(errors(p), 1);
}

static void who_gives_up_does_not_wait(void **state)
{
    struct place *p = *state;
    atomic_bool cancel = true;
    p->checker.cancel = &cancel;
    struct conf_agent agent;
    struct reason why;
    char path[256];
    const char *site = "[site]\nname = A\n" LINK("bad", "check-hang");
    const struct conf_checker checker = {plugin_check, &p->checker};
    const struct conf_setting setting = {.checker = &checker};
    snprintf(path, sizeof path, "%s/site.conf", p->conf);
    assert_int_equal(file_replace(path, site, strlen(site), 0600, &why), 0);
    assert_int_equal(conf_load_agent(p->conf, NULL, &agent, &p->report), 0);
    assert_int_equal(describe(p, executable), 0);
    assert_int_equal(conf_load_with(p->conf, &agent, &p->list, &setting, &p->loaded, &p->report),
                     ACCORD_ECANCELED);
}

/* ---- the cache ---- */

/* With a program that is not there nobody can be asked. */
static void known_again(struct place *p, size_t count)
{
    conf_plugins_free(&p->list);
    conf_report_fini(&p->report);
    assert_int_equal(describe(p, "/nonexistent/accordd"), 0);
    assert_int_equal(p->list.count, count);
    assert_int_equal(errors(p), 4 - count);
}

static char *entry_of(const struct place *p, const char *name)
{
    static char path[512];
    char plugin[256], sha256[DIGEST_HEX], rule[ACCORD_RULE_MAX];
    struct reason why;
    snprintf(plugin, sizeof plugin, "%s/%s", p->plugins, name);
    assert_int_equal(plugin_inspect_file(plugin, sha256, rule, &why), 0);
    snprintf(path, sizeof path, "%s/%s", p->cache, sha256);
    return path;
}

static void a_plugin_is_asked_once(void **state)
{
    struct place *p = *state;
    assert_int_equal(describe(p, executable), 0);
    assert_int_equal(p->list.count, 4);
    known_again(p, 4);
    const struct conf_plugin *good = conf_plugin_find(&p->list, ACCORD_CONNECTOR, "good");
    assert_string_equal(good->options[3].choices[1], "careful");
    assert_false(good->has_check);
    assert_true(conf_plugin_find(&p->list, ACCORD_CONNECTOR, "check-object")->has_check);
}

/* Every byte that may be wrong: one is flipped, the file is cut, emptied, of another program. */
static void a_damaged_entry_counts_as_none(void **state)
{
    struct place *p = *state;
    struct reason why;
    assert_int_equal(describe(p, executable), 0);
    const char *path = entry_of(p, "connector-good.so");
    struct buf whole = {0}, spoilt = {0};
    assert_int_equal(file_read(path, 1 << 20, &whole, &why), 0);
    for (size_t i = 0; i < whole.size + 2; i += i < 150 ? 7 : 61) {
        buf_clear(&spoilt);
        buf_put(&spoilt, whole.data, i < whole.size ? whole.size : whole.size - 1);
        if (i < whole.size)
            spoilt.data[i] ^= 1;
        struct answers answers;
        answers_init(&answers);
        assert_false(cache_decode(spoilt.data, spoilt.size, &answers));
        answers_fini(&answers);
    }
    assert_int_equal(file_replace(path, whole.data, whole.size / 2, 0600, &why), 0);
    known_again(p, 3);
    assert_int_equal(file_replace(path, "", 0, 0600, &why), 0);
    known_again(p, 3);
    conf_plugins_free(&p->list);
    conf_report_fini(&p->report);
    assert_int_equal(describe(p, executable), 0); /* asked anew, and kept */
    known_again(p, 4);
    buf_fini(&whole);
    buf_fini(&spoilt);
}

static void a_changed_plugin_is_asked_and_its_old_entry_goes(void **state)
{
    struct place *p = *state;
    char command[512], old[512];
    assert_int_equal(describe(p, executable), 0);
    strcpy(old, entry_of(p, "connector-good.so"));
    snprintf(command, sizeof command, "printf more >> %s/connector-good.so", p->plugins);
    assert_int_equal(system(command), 0);
    known_again(p, 3);
    assert_true(access(old, F_OK) < 0);
    conf_plugins_free(&p->list);
    conf_report_fini(&p->report);
    assert_int_equal(describe(p, executable), 0);
    known_again(p, 4);
}

static void a_cache_that_cannot_be_is_no_harm(void **state)
{
    struct place *p = *state;
    strcpy(p->cache, "/proc/nowhere");
    assert_int_equal(describe(p, executable), 0);
    assert_int_equal(p->list.count, 4);
}

#define slot_test(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--parent=", 9) == 0)
            return describe_main(atoi(argv[i] + 9));
    if (readlink("/proc/self/exe", executable, sizeof executable - 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        slot_test(an_objection_stands_at_the_key_that_it_names),
        slot_test(a_check_that_crashes_is_an_error_of_its_link_and_of_no_other),
        slot_test(a_check_that_hangs_is_an_error_of_its_link),
        slot_test(a_plugin_that_changes_meanwhile_is_not_asked),
        slot_test(the_same_question_is_asked_once),
        slot_test(a_crash_is_not_remembered),
        slot_test(who_gives_up_does_not_wait),
        slot_test(a_plugin_is_asked_once),
        slot_test(a_damaged_entry_counts_as_none),
        slot_test(a_changed_plugin_is_asked_and_its_old_entry_goes),
        slot_test(a_cache_that_cannot_be_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
