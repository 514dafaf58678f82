#include "conf/draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/calendar.h"
#include "conf/names.h"
#include "util/clock.h"
#include "util/text.h"

#define RENEW_DAYS 180 /* the paperwork of a renewal starts half a year ahead */

/* Every agreement has these, and they answer first, in this order. */
static const char *const always[] = {"services", "encryption", "logging"};
#define ALWAYS (sizeof always / sizeof *always)

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* ---- [contact X] ---- */

static int take_contact(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    struct form_contact form = {0};
    struct conf_contact *contact = &draft->agreement->contacts[draft->agreement->contact_count++];
    section_take(&check, schema_find("contact"), section, NULL, false, &form);
    if (form.email && !strchr(form.email, '@'))
        check_error(&check, conf_section_line(section, "email"), "email: `%s` is not a mail address",
                    form.email);
    text_copy(contact->name, sizeof contact->name, section->name);
    text_copy(contact->title, sizeof contact->title, text_or_empty(form.name));
    text_copy(contact->person, sizeof contact->person, text_or_empty(form.person));
    text_copy(contact->phone, sizeof contact->phone, text_or_empty(form.phone));
    text_copy(contact->email, sizeof contact->email, text_or_empty(form.email));
    return 0;
}

/* ---- [agreement] ---- */

static void set_incident_contact(const struct checking *check, const struct conf_section *section,
                                 const struct form_agreement *form, struct conf_agreement *agreement)
{
    struct names names = {0};
    char hint[300];
    if (!form->incident_to)
        return;
    for (size_t i = 0; i < agreement->contact_count; i++) {
        names_add(&names, agreement->contacts[i].name);
        if (!strcmp(agreement->contacts[i].name, form->incident_to))
            agreement->incident_to = &agreement->contacts[i];
    }
    names_hint(&names, form->incident_to, hint, sizeof hint);
    if (!agreement->incident_to)
        check_error(check, conf_section_line(section, "incident-to"),
                    "incident-to: there is no [contact %s]; %s", form->incident_to, hint);
}

static void note_dates(const struct checking *check, int line, const struct conf_agreement *agreement)
{
    char day[16];
    int64_t now = clock_wall();
    if (!agreement->enabled)
        return;
    date_text(day, agreement->in_force_until - 1); /* the last day */
    if (now >= agreement->in_force_until)
        check_note(check, line, "this agreement ended on %s: nothing flows until it is renewed", day);
    else if (now >= agreement->in_force_until - RENEW_DAYS * CALENDAR_DAY_MS * 1000)
        check_note(check, line, "this agreement ends on %s; begin its renewal", day);
    date_text(day, agreement->in_force_from);
    if (now < agreement->in_force_from)
        check_note(check, line, "this agreement comes into force on %s: nothing flows before", day);
}

static void set_dates(const struct checking *check, const struct conf_section *section,
                      const struct form_agreement *form, struct conf_agreement *agreement)
{
    const struct conf_entry *acknowledged = conf_section_entry(section, "acknowledged");
    const struct conf_entry *valid = conf_section_entry(section, "valid-for");
    struct duration duration;
    if (!acknowledged && form->enabled)
        check_error(check, section->line,
                    "[agreement] lacks the key `acknowledged`, without which it cannot be "
                    "enabled; write acknowledged = and the day of the last signature, such as 2025-03-14");
    if (!acknowledged || !form->acknowledged || !form->valid_for)
        return;
    agreement->in_force_from = form->acknowledged;
    if (duration_parse(valid ? valid->value : "3 years", &duration) ||
        date_add(form->acknowledged, &duration, &agreement->in_force_until))
        check_error(check, conf_section_line(section, "valid-for"), "valid-for: `%s` is too long",
                    valid ? valid->value : "");
    else
        note_dates(check, acknowledged->line, agreement);
}

/* Never shorter than the host's own (agent.conf [audit]). */
static int64_t retention(const struct checking *check, const struct conf_section *section, const char *key,
                         int64_t least)
{
    int64_t ms = section_keep(schema_find("agreement"), section, key, least);
    if (ms < least)
        check_error(check, conf_section_line(section, key),
                    "%s: `%s` is shorter than what agent.conf [audit] keeps for all agreements (%" PRId64
                    " days)",
                    key, conf_section_entry(section, key)->value, least / CALENDAR_DAY_MS);
    return ms < least ? least : ms;
}

static void set_retention(const struct checking *check, const struct conf_agent *agent,
                          const struct conf_section *section, struct conf_agreement *agreement)
{
    agreement->online_retention = retention(check, section, "online-retention", agent->online_retention);
    agreement->archive_retention = retention(check, section, "archive-retention", agent->archive_retention);
    if (agreement->archive_retention < agreement->online_retention)
        check_error(check, conf_section_line(section, "archive-retention"),
                    "archive-retention is shorter than online-retention; it must be at least as long");
}

static void set_limits(const struct checking *check, const struct conf_section *section,
                       const struct form_agreement *form, struct conf_agreement *agreement)
{
    agreement->store_limit = form->store_limit;
    agreement->quarantine_limit = form->quarantine_limit;
    agreement->quarantine_retention = form->quarantine_retention;
    const char *formerly = text_or_empty(form->formerly);
    text_copy(agreement->formerly, sizeof agreement->formerly, formerly);
    if (*formerly && (!text_is_name(formerly, CONF_NAME_MAX - 1) || !strcmp(formerly, agreement->name)))
        check_error(check, conf_section_line(section, "formerly"),
                    "formerly: `%s` is not the former name of this file, without .conf", formerly);
}

static void take_agreement(struct drafting *drafting, struct draft *draft)
{
    static const char *const categories[] = {"low", "moderate", "high"}; /* in the order of the choices */
    struct checking check = draft_checking(drafting, draft);
    struct conf_agreement *agreement = draft->agreement;
    const struct conf_section *section = conf_file_section(&draft->file, "agreement", "");
    struct form_agreement form = {0};
    section_take(&check, schema_find("agreement"), section, NULL, false, &form);
    if (!section) {
        if (draft->file.path[0]) /* else it could not be read, which is reported */
            check_error(&check, 0,
                        "there is no [agreement] section; every agreement's file needs one, with title, "
                        "partner, enabled and acknowledged");
        return;
    }
    agreement->enabled = form.enabled;
    text_copy(agreement->title, sizeof agreement->title, text_or_empty(form.title));
    text_copy(agreement->partner, sizeof agreement->partner, text_or_empty(form.partner));
    text_copy(agreement->sensitivity, sizeof agreement->sensitivity, text_or_empty(form.sensitivity));
    if (conf_section_entry(section, "category"))
        text_copy(agreement->category, sizeof agreement->category, categories[form.category]);
    set_incident_contact(&check, section, &form, agreement);
    set_dates(&check, section, &form, agreement);
    set_retention(&check, drafting->agent, section, agreement);
    set_limits(&check, section, &form, agreement);
}

static void take_site(struct drafting *drafting, struct draft *draft)
{
    struct checking check = draft_checking(drafting, draft);
    struct conf_agreement *site = draft->agreement;
    struct form_site form = {0};
    section_take(&check, schema_find("site"), conf_file_section(&draft->file, "site", ""), NULL, false,
                 &form);
    site->is_site = true;
    site->enabled = true;
    site->in_force_until = INT64_MAX;
    site->store_limit = form.store_limit;
    site->quarantine_limit = form.quarantine_limit;
    site->quarantine_retention = form.quarantine_retention;
    site->online_retention = drafting->agent->online_retention;
    site->archive_retention = drafting->agent->archive_retention;
    text_copy(site->title, sizeof site->title, text_or_empty(form.name));
}

/* ---- [policy X] ---- */

static bool is_always(const char *module)
{
    for (size_t i = 0; i < ALWAYS; i++)
        if (!strcmp(always[i], module))
            return true;
    return false;
}

static void report_unknown_module(const struct checking *check, const struct conf_plugins *plugins,
                                  const struct conf_section *section, const char *module)
{
    struct names names = {0};
    char hint[300];
    for (size_t i = 0; i < plugins->count; i++)
        if (plugins->items[i].kind == ACCORD_POLICY)
            names_add(&names, plugins->items[i].name);
    names_hint(&names, section ? module : "", hint, sizeof hint);
    if (section)
        check_error(check, section->line,
                    "[policy %s]: there is no policy module of this name in the plugin "
                    "folder; %s",
                    module, hint);
    else
        check_error(check, 0,
                    "the policy module `%s`, which every agreement needs, is not in the plugin folder; %s",
                    module, hint);
}

/* `logging` judges what the agreement's trail is really kept for, wherever that was written. */
static int set_kept(struct drafting *drafting, const struct conf_agreement *agreement,
                    struct conf_policy *policy)
{
    for (size_t i = 0; i < policy->option_count; i++) {
        struct accord_pair *pair = &policy->options[i];
        bool online = !strcmp(pair->name, "online");
        char text[32];
        if (!online && strcmp(pair->name, "archive") != 0)
            continue;
        snprintf(text, sizeof text, "%" PRId64 " ms",
                 online ? agreement->online_retention : agreement->archive_retention);
        if (!(pair->value = arena_text(drafting->arena, text)))
            return ACCORD_ENOMEM;
    }
    return 0;
}

/* `section` NULL: one of those that always apply, with its defaults. */
static int add_policy(struct drafting *drafting, struct draft *draft, const char *module,
                      const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    const struct conf_plugin *plugin = conf_plugin_find(drafting->plugins, ACCORD_POLICY, module);
    if (!plugin) {
        report_unknown_module(&check, drafting->plugins, section, module);
        return 0;
    }
    struct conf_policy *policy = &draft->agreement->policies[draft->agreement->policy_count++];
    policy->module = plugin;
    section_take(&check, schema_find("policy"), section, plugin->options, false, NULL);
    for (const struct accord_option *option = plugin->options; !section && option && option->name; option++)
        if ((option->flags & ACCORD_REQUIRED) && !option->fallback)
            check_error(&check, 0,
                        "the policy `%s` must be told its `%s`; add a section [policy %s] with %s =", module,
                        option->name, module, option->name);
    draft_check_secrets(drafting, draft, section, plugin->options);
    int result =
        section_pairs(drafting->arena, section, plugin->options, &policy->options, &policy->option_count);
    return result || strcmp(module, "logging") != 0 ? result : set_kept(drafting, draft->agreement, policy);
}

static int take_policy(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    return is_always(section->name) ? 0 : add_policy(drafting, draft, section->name, section);
}

static int take_policies(struct drafting *drafting, struct draft *draft)
{
    int result = 0;
    for (size_t i = 0; i < ALWAYS && !result; i++)
        result = add_policy(drafting, draft, always[i], conf_file_section(&draft->file, "policy", always[i]));
    return result ? result : draft_each(drafting, draft, "policy", take_policy);
}

/* ---- [release TYPE] ---- */

static int take_release(struct drafting *drafting, struct draft *draft, const struct conf_section *section)
{
    struct checking check = draft_checking(drafting, draft);
    struct conf_agreement *agreement = draft->agreement;
    struct form_release form = {{0}};
    section_take(&check, schema_find("release"), section, NULL, false, &form);
    if (!conf_type_find(drafting->agent, section->name)) {
        struct names names = {0};
        char hint[300];
        for (size_t i = 0; i < drafting->agent->type_count; i++)
            names_add(&names, drafting->agent->types[i].name);
        names_hint(&names, section->name, hint, sizeof hint);
        check_error(&check, section->line, "[release %s]: there is no such message type; %s", section->name,
                    hint);
    }
    struct conf_route *bigger =
        arena_array(drafting->arena, agreement->release_count + form.to.count, sizeof *bigger);
    if (!bigger)
        return ACCORD_ENOMEM;
    if (agreement->release_count)
        memcpy(bigger, agreement->releases, agreement->release_count * sizeof *bigger);
    agreement->releases = bigger;
    for (size_t i = 0; i < form.to.count; i++) {
        struct conf_route *route = &bigger[agreement->release_count++];
        text_copy(route->agreement, sizeof route->agreement, form.to.items[i]);
        text_copy(route->service, sizeof route->service, section->name);
    }
    return 0;
}

/* ---- the file ---- */

int draft_build(struct drafting *drafting, struct draft *draft)
{
    struct conf_agreement *agreement = arena_array(drafting->arena, 1, sizeof *agreement);
    if (!agreement)
        return ACCORD_ENOMEM;
    draft->agreement = agreement;
    size_t stem = strlen(draft->file.name) - strlen(".conf");
    memcpy(agreement->name, draft->file.name, stem);
    bool site = !strcmp(agreement->name, CONF_SITE);
    text_copy(agreement->path, sizeof agreement->path, draft->file.path);
    text_copy(agreement->sha256, sizeof agreement->sha256, draft->file.sha256);
    agreement->contacts =
        arena_array(drafting->arena, draft_count(draft, "contact"), sizeof *agreement->contacts);
    agreement->policies =
        arena_array(drafting->arena, draft_count(draft, "policy") + ALWAYS, sizeof *agreement->policies);
    if (!agreement->contacts || !agreement->policies)
        return ACCORD_ENOMEM;
    struct checking check = draft_checking(drafting, draft);
    section_check_kinds(&check, site ? SCHEMA_SITE : SCHEMA_AGREEMENT);
    int result = 0;
    if (site) {
        take_site(drafting, draft);
    } else {
        result = draft_each(drafting, draft, "contact", take_contact);
        take_agreement(drafting, draft);
    }
    if (!result)
        result = draft_build_links(drafting, draft);
    if (!result && !site)
        result = take_policies(drafting, draft);
    return result || site ? result : draft_each(drafting, draft, "release", take_release);
}
