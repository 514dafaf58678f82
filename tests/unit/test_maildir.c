/* The maildir connector in the fake host: names, flags, what is set aside, repeats, faults of the folder.
 * The contract suite has the rest (tests/contract/connector_maildir.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

#include <accord/testkit/host.h>

#include "connectors/maildir/maildir.h"
#include "connectors/maildir/names.h"

enum { TAKE, PUT };

static char root[64];
static struct link_options link_options;
static struct service_options options[2];
static struct accord_service services[2];
static struct accord_link_setup setup;
static struct testhost *host;

/* ---- files ---- */

static const char *at(const char *folder, const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s/%s", root, folder, name);
    return path;
}

static void put(const char *folder, const char *name, const char *text)
{
    int fd = open(at(folder, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static const char *get(const char *folder, const char *name)
{
    static char text[1024];
    int fd = open(at(folder, name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return n < 0 ? NULL : text;
}

static size_t count(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(at(folder, ""));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

/* ---- the stage ---- */

static int set_up(void **state)
{
    static const struct accord_service *const told[] = {&services[TAKE], &services[PUT]};
    (void)state;
    strcpy(root, "/tmp/accord-maildir-XXXXXX");
    if (!mkdtemp(root) || mkdir(at("in", ""), 0700) || mkdir(at("in", "new"), 0700))
        return -1;
    link_options.folder = root;
    options[TAKE] = (struct service_options){.mailbox = "in", .after = AFTER_KEEP, .poll = 1000};
    options[PUT] = (struct service_options){.mailbox = "out", .poll = 1000};
    services[TAKE] = (struct accord_service){"take", "opaque", ACCORD_RECEIVE, &options[TAKE], 1 << 30, ""};
    services[PUT] = (struct accord_service){"put", "opaque", ACCORD_SEND, &options[PUT], 1 << 30, ""};
    setup = (struct accord_link_setup){
        .agreement = "site", .name = "mail", .options = &link_options, .services = told, .service_count = 2};
    host = testhost_new(accord_plugin.connector, TESTHOST_VIRTUAL_CLOCK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testhost_close(host);
    size_t complaints = testhost_complaints(host);
    testhost_free(host);
    scratch_remove(root);
    return (int)complaints;
}

static void begin(void)
{
    assert_int_equal(testhost_open(host, &setup), 0);
    testhost_start(host);
}

static bool new_is_empty(void *arg)
{
    (void)arg;
    return count("in/new") == 0;
}

static bool was_logged(void *event)
{
    return testhost_logged(host, event) > 0;
}

static struct accord_delivery *deliver(const char *text, int64_t attempt)
{
    const struct testhost_message message = {
        .id = "abcdefghijklmnopqrstuvwx", .bytes = text, .size = strlen(text), .attempt = attempt};
    struct accord_delivery *delivery = testhost_deliver(host, PUT, &message);
    assert_true(testhost_settle(host, delivery, 10000));
    return delivery;
}

/* The one mail of a folder. */
static const char *only(const char *folder)
{
    static char name[256];
    DIR *dir = opendir(at(folder, ""));
    assert_int_equal(count(folder), 1);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            snprintf(name, sizeof name, "%s", entry->d_name);
    closedir(dir);
    return name;
}

/* ---- receiving ---- */

static void flags_are_no_part_of_a_mail_s_identity(void **state)
{
    (void)state;
    put("in/new", "1700000000.M1.host:2,F", "text");
    begin();
    assert_true(testhost_within(host, new_is_empty, NULL, 10000));
    assert_string_equal(testhost_offer(host, 0)->source_id, "1700000000.M1.host");
    assert_string_equal(testhost_offer(host, 0)->name, "1700000000.M1.host");
    assert_string_equal(get("in/cur", "1700000000.M1.host:2,S"), "text");
}

static void a_name_that_is_taken_in_cur_is_not_overwritten(void **state)
{
    (void)state;
    mkdir(at("in", "cur"), 0700);
    put("in/cur", "1.host:2,S", "old");
    put("in/new", "1.host", "new");
    begin();
    assert_true(testhost_within(host, new_is_empty, NULL, 10000));
    assert_string_equal(get("in/cur", "1.host:2,S"), "old");
    assert_string_equal(get("in/cur", "1.host.1:2,S"), "new");
}

static void quarantined_and_rejected_mails_are_set_aside_with_their_reason(void **state)
{
    (void)state;
    static const enum accord_admission admissions[] = {ACCORD_QUARANTINED, ACCORD_REJECTED};
    options[TAKE].after = AFTER_DELETE;
    begin();
    for (size_t i = 0; i < 2; i++) {
        testhost_admission(host, admissions[i], "content.format", "line 3: no such segment");
        put("in/new", "1.host", "odd");
        assert_true(testhost_within(host, new_is_empty, NULL, 10000));
        const char *name = i ? "1.host.1" : "1.host";
        assert_string_equal(get(".Rejected/new", name), "odd");
        assert_non_null(
            strstr(get(".Rejected/reasons", "1.host.txt"), "content.format: line 3: no such segment"));
    }
    assert_int_equal(count("in/cur"), 0);
}

static void what_is_no_mail_is_left_where_it_is_and_told_once(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", at("in/new", "1.link")), 0);
    assert_int_equal(mkdir(at("in/new", "2.folder"), 0700), 0);
    assert_int_equal(mkfifo(at("in/new", "3.pipe"), 0600), 0);
    put("in/new", ".hidden", "text");
    begin();
    assert_true(testhost_within(host, was_logged, "maildir.strange", 10000));
    testhost_advance(host, 20000);
    assert_int_equal(testhost_logged(host, "maildir.strange"), 1);
    assert_int_equal(testhost_offers(host), 0);
    assert_int_equal(count("in/new"), 3);
}

static void a_folder_that_goes_and_comes_is_looked_at_again(void **state)
{
    (void)state;
    char away[128];
    snprintf(away, sizeof away, "%s-away", root);
    assert_int_equal(rename(root, away), 0);
    begin();
    bool told = testhost_within(host, was_logged, "maildir.no-folder", 10000);
    assert_int_equal(rename(away, root), 0);
    assert_true(told);
    put("in/new", "1.host", "text");
    assert_true(testhost_within(host, new_is_empty, NULL, 10000));
}

/* ---- sending ---- */

static void a_mail_is_named_after_its_message_and_whole(void **state)
{
    (void)state;
    options[PUT].mode = 1; /* 0640 */
    begin();
    const struct accord_delivery *delivery = deliver("twelve boxes", 1);
    const char *name = only("out/new");
    char receipt[300];
    struct stat st;
    snprintf(receipt, sizeof receipt, "new/%s size=12", name);
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_string_equal(delivery->receipt, receipt);
    assert_non_null(strstr(name, ".Aabcdefghijklmnopqrstuvwx.site-put"));
    assert_string_equal(get("out/new", name), "twelve boxes");
    assert_int_equal(count("out/tmp"), 0);
    assert_int_equal(stat(at("out/new", name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void a_repeat_is_known_even_when_the_reader_has_seen_it(void **state)
{
    (void)state;
    char name[256], seen[300];
    begin();
    deliver("twelve boxes", 1);
    snprintf(name, sizeof name, "%s", only("out/new"));
    assert_non_null(strstr(deliver("twelve boxes", 2)->receipt, "was there already"));
    snprintf(seen, sizeof seen, "%s:2,RS", name);
    assert_true(mkdir(at("out", "cur"), 0700) == 0 || access(at("out", "cur"), F_OK) == 0);
    assert_int_equal(rename(at("out/new", name), at("out/cur", seen)), 0);
    assert_non_null(strstr(deliver("twelve boxes", 2)->receipt, "was there already"));
    assert_int_equal(count("out/new"), 0);
}

static void what_a_killed_attempt_left_in_tmp_is_begun_anew(void **state)
{
    (void)state;
    char name[256];
    begin();
    deliver("twelve boxes", 1);
    snprintf(name, sizeof name, "%s", only("out/new"));
    assert_int_equal(rename(at("out/new", name), at("out/tmp", name)), 0);
    put("out/tmp", name, "twel");
    assert_int_equal(deliver("twelve boxes", 2)->outcome, ACCORD_DELIVERED);
    assert_string_equal(get("out/new", name), "twelve boxes");
    assert_int_equal(count("out/tmp"), 0);
}

static void a_mailbox_that_is_a_link_leads_nowhere(void **state)
{
    (void)state;
    assert_int_equal(symlink("/tmp", at(".", "out")), 0);
    begin();
    const struct accord_delivery *delivery = deliver("twelve boxes", 1);
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_non_null(strstr(delivery->reason, "cannot write below tmp/"));
}

/* ---- names ---- */

static void hostile_names_become_text_and_stay_different(void **state)
{
    char text[32], other[32], longest[256], made[256];
    (void)state;
    name_text(text, sizeof text, "a\nb\xff%c d");
    assert_string_equal(text, "a%0Ab%FF%25c%20d");
    memset(longest, 'n', 255);
    longest[255] = 0;
    name_text(text, sizeof text, longest);
    longest[254] = 'm';
    name_text(other, sizeof other, longest);
    assert_int_equal(strlen(text), strlen(other));
    assert_string_not_equal(text, other);
    name_with(made, sizeof made, longest, 7, ":2,S");
    assert_int_equal(strlen(made), 255);
    assert_string_equal(made + 255 - 6, ".7:2,S");
    assert_true(name_same("1.host:2,S", "1.host"));
    assert_false(name_same("1.host", "1.hos"));
}

static void a_mailbox_is_a_folder_below(void **state)
{
    (void)state;
    static const char *const good[] = {".", "in", ".Orders", "a/.b/c", "..."};
    static const char *const bad[] = {"", "/", "/in", "in/", "..", "in/../out", "a//b", "a/./b", "a\nb"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(name_is_mailbox(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(name_is_mailbox(bad[i]));
}

static void two_services_that_take_from_one_mailbox_are_a_mistake(void **state)
{
    (void)state;
    char why[ACCORD_REASON_MAX];
    const struct accord_connector *connector = accord_plugin.connector;
    assert_int_equal(connector->check(&setup, why, sizeof why), 0);
    services[PUT].direction = ACCORD_RECEIVE;
    options[PUT].mailbox = "in";
    assert_int_equal(connector->check(&setup, why, sizeof why), ACCORD_EINVAL);
    assert_string_equal(why, "service put: mailbox = in is taken from by service take already");
    options[PUT].mailbox = "../in";
    assert_int_equal(connector->check(&setup, why, sizeof why), ACCORD_EINVAL);
    options[PUT].mailbox = "out";
    services[PUT].direction = ACCORD_SEND;
    begin();
}

#define hosted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        hosted(flags_are_no_part_of_a_mail_s_identity),
        hosted(a_name_that_is_taken_in_cur_is_not_overwritten),
        hosted(quarantined_and_rejected_mails_are_set_aside_with_their_reason),
        hosted(what_is_no_mail_is_left_where_it_is_and_told_once),
        hosted(a_folder_that_goes_and_comes_is_looked_at_again),
        hosted(a_mail_is_named_after_its_message_and_whole),
        hosted(a_repeat_is_known_even_when_the_reader_has_seen_it),
        hosted(what_a_killed_attempt_left_in_tmp_is_begun_anew),
        hosted(a_mailbox_that_is_a_link_leads_nowhere),
        cmocka_unit_test(hostile_names_become_text_and_stay_different),
        cmocka_unit_test(a_mailbox_is_a_folder_below),
        hosted(two_services_that_take_from_one_mailbox_are_a_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
