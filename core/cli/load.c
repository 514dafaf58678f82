#include "cli/load.h"

#include <stdio.h>

#include "plugin/check.h"
#include "plugin/describe.h"

void cli_problem(struct cli *cli, const struct conf_problem *problem)
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

static int load_files(struct cli *cli, const struct conf_setting *setting, struct conf_agent *agent,
                      struct cli_loaded *loaded)
{
    char folder[PATH_MAX];
    struct plugin_checker ask = {.executable = cli->daemon, .deadline_ms = DESCRIBE_MS};
    const struct conf_checker checker = {plugin_check, &ask};
    struct conf_setting all = *setting;
    all.checker = &checker;
    cli_plugins(cli, agent, folder);
    int result = plugin_describe_all(cli->daemon, folder, agent->pins, agent->pin_count, &loaded->plugins,
                                     &loaded->report);
    return result ? result
                  : conf_load_with(cli->conf, agent, &loaded->plugins, &all, &loaded->conf, &loaded->report);
}

void cli_load(struct cli *cli, const struct conf_setting *setting, struct cli_loaded *loaded)
{
    struct conf_agent agent = {0};
    *loaded = (struct cli_loaded){0};
    /* With mistakes in agent.conf the rest is looked at as well, with defaults in their place. */
    int result = conf_load_agent(cli->conf, cli->state_option, &agent, &loaded->report);
    if (!result || (result == ACCORD_EINVAL && *agent.state))
        result = load_files(cli, setting, &agent, loaded);
    if (result && !conf_report_count(&loaded->report, CONF_ERROR, NULL))
        conf_report_add(&loaded->report, CONF_ERROR, "conf.d", 0, "could not be read: %s",
                        error_name(result));
    conf_agent_fini(&agent);
    conf_report_sort(&loaded->report);
}

void cli_loaded_fini(struct cli_loaded *loaded)
{
    conf_free(loaded->conf);
    conf_plugins_free(&loaded->plugins);
    conf_report_fini(&loaded->report);
}
