/* Which version of each file counts: the new one, or the one that runs. Nothing is taken on by halves: a file with
 * mistakes keeps its running version, and with it every file that is only sound together with what it changed.
 */
#include <string.h>

#include "conf/draft.h"

const struct conf_agreement *draft_version(const struct draft *draft)
{
    return draft->choice == DRAFT_RUNNING ? draft->running : draft->agreement;
}

static const struct conf_agreement *find_running(const struct conf_setting *setting, const char *name)
{
    for (size_t i = 0; i < setting->running_count; i++)
        if (!strcmp(setting->running[i]->name, name))
            return setting->running[i];
    return NULL;
}

static void keep(struct draft *draft)
{
    draft->choice = draft->running ? DRAFT_RUNNING : DRAFT_OUT;
}

/* ---- what stays, held against what would change ---- */

/* The other end of a route that a kept version has; NULL: it goes nowhere in that version either. */
static const struct conf_service *other_end(const struct conf_agreement *agreement,
                                            const struct conf_route *route)
{
    return agreement ? conf_service_find(agreement, route->service) : NULL;
}

static bool still_fits(const struct conf_service *service, const struct conf_service *before,
                       const struct conf_service *now)
{
    bool did = before->type && service->type && !strcmp(before->type->name, service->type->name);
    return !did || (now && now->type && !strcmp(now->type->name, service->type->name) &&
                    now->direction == before->direction);
}

/* `kept` was to change together with the file at the other end: without it, that one must wait. */
static bool hold_other(struct drafting *drafting, const struct draft *kept,
                       const struct conf_service *service, const struct conf_route *route)
{
    struct draft *other = draft_find(drafting, route->agreement);
    if (!other || other == kept || other->choice != DRAFT_NEW || !other->running)
        return false;
    const struct conf_service *before = other_end(other->running, route);
    if (!before || still_fits(service, before, other_end(other->agreement, route)))
        return false;
    struct checking check = draft_checking(drafting, other);
    const struct conf_section *section = conf_file_section(&other->file, "service", route->service);
    check_error(
        &check, section ? conf_section_line(section, "type") : 0,
        "%s/%s goes on as it runs, because %s has mistakes, and has a route with %s/%s, which would not fit "
        "any more; this file waits until %s is corrected",
        kept->running->name, service->name, kept->file.name, route->agreement, route->service,
        kept->file.name);
    keep(other);
    return true;
}

/* A file that is as it was and fails has been broken by the others: those are what was meant. */
static bool hold_others(struct drafting *drafting, const struct draft *kept)
{
    bool held = false;
    if (!strcmp(kept->file.sha256, kept->running->sha256))
        return false;
    for (size_t i = 0; i < kept->running->service_count; i++) {
        const struct conf_service *service = &kept->running->services[i];
        for (size_t j = 0; j < service->from_count; j++)
            held = hold_other(drafting, kept, service, &service->from[j]) || held;
        for (size_t j = 0; j < service->to_count; j++)
            held = hold_other(drafting, kept, service, &service->to[j]) || held;
    }
    return held;
}

/* ---- former names ---- */

static size_t count_adopters(const struct drafting *drafting, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < drafting->count; i++)
        count += drafting->drafts[i].agreement && !strcmp(drafting->drafts[i].agreement->formerly, name);
    return count;
}

static void check_formerly(struct drafting *drafting, const struct draft *draft)
{
    struct checking check = draft_checking(drafting, draft);
    const char *name = draft->agreement->formerly;
    int line = conf_section_line(conf_file_section(&draft->file, "agreement", ""), "formerly");
    if (!*name || draft->damaged)
        return;
    if (draft_find(drafting, name))
        check_error(
            &check, line,
            "formerly: %s.conf is still there, and keeps its messages; remove that file, or this line", name);
    else if (count_adopters(drafting, name) > 1)
        check_error(&check, line,
                    "formerly: more than one file takes over the messages of `%s`; only one can", name);
}

/* ---- all of them ---- */

/* Problems of a file that counts with its new version come from this round; it then does not count any more. */
static bool judge(struct drafting *drafting, struct draft *draft)
{
    size_t before = conf_report_count(drafting->report, CONF_ERROR, draft->file.name);
    draft_check_routes(drafting, draft);
    if (conf_report_count(drafting->report, CONF_ERROR, draft->file.name) == before)
        return false;
    if (draft->choice == DRAFT_NEW)
        keep(draft);
    return true;
}

void draft_choose(struct drafting *drafting)
{
    for (size_t i = 0; i < drafting->count; i++) {
        struct draft *draft = &drafting->drafts[i];
        check_formerly(drafting, draft);
        draft->running = find_running(drafting->setting, draft->agreement->name);
        if (draft_is_broken(drafting, draft))
            keep(draft);
    }
    /* What is wrong in files that are left out anyway is said once. */
    for (size_t i = 0; i < drafting->count; i++)
        if (drafting->drafts[i].choice != DRAFT_NEW)
            judge(drafting, &drafting->drafts[i]);
    bool again = true;
    while (again) { /* every round but the last takes one new version back */
        again = false;
        for (size_t i = 0; i < drafting->count; i++)
            if (drafting->drafts[i].choice == DRAFT_NEW)
                again = judge(drafting, &drafting->drafts[i]) || again;
        for (size_t i = 0; i < drafting->count; i++)
            if (drafting->drafts[i].choice == DRAFT_RUNNING)
                again = hold_others(drafting, &drafting->drafts[i]) || again;
    }
}
