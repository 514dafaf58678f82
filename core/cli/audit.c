/* accord audit verify: the exported trail against itself, its signatures, and the running agent's heads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/verify.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "util/file.h"
#include "util/text.h"

#define HEADS_VERB "audit-heads" /* rows of table `heads`: chain, sequence, hash */

struct heads {
    struct audit_chain_head *rows;
    size_t count;
    bool bad; /* a row that is not a head */
};

static void heads_fini(struct heads *heads)
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

/* True when the running agent gave its heads; asking also makes it export what it has. */
static bool ask_heads(const char *state, struct heads *heads, struct reason *why)
{
    struct client *client = NULL;
    struct client_end end = {0};
    int result = client_open(&client, state, why);
    if (!result)
        result = client_command(client, HEADS_VERB, NULL, 0, take_head, heads, &end, why);
    if (!result && (end.exit || heads->bad))
        result = fail(why, ACCORD_EPROTO, "%s", end.exit ? end.line : "the agent's heads are not understood");
    client_close(client);
    return !result;
}

/* What a verification asks for and tells. */
struct verification {
    struct cli *cli;
    const char *state;
    struct heads heads, now;
};

static const struct audit_chain_head *ask_again(void *arg, size_t *count)
{
    struct verification *v = arg;
    struct reason why;
    if (!ask_heads(v->state, &v->now, &why))
        return NULL;
    *count = v->now.count;
    return v->now.rows;
}

static void take_problem(void *arg, const struct verify_problem *problem)
{
    struct cli *cli = ((struct verification *)arg)->cli;
    char line[24] = "";
    if (problem->line)
        snprintf(line, sizeof line, "%" PRIu64, problem->line);
    cli_row(cli, "problems",
            (struct accord_pair[]){{"fault", verify_fault_name(problem->fault)},
                                   {"file", problem->file},
                                   {"line", line},
                                   {"text", problem->text}},
            4);
}

static void put_summary(struct cli *cli, const struct verify_summary *summary, const char *signatures,
                        const char *heads)
{
    char numbers[4][24];
    const uint64_t values[4] = {summary->chains, summary->files, summary->records, summary->anchors};
    for (size_t i = 0; i < 4; i++)
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu64, values[i]);
    cli_row(cli, "trail",
            (struct accord_pair[]){{"chains", numbers[0]},
                                   {"files", numbers[1]},
                                   {"records", numbers[2]},
                                   {"anchors", numbers[3]},
                                   {"signatures", signatures},
                                   {"heads", heads}},
            6);
}

static int conclude(struct cli *cli, const char *folder, const struct verify_summary *summary, bool whole)
{
    if (summary->problems)
        return cli_end(cli, EXIT_REFUSED, "%s: %" PRIu64 " problem%s; this trail is not what was written",
                       folder, summary->problems, summary->problems == 1 ? "" : "s");
    if (!summary->records)
        return cli_end(cli, EXIT_REFUSED, "%s: no audit record there", folder);
    if (!whole)
        return cli_end(cli, EXIT_UNCHECKED,
                       "%s: %" PRIu64 " records are unbroken as far as they could be checked here", folder,
                       summary->records);
    return cli_end(cli, EXIT_OK, "%s: %" PRIu64 " records in %" PRIu64 " chains are unbroken", folder,
                   summary->records, summary->chains);
}

/* The key that signed: kept with the state folder, and beside a copy of the trail if someone put it there. */
static struct anchor_key *find_key(const char *folder, const char *state, struct reason *why)
{
    struct anchor_key *key = NULL;
    char path[PATH_MAX];
    if (*state && !file_path(path, sizeof path, state, ANCHOR_PUBLIC_KEY_FILE) &&
        !anchor_key_public(&key, path, why))
        return key;
    if (!file_path(path, sizeof path, folder, "../" ANCHOR_PUBLIC_KEY_FILE) &&
        !anchor_key_public(&key, path, why))
        return key;
    return NULL;
}

int cli_audit_verify(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    char state[PATH_MAX] = "", folder[PATH_MAX], heads_said[ACCORD_REASON_MAX + 16] = "compared";
    struct verification v = {.cli = cli, .state = state};
    struct reason why = {""}, key_why = {""};
    int code = cli_state(cli, state);
    if (code && !argc)
        return code; /* a folder that is named can be verified without any configuration */
    if (argc)
        text_copy(folder, sizeof folder, argv[0]);
    else if (file_path(folder, sizeof folder, state, "audit"))
        return cli_end(cli, EXIT_CONFIG, "the state folder's name is too long");
    /* The agent's heads belong to its own trail, not to a copy from another day. */
    bool compared = !argc && ask_heads(state, &v.heads, &why);
    if (!compared)
        snprintf(heads_said, sizeof heads_said, "not compared: %s", argc ? "a folder was named" : why.text);
    struct anchor_key *key = find_key(folder, state, &key_why);
    char signatures[ACCORD_REASON_MAX + 16] = "checked";
    if (!key)
        snprintf(signatures, sizeof signatures, "not checked: %s", key_why.text);
    struct verify_options options = {.folder = folder,
                                     .key = key,
                                     .heads = compared ? v.heads.rows : NULL,
                                     .head_count = compared ? v.heads.count : 0,
                                     .heads_now = compared ? ask_again : NULL,
                                     .report = take_problem,
                                     .arg = &v};
    struct verify_summary summary = {0};
    int result = verify_trail(&options, &summary, &why);
    if (!result)
        put_summary(cli, &summary, signatures, heads_said);
    code = result ? cli_end(cli, EXIT_UNCHECKED, "%s", why.text) : conclude(cli, folder, &summary, key);
    anchor_key_close(key);
    heads_fini(&v.heads);
    heads_fini(&v.now);
    return code;
}
