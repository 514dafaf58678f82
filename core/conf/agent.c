#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/section.h"
#include "conf/user.h"
#include "util/file.h"
#include "util/text.h"

#define AGENT_FILE      "agent.conf"
#define TYPE_SIZE       INT64_C(10000000) /* of a type that says nothing */
#define PLUGIN_FILE_MAX 63

struct forms {
    struct form_agent agent;
    struct form_log log;
    struct form_store store;
    struct form_audit audit;
    struct form_limits limits;
};

static void take(const struct checking *check, const char *kind, void *form)
{
    section_take(check, schema_find(kind), conf_file_section(check->file, kind, ""), NULL, false, form);
}

/* What the command line said, made absolute. */
static void set_state(const struct checking *check, const char *path, struct conf_agent *agent)
{
    char here[PATH_MAX] = "";
    int result = 0;
    if (path[0] != '/')
        result =
            getcwd(here, sizeof here) ? file_path(agent->state, sizeof agent->state, here, path) : ACCORD_EIO;
    else if (strlen(path) < sizeof agent->state)
        text_copy(agent->state, sizeof agent->state, path);
    else
        result = ACCORD_ELIMIT;
    if (result)
        check_error(check, 0, "the state folder %.128s has too long a path: at most 511 bytes", path);
}

static void set_folders(const struct checking *check, const struct form_agent *form, const char *folder,
                        const char *state, struct conf_agent *agent)
{
    char real[PATH_MAX];
    set_state(check, state ? state : form->state ? form->state : "/var/lib/accord", agent);
    text_copy(agent->plugins, sizeof agent->plugins, form->plugins ? form->plugins : "");
    if (form->credentials)
        text_copy(agent->credentials, sizeof agent->credentials, form->credentials);
    else if (!realpath(folder, real) ||
             file_path(agent->credentials, sizeof agent->credentials, dirname(real), "credentials"))
        check_error(check, 0, "the folder of credentials beside %s cannot be named; set [agent] credentials",
                    folder);
}

static void set_user(const struct checking *check, const struct form_agent *form, struct conf_agent *agent)
{
    text_copy(agent->user, sizeof agent->user, form->user ? form->user : "");
    uid_t uid;
    if (!form->user || conf_user_find(form->user, &uid))
        return;
    conf_report_add(check->report, CONF_UNCHECKED, check->file->name,
                    conf_section_line(conf_file_section(check->file, "agent", ""), "user"),
                    "user: there is no user `%s` on this machine", form->user);
}

static void set_audit(const struct checking *check, const struct form_audit *form, struct conf_agent *agent)
{
    const struct schema *schema = schema_find("audit");
    const struct conf_section *section = conf_file_section(check->file, "audit", "");
    agent->anchor_every = form->anchor_every;
    agent->online_retention = section_keep(schema, section, "online-retention", form->online_retention);
    agent->archive_retention = section_keep(schema, section, "archive-retention", form->archive_retention);
    if (agent->archive_retention < agent->online_retention)
        check_error(
            check, conf_section_line(section, "archive-retention"),
            "archive-retention is shorter than online-retention: records are archived when they leave the "
            "online trail, so it must be at least as long");
}

/* ---- [plugins] ---- */

static bool is_plugin_file(const char *name)
{
    size_t size = strlen(name);
    return size > 3 && size <= PLUGIN_FILE_MAX && !strcmp(name + size - 3, ".so") &&
           (!strncmp(name, "connector-", 10) || !strncmp(name, "policy-", 7));
}

static int set_pins(const struct checking *check, struct conf_agent *agent)
{
    const struct conf_section *section = conf_file_section(check->file, "plugins", "");
    size_t count = section ? section->count : 0;
    agent->pins = calloc(count ? count : 1, sizeof *agent->pins);
    if (!agent->pins)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct conf_entry *entry = &section->entries[i];
        uint8_t bytes[DIGEST_SIZE];
        if (!is_plugin_file(entry->key))
            check_error(check, entry->line,
                        "`%s` is not the name of a plugin file; write connector-NAME.so or "
                        "policy-NAME.so",
                        entry->key);
        else if (!hex_decode(bytes, sizeof bytes, entry->value))
            check_error(check, entry->line,
                        "`%.80s` is not a SHA-256; write 64 lower-case hexadecimal digits, as "
                        "sha256sum prints them",
                        entry->value);
        struct accord_pair *pin = &agent->pins[agent->pin_count++];
        pin->name = strdup(entry->key);
        pin->value = strdup(entry->value);
        if (!pin->name || !pin->value)
            return ACCORD_ENOMEM;
    }
    return 0;
}

/* ---- [type NAME] ---- */

static bool is_media_type(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && slash > text && slash[1] && !strchr(slash + 1, '/') && !strchr(text, ' ');
}

static struct conf_type *type_slot(struct conf_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->type_count; i++)
        if (!strcmp(agent->types[i].name, name))
            return &agent->types[i];
    struct conf_type *type = &agent->types[agent->type_count++];
    text_copy(type->name, sizeof type->name, name);
    type->max_size = TYPE_SIZE;
    return type;
}

static void take_type(const struct checking *check, const struct conf_section *section,
                      struct conf_agent *agent)
{
    struct form_type form = {0};
    section_take(check, schema_find("type"), section, NULL, false, &form);
    struct conf_type *type = type_slot(agent, section->name);
    if (form.media && !is_media_type(form.media))
        check_error(check, conf_section_line(section, "media"),
                    "media: `%s` is not a media type such as application/edifact", form.media);
    if (form.media)
        text_copy(type->media, sizeof type->media, form.media);
    else if (!type->media[0] && !conf_section_entry(section, "media"))
        check_error(check, section->line,
                    "[type %s] lacks the key `media`; write media = application/..., or the "
                    "name of a built-in type",
                    section->name);
    if (form.max_size)
        type->max_size = form.max_size;
}

static int set_types(const struct checking *check, struct conf_agent *agent)
{
    size_t built_in = 0;
    while (schema_types[built_in].name)
        built_in++;
    agent->types = calloc(built_in + check->file->count, sizeof *agent->types);
    if (!agent->types)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < built_in; i++) {
        struct conf_type *type = type_slot(agent, schema_types[i].name);
        text_copy(type->media, sizeof type->media, schema_types[i].media);
        type->max_size = schema_types[i].max_size;
    }
    for (size_t i = 0; i < check->file->count; i++) {
        const struct conf_section *section = &check->file->sections[i];
        if (!strcmp(section->kind, "type") && section->name[0])
            take_type(check, section, agent);
    }
    return 0;
}

/* ---- what only a restart changes ---- */

static const struct fixed {
    const char *section, *key;
    size_t offset, size; /* size 0: a text */
} fixed[] = {
    {"agent", "user", offsetof(struct conf_agent, user), 0},
    {"agent", "state", offsetof(struct conf_agent, state), 0},
    {"agent", "plugins", offsetof(struct conf_agent, plugins), 0},
    {"store", "backend", offsetof(struct conf_agent, store_backend), 0},
    {"store", "segment-size", offsetof(struct conf_agent, segment_size), sizeof(int64_t)},
    {"store", "reserve", offsetof(struct conf_agent, reserve), sizeof(int64_t)},
    {"store", "key-file", offsetof(struct conf_agent, key_file), 0},
};

static void keep_fixed(const struct checking *check, const struct conf_agent *running,
                       struct conf_agent *agent)
{
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const struct fixed *f = &fixed[i];
        const char *from = (const char *)running + f->offset;
        char *to = (char *)agent + f->offset;
        if (f->size ? !memcmp(from, to, f->size) : !strcmp(from, to))
            continue;
        conf_report_add(
            check->report, CONF_RESTART, check->file->name,
            conf_section_line(conf_file_section(check->file, f->section, ""), f->key),
            "%s of [%s] has changed; the agent goes on with the former value until it is restarted", f->key,
            f->section);
        memcpy(to, from, f->size ? f->size : strlen(from) + 1);
    }
}

/* ---- the file ---- */

static int fill_agent(const struct checking *check, const char *folder, const char *state,
                      struct conf_agent *agent)
{
    struct forms forms = {0};
    section_check_kinds(check, SCHEMA_AGENT);
    take(check, "agent", &forms.agent);
    take(check, "log", &forms.log);
    take(check, "store", &forms.store);
    take(check, "audit", &forms.audit);
    take(check, "limits", &forms.limits);
    text_copy(agent->sha256, sizeof agent->sha256, check->file->sha256);
    set_user(check, &forms.agent, agent);
    set_folders(check, &forms.agent, folder, state, agent);
    set_audit(check, &forms.audit, agent);
    text_copy(agent->log_format, sizeof agent->log_format, forms.log.format ? "json" : "text");
    agent->log_level = (enum accord_level)forms.log.level; /* the choices stand in the enum's order */
    text_copy(agent->store_backend, sizeof agent->store_backend, forms.store.backend ? "memory" : "journal");
    agent->segment_size = forms.store.segment_size;
    agent->reserve = forms.store.reserve;
    agent->duplicate_horizon = forms.store.duplicate_horizon;
    agent->message_retention = forms.store.message_retention;
    agent->key_retention = forms.store.key_retention;
    text_copy(agent->key_file, sizeof agent->key_file, forms.store.key_file ? forms.store.key_file : "");
    agent->drain_timeout = forms.limits.drain_timeout;
    agent->answer_within = forms.limits.answer_within;
    agent->parked_retry = forms.limits.parked_retry;
    agent->watch = forms.agent.watch;
    int result = set_types(check, agent);
    return result ? result : set_pins(check, agent);
}

int conf_load_agent(const char *folder, const char *state, struct conf_agent *agent,
                    struct conf_report *report)
{
    return conf_reload_agent(folder, state, NULL, agent, report);
}

int conf_reload_agent(const char *folder, const char *state, const struct conf_agent *running,
                      struct conf_agent *agent, struct conf_report *report)
{
    *agent = (struct conf_agent){0};
    struct conf_file file = {.name = AGENT_FILE};
    struct arena arena = {0};
    char path[PATH_MAX];
    struct stat st;
    int result = 0;
    size_t before = conf_report_count(report, CONF_ERROR, NULL);
    if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
        conf_report_add(report, CONF_ERROR, AGENT_FILE, 0,
                        "there is no folder %s to read the configuration from", folder);
    else if (!file_path(path, sizeof path, folder, AGENT_FILE) && (lstat(path, &st) == 0 || errno != ENOENT))
        result = conf_file_read(folder, AGENT_FILE, &file, report);
    struct checking check = {.file = &file, .report = report, .arena = &arena};
    if (!result)
        result = fill_agent(&check, folder, state, agent);
    if (!result && running)
        keep_fixed(&check, running, agent);
    if (!result && arena.failed)
        result = ACCORD_ENOMEM;
    if (!result && conf_report_count(report, CONF_ERROR, NULL) > before)
        result = ACCORD_EINVAL;
    arena_fini(&arena);
    conf_file_fini(&file);
    return result;
}

static int copy_pins(const struct conf_agent *from, struct conf_agent *to)
{
    to->pin_count = 0;
    to->pins = calloc(from->pin_count + 1, sizeof *to->pins);
    for (size_t i = 0; to->pins && i < from->pin_count; i++) {
        struct accord_pair *pin = &to->pins[to->pin_count++];
        pin->name = strdup(from->pins[i].name);
        pin->value = strdup(from->pins[i].value);
        if (!pin->name || !pin->value)
            return ACCORD_ENOMEM;
    }
    return to->pins ? 0 : ACCORD_ENOMEM;
}

int conf_agent_copy(const struct conf_agent *from, struct conf_agent *to)
{
    *to = *from;
    to->types = calloc(from->type_count + 1, sizeof *to->types);
    if (to->types && from->type_count)
        memcpy(to->types, from->types, from->type_count * sizeof *to->types);
    int result = copy_pins(from, to);
    return to->types ? result : ACCORD_ENOMEM;
}

void conf_agent_fini(struct conf_agent *agent)
{
    for (size_t i = 0; agent->pins && i < agent->pin_count; i++) {
        free((void *)(uintptr_t)agent->pins[i].name);
        free((void *)(uintptr_t)agent->pins[i].value);
    }
    free(agent->pins);
    free(agent->types);
    *agent = (struct conf_agent){0};
}

const struct conf_type *conf_type_find(const struct conf_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->type_count; i++)
        if (!strcmp(agent->types[i].name, name))
            return &agent->types[i];
    return NULL;
}
