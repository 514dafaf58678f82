/* accord check: the agent's own validator over conf.d, without the agent. */
#include <stdio.h>

#include "cli/cli.h"
#include "plugin/describe.h"

/* For people as compilers write it, so that editors can jump to the place. */
static void show(struct cli *cli, const struct conf_problem *problem)
{
    char line[16];
    snprintf(line, sizeof line, "%d", problem->line);
    if (cli->json) {
        cli_row(cli, "problems",
                (struct accord_pair[]){{"severity", conf_severity_name(problem->severity)},
                                       {"file", problem->file},
                                       {"line", line},
                                       {"text", problem->text}},
                4);
        return;
    }
    struct buf text = {0};
    render_visible(&text, problem->file);
    if (problem->line)
        buf_format(&text, ":%d", problem->line);
    buf_format(&text, ": %s%s", problem->severity == CONF_ERROR ? "" : conf_severity_name(problem->severity),
               problem->severity == CONF_ERROR ? "" : ": ");
    render_visible(&text, problem->text);
    buf_byte(&text, '\n');
    fwrite(text.data, 1, text.size, stdout);
    buf_fini(&text);
}

static void load(struct cli *cli, struct conf_report *report, struct conf **conf,
                 struct conf_plugins *plugins)
{
    struct conf_agent agent = {0};
    char folder[PATH_MAX];
    /* With mistakes in agent.conf the rest is looked at as well, with defaults in their place. */
    int result = conf_load_agent(cli->conf, cli->state_option, &agent, report);
    if (!result || (result == ACCORD_EINVAL && *agent.state)) {
        cli_plugins(cli, &agent, folder);
        result = plugin_describe_all(cli->daemon, folder, agent.pins, agent.pin_count, plugins, report);
        if (!result)
            result = conf_load(cli->conf, &agent, plugins, conf, report);
    }
    if (result && !conf_report_count(report, CONF_ERROR, NULL))
        conf_report_add(report, CONF_ERROR, "conf.d", 0, "could not be read: %s", error_name(result));
    conf_agent_fini(&agent);
}

static int sum_up(struct cli *cli, const struct conf_report *report, const struct conf *conf)
{
    size_t errors = conf_report_count(report, CONF_ERROR, NULL);
    size_t unchecked = conf_report_count(report, CONF_UNCHECKED, NULL);
    if (errors || report->lost)
        return cli_end(cli, EXIT_CONFIG, "%s: %zu error%s%s; the agent would not run what they concern",
                       cli->conf, errors, errors == 1 ? "" : "s", report->lost ? " and more" : "");
    if (unchecked)
        return cli_end(cli, EXIT_UNCHECKED,
                       "%s: no errors, but %zu thing%s could not be checked by this user", cli->conf,
                       unchecked, unchecked == 1 ? "" : "s");
    return cli_end(cli, EXIT_OK, "%s: sound; %zu agreement files", cli->conf,
                   conf ? conf->agreement_count : 0);
}

int cli_check(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc, (void)argv;
    struct conf_report report = {0};
    struct conf_plugins plugins = {0};
    struct conf *conf = NULL;
    load(cli, &report, &conf, &plugins);
    conf_report_sort(&report);
    for (size_t i = 0; i < report.count; i++)
        show(cli, &report.items[i]);
    int code = sum_up(cli, &report, conf);
    conf_free(conf);
    conf_plugins_free(&plugins);
    conf_report_fini(&report);
    return code;
}
