/* accord validate: the content policy's verdict on one file, without the agent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "plugin/describe.h"
#include "util/file.h"
#include "util/text.h"

#define MODULE "content"

struct setting {
    struct conf_agent agent;
    struct conf_plugins plugins;
    struct conf_report report;
    struct conf *conf;
    const struct conf_plugin *plugin;
    const struct accord_pair *options; /* of the agreement's [policy content] */
    size_t option_count;
};

static void setting_fini(struct setting *setting)
{
    conf_free(setting->conf);
    conf_agent_fini(&setting->agent);
    conf_plugins_free(&setting->plugins);
    conf_report_fini(&setting->report);
}

/* The first error, of this file if it has one. */
static int first_problem(struct cli *cli, const struct setting *setting, const char *file, const char *what)
{
    const struct conf_problem *problem = NULL;
    for (size_t i = 0; i < setting->report.count; i++) {
        const struct conf_problem *item = &setting->report.items[i];
        bool better = !problem || (strcmp(item->file, file) == 0 && strcmp(problem->file, file) != 0);
        if (item->severity == CONF_ERROR && better)
            problem = item;
    }
    return cli_end(cli, EXIT_CONFIG, "%s%s%s%s%s; accord check lists everything", what, problem ? ": " : "",
                   problem ? problem->file : "", problem ? ": " : "", problem ? problem->text : "");
}

/* A machine without agent.conf can still validate: everything has a default. */
static int load_agent(struct cli *cli, struct setting *setting)
{
    char path[PATH_MAX];
    if (file_path(path, sizeof path, cli->conf, "agent.conf") || access(path, F_OK) < 0)
        return 0;
    if (conf_load_agent(cli->conf, cli->state_option, &setting->agent, &setting->report))
        return first_problem(cli, setting, "agent.conf", "agent.conf has errors");
    return 0;
}

static int load_plugins(struct cli *cli, struct setting *setting)
{
    char folder[PATH_MAX];
    cli_plugins(cli, &setting->agent, folder);
    int result = plugin_describe_all(cli->daemon, folder, setting->agent.pins, setting->agent.pin_count,
                                     &setting->plugins, &setting->report);
    setting->plugin = result ? NULL : conf_plugin_find(&setting->plugins, ACCORD_POLICY, MODULE);
    return setting->plugin ? 0
                           : first_problem(cli, setting, "policy-" MODULE ".so",
                                           "the policy `" MODULE "` cannot be loaded");
}

static int load_agreement(struct cli *cli, struct setting *setting, const char *name)
{
    if (!name)
        return 0;
    if (conf_load(cli->conf, &setting->agent, &setting->plugins, &setting->conf, &setting->report))
        return first_problem(cli, setting, "agent.conf", "conf.d cannot be read");
    const struct conf_agreement *agreement = conf_agreement_find(setting->conf, name);
    if (!agreement)
        return cli_end(cli, EXIT_CONFIG, "there is no sound agreement `%s` in %s; try: accord check", name,
                       cli->conf);
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (agreement->policies[i].module == setting->plugin) {
            setting->options = agreement->policies[i].options;
            setting->option_count = agreement->policies[i].option_count;
            return 0;
        }
    return cli_end(cli, EXIT_CONFIG,
                   "the agreement `%s` has no [policy " MODULE "]: it would not look into the file", name);
}

/* Types are known only with an agent.conf; the module has its own word on the others. */
static int check_type(struct cli *cli, const struct setting *setting, const char *type)
{
    const struct conf_agent *agent = setting->conf ? &setting->conf->agent : &setting->agent;
    if (!agent->type_count || conf_type_find(agent, type))
        return 0;
    const char *names[128] = {NULL};
    for (size_t i = 0; i < agent->type_count && i < 127; i++)
        names[i] = agent->types[i].name;
    const char *near = text_nearest(type, names);
    return cli_end(cli, EXIT_CONFIG, "there is no message type `%s`%s%s%s", type,
                   near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static int answer(struct cli *cli, const char *path, const struct inspect_verdict *verdict)
{
    static const char *const names[] = {"allow", "deny", "defer"};
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)verdict->size);
    if (cli->json) /* people read it all in the last line */
        cli_row(cli, "verdict",
                (struct accord_pair[]){{"answer", names[verdict->answer]},
                                       {"rule", verdict->rule},
                                       {"reason", verdict->reason},
                                       {"size", size},
                                       {"sha256", verdict->sha256}},
                5);
    if (verdict->answer == ACCORD_ALLOW)
        return cli_end(cli, EXIT_OK, "%s: allowed", path);
    return cli_end(cli, EXIT_REFUSED, "%s: %s by rule %s: %s", path,
                   verdict->answer == ACCORD_DENY ? "denied" : "could not be judged", verdict->rule,
                   verdict->reason);
}

int cli_validate(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    struct setting setting = {0};
    struct inspect_verdict verdict;
    struct reason why = {""};
    const char *name = cli_option(&argc, argv, "--agreement");
    if (argc != 2)
        return EXIT_USAGE;
    int code = load_agent(cli, &setting);
    if (!code)
        code = load_plugins(cli, &setting);
    if (!code)
        code = load_agreement(cli, &setting, name);
    if (!code)
        code = check_type(cli, &setting, argv[0]);
    if (!code) {
        struct inspect_question question = {cli->daemon,     setting.plugin,       name ? name : "validate",
                                            setting.options, setting.option_count, argv[0],
                                            argv[1]};
        int result = inspect_file(&question, &verdict, &why);
        code = result ? cli_end(cli, EXIT_UNCHECKED, "%s", why.text) : answer(cli, argv[1], &verdict);
    }
    setting_fini(&setting);
    return code;
}
