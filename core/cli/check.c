/* accord check: the agent's own validator over conf.d, without the agent. The files may be meant for another machine:
 * what is not on this one is "not checked", and has its own exit code.
 */
#include "cli/load.h"

static int sum_up(struct cli *cli, const struct cli_loaded *loaded)
{
    const struct conf_report *report = &loaded->report;
    size_t errors = conf_report_count(report, CONF_ERROR, NULL);
    size_t unchecked = conf_report_count(report, CONF_UNCHECKED, NULL);
    if (errors || report->lost)
        return cli_end(cli, EXIT_CONFIG, "%s: %zu error%s%s; the agent would not run what they concern",
                       cli->conf, errors, errors == 1 ? "" : "s", report->lost ? " and more" : "");
    if (unchecked)
        return cli_end(cli, EXIT_UNCHECKED,
                       "%s: no errors, but %zu thing%s could not be checked here, by this user", cli->conf,
                       unchecked, unchecked == 1 ? "" : "s");
    return cli_end(cli, EXIT_OK, "%s: sound; %zu agreement files", cli->conf,
                   loaded->conf ? loaded->conf->agreement_count : 0);
}

int cli_check(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc, (void)argv;
    const struct conf_setting setting = {.elsewhere = true};
    struct cli_loaded loaded;
    cli_load(cli, &setting, &loaded);
    for (size_t i = 0; i < loaded.report.count; i++)
        cli_problem(cli, &loaded.report.items[i]);
    int code = sum_up(cli, &loaded);
    cli_loaded_fini(&loaded);
    return code;
}
