/* Commands about many messages: one question to the agent for each, with progress for the person who waits. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"

#define PROGRESS_FROM 20 /* messages */

static void take_row(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct cli *cli = arg;
    render_row(&cli->render, table, cells);
}

static void show_progress(const struct cli *cli, int at, int count)
{
    if (cli->json || count < PROGRESS_FROM || !isatty(STDERR_FILENO))
        return;
    if (at < count)
        fprintf(stderr, "\r%d of %d", at, count);
    else
        fprintf(stderr, "\r%24s\r", "");
}

struct asking {
    struct cli *cli;
    struct client *client;
    const char *verb, *service, *reason;
    int done, code; /* code: of the last one that was not done */
};

/* False: the agent cannot be asked any more. */
static bool ask_one(struct asking *asking, const char *id)
{
    const struct accord_pair arguments[] = {{"id", id},
                                            {"service", asking->service ? asking->service : ""},
                                            {"reason", asking->reason ? asking->reason : ""}};
    struct client_end end = {0};
    struct reason why = {""};
    if (client_command(asking->client, asking->verb, arguments, 3, take_row, asking->cli, &end, &why)) {
        asking->code = cli_end(asking->cli, EXIT_NO_AGENT, "%s", why.text);
        return false;
    }
    if (!end.exit)
        asking->done++;
    else
        asking->code = end.exit;
    cli_end(asking->cli, end.exit, "%s", end.line);
    return end.exit != EXIT_USAGE; /* the next one would be no better */
}

int cli_each_message(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct asking asking = {.cli = cli, .verb = command->name};
    asking.service = cli_option(&argc, argv, "--service");
    asking.reason = argc > 0 ? cli_option(&argc, argv, "--reason") : NULL;
    if (argc < 1)
        return EXIT_USAGE;
    int code = cli_reach(cli, &asking.client), at = 0;
    if (code)
        return code;
    for (; at < argc; at++) {
        show_progress(cli, at, argc);
        if (!ask_one(&asking, argv[at]))
            break;
    }
    show_progress(cli, argc, argc);
    client_close(asking.client);
    if (at < argc || argc == 1)
        return asking.code;
    return cli_end(cli, asking.code, "%s: %d of %d messages done", command->name, asking.done, argc);
}

int cli_quarantined(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    static const char *const names[] = {"--agreement", "--type", "--limit"};
    struct accord_pair arguments[4] = {{"state", "quarantined"}};
    struct client *client = NULL;
    struct client_end end = {0};
    struct reason why = {""};
    size_t count = 1;
    (void)command;
    for (size_t i = 0; i < 3 && argc > 0; i++) {
        const char *value = cli_option(&argc, argv, names[i]);
        if (value)
            arguments[count++] = (struct accord_pair){names[i] + 2, value};
    }
    if (argc)
        return EXIT_USAGE;
    int code = cli_reach(cli, &client);
    if (code)
        return code;
    if (client_command(client, "messages", arguments, count, take_row, cli, &end, &why))
        code = cli_end(cli, EXIT_NO_AGENT, "%s", why.text);
    else
        code = cli_end(cli, end.exit, "%s", end.line);
    client_close(client);
    return code;
}
