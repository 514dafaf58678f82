#include "conf/conf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/draft.h"
#include "conf/folder.h"
#include "util/file.h"
#include "util/text.h"

#define AGREEMENTS_MAX 256

/* What conf_load() hands out, with the memory that everything in it is made of. */
struct loaded {
    struct conf conf;
    struct arena arena;
};

struct checking draft_checking(struct drafting *drafting, const struct draft *draft)
{
    return (struct checking){.file = &draft->file, .report = drafting->report, .arena = &drafting->forms};
}

struct draft *draft_find(const struct drafting *drafting, const char *agreement)
{
    for (size_t i = 0; i < drafting->count; i++)
        if (drafting->drafts[i].agreement && !strcmp(drafting->drafts[i].agreement->name, agreement))
            return &drafting->drafts[i];
    return NULL;
}

bool draft_is_broken(const struct drafting *drafting, const struct draft *draft)
{
    return conf_report_count(drafting->report, CONF_ERROR, draft->file.name) > 0;
}

size_t draft_count(const struct draft *draft, const char *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < draft->file.count; i++)
        count += !strcmp(draft->file.sections[i].kind, kind) && draft->file.sections[i].name[0];
    return count;
}

int draft_each(struct drafting *drafting, struct draft *draft, const char *kind,
               int (*take)(struct drafting *, struct draft *, const struct conf_section *))
{
    int result = 0;
    for (size_t i = 0; i < draft->file.count && !result; i++) {
        const struct conf_section *section = &draft->file.sections[i];
        if (!strcmp(section->kind, kind) && section->name[0])
            result = take(drafting, draft, section);
    }
    return result;
}

/* ---- the folder ---- */

/* An agreement's file or site.conf. Others are noted, but for agent.conf and hidden ones. */
static bool is_agreement_file(const char *name, struct conf_report *report)
{
    if (name[0] == '.' || !strcmp(name, "agent.conf"))
        return false;
    if (conf_folder_counts(name))
        return true;
    conf_report_add(report, CONF_NOTE, name, 0,
                    "not read: files of agreements are called NAME.conf, NAME being 1 to "
                    "63 lower-case letters, digits and hyphens");
    return false;
}

static int site_first(const void *a, const void *b)
{
    const struct draft *left = a, *right = b;
    bool left_site = !strcmp(left->file.name, CONF_SITE ".conf");
    bool right_site = !strcmp(right->file.name, CONF_SITE ".conf");
    return left_site != right_site ? right_site - left_site : strcmp(left->file.name, right->file.name);
}

static int list_files(struct drafting *drafting, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOMEM ? ACCORD_ENOMEM : ACCORD_EIO;
    drafting->drafts = arena_array(&drafting->forms, AGREEMENTS_MAX, sizeof *drafting->drafts);
    const struct dirent *entry;
    while (drafting->drafts && (entry = readdir(dir))) {
        if (!is_agreement_file(entry->d_name, drafting->report))
            continue;
        if (drafting->count == AGREEMENTS_MAX) {
            conf_report_add(drafting->report, CONF_ERROR, entry->d_name, 0,
                            "not read: at most 256 agreements");
            continue;
        }
        struct draft *draft = &drafting->drafts[drafting->count++];
        text_copy(draft->file.name, sizeof draft->file.name, entry->d_name);
    }
    closedir(dir);
    if (!drafting->drafts)
        return ACCORD_ENOMEM;
    qsort(drafting->drafts, drafting->count, sizeof *drafting->drafts, site_first);
    return 0;
}

static int read_one(struct drafting *drafting, const char *folder, const char *name, struct conf_file *file)
{
    const struct conf_setting *setting = drafting->setting;
    if (!setting->instead || strcmp(setting->instead, name) != 0)
        return conf_file_read(folder, name, file, drafting->report);
    int result = conf_file_parse(name, setting->bytes, setting->size, file, drafting->report);
    if (!result && file_path(file->path, sizeof file->path, folder, name) < 0)
        conf_report_add(drafting->report, CONF_ERROR, name, 0, "its path is too long");
    return result;
}

static int build_all(struct drafting *drafting, const char *folder)
{
    int result = list_files(drafting, folder);
    for (size_t i = 0; i < drafting->count && !result; i++) {
        struct draft *draft = &drafting->drafts[i];
        char name[256];
        text_copy(name, sizeof name, draft->file.name);
        result = read_one(drafting, folder, name, &draft->file);
        if (!result)
            result = draft_build(drafting, draft);
        if (!result && !draft_is_broken(drafting, draft))
            result = draft_check_slots(drafting, draft);
        draft->damaged = draft_is_broken(drafting, draft);
    }
    return result ? result : drafting->forms.failed ? ACCORD_ENOMEM : 0;
}

/* A receiving service that nothing listens to: everything it brings ends in quarantine. */
static void count_one(void *arg, const struct conf_agreement *agreement, const struct conf_service *service)
{
    (void)agreement;
    (void)service;
    ++*(size_t *)arg;
}

/* `all`: with the running versions that stay. */
static void note_unheard(struct drafting *drafting, const struct conf *conf, const struct conf *all)
{
    for (size_t i = 0; i < conf->agreement_count; i++) {
        const struct conf_agreement *agreement = conf->agreements[i];
        const struct draft *draft = draft_find(drafting, agreement->name);
        struct checking check = draft_checking(drafting, draft);
        for (size_t j = 0; j < agreement->service_count; j++) {
            const struct conf_service *service = &agreement->services[j];
            size_t takers = 0;
            conf_routes(all, agreement, service, count_one, &takers);
            if (service->direction == ACCORD_RECEIVE && !takers)
                check_note(
                    &check, conf_section_line(conf_file_section(&draft->file, "service", service->name), ""),
                    "no service takes what [service %s] receives: it will be quarantined", service->name);
        }
    }
}

static int settle(struct drafting *drafting, struct conf *conf)
{
    draft_choose(drafting);
    conf->agreements = arena_array(drafting->arena, drafting->count, sizeof *conf->agreements);
    conf->files = arena_array(drafting->arena, drafting->count, sizeof *conf->files);
    struct conf all = {.agreements = arena_array(&drafting->forms, drafting->count, sizeof *all.agreements)};
    if (!conf->agreements || !conf->files || !all.agreements)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < drafting->count; i++) {
        struct draft *draft = &drafting->drafts[i];
        text_copy(conf->files[conf->file_count++], sizeof *conf->files, draft->agreement->name);
        if (draft->choice != DRAFT_OUT)
            all.agreements[all.agreement_count++] = (struct conf_agreement *)draft_version(draft);
        if (draft->choice != DRAFT_NEW)
            continue;
        draft_prune_routes(drafting, draft);
        conf->agreements[conf->agreement_count++] = draft->agreement;
    }
    note_unheard(drafting, conf, &all);
    return drafting->report->failed ? ACCORD_ENOMEM : 0;
}

int conf_load(const char *folder, struct conf_agent *agent, const struct conf_plugins *plugins,
              struct conf **out, struct conf_report *report)
{
    static const struct conf_setting alone;
    return conf_load_with(folder, agent, plugins, &alone, out, report);
}

int conf_load_with(const char *folder, struct conf_agent *agent, const struct conf_plugins *plugins,
                   const struct conf_setting *setting, struct conf **out, struct conf_report *report)
{
    *out = NULL;
    struct loaded *loaded = calloc(1, sizeof *loaded);
    if (!loaded)
        return ACCORD_ENOMEM;
    struct drafting drafting = {.agent = &loaded->conf.agent,
                                .plugins = plugins,
                                .setting = setting,
                                .report = report,
                                .arena = &loaded->arena};
    loaded->conf.agent = *agent;
    *agent = (struct conf_agent){0};
    text_copy(loaded->conf.folder, sizeof loaded->conf.folder, folder);
    int result = build_all(&drafting, folder);
    if (!result)
        result = settle(&drafting, &loaded->conf);
    for (size_t i = 0; i < drafting.count; i++)
        conf_file_fini(&drafting.drafts[i].file);
    arena_fini(&drafting.forms);
    if (result) {
        conf_free(&loaded->conf);
        return result;
    }
    *out = &loaded->conf;
    return 0;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    struct loaded *loaded = (struct loaded *)conf; /* its first member */
    conf_agent_fini(&conf->agent);
    arena_fini(&loaded->arena);
    free(loaded);
}

const struct conf_agreement *conf_agreement_find(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->agreement_count; i++)
        if (!strcmp(conf->agreements[i]->name, name))
            return conf->agreements[i];
    return NULL;
}

bool conf_has_file(const struct conf *conf, const char *agreement)
{
    for (size_t i = 0; i < conf->file_count; i++)
        if (!strcmp(conf->files[i], agreement))
            return true;
    return false;
}

const struct conf_service *conf_service_find(const struct conf_agreement *agreement, const char *name)
{
    for (size_t i = 0; i < agreement->service_count; i++)
        if (!strcmp(agreement->services[i].name, name))
            return &agreement->services[i];
    return NULL;
}

bool conf_reads_payload(const struct conf_agreement *agreement)
{
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (agreement->policies[i].module->flags & ACCORD_READS_PAYLOAD)
            return true;
    return false;
}
