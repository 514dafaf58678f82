#include "conf/section.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/calendar.h"
#include "conf/names.h"
#include "conf/options.h"
#include "util/text.h"

static void add(const struct checking *check, enum conf_severity severity, int line, const char *format,
                va_list list)
{
    char text[512];
    vsnprintf(text, sizeof text, format, list);
    conf_report_add(check->report, severity, check->file->name, line, "%s", text);
}

void check_error(const struct checking *check, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(check, CONF_ERROR, line, format, list);
    va_end(list);
}

void check_note(const struct checking *check, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(check, CONF_NOTE, line, format, list);
    va_end(list);
}

const char *section_title(const struct conf_section *section, char *to, size_t room)
{
    snprintf(to, room, "[%s%s%s]", section->kind, section->name[0] ? " " : "", section->name);
    return to;
}

static const struct accord_option *find(const struct accord_option *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name))
            return table;
    return NULL;
}

static void report_unknown_key(const struct checking *check, const struct conf_section *section,
                               const struct conf_entry *entry, const struct accord_option *core,
                               const struct accord_option *plugin)
{
    struct names names = {0};
    char title[160], hint[300];
    names_add_options(&names, core);
    names_add_options(&names, plugin);
    names_hint(&names, entry->key, hint, sizeof hint);
    check_error(check, entry->line, "unknown key `%s` in %s; %s", entry->key,
                section_title(section, title, sizeof title), hint);
}

static void take_option(const struct checking *check, const struct conf_section *section,
                        const struct accord_option *option, void *form)
{
    const struct conf_entry *entry = conf_section_entry(section, option->name);
    const char *text = entry ? entry->value : option->fallback;
    struct reason why = {""};
    if (text && options_store(option, text, form, check->arena, &why) == ACCORD_EINVAL) {
        check_error(check, entry ? entry->line : 0, "%s: %s", option->name, why.text);
    } else if (!text && section && (option->flags & ACCORD_REQUIRED)) {
        char title[160], help[200];
        conf_kind_help(option, help, sizeof help);
        check_error(check, section->line, "%s lacks the key `%s`; write %s = and %s",
                    section_title(section, title, sizeof title), option->name, option->name, help);
    }
}

void section_take(const struct checking *check, const struct schema *schema,
                  const struct conf_section *section, const struct accord_option *plugin, bool lenient,
                  void *form)
{
    for (size_t i = 0; section && i < section->count && !lenient; i++) {
        const struct conf_entry *entry = &section->entries[i];
        if (!find(schema->table, entry->key) && !find(plugin, entry->key))
            report_unknown_key(check, section, entry, schema->table, plugin);
    }
    for (const struct accord_option *option = schema->table; option->name; option++)
        take_option(check, section, option, form);
    for (const struct accord_option *option = plugin; option && option->name; option++)
        if (!find(schema->table, option->name))
            take_option(check, section, option, NULL);
}

int section_pairs(struct arena *arena, const struct conf_section *section, const struct accord_option *plugin,
                  struct accord_pair **pairs, size_t *count)
{
    size_t options = 0;
    while (plugin && plugin[options].name)
        options++;
    *count = 0;
    *pairs = arena_array(arena, options, sizeof **pairs);
    if (!*pairs)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < options; i++) {
        const struct conf_entry *entry = conf_section_entry(section, plugin[i].name);
        const char *text = entry ? entry->value : plugin[i].fallback;
        if (!text)
            continue;
        struct accord_pair *pair = &(*pairs)[(*count)++];
        pair->name = arena_text(arena, plugin[i].name);
        pair->value = arena_text(arena, text);
        if (!pair->name || !pair->value)
            return ACCORD_ENOMEM;
    }
    return 0;
}

int64_t section_keep(const struct schema *schema, const struct conf_section *section, const char *key,
                     int64_t otherwise)
{
    const struct accord_option *option = find(schema->table, key);
    const struct conf_entry *entry = conf_section_entry(section, key);
    const char *text = entry ? entry->value : option ? option->fallback : NULL;
    struct duration duration;
    int64_t ms;
    return text && !duration_parse(text, &duration) && !duration_keep_ms(&duration, &ms) ? ms : otherwise;
}

static const char *place_name(enum schema_place place)
{
    return place == SCHEMA_AGENT ? "agent.conf" : place == SCHEMA_SITE ? "site.conf" : "an agreement's file";
}

static void report_unknown_kind(const struct checking *check, const struct conf_section *section,
                                enum schema_place place)
{
    const struct schema *elsewhere = schema_find(section->kind);
    struct names names = {0};
    char title[160], hint[300];
    for (const struct schema *schema = schemas; schema->kind; schema++)
        if (schema->places & place)
            names_add(&names, schema->kind);
    names_hint(&names, elsewhere ? "" : section->kind, hint, sizeof hint);
    check_error(check, section->line, "%s %s%s; %s", section_title(section, title, sizeof title),
                elsewhere ? "does not belong into " : "is no section of ", place_name(place), hint);
}

void section_check_kinds(const struct checking *check, enum schema_place place)
{
    for (size_t i = 0; i < check->file->count; i++) {
        const struct conf_section *section = &check->file->sections[i];
        const struct schema *schema = schema_find(section->kind);
        if (!schema || !(schema->places & place))
            report_unknown_kind(check, section, place);
        else if ((schema->flags & SCHEMA_NAMED) && !section->name[0])
            check_error(check, section->line, "[%s] lacks %s; write [%s NAME]", section->kind, schema->name,
                        section->kind);
        else if (!(schema->flags & SCHEMA_NAMED) && section->name[0])
            check_error(check, section->line, "[%s %s]: this section has no name; write [%s]", section->kind,
                        section->name, section->kind);
    }
}
