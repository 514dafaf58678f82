/* accord metrics: the agent's numbers in Prometheus' text format 0.0.4, each family in one piece. */
#include "wire/metrics.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct families {
    struct cli *cli;
    struct buf samples[METRIC_END];
};

static const char *name_of(const struct wire_pairs *cells)
{
    struct accord_pair cell;
    for (size_t at = 0; wire_pairs_next(cells, &at, &cell);)
        if (strcmp(cell.name, "metric") == 0)
            return cell.value;
    return "";
}

/* A name that this command does not know comes from a newer agent, and has no help here. */
static void take_row(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct families *families = arg;
    enum metric metric = metric_find(name_of(cells));
    if (families->cli->json)
        render_row(&families->cli->render, table, cells);
    else if (metric != METRIC_END)
        metric_line(&families->samples[metric], cells);
}

static int print(const struct buf *text)
{
    return text->failed || (text->size && fwrite(text->data, 1, text->size, stdout) != text->size);
}

int cli_metrics(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct families families = {.cli = cli};
    int code = cli_ask_agent(cli, command->name, NULL, 0, take_row, &families), bad = 0;
    for (int i = 0; i < METRIC_END; i++) {
        struct buf head = {0};
        if (families.samples[i].size)
            metric_head(&head, (enum metric)i);
        if (!code && !bad)
            bad = print(&head) || print(&families.samples[i]);
        buf_fini(&head);
        buf_fini(&families.samples[i]);
    }
    return bad ? cli_end(cli, EXIT_REFUSED, "the metrics could not be written") : code;
}
