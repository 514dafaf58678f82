/* accord plugins: what is in the plugin folder, what is pinned, and who uses it. */
#include <stdio.h>
#include <string.h>

#include "cli/load.h"
#include "util/text.h"

/* Adds a word to a list, once. */
static void add(char *list, size_t room, const char *word)
{
    char with[CONF_NAME_MAX + 4];
    size_t used = strlen(list);
    snprintf(with, sizeof with, "%s%s", used ? ", " : "", word);
    size_t tail = strlen(word);
    bool last =
        used >= tail && !strcmp(list + used - tail, word) && (used == tail || list[used - tail - 1] == ' ');
    if (!last && used + strlen(with) < room)
        strcpy(list + used, with);
}

static void add_users(const struct conf *conf, const struct conf_plugin *plugin, char *list, size_t room)
{
    for (size_t i = 0; conf && i < conf->agreement_count; i++) {
        const struct conf_agreement *agreement = conf->agreements[i];
        for (size_t j = 0; j < agreement->link_count; j++)
            if (agreement->links[j].connector == plugin)
                add(list, room, agreement->name);
        for (size_t j = 0; j < agreement->policy_count; j++)
            if (agreement->policies[j].module == plugin)
                add(list, room, agreement->name);
    }
}

static bool is_pinned(const struct conf *conf, const char *file)
{
    for (size_t i = 0; conf && i < conf->agent.pin_count; i++)
        if (!strcmp(conf->agent.pins[i].name, file))
            return true;
    return false;
}

static void row(struct cli *cli, const struct conf *conf, const struct conf_plugin *plugin)
{
    const char *file = strrchr(plugin->path, '/') + 1;
    char users[512] = "";
    add_users(conf, plugin, users, sizeof users);
    cli_row(cli, "plugins",
            (struct accord_pair[]){{"file", file},
                                   {"kind", plugin->kind == ACCORD_CONNECTOR ? "connector" : "policy"},
                                   {"version", plugin->version},
                                   {"pinned", is_pinned(conf, file) ? "yes" : "no"},
                                   {"used-by", users},
                                   {"sha256", plugin->sha256},
                                   {"summary", plugin->summary}},
            7);
}

static bool is_plugin_file(const char *file)
{
    return !strncmp(file, "connector-", 10) || !strncmp(file, "policy-", 7);
}

int cli_plugin_list(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc, (void)argv;
    const struct conf_setting setting = {.elsewhere = true};
    struct cli_loaded loaded;
    size_t refused = 0, others = 0;
    cli_load(cli, &setting, &loaded);
    for (size_t i = 0; i < loaded.plugins.count; i++)
        row(cli, loaded.conf, &loaded.plugins.items[i]);
    for (size_t i = 0; i < loaded.report.count; i++) {
        const struct conf_problem *p = &loaded.report.items[i];
        if (p->severity != CONF_ERROR)
            continue;
        refused += is_plugin_file(p->file);
        others += !is_plugin_file(p->file);
        if (is_plugin_file(p->file) || !loaded.plugins.count)
            cli_problem(cli, p);
    }
    const char *more = others ? "; conf.d has mistakes, so users may be missing: accord check" : "";
    int code = refused || !loaded.plugins.count
                   ? cli_end(cli, EXIT_CONFIG, "%zu plugins, and %zu that cannot be loaded%s",
                             loaded.plugins.count, refused, more)
                   : cli_end(cli, EXIT_OK, "%zu plugins%s", loaded.plugins.count, more);
    cli_loaded_fini(&loaded);
    return code;
}
