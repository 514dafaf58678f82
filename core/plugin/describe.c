#include "plugin/describe.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/answers.h"
#include "plugin/loader.h"
#include "plugin/spawn.h"
#include "util/file.h"
#include "util/text.h"

#define PLUGINS_MAX 64
#define DEADLINE_MS 10000
#define END_MS      1000 /* from closing its channel to its death */

static int refuse(char rule[ACCORD_RULE_MAX], const char *name, int code)
{
    text_copy(rule, ACCORD_RULE_MAX, name);
    return code;
}

/* ---- the talk with it ---- */

/* Real time, also in tests with a virtual clock: the child lives in real time. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int send_questions(int fd, const char *folder, const char *path, const char *sha256,
                          struct reason *why)
{
    struct buf out = {0};
    wire_put_SETUP(&out,
                   &(struct wire_SETUP){.version = WIRE_VERSION, .role = "describe", .plugins = folder});
    wire_put_LOAD(&out, &(struct wire_LOAD){.plugin = path, .sha256 = sha256});
    ssize_t n = out.failed ? -1 : send(fd, out.data, out.size, MSG_NOSIGNAL);
    buf_fini(&out);
    return n < 0 ? fail(why, ACCORD_EIO, "cannot ask the describing child: %s", strerror(errno)) : 0;
}

/* 1 a datagram, 0 the child is gone, negative: too late or broken. */
static int receive(int fd, int64_t deadline, struct buf *datagram, struct reason *why)
{
    buf_clear(datagram);
    uint8_t *to = buf_reserve(datagram, WIRE_DATAGRAM_MAX);
    if (!to)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    for (;;) {
        int64_t left = deadline - now_ms();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return fail(why, ACCORD_ETIMEOUT,
                        "it did not describe itself in time; does it do work when it is loaded?");
        /* A descriptor that it sends is not wanted: without room for control data the kernel closes it. */
        ssize_t n = recv(fd, to, WIRE_DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n > WIRE_DATAGRAM_MAX)
            return fail(why, ACCORD_EPROTO, "it sent a datagram of %zd bytes", n);
        datagram->size = n > 0 ? (size_t)n : 0;
        return n > 0;
    }
}

static int converse(int fd, int deadline_ms, struct answers *answers, bool *gone, char rule[ACCORD_RULE_MAX],
                    struct reason *why)
{
    struct buf datagram = {0};
    int64_t deadline = now_ms() + deadline_ms;
    int more = 1;
    while (more == 1) {
        more = receive(fd, deadline, &datagram, why);
        refuse(rule, more == ACCORD_ETIMEOUT ? "plugin.silent" : "plugin.protocol", 0);
        if (!more) {
            *gone = true;
            more = refuse(rule, "plugin.crashed", ACCORD_EPROTO);
        } else if (more > 0) {
            more = answers_take(answers, (struct wire_bytes){datagram.data, datagram.size}, why);
            if (more < 0)
                refuse(rule, answers->rule, more);
        }
    }
    buf_fini(&datagram);
    return more;
}

/* A plugin that crashed is told by how its process ended. */
static void explain_end(int status, struct reason *why)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        fail(why, 0, "it was killed while loading: it tried a system call that no plugin may use");
    else if (WIFSIGNALED(status))
        fail(why, 0, "it crashed while loading (signal %d, %s); report this to whoever wrote it",
             WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fail(why, 0, "it ended its process while loading (status %d); report this to whoever wrote it",
             WEXITSTATUS(status));
}

static int run(const char *executable, const char *path, const char *sha256, int deadline_ms,
               struct answers *answers, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    char folder[512], file[512];
    text_copy(folder, sizeof folder, path);
    text_copy(file, sizeof file, path);
    pid_t pid;
    int channel;
    bool gone = false;
    refuse(rule, "hub.spawn", 0);
    int result = spawn_child(executable, "describe", basename(file), &pid, &channel, why);
    if (result)
        return result;
    result = send_questions(channel, dirname(folder), path, sha256, why);
    if (!result)
        result = converse(channel, deadline_ms, answers, &gone, rule, why);
    close(channel);
    /* What it says is said: only one that went by itself gets time to end. */
    int status = spawn_end(pid, gone ? END_MS : 0);
    if (gone)
        explain_end(status, why);
    return result;
}

/* ---- one file ---- */

/* connector-NAME.so holds the connector NAME. */
static bool fits_file(const struct conf_plugin *plugin, const char *path)
{
    char expected[CONF_NAME_MAX + 16];
    const char *kind = plugin->kind == ACCORD_CONNECTOR ? "connector" : "policy";
    snprintf(expected, sizeof expected, "%s-%s.so", kind, plugin->name);
    return strcmp(strrchr(path, '/') + 1, expected) == 0;
}

int plugin_describe(const char *executable, const char *path, const char *sha256, int deadline_ms,
                    struct conf_plugin *out, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    if (path[0] != '/' || strlen(path) >= sizeof out->path)
        return refuse(rule, "plugin.unsafe-file",
                      fail(why, ACCORD_EINVAL, "%.200s is not an absolute path", path));
    struct answers answers;
    answers_init(&answers);
    int result = run(executable, path, sha256, deadline_ms, &answers, rule, why);
    if (!result && !fits_file(&answers.plugin, path))
        result = refuse(
            rule, "plugin.malformed",
            fail(why, ACCORD_EFORMAT, "it calls itself the %s %s, which its file name does not say",
                 answers.plugin.kind == ACCORD_CONNECTOR ? "connector" : "policy", answers.plugin.name));
    if (!result) {
        *out = answers.plugin;
        answers.plugin.options = answers.plugin.service_options = NULL;
        text_copy(out->path, sizeof out->path, path);
        text_copy(out->sha256, sizeof out->sha256, sha256);
    }
    answers_fini(&answers);
    return result;
}

/* ---- a folder ---- */

static int is_plugin_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return (strncmp(entry->d_name, "connector-", 10) == 0 || strncmp(entry->d_name, "policy-", 7) == 0) &&
           size > 3 && strcmp(entry->d_name + size - 3, ".so") == 0;
}

static const char *pin_of(const struct accord_pair *pins, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pins[i].name, file) == 0)
            return pins[i].value;
    return NULL;
}

static int describe_file(const char *executable, const char *folder, const char *file, const char *pin,
                         struct conf_plugin *out, struct conf_report *report)
{
    char path[512], rule[ACCORD_RULE_MAX] = "plugin.missing", sha256[DIGEST_HEX];
    struct reason why = {"its path is too long"};
    int result = file_path(path, sizeof path, folder, file);
    if (!result)
        result = plugin_inspect_file(path, sha256, rule, &why);
    if (!result && pin && strcmp(pin, sha256) != 0)
        result = refuse(rule, "plugin.hash",
                        fail(&why, ACCORD_EDENIED,
                             "its SHA-256 is %s, but [plugins] in agent.conf pins %.64s; if it was "
                             "replaced on purpose, change the pin",
                             sha256, pin));
    if (!result)
        result = plugin_describe(executable, path, sha256, DEADLINE_MS, out, rule, &why);
    if (result)
        conf_report_add(report, CONF_ERROR, file, 0, "plugin not loaded: %s [%s]", why.text, rule);
    return result;
}

static void check_pins(const char *folder, const struct accord_pair *pins, size_t count,
                       struct conf_report *report)
{
    char path[512];
    for (size_t i = 0; i < count; i++)
        if (file_path(path, sizeof path, folder, pins[i].name) < 0 || access(path, F_OK) < 0)
            conf_report_add(report, CONF_ERROR, pins[i].name, 0,
                            "agent.conf pins this plugin, but it is not in %s; install it or remove the pin",
                            folder);
}

int plugin_describe_all(const char *executable, const char *folder, const struct accord_pair *pins,
                        size_t pin_count, struct conf_plugins *out, struct conf_report *report)
{
    char absolute[PATH_MAX], shown[512];
    text_copy(shown, sizeof shown, folder);
    *out = (struct conf_plugins){0};
    struct dirent **entries = NULL;
    int found = realpath(folder, absolute) ? scandir(absolute, &entries, is_plugin_file, alphasort) : -1;
    if (found < 0) {
        conf_report_add(report, CONF_ERROR, basename(shown), 0,
                        "cannot read the plugin folder %s: %s; set plugins in "
                        "agent.conf",
                        folder, strerror(errno));
        return error_from_errno(errno);
    }
    int result = 0;
    out->items = calloc(PLUGINS_MAX, sizeof *out->items);
    if (!out->items)
        result = ACCORD_ENOMEM;
    if (found > PLUGINS_MAX)
        conf_report_add(report, CONF_ERROR, basename(shown), 0,
                        "%d plugins are more than %d; the rest is left out", found, PLUGINS_MAX);
    for (int i = 0; i < found; i++) {
        if (!result && i < PLUGINS_MAX &&
            describe_file(executable, absolute, entries[i]->d_name,
                          pin_of(pins, pin_count, entries[i]->d_name), &out->items[out->count], report) == 0)
            out->count++;
        free(entries[i]);
    }
    free(entries);
    check_pins(absolute, pins, pin_count, report);
    return result;
}
