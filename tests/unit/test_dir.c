/* The dir connector: files are taken once, whole and settled; files are dropped whole and overwrite nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <testkit/host.h>

#include "connectors/dir/dir.h"
#include "connectors/dir/names.h"
#include "sandbox/sandbox.h"

#include <cmocka.h> /* last: its fail() is a macro */

extern const struct accord_plugin accord_plugin;

enum { TAKE, DROP }; /* services */

static char root[64];
static struct link_options link_options;
static struct service_options options[2];
static struct accord_service services[2];
static struct accord_link_setup setup;
static struct testhost *host;

/* ---- files ---- */

static const char *at(const char *below)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 1024, "%s/%s", root, below);
    return path;
}

static void put(const char *below, const void *bytes, size_t size)
{
    int fd = open(at(below), O_WRONLY | O_CREAT | O_APPEND, 0640);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        fail_msg("cannot write %s", below);
    close(fd);
}

static void put_text(const char *below, const char *text)
{
    put(below, text, strlen(text));
}

static char *get(const char *below)
{
    static char bytes[4096];
    int fd = open(at(below), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes - 1);
    if (fd >= 0)
        close(fd);
    bytes[n > 0 ? n : 0] = 0;
    return n < 0 ? NULL : bytes;
}

static bool exists(const char *below)
{
    struct stat st;
    return lstat(at(below), &st) == 0;
}

/* Entries other than hidden ones and the folder of rejected files. */
static size_t count(const char *below)
{
    size_t n = 0;
    DIR *dir = opendir(at(below));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.' && strcmp(entry->d_name, "rejected") != 0;
    if (dir)
        closedir(dir);
    return n;
}

static size_t count_hidden(const char *below)
{
    size_t n = 0;
    DIR *dir = opendir(at(below));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] == '.' && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return n;
}

static void remove_tree(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            remove_tree(fd, entry->d_name);
    if (dir)
        closedir(dir);
    unlinkat(folder, name, dir ? AT_REMOVEDIR : 0);
}

/* ---- the connector in its host ---- */

static void begin(void)
{
    host = testhost_new(accord_plugin.connector, TESTHOST_VIRTUAL_CLOCK);
    if (testhost_open(host, &setup))
        fail_msg("%s", testhost_why(host));
    testhost_start(host);
}

static void end(void)
{
    if (!host)
        return;
    testhost_close(host);
    assert_int_equal(testhost_complaints(host), 0);
    testhost_free(host);
    host = NULL;
}

static int make(void **state)
{
    (void)state;
    strcpy(root, "/tmp/accord-dir-XXXXXX");
    if (!mkdtemp(root) || mkdir(at("in"), 0750) || mkdir(at("out"), 0750))
        return -1;
    link_options.path = root;
    options[TAKE] = (struct service_options){.folder = "in", .pattern = "*", .settle = 2000, .rescan = 1000};
    options[DROP] = (struct service_options){.folder = "out", .pattern = "*", .settle = 2000, .rescan = 1000};
    services[TAKE] = (struct accord_service){"plans", "stow-plan", ACCORD_RECEIVE, &options[TAKE], 1 << 30};
    services[DROP] = (struct accord_service){"answers", "cbp-response", ACCORD_SEND, &options[DROP], 1 << 30};
    setup = (struct accord_link_setup){.agreement = "site",
                                       .name = "files",
                                       .options = &link_options,
                                       .services = services,
                                       .service_count = 2};
    host = NULL;
    return 0;
}

static int clean(void **state)
{
    (void)state;
    if (host)
        testhost_free(host);
    host = NULL;
    remove_tree(AT_FDCWD, root);
    return 0;
}

/* Lets virtual time pass until the condition holds; false when that takes more than `ms` of it. */
static bool within(int64_t ms, bool (*condition)(void *), void *arg)
{
    for (int64_t until = testhost_ticks(host) + ms; testhost_ticks(host) < until;) {
        testhost_advance(host, 50);
        if (testhost_run_until(host, condition, arg, 2))
            return true;
    }
    return condition(arg);
}

static bool offers_made(void *arg)
{
    return testhost_offers(host) >= *(size_t *)arg;
}

static void wait_offers(size_t wanted)
{
    if (!within(60000, offers_made, &wanted))
        fail_msg("%zu offers, not %zu", testhost_offers(host), wanted);
}

static bool is_there(void *arg)
{
    return exists(arg);
}

static bool is_empty(void *arg)
{
    return count(arg) == 0;
}

static bool claimed_empty(void *arg)
{
    (void)arg;
    return count("in/.accord/claimed/plans") == 0 && exists("in/.accord/claimed/plans");
}

static bool all_taken(void *arg)
{
    return is_empty(arg) && claimed_empty(arg);
}

static bool passes_made(void *arg)
{
    return testhost_metric(host, "dir.passes") >= *(int64_t *)arg;
}

static void pass(int64_t more)
{
    int64_t wanted = testhost_metric(host, "dir.passes") + more;
    assert_true(within(200000, passes_made, &wanted));
}

static bool was_logged(void *arg)
{
    return testhost_logged(host, arg) > 0;
}

static bool offer_over(void *arg)
{
    const struct accord_offer *offer = testhost_offer(host, *(size_t *)arg);
    return offer && (offer->done || offer->aborted);
}

static void assert_offer(size_t index, const char *name, const char *content)
{
    assert_true(within(60000, offer_over, &index));
    const struct accord_offer *offer = testhost_offer(host, index);
    assert_string_equal(offer->name, name);
    assert_true(offer->done);
    assert_int_equal(offer->declared, strlen(content));
    assert_int_equal(offer->size, strlen(content));
    assert_memory_equal(offer->bytes, content, strlen(content));
}

/* ---- taking ---- */

static void a_settled_file_is_taken_exactly_once(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    begin();
    assert_offer(0, "plan.edi", "UNB+...");
    assert_true(within(5000, all_taken, "in"));
    pass(3);
    assert_int_equal(testhost_offers(host), 1);
    end();
}

static void nothing_is_taken_before_it_has_settled(void **state)
{
    (void)state;
    begin();
    pass(1);
    int64_t before = testhost_ticks(host);
    put_text("in/plan.edi", "UNB+...");
    wait_offers(1);
    assert_true(testhost_ticks(host) - before >= 2000);
    end();
}

static void a_growing_file_waits(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 60; i++) {
        int64_t before = testhost_ticks(host);
        put_text("in/plan.edi", "0123456789");
        while (testhost_ticks(host) < before + 500) {
            testhost_advance(host, 50);
            testhost_run_until(host, offer_over, &(size_t){0}, 1);
        }
    }
    assert_int_equal(testhost_offers(host), 0);
    wait_offers(1);
    assert_true(within(5000, is_empty, "in"));
    assert_int_equal(testhost_offer(host, 0)->size, 600);
    end();
}

static void a_file_that_appears_while_running_is_taken(void **state)
{
    (void)state;
    begin();
    pass(1);
    put_text("in/late.edi", "late");
    assert_offer(0, "late.edi", "late");
    end();
}

static void an_empty_file_is_a_message(void **state)
{
    (void)state;
    put_text("in/empty", "");
    begin();
    assert_offer(0, "empty", "");
    assert_true(within(5000, is_empty, "in"));
    end();
}

static void a_large_file_crosses_in_pieces(void **state)
{
    (void)state;
    size_t size = 3 * ACCORD_PIECE_MAX + 17;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    put("in/large", bytes, size);
    begin();
    size_t index = 0;
    assert_true(within(60000, offer_over, &index));
    assert_int_equal(testhost_offer(host, 0)->size, size);
    assert_memory_equal(testhost_offer(host, 0)->bytes, bytes, size);
    end();
    free(bytes);
}

static void only_names_that_match_are_taken(void **state)
{
    (void)state;
    options[TAKE].pattern = "*.edi";
    put_text("in/a.edi", "a");
    put_text("in/a.tmp", "b");
    put_text("in/.a.edi", "c");
    mkdir(at("in/folder.edi"), 0750);
    begin();
    assert_offer(0, "a.edi", "a");
    pass(3);
    assert_int_equal(testhost_offers(host), 1);
    assert_true(exists("in/a.tmp") && exists("in/.a.edi") && exists("in/folder.edi"));
    assert_int_equal(testhost_logged(host, "dir.refused"), 0);
    end();
}

/* A writer that keeps the file open: it has settled, was claimed, and then grows. */
static void a_file_that_grows_after_the_claim_is_put_back(void **state)
{
    (void)state;
    int fd = open(at("in/plan.edi"), O_WRONLY | O_CREAT, 0640);
    assert_int_equal(write(fd, "first,", 6), 6);
    begin();
    testhost_offer_room(host, 0);
    assert_true(within(60000, is_there, "in/.accord/claimed/plans/plan.edi"));
    assert_int_equal(write(fd, "second", 6), 6);
    close(fd);
    testhost_offer_room(host, 16);
    wait_offers(2);
    assert_true(testhost_offer(host, 0)->aborted);
    assert_int_equal(testhost_logged(host, "dir.growing"), 1);
    assert_offer(1, "plan.edi", "first,second");
    assert_string_not_equal(testhost_offer(host, 0)->source_id, testhost_offer(host, 1)->source_id);
    end();
}

static void a_claim_survives_a_restart_with_the_same_identity(void **state)
{
    (void)state;
    char id[ACCORD_SOURCE_ID_MAX];
    put_text("in/plan.edi", "UNB+...");
    begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    assert_offer(0, "plan.edi", "UNB+...");
    strcpy(id, testhost_offer(host, 0)->source_id);
    assert_false(exists("in/plan.edi"));
    end();
    assert_string_equal(get("in/.accord/claimed/plans/plan.edi"), "UNB+...");
    begin();
    assert_offer(0, "plan.edi", "UNB+...");
    assert_string_equal(testhost_offer(host, 0)->source_id, id);
    assert_true(within(5000, claimed_empty, NULL));
    end();
}

static void a_deferred_file_is_offered_again_later(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    wait_offers(4);
    int64_t before = testhost_ticks(host);
    wait_offers(5);
    assert_true(testhost_ticks(host) - before >= 4000); /* 1, 2, 4, 8 s, less what one look costs */
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_true(within(100000, claimed_empty, NULL));
    for (size_t i = 0; i < testhost_offers(host); i++)
        assert_string_equal(testhost_offer(host, i)->source_id, testhost_offer(host, 0)->source_id);
    end();
}

static void a_deferred_file_does_not_hold_up_others(void **state)
{
    (void)state;
    begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%d", i);
        put_text(name, "x");
    }
    wait_offers(20);
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    put_text("in/good", "good");
    assert_true(within(100000, all_taken, "in"));
    end();
}

static void a_quarantined_file_goes_to_rejected_with_its_reason(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    begin();
    testhost_admission(host, ACCORD_QUARANTINED, "stow-plan.unt-count", "segment 12: UNT says 11 segments");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    assert_string_equal(get("in/rejected/plan.edi"), "UNB+...");
    const char *reason = get("in/rejected/plan.edi.reason.txt");
    assert_non_null(reason);
    assert_non_null(strstr(reason, "plan.edi"));
    assert_non_null(strstr(reason, "stow-plan.unt-count"));
    assert_non_null(strstr(reason, "segment 12: UNT says 11 segments"));
    assert_non_null(strstr(reason, "testmessage"));
    assert_non_null(strstr(reason, "2025-01-01T00:00:"));
    assert_non_null(strstr(reason, "What to do"));
    /* Another of the same name does not replace it. */
    put_text("in/plan.edi", "other");
    assert_true(within(60000, is_there, "in/rejected/plan-1.edi"));
    assert_string_equal(get("in/rejected/plan.edi"), "UNB+...");
    assert_string_equal(get("in/rejected/plan-1.edi"), "other");
    assert_true(exists("in/rejected/plan-1.edi.reason.txt"));
    pass(3);
    assert_int_equal(testhost_offers(host), 2);
    end();
}

static void a_file_that_is_refused_unread_stays_as_the_only_copy(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    begin();
    testhost_admission(host, ACCORD_REJECTED, "services.size", "the message is larger than its service allows");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    assert_string_equal(get("in/rejected/plan.edi"), "UNB+...");
    const char *reason = get("in/rejected/plan.edi.reason.txt");
    assert_non_null(reason);
    assert_non_null(strstr(reason, "services.size"));
    assert_non_null(strstr(reason, "larger than its service allows"));
    assert_non_null(strstr(reason, "the only one"));
    assert_null(strstr(reason, "quarantine"));
    pass(3);
    assert_int_equal(testhost_offers(host), 1);
    end();
}

/* Put back as it is, it must not be taken for a repeat of what was refused. */
static void a_rejected_file_that_is_put_back_is_a_new_message(void **state)
{
    (void)state;
    put_text("in/plan.edi", "UNB+...");
    begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.type", "not released");
    assert_true(within(60000, is_there, "in/rejected/plan.edi"));
    pass(1);
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_int_equal(rename(at("in/rejected/plan.edi"), at("in/plan.edi")), 0);
    assert_offer(1, "plan.edi", "UNB+...");
    assert_string_not_equal(testhost_offer(host, 0)->source_id, testhost_offer(host, 1)->source_id);
    end();
}

static void an_accepted_file_is_kept_where_the_service_says(void **state)
{
    (void)state;
    options[TAKE].after = AFTER_KEEP;
    options[TAKE].keep_in = "done/plans";
    put_text("in/plan.edi", "one");
    begin();
    assert_true(within(60000, is_there, "done/plans/plan.edi"));
    put_text("in/plan.edi", "two");
    assert_true(within(60000, is_there, "done/plans/plan-1.edi"));
    assert_string_equal(get("done/plans/plan.edi"), "one");
    assert_string_equal(get("done/plans/plan-1.edi"), "two");
    end();
}

/* The name is claimed: the second of that name waits until the first is done, and is not lost. */
static void two_files_of_one_name_go_one_after_the_other(void **state)
{
    (void)state;
    put_text("in/plan.edi", "first");
    begin();
    testhost_admission(host, ACCORD_DEFERRED, "", "scanner is down");
    wait_offers(2);
    put_text("in/plan.edi", "second");
    pass(4);
    assert_string_equal(get("in/plan.edi"), "second");
    testhost_admission(host, ACCORD_ACCEPTED, "", "");
    assert_true(within(200000, all_taken, "in"));
    assert_offer(testhost_offers(host) - 1, "plan.edi", "second");
    assert_offer(testhost_offers(host) - 2, "plan.edi", "first");
    end();
}

static void links_and_devices_are_refused_and_told_once(void **state)
{
    (void)state;
    put_text("secret", "outside");
    assert_int_equal(symlink(at("secret"), at("in/symlink")), 0);
    assert_int_equal(symlink("/nowhere", at("in/dangling")), 0);
    assert_int_equal(mkfifo(at("in/fifo"), 0640), 0);
    assert_int_equal(link(at("secret"), at("in/hard")), 0);
    begin();
    pass(6);
    assert_int_equal(testhost_offers(host), 0);
    assert_int_equal(testhost_logged(host, "dir.refused"), 4);
    assert_int_equal(count("in"), 4);
    assert_string_equal(get("secret"), "outside");
    /* The other name gone, it is a file like any other. */
    unlink(at("secret"));
    assert_offer(0, "hard", "outside");
    end();
}

/* Between two looks the file was exchanged for a link to what we must not read. */
static void a_link_in_the_claimed_folder_is_not_followed(void **state)
{
    (void)state;
    put_text("secret", "outside");
    begin();
    pass(1);
    end();
    assert_int_equal(symlink(at("secret"), at("in/.accord/claimed/plans/plan.edi")), 0);
    begin();
    assert_true(within(60000, is_there, "in/plan.edi"));
    pass(4);
    assert_int_equal(testhost_offers(host), 0);
    assert_string_equal(get("secret"), "outside");
    end();
}

static void a_folder_that_is_a_link_is_not_followed(void **state)
{
    (void)state;
    mkdir(at("elsewhere"), 0750);
    put_text("elsewhere/plan.edi", "outside");
    assert_int_equal(rmdir(at("in")), 0);
    assert_int_equal(symlink(at("elsewhere"), at("in")), 0);
    begin();
    assert_true(within(60000, was_logged, "dir.folder"));
    assert_int_equal(testhost_offers(host), 0);
    assert_true(exists("elsewhere/plan.edi"));
    end();
}

static size_t most_open;

static bool all_offered(void *arg)
{
    size_t open = 0;
    for (size_t i = testhost_offers(host) > 100 ? testhost_offers(host) - 100 : 0; i < testhost_offers(host);
         i++)
        open += !testhost_offer(host, i)->done;
    most_open = open > most_open ? open : most_open;
    return testhost_offers(host) >= *(size_t *)arg;
}

static void two_thousand_files_are_taken_once_each(void **state)
{
    (void)state;
    size_t wanted = 2000;
    static bool taken[2000];
    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < wanted; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%zu", i);
        put_text(name, name);
    }
    begin();
    testhost_offer_room(host, 1000);
    most_open = 0;
    assert_true(within(600000, all_offered, &wanted));
    assert_true(within(60000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), wanted);
    for (size_t i = 0; i < wanted; i++) {
        const struct accord_offer *offer = testhost_offer(host, i);
        size_t number = (size_t)atoi(offer->name);
        assert_false(taken[number]);
        taken[number] = true;
    }
    assert_true(most_open > 1 && most_open <= 8);
    end();
}

static void odd_names_are_sanitised_in_the_message_and_kept_on_disk(void **state)
{
    (void)state;
    char longest[NAME_ROOM + 3] = "in/";
    memset(longest + 3, 'n', 255);
    longest[3 + 255] = 0;
    const char *names[] = {"in/two\nlines", "in/not\xff\xfeutf8",       "in/-rf",
                           "in/ space ",    "in/\xc3\xa9t\xc3\xa9.edi", longest};
    const char *offered[] = {"two_lines", "not__utf8", "-rf", " space ", "\xc3\xa9t\xc3\xa9.edi",
                             longest + 3};
    for (size_t i = 0; i < 6; i++)
        put_text(names[i], "x");
    begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.names", "no such name");
    assert_true(within(100000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), 6);
    for (size_t i = 0; i < 6; i++) {
        char rejected[512];
        bool found = false;
        for (size_t j = 0; j < 6; j++)
            found |= !strcmp(testhost_offer(host, j)->name, offered[i]);
        assert_true(found);
        snprintf(rejected, sizeof rejected, "in/rejected/%s", names[i] + 3);
        assert_true(exists(rejected));
    }
    assert_int_equal(count("in/rejected"), 12);
    end();
}

static void a_folder_that_is_missing_is_told_and_taken_up_when_it_comes(void **state)
{
    (void)state;
    rmdir(at("in"));
    begin();
    assert_true(within(60000, was_logged, "dir.folder"));
    assert_non_null(strstr(testhost_last_log(host, "dir.folder"), "No such file"));
    mkdir(at("in"), 0750);
    put_text("in/plan.edi", "x");
    assert_offer(0, "plan.edi", "x");
    assert_int_equal(testhost_logged(host, "dir.folder"), 1);
    assert_int_equal(testhost_logged(host, "dir.folder-back"), 1);
    /* And exchanged while running. */
    assert_true(within(60000, claimed_empty, NULL));
    assert_int_equal(rename(at("in"), at("old")), 0);
    mkdir(at("in"), 0750);
    put_text("in/other.edi", "y");
    assert_offer(1, "other.edi", "y");
    end();
}

/* rejected is a file: the reason cannot be written; nothing may be lost, and it is told. */
static void what_cannot_be_moved_stays_claimed_and_is_tried_again(void **state)
{
    (void)state;
    put_text("in/rejected", "in the way");
    chmod(at("in/rejected"), 0600);
    options[TAKE].pattern = "*.edi";
    put_text("in/plan.edi", "x");
    begin();
    testhost_admission(host, ACCORD_QUARANTINED, "services.type", "no");
    assert_true(within(60000, was_logged, "dir.disk"));
    assert_string_equal(get("in/.accord/claimed/plans/plan.edi"), "x");
    assert_int_equal(testhost_offers(host), 1);
    unlink(at("in/rejected"));
    assert_true(within(100000, is_there, "in/rejected/plan.edi"));
    assert_int_equal(testhost_offers(host), 1);
    end();
}

static void stopping_takes_nothing_new_and_starting_goes_on(void **state)
{
    (void)state;
    begin();
    pass(1);
    testhost_stop(host);
    put_text("in/plan.edi", "x");
    for (int i = 0; i < 400; i++) {
        testhost_advance(host, 50);
        testhost_turn(host);
    }
    assert_int_equal(testhost_offers(host), 0);
    testhost_start(host);
    assert_offer(0, "plan.edi", "x");
    end();
}

static void closing_in_the_middle_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%d", i);
        put_text(name, "x");
    }
    begin();
    wait_offers(3);
    end();
    begin();
    testhost_offer_room(host, 0);
    wait_offers(0);
    pass(1);
    end();
    begin();
    end();
    size_t left = count("in") + count("in/.accord/claimed/plans");
    begin();
    assert_true(within(100000, all_taken, "in"));
    assert_int_equal(testhost_offers(host), left);
    end();
}

/* ---- dropping ---- */

static struct accord_delivery *drop(const char *name, const char *id, int64_t attempt, const void *bytes,
                                    size_t size)
{
    struct testhost_message message = {.id = id,
                                       .type = "cbp-response",
                                       .name = name,
                                       .origin = "cbp-isa/responses",
                                       .bytes = bytes,
                                       .size = size,
                                       .attempt = attempt};
    return testhost_deliver(host, DROP, &message);
}

static struct accord_delivery *drop_text(const char *name, const char *text)
{
    struct accord_delivery *delivery = drop(name, NULL, 1, text, strlen(text));
    assert_true(testhost_settle(host, delivery, 10000));
    return delivery;
}

static void a_message_becomes_a_file_with_a_receipt(void **state)
{
    (void)state;
    struct stat st;
    begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "CONTRL");
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_string_equal(get("out/answer.txt"), "CONTRL");
    assert_non_null(strstr(delivery->receipt, at("out/answer.txt")));
    assert_non_null(strstr(delivery->receipt, "6 bytes"));
    assert_int_equal(stat(at("out/answer.txt"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_hidden("out"), 0);
    end();
}

static size_t visible_at_half;

static void look_now(void *arg)
{
    (void)arg;
    visible_at_half = count("out");
}

static void a_file_is_not_visible_before_it_is_whole(void **state)
{
    (void)state;
    size_t size = 2000000;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    begin();
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, size);
    visible_at_half = 99;
    testhost_at_byte(host, delivery, (int64_t)size / 2, look_now, NULL);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(visible_at_half, 0);
    struct stat st;
    assert_int_equal(stat(at("out/big"), &st), 0);
    assert_int_equal(st.st_size, size);
    end();
    free(bytes);
}

static void an_empty_message_is_an_empty_file(void **state)
{
    (void)state;
    begin();
    assert_int_equal(drop_text("empty", "")->outcome, ACCORD_DELIVERED);
    assert_string_equal(get("out/empty"), "");
    end();
}

static void nothing_is_ever_overwritten(void **state)
{
    (void)state;
    put_text("out/answer.txt", "mine");
    begin();
    struct accord_delivery *second = drop_text("answer.txt", "second"),
                           *third = drop_text("answer.txt", "third");
    assert_non_null(strstr(second->receipt, "answer-1.txt"));
    assert_non_null(strstr(third->receipt, "answer-2.txt"));
    assert_string_equal(get("out/answer.txt"), "mine");
    assert_string_equal(get("out/answer-1.txt"), "second");
    assert_string_equal(get("out/answer-2.txt"), "third");
    /* Not even a link that leads nowhere. */
    assert_int_equal(symlink("/nowhere", at("out/link")), 0);
    assert_int_equal(drop_text("link", "x")->outcome, ACCORD_DELIVERED);
    assert_string_equal(get("out/link-1"), "x");
    end();
}

static void a_taken_name_is_refused_when_the_service_says_so(void **state)
{
    (void)state;
    options[DROP].if_exists = EXISTS_FAIL;
    put_text("out/answer.txt", "mine");
    begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "second");
    assert_int_equal(delivery->outcome, ACCORD_REFUSED);
    assert_non_null(strstr(delivery->reason, "exists"));
    assert_string_equal(get("out/answer.txt"), "mine");
    assert_int_equal(count("out"), 1);
    assert_int_equal(count_hidden("out"), 0);
    end();
}

/* A crash after the rename: the same message comes again, and the file is there. */
static void a_message_that_comes_again_is_not_dropped_twice(void **state)
{
    (void)state;
    begin();
    put_text("out/answer.txt", "CONTRL");
    struct accord_delivery *delivery = drop("answer.txt", NULL, 2, "CONTRL", 6);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(delivery->outcome, ACCORD_DELIVERED);
    assert_non_null(strstr(delivery->receipt, "was there already"));
    delivery = drop("answer.txt", NULL, 2, "CONTRX", 6);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_non_null(strstr(delivery->receipt, "answer-1.txt"));
    assert_int_equal(count("out"), 2);
    assert_int_equal(count_hidden("out"), 0);
    end();
}

static void what_a_crash_left_is_removed(void **state)
{
    (void)state;
    put_text("out/.accord-drop-site.answers-0123", "half");
    put_text("out/.accord-drop-other.answers-0123", "another's");
    begin();
    drop_text("answer.txt", "x");
    assert_false(exists("out/.accord-drop-site.answers-0123"));
    assert_true(exists("out/.accord-drop-other.answers-0123"));
    end();
}

static void names_from_the_bus_cannot_leave_the_folder(void **state)
{
    (void)state;
    const char *names[] = {"../../escape", "/etc/escape", ".hidden", "a\nb", "", "..", "not\xffutf8"};
    const char *files[] = {"out/_._.._escape", "out/_etc_escape", "out/_hidden", "out/a_b",
                           "out/unnamed",      "out/_.",          "out/not_utf8"};
    begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(drop_text(names[i], "x")->outcome, ACCORD_DELIVERED);
        if (!exists(files[i]))
            fail_msg("%s did not become %s", names[i], files[i]);
    }
    end();
}

static void a_missing_folder_is_a_retry_with_its_reason(void **state)
{
    (void)state;
    rmdir(at("out"));
    begin();
    struct accord_delivery *delivery = drop_text("answer.txt", "x");
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_non_null(strstr(delivery->reason, "No such file"));
    assert_int_equal(testhost_logged(host, "dir.disk"), 1);
    mkdir(at("out"), 0750);
    assert_int_equal(drop_text("answer.txt", "x")->outcome, ACCORD_DELIVERED);
    end();
}

static void a_full_disk_is_a_retry_and_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit limit, small;
    char *bytes = malloc(400000);
    memset(bytes, 'x', 400000);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){.rlim_cur = 100000, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    begin();
    setrlimit(RLIMIT_FSIZE, &small);
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, 400000);
    bool settled = testhost_settle(host, delivery, 10000);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_true(settled);
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_non_null(strstr(delivery->reason, "File too large"));
    assert_int_equal(count("out") + count_hidden("out"), 0);
    end();
    free(bytes);
}

static void a_cancelled_delivery_ends_as_retry_and_leaves_nothing(void **state)
{
    (void)state;
    char *bytes = malloc(2000000);
    memset(bytes, 'x', 2000000);
    begin();
    struct accord_delivery *delivery = drop("big", NULL, 1, bytes, 2000000);
    delivery->stall_at = 300000;
    pass(1);
    assert_false(delivery->finished);
    testhost_cancel(host, delivery);
    assert_true(testhost_settle(host, delivery, 10000));
    assert_int_equal(delivery->outcome, ACCORD_RETRY);
    assert_int_equal(count("out") + count_hidden("out"), 0);
    end();
    free(bytes);
}

static void closing_finishes_every_delivery(void **state)
{
    (void)state;
    char *bytes = malloc(500000);
    memset(bytes, 'x', 500000);
    struct accord_delivery *deliveries[10];
    begin();
    for (int i = 0; i < 10; i++)
        deliveries[i] = drop("big", NULL, 1, bytes, 500000);
    assert_true(testhost_settle(host, deliveries[0], 10000));
    testhost_close(host);
    assert_int_equal(testhost_complaints(host), 0);
    for (int i = 0; i < 10; i++)
        assert_true(deliveries[i]->finished);
    assert_int_equal(count_hidden("out"), 0);
    testhost_free(host);
    host = NULL;
    free(bytes);
}

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
    begin();
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
    assert_true(exists("in/rejected/plan.edi.reason.txt") && exists("out/answer.txt"));
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_settled_file_is_taken_exactly_once),
        in_folder(nothing_is_taken_before_it_has_settled),
        in_folder(a_growing_file_waits),
        in_folder(a_file_that_appears_while_running_is_taken),
        in_folder(an_empty_file_is_a_message),
        in_folder(a_large_file_crosses_in_pieces),
        in_folder(only_names_that_match_are_taken),
        in_folder(a_file_that_grows_after_the_claim_is_put_back),
        in_folder(a_claim_survives_a_restart_with_the_same_identity),
        in_folder(a_deferred_file_is_offered_again_later),
        in_folder(a_deferred_file_does_not_hold_up_others),
        in_folder(a_quarantined_file_goes_to_rejected_with_its_reason),
        in_folder(a_file_that_is_refused_unread_stays_as_the_only_copy),
        in_folder(a_rejected_file_that_is_put_back_is_a_new_message),
        in_folder(an_accepted_file_is_kept_where_the_service_says),
        in_folder(two_files_of_one_name_go_one_after_the_other),
        in_folder(links_and_devices_are_refused_and_told_once),
        in_folder(a_link_in_the_claimed_folder_is_not_followed),
        in_folder(a_folder_that_is_a_link_is_not_followed),
        in_folder(two_thousand_files_are_taken_once_each),
        in_folder(odd_names_are_sanitised_in_the_message_and_kept_on_disk),
        in_folder(a_folder_that_is_missing_is_told_and_taken_up_when_it_comes),
        in_folder(what_cannot_be_moved_stays_claimed_and_is_tried_again),
        in_folder(stopping_takes_nothing_new_and_starting_goes_on),
        in_folder(closing_in_the_middle_leaves_nothing_behind),
        in_folder(a_message_becomes_a_file_with_a_receipt),
        in_folder(a_file_is_not_visible_before_it_is_whole),
        in_folder(an_empty_message_is_an_empty_file),
        in_folder(nothing_is_ever_overwritten),
        in_folder(a_taken_name_is_refused_when_the_service_says_so),
        in_folder(a_message_that_comes_again_is_not_dropped_twice),
        in_folder(what_a_crash_left_is_removed),
        in_folder(names_from_the_bus_cannot_leave_the_folder),
        in_folder(a_missing_folder_is_a_retry_with_its_reason),
        in_folder(a_full_disk_is_a_retry_and_leaves_nothing),
        in_folder(a_cancelled_delivery_ends_as_retry_and_leaves_nothing),
        in_folder(closing_finishes_every_delivery),
        in_folder(mistakes_across_options_are_refused),
        in_folder(it_works_with_only_its_own_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
