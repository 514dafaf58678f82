/* How far a long piece of work has come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/text.h"

static bool shown;

static void put_amount(char *to, size_t room, const char *value, bool bytes)
{
    if (bytes)
        text_size(to, room, strtoll(value, NULL, 10));
    else
        snprintf(to, room, "%lld", strtoll(value, NULL, 10));
}

void cli_progress(const struct cli *cli, const struct wire_pairs *cells)
{
    const char *done = wire_pairs_get(cells, "done"), *of = wire_pairs_get(cells, "of"),
               *unit = wire_pairs_get(cells, "unit");
    char amounts[2][32];
    if (cli->json || !done || !of || !isatty(STDERR_FILENO))
        return;
    bool bytes = unit && strcmp(unit, "bytes") == 0;
    put_amount(amounts[0], sizeof amounts[0], done, bytes);
    put_amount(amounts[1], sizeof amounts[1], of, bytes);
    fprintf(stderr, "\r\033[K%s of %s", amounts[0], amounts[1]);
    shown = true;
}

void cli_progress_end(const struct cli *cli)
{
    (void)cli;
    if (shown)
        fprintf(stderr, "\r\033[K");
    shown = false;
}
