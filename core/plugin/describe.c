#include "plugin/describe.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/cache.h"
#include "plugin/loader.h"
#include "plugin/talk.h"
#include "util/file.h"
#include "util/text.h"

#define PLUGINS_MAX 64

static int refuse(char rule[ACCORD_RULE_MAX], const char *name, int code)
{
    text_copy(rule, ACCORD_RULE_MAX, name);
    return code;
}

/* ---- the talk with it ---- */

static void put_questions(struct buf *out, const char *folder, const char *path, const char *sha256)
{
    wire_put_SETUP(out, &(struct wire_SETUP){.version = WIRE_VERSION, .role = "describe", .plugins = folder});
    wire_put_LOAD(out, &(struct wire_LOAD){.plugin = path, .sha256 = sha256});
}

/* `said` receives what answers were made of. */
static int converse(struct talk *talk, int deadline_ms, struct answers *answers, struct buf *said,
                    char rule[ACCORD_RULE_MAX], struct reason *why)
{
    struct buf datagram = {0};
    int64_t deadline = talk_now() + deadline_ms;
    int more = 1;
    while (more == 1) {
        more = talk_receive(talk, deadline, &datagram, why);
        refuse(rule, "plugin.protocol", 0);
        if (more == ACCORD_ETIMEOUT) {
            refuse(rule, "plugin.silent", 0);
            fail(why, 0, "it did not describe itself in time; does it do work when it is loaded?");
        } else if (!more) {
            more = refuse(rule, "plugin.crashed", ACCORD_EPROTO);
        } else if (more > 0) {
            struct wire_bytes bytes = {datagram.data, datagram.size};
            cache_add(said, bytes);
            more = answers_take(answers, bytes, why);
            if (more < 0)
                refuse(rule, answers->rule, more);
        }
    }
    buf_fini(&datagram);
    return more;
}

static int run(const struct describing *how, const char *path, const char *sha256, struct answers *answers,
               struct buf *said, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    char folder[512], file[512];
    text_copy(folder, sizeof folder, path);
    text_copy(file, sizeof file, path);
    struct talk talk;
    struct buf out = {0};
    refuse(rule, "hub.spawn", 0);
    int result = talk_open(&talk, how->executable, basename(file), how->cancel, why);
    if (result)
        return result;
    put_questions(&out, dirname(folder), path, sha256);
    result = talk_send(&talk, &out, talk_now() + how->deadline_ms, why);
    if (!result)
        result = converse(&talk, how->deadline_ms, answers, said, rule, why);
    buf_fini(&out);
    talk_close(&talk, "loading", why);
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

/* The plugin's words as the configuration has them. Takes them out of `answers`. */
static int take(struct answers *answers, const char *path, const char *sha256, struct conf_plugin *out,
                char rule[ACCORD_RULE_MAX], struct reason *why)
{
    if (!fits_file(&answers->plugin, path))
        return refuse(rule, "plugin.malformed",
                      fail(why, ACCORD_EFORMAT, "it calls itself the %s %s, which its file name does not say",
                           answers->plugin.kind == ACCORD_CONNECTOR ? "connector" : "policy",
                           answers->plugin.name));
    *out = answers->plugin;
    answers->plugin.options = answers->plugin.service_options = NULL;
    text_copy(out->path, sizeof out->path, path);
    text_copy(out->sha256, sizeof out->sha256, sha256);
    return 0;
}

static int describe(const struct describing *how, const char *path, const char *sha256,
                    struct conf_plugin *out, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    struct answers answers;
    struct buf said = {0};
    if (path[0] != '/' || strlen(path) >= sizeof out->path)
        return refuse(rule, "plugin.unsafe-file",
                      fail(why, ACCORD_EINVAL, "%.200s is not an absolute path", path));
    bool kept = how->cache && cache_get(how->cache, sha256, &answers);
    int result = 0;
    if (!kept) {
        answers_init(&answers);
        result = run(how, path, sha256, &answers, &said, rule, why);
    }
    if (!result)
        result = take(&answers, path, sha256, out, rule, why);
    if (!result && how->cache && !kept)
        cache_put(how->cache, sha256, &said);
    answers_fini(&answers);
    buf_fini(&said);
    return result;
}

int plugin_describe(const char *executable, const char *path, const char *sha256, int deadline_ms,
                    struct conf_plugin *out, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    const struct describing how = {.executable = executable, .deadline_ms = deadline_ms};
    return describe(&how, path, sha256, out, rule, why);
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

static int describe_file(const struct describing *how, const char *folder, const char *file,
                         struct conf_plugin *out, struct conf_report *report)
{
    const char *pin = pin_of(how->pins, how->pin_count, file);
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
        result = describe(how, path, sha256, out, rule, &why);
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
    const struct describing how = {.executable = executable,
                                   .folder = folder,
                                   .pins = pins,
                                   .pin_count = pin_count,
                                   .deadline_ms = DESCRIBE_MS};
    return plugin_describe_with(&how, out, report);
}

/* Those of the list that say what they are. Frees the list. */
static void describe_list(const struct describing *how, const char *folder, struct dirent **entries,
                          int found, struct conf_plugins *out, struct conf_report *report)
{
    for (int i = 0; i < found; i++) {
        bool over = i >= PLUGINS_MAX || (how->cancel && atomic_load(how->cancel));
        if (out->items && !over &&
            describe_file(how, folder, entries[i]->d_name, &out->items[out->count], report) == 0)
            out->count++;
        free(entries[i]);
    }
    free(entries);
}

int plugin_describe_with(const struct describing *how, struct conf_plugins *out, struct conf_report *report)
{
    char absolute[PATH_MAX], shown[512];
    text_copy(shown, sizeof shown, how->folder);
    *out = (struct conf_plugins){0};
    struct dirent **entries = NULL;
    int found = realpath(how->folder, absolute) ? scandir(absolute, &entries, is_plugin_file, alphasort) : -1;
    if (found < 0) {
        conf_report_add(report, CONF_ERROR, basename(shown), 0,
                        "cannot read the plugin folder %s: %s; set plugins in "
                        "agent.conf",
                        how->folder, strerror(errno));
        return error_from_errno(errno);
    }
    if (found > PLUGINS_MAX)
        conf_report_add(report, CONF_ERROR, basename(shown), 0,
                        "%d plugins are more than %d; the rest is left out", found, PLUGINS_MAX);
    out->items = calloc(PLUGINS_MAX, sizeof *out->items);
    describe_list(how, absolute, entries, found, out, report);
    check_pins(absolute, how->pins, how->pin_count, report);
    if (how->cache)
        cache_tidy(how->cache, out);
    if (how->cancel && atomic_load(how->cancel))
        return ACCORD_ECANCELED;
    return out->items ? 0 : ACCORD_ENOMEM;
}
