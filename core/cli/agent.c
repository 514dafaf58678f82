/* Commands that the running agent answers. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "util/file.h"

#define ARGUMENTS_MAX 8

static void take_row(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct cli *cli = arg;
    if (strcmp(table, "progress") == 0) {
        cli_progress(cli, cells);
        return;
    }
    render_row(&cli->render, table, cells);
}

int cli_reach(struct cli *cli, struct client **client)
{
    char state[PATH_MAX];
    struct reason why = {""};
    int code = cli_state(cli, state);
    if (code)
        return code;
    if (client_open(client, state, &why) == 0)
        return 0;
    if (*cli->mistake)
        return cli_end(cli, EXIT_CONFIG, "%s", cli->mistake);
    return cli_end(cli, EXIT_NO_AGENT, "%s", why.text);
    return 0;
}

int cli_ask_agent(struct cli *cli, const char *verb, const struct accord_pair *arguments, size_t count,
                  void (*row)(void *arg, const char *table, const struct wire_pairs *cells), void *arg)
{
    struct client *client = NULL;
    struct client_end end = {0};
    struct reason why = {""};
    int code = cli_reach(cli, &client);
    if (code)
        return code;
    if (client_command(client, verb, arguments, count, row, arg, &end, &why))
        code = cli_end(cli, EXIT_NO_AGENT, "%s", why.text);
    else
        code = cli_end(cli, end.exit, "%s", end.line);
    cli_progress_end(cli);
    client_close(client);
    return code;
}

static int ask(struct cli *cli, const char *verb, const struct accord_pair *arguments, size_t count)
{
    return cli_ask_agent(cli, verb, arguments, count, take_row, cli);
}

/* The verb is the command's name; its one argument, if it takes one, is an id. */
int cli_ask(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct accord_pair id = {"id", argc ? argv[0] : ""};
    return ask(cli, command->name, &id, argc ? 1 : 0);
}

/* A change by a person: what it is about, and why. */
int cli_decide(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *reason = cli_option(&argc, argv, "--reason");
    if (argc != 1)
        return EXIT_USAGE;
    struct accord_pair arguments[] = {{"name", argv[0]}, {"reason", reason ? reason : ""}};
    return ask(cli, command->name, arguments, 2);
}

int cli_messages(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    static const char *const names[] = {"--agreement", "--type", "--state", "--limit", "--before"};
    struct accord_pair arguments[ARGUMENTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && argc > 0; i++) {
        const char *value = cli_option(&argc, argv, names[i]);
        if (value)
            arguments[count++] = (struct accord_pair){names[i] + 2, value};
    }
    if (argc)
        return EXIT_USAGE;
    return ask(cli, command->name, arguments, count);
}

int cli_probe(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct accord_pair name = {"name", argv[0]};
    (void)argc;
    return ask(cli, command->name, &name, 1);
}

/* The agent has another working folder. */
int cli_backup(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    char folder[PATH_MAX], here[PATH_MAX];
    (void)argc;
    if (argv[0][0] == '/')
        snprintf(folder, sizeof folder, "%s", argv[0]);
    else if (!getcwd(here, sizeof here) || file_path(folder, sizeof folder, here, argv[0]))
        return cli_end(cli, EXIT_USAGE, "name the folder by its absolute path");
    for (size_t size = strlen(folder); size > 1 && folder[size - 1] == '/';)
        folder[--size] = 0;
    struct accord_pair argument = {"folder", folder};
    return ask(cli, command->name, &argument, 1);
}

int cli_key_rotate(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct accord_pair agreement = {"agreement", cli_option(&argc, argv, "--agreement")};
    return argc ? EXIT_USAGE : ask(cli, command->name, &agreement, agreement.value ? 1 : 0);
}

static int answer_submit(struct cli *cli, const char *path, const struct client_verdict *verdict)
{
    static const char *const names[] = {"accepted", "quarantined", "deferred", "rejected"};
    const char *name = names[verdict->admission];
    cli_row(
        cli, "submitted",
        (struct accord_pair[]){
            {"id", verdict->id}, {"admission", name}, {"rule", verdict->rule}, {"reason", verdict->reason}},
        4);
    switch (verdict->admission) {
    case ACCORD_ACCEPTED:
        return cli_end(cli, EXIT_OK, "%s is message %s; follow it with: accord show %s", path, verdict->id,
                       verdict->id);
    case ACCORD_QUARANTINED:
        return cli_end(cli, EXIT_REFUSED, "%s was set aside as %s by rule %s: %s", path, verdict->id,
                       verdict->rule, verdict->reason);
    case ACCORD_REJECTED:
        return cli_end(cli, EXIT_REFUSED, "%s was refused by rule %s, and no copy is kept: %s", path,
                       verdict->rule, verdict->reason);
    default:
        return cli_end(cli, EXIT_REFUSED, "%s was not taken now: %s; submit it again later", path,
                       verdict->reason);
    }
}

int cli_submit(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc;
    struct client *client = NULL;
    struct client_verdict verdict = {0};
    struct reason why = {""};
    int code = cli_reach(cli, &client);
    if (code)
        return code;
    int result = client_submit(client, argv[0], argv[1], &verdict, &why);
    client_close(client);
    if (!result)
        return answer_submit(cli, argv[1], &verdict);
    bool lost = result == ACCORD_ENET || result == ACCORD_EPROTO || result == ACCORD_ETIMEOUT;
    return cli_end(cli, lost ? EXIT_NO_AGENT : EXIT_REFUSED, "%s", why.text);
}

int cli_version(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc, (void)argv;
    char sdk[32];
    snprintf(sdk, sizeof sdk, "%d.%d", ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
    cli_row(cli, "version",
            (struct accord_pair[]){{"program", "accord"}, {"version", ACCORD_VERSION}, {"sdk", sdk}}, 3);
    /* An agent that cannot be asked is no failure here. */
    if (ask(cli, "version", NULL, 0) != EXIT_OK)
        return cli_end(cli, EXIT_OK, "no agent was asked");
    return EXIT_OK;
}

int cli_help(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc, (void)argv;
    struct buf text = {0};
    cli->json = false;
    cli_usage(&text);
    fwrite(text.data, 1, text.size, stdout);
    buf_fini(&text);
    return EXIT_OK;
}
