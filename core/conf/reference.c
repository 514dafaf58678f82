#include "conf/reference.h"

#include <string.h>

#include "conf/schema.h"
#include "conf/value.h"
#include "util/text.h"

/* Text inside a table cell: a bar would end it. */
static void write_cell(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', to);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
    }
}

static void write_option(FILE *to, const struct accord_option *option)
{
    char allowed[512];
    conf_kind_help(option, allowed, sizeof allowed);
    fprintf(to, "| `%s` | %s | ", option->name, conf_kind_name(option->kind));
    if (option->fallback) {
        fputc('`', to);
        write_cell(to, option->fallback);
        fputc('`', to);
    } else {
        fputs(option->flags & ACCORD_REQUIRED ? "required" : "", to);
    }
    fputs(" | ", to);
    write_cell(to, allowed);
    fputs(" | ", to);
    fputs(conf_direction_help(option), to);
    write_cell(to, option->help ? option->help : "");
    fputs(" |\n", to);
}

static void write_table(FILE *to, const struct accord_option *table)
{
    if (!table || !table->name)
        return;
    fputs("\n| key | kind | default | what may be written | meaning |\n|---|---|---|---|---|\n", to);
    for (; table->name; table++)
        write_option(to, table);
}

static void write_sections(FILE *to, const char *title, enum schema_place place)
{
    fprintf(to, "\n## %s\n", title);
    for (const struct schema *schema = schemas; schema->kind; schema++) {
        if (!(schema->places & place))
            continue;
        fprintf(to, "\n### [%s%s]\n\n%s\n", schema->kind, schema->flags & SCHEMA_NAMED ? " NAME" : "",
                schema->help);
        if (schema->name)
            fprintf(to, "NAME is %s.\n", schema->name);
        write_table(to, schema->table);
    }
}

static void write_types(FILE *to)
{
    fputs("\n## Built-in message types\n\n| type | media type | largest message | what it is "
          "|\n|---|---|---|---|\n",
          to);
    for (const struct schema_type *type = schema_types; type->name; type++) {
        fprintf(to, "| `%s` | %s | %lld MB | ", type->name, type->media, (long long)type->max_size / 1000000);
        write_cell(to, type->help);
        fputs(" |\n", to);
    }
}

static const char *abilities(const struct conf_plugin *plugin)
{
    static const char *const words[] = {"", "It sends.", "It receives.", "It sends and receives."};
    return words[plugin->flags & (ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE)];
}

static void write_connector(FILE *to, const struct conf_plugin *plugin)
{
    fprintf(to, "\n## Connector `%s`\n\n%s%s%s %s\n", plugin->name, plugin->summary,
            *plugin->summary ? "\n" : "", abilities(plugin),
            plugin->flags & ACCORD_DIALS ? "Its links name an endpoint." : "");
    if (plugin->options && plugin->options->name)
        fputs("\nKeys of [link NAME]:\n", to);
    write_table(to, plugin->options);
    if (plugin->service_options && plugin->service_options->name)
        fputs("\nKeys of [service NAME]:\n", to);
    write_table(to, plugin->service_options);
}

static void write_policy(FILE *to, const struct conf_plugin *plugin)
{
    fprintf(to, "\n## Policy `%s`\n\n%s%sKeys of [policy %s]%s\n", plugin->name, plugin->summary,
            *plugin->summary ? "\n\n" : "", plugin->name,
            plugin->options && plugin->options->name ? ":" : ": none.");
    write_table(to, plugin->options);
}

const struct conf_plugin *conf_reference_next(const struct conf_plugins *plugins,
                                              enum accord_plugin_kind kind, const char *last)
{
    const struct conf_plugin *next = NULL;
    for (size_t i = 0; i < plugins->count; i++) {
        const struct conf_plugin *plugin = &plugins->items[i];
        if (plugin->kind == kind && strcmp(plugin->name, last) > 0 &&
            (!next || strcmp(plugin->name, next->name) < 0))
            next = plugin;
    }
    return next;
}

int conf_reference_write(FILE *to, const struct conf_plugins *plugins)
{
    const struct conf_plugin *plugin = NULL;
    fputs("# What may stand in conf.d\n\nGenerated from the tables in the code; do not edit.\n\n"
          "Files are called NAME.conf, NAME being 1 to 63 lower-case letters, digits and hyphens. A line is "
          "a section\n"
          "header, `key = value`, or a comment that begins with `;` or `#`; behind a value a comment begins "
          "with a\n"
          "blank and a `;`. A line has at most 4000 bytes and is never continued in the next one.\n",
          to);
    write_sections(to, "agent.conf", SCHEMA_AGENT);
    write_types(to);
    write_sections(to, "site.conf", SCHEMA_SITE);
    write_sections(to, "Agreement files", SCHEMA_AGREEMENT);
    while ((plugin = conf_reference_next(plugins, ACCORD_CONNECTOR, plugin ? plugin->name : "")))
        write_connector(to, plugin);
    while ((plugin = conf_reference_next(plugins, ACCORD_POLICY, plugin ? plugin->name : "")))
        write_policy(to, plugin);
    return fflush(to) || ferror(to) ? ACCORD_EIO : 0;
}
