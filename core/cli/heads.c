#include "cli/heads.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "util/text.h"

void heads_fini(struct heads *heads)
{
    for (size_t i = 0; i < heads->count; i++)
        free((char *)heads->rows[i].chain);
    free(heads->rows);
}

static void take_head(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct heads *heads = arg;
    const char *chain = wire_pairs_get(cells, "chain"), *sequence = wire_pairs_get(cells, "sequence");
    const char *hash = wire_pairs_get(cells, "hash");
    struct audit_chain_head row = {0};
    char *end = NULL;
    (void)table;
    row.head.sequence = sequence ? strtoull(sequence, &end, 10) : 0;
    bool good = chain && end && !*end && hash && hex_decode(row.head.hash, sizeof row.head.hash, hash);
    struct audit_chain_head *rows = good ? realloc(heads->rows, (heads->count + 1) * sizeof *rows) : NULL;
    if (rows)
        heads->rows = rows;
    row.chain = rows ? strdup(chain) : NULL;
    if (row.chain)
        rows[heads->count++] = row;
    else
        heads->bad = true;
}

int heads_ask(const char *state, const char *verb, struct heads *heads, struct reason *why)
{
    struct client *client = NULL;
    struct client_end end = {0};
    int result = client_open(&client, state, why);
    if (!result) {
        result = client_command(client, verb, NULL, 0, take_head, heads, &end, why);
        if (!result && (end.exit || heads->bad))
            result =
                fail(why, ACCORD_EPROTO, "%s", end.exit ? end.line : "the agent's heads are not understood");
    }
    client_close(client);
    return result;
}

const struct audit_head *heads_find(const struct heads *heads, const char *chain)
{
    for (size_t i = 0; i < heads->count; i++)
        if (strcmp(heads->rows[i].chain, chain) == 0)
            return &heads->rows[i].head;
    return NULL;
}
