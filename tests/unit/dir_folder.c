#include "dir_folder.h"
#include "scratch.h"

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

#include <cmocka.h> /* last: its fail() is a macro */

char root[64];
struct service_options options[2];
struct accord_service services[2];
struct accord_link_setup setup;
struct testhost *host;

static struct link_options link_options;

/* ---- files ---- */

const char *at(const char *below)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 1024, "%s/%s", root, below);
    return path;
}

void put_bytes(const char *below, const void *bytes, size_t size)
{
    int fd = open(at(below), O_WRONLY | O_CREAT | O_APPEND, 0640);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        fail_msg("cannot write %s", below);
    close(fd);
}

void put_text(const char *below, const char *text)
{
    put_bytes(below, text, strlen(text));
}

char *get_text(const char *below)
{
    static char bytes[4096];
    int fd = open(at(below), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes - 1);
    if (fd >= 0)
        close(fd);
    bytes[n > 0 ? n : 0] = 0;
    return n < 0 ? NULL : bytes;
}

bool file_exists(const char *below)
{
    struct stat st;
    return lstat(at(below), &st) == 0;
}

size_t count_files(const char *below)
{
    size_t n = 0;
    DIR *dir = opendir(at(below));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.' && strcmp(entry->d_name, "rejected") != 0;
    if (dir)
        closedir(dir);
    return n;
}

size_t count_hidden(const char *below)
{
    size_t n = 0;
    DIR *dir = opendir(at(below));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] == '.' && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return n;
}

/* ---- the connector in its host ---- */

void connector_begin(void)
{
    host = testhost_new(accord_plugin.connector, TESTHOST_VIRTUAL_CLOCK);
    if (testhost_open(host, &setup))
        fail_msg("%s", testhost_why(host));
    testhost_start(host);
}

void connector_end(void)
{
    if (!host)
        return;
    testhost_close(host);
    assert_int_equal(testhost_complaints(host), 0);
    testhost_free(host);
    host = NULL;
}

int folder_make(void **state)
{
    static const struct accord_service *const told[] = {&services[TAKE], &services[DROP]};
    (void)state;
    strcpy(root, "/tmp/accord-dir-XXXXXX");
    if (!mkdtemp(root) || mkdir(at("in"), 0750) || mkdir(at("out"), 0750))
        return -1;
    link_options.path = root;
    options[TAKE] = (struct service_options){.folder = "in", .pattern = "*", .settle = 2000, .rescan = 1000};
    options[DROP] = (struct service_options){.folder = "out", .pattern = "*", .settle = 2000, .rescan = 1000};
    services[TAKE] =
        (struct accord_service){"plans", "stow-plan", ACCORD_RECEIVE, &options[TAKE], 1 << 30, ""};
    services[DROP] =
        (struct accord_service){"answers", "cbp-response", ACCORD_SEND, &options[DROP], 1 << 30, ""};
    setup = (struct accord_link_setup){
        .agreement = "site", .name = "files", .options = &link_options, .services = told, .service_count = 2};
    host = NULL;
    return 0;
}

int folder_clean(void **state)
{
    (void)state;
    if (host)
        testhost_free(host);
    host = NULL;
    scratch_remove(root);
    return 0;
}

bool within(int64_t ms, bool (*condition)(void *), void *arg)
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

void wait_offers(size_t wanted)
{
    if (!within(60000, offers_made, &wanted))
        fail_msg("%zu offers, not %zu", testhost_offers(host), wanted);
}

bool is_there(void *arg)
{
    return file_exists(arg);
}

bool is_empty(void *arg)
{
    return count_files(arg) == 0;
}

bool claimed_empty(void *arg)
{
    (void)arg;
    return count_files("in/.accord/claimed/plans") == 0 && file_exists("in/.accord/claimed/plans");
}

bool all_taken(void *arg)
{
    return is_empty(arg) && claimed_empty(arg);
}

static bool passes_made(void *arg)
{
    return testhost_metric(host, "passes") >= *(int64_t *)arg;
}

void wait_passes(int64_t more)
{
    int64_t wanted = testhost_metric(host, "passes") + more;
    assert_true(within(200000, passes_made, &wanted));
}

bool was_logged(void *arg)
{
    return testhost_logged(host, arg) > 0;
}

bool offer_over(void *arg)
{
    const struct accord_offer *offer = testhost_offer(host, *(size_t *)arg);
    return offer && (offer->done || offer->aborted);
}

void assert_offer(size_t index, const char *name, const char *content)
{
    assert_true(within(60000, offer_over, &index));
    const struct accord_offer *offer = testhost_offer(host, index);
    assert_string_equal(offer->name, name);
    assert_true(offer->done);
    assert_int_equal(offer->declared, strlen(content));
    assert_int_equal(offer->size, strlen(content));
    assert_memory_equal(offer->bytes, content, strlen(content));
}

struct accord_delivery *drop(const char *name, const char *id, int64_t attempt, const void *bytes,
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

struct accord_delivery *drop_text(const char *name, const char *text)
{
    struct accord_delivery *delivery = drop(name, NULL, 1, text, strlen(text));
    assert_true(testhost_settle(host, delivery, 10000));
    return delivery;
}
