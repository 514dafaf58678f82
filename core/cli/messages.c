/* Commands about many messages: one question to the agent for each, with progress for the person who waits. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "util/text.h"

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

/* ---- all that is dead ---- */

#define PAGE "256" /* messages in one answer: the most that the agent gives */

/* Messages with dead deliveries, and how trying them again goes. */
struct sweep {
    struct cli *cli;
    struct buf ids; /* of ACCORD_ID_MAX each */
    size_t page;    /* rows of the last answer */
    unsigned long gone_on, failed;
};

static void take_id(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct sweep *sweep = arg;
    const char *id = wire_pairs_get(cells, "id");
    char kept[ACCORD_ID_MAX];
    if (strcmp(table, "messages") != 0 || !id)
        return;
    text_copy(kept, sizeof kept, id);
    buf_put(&sweep->ids, kept, sizeof kept);
    sweep->page++;
}

/* A person waits for what did not work; a program may have all of it. */
static void take_decision(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct sweep *sweep = arg;
    const char *is = wire_pairs_get(cells, "is");
    bool goes_on = is && strcmp(is, "waiting") == 0;
    sweep->gone_on += goes_on;
    sweep->failed += !goes_on;
    if (!goes_on || sweep->cli->json)
        render_row(&sweep->cli->render, table, cells);
}

/* Ids first: what is tried again moves under the feet of whoever turns the pages. */
static int find_dead(struct sweep *sweep, struct client *client, const char *agreement)
{
    struct client_end end = {0};
    struct reason why = {""};
    do {
        size_t count = sweep->ids.size / ACCORD_ID_MAX;
        const char *last = count ? (const char *)sweep->ids.data + (count - 1) * ACCORD_ID_MAX : "";
        const struct accord_pair arguments[] = {
            {"agreement", agreement}, {"state", "dead"}, {"limit", PAGE}, {"before", last}};
        sweep->page = 0;
        if (client_command(client, "messages", arguments, 4, take_id, sweep, &end, &why))
            return cli_end(sweep->cli, EXIT_NO_AGENT, "%s", why.text);
        if (end.exit || sweep->ids.failed)
            return cli_end(sweep->cli, EXIT_REFUSED, "%s", end.exit ? end.line : "out of memory");
    } while (sweep->page);
    return EXIT_OK;
}

/* An exit code; EXIT_OK also when this one cannot be retried. */
static int retry_one(struct sweep *sweep, struct client *client, const struct accord_pair arguments[4])
{
    struct client_end end = {0};
    struct reason why = {""};
    unsigned long decided = sweep->gone_on + sweep->failed;
    if (client_command(client, "retry", arguments, 4, take_decision, sweep, &end, &why))
        return cli_end(sweep->cli, EXIT_NO_AGENT, "after %lu deliveries: %s", sweep->gone_on, why.text);
    if (end.exit == EXIT_USAGE)
        return cli_end(sweep->cli, EXIT_USAGE, "%s", end.line);
    sweep->failed += end.exit && decided == sweep->gone_on + sweep->failed;
    return EXIT_OK;
}

static int retry_found(struct sweep *sweep, struct client *client, const char *route, const char *reason)
{
    int count = (int)(sweep->ids.size / ACCORD_ID_MAX), code = EXIT_OK;
    for (int i = 0; i < count && !code; i++) {
        const char *id = (const char *)sweep->ids.data + (size_t)i * ACCORD_ID_MAX;
        show_progress(sweep->cli, i, count);
        code = retry_one(sweep, client,
                         (const struct accord_pair[]){
                             {"id", id}, {"service", route}, {"state", "dead"}, {"reason", reason}});
    }
    show_progress(sweep->cli, count, count);
    if (code)
        return code;
    if (sweep->failed)
        return cli_end(sweep->cli, EXIT_REFUSED, "%lu deliveries go on, %lu could not be retried",
                       sweep->gone_on, sweep->failed);
    if (!sweep->gone_on)
        return cli_end(sweep->cli, EXIT_REFUSED, "nothing is dead under %s", route);
    return cli_end(sweep->cli, EXIT_OK, "%lu dead %s on", sweep->gone_on,
                   sweep->gone_on == 1 ? "delivery goes" : "deliveries go");
}

int cli_retry_all(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct sweep sweep = {.cli = cli};
    struct client *client = NULL;
    const char *reason = cli_option(&argc, argv, "--reason");
    (void)command;
    if (argc != 1)
        return EXIT_USAGE;
    char agreement[256];
    text_copy(agreement, sizeof agreement, argv[0]);
    agreement[strcspn(agreement, "/")] = 0;
    int code = cli_reach(cli, &client);
    if (code)
        return code;
    code = find_dead(&sweep, client, agreement);
    if (!code)
        code = retry_found(&sweep, client, argv[0], reason ? reason : "");
    client_close(client);
    buf_fini(&sweep.ids);
    return code;
}

/* ---- quarantine ---- */

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
