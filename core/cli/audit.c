/* accord audit verify: the exported trail against itself, its signatures, and the running agent's heads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/extract.h"
#include "audit/names.h"
#include "audit/verify.h"
#include "cli/cli.h"
#include "cli/heads.h"
#include "util/file.h"
#include "util/text.h"

#define LEFT_OUT_MAX (1u << 20)

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
    if (heads_ask(v->state, HEADS_VERB, &v->now, &why))
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
    char numbers[5][24];
    const uint64_t values[5] = {summary->chains, summary->files, summary->records, summary->anchors,
                                summary->left_out};
    for (size_t i = 0; i < 5; i++)
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu64, values[i]);
    cli_row(cli, "trail",
            (struct accord_pair[]){{"chains", numbers[0]},
                                   {"files", numbers[1]},
                                   {"records", numbers[2]},
                                   {"anchors", numbers[3]},
                                   {"signatures", signatures},
                                   {"heads", heads},
                                   {"left-out", numbers[4]}},
            summary->left_out ? 7 : 6);
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
    char left_out[96] = "";
    if (summary->left_out)
        snprintf(left_out, sizeof left_out,
                 "; %" PRIu64 " more chain%s, left out of this copy, were not seen", summary->left_out,
                 summary->left_out == 1 ? "" : "s");
    return cli_end(cli, EXIT_OK, "%s: %" PRIu64 " records in %" PRIu64 " chains are unbroken%s", folder,
                   summary->records, summary->chains, left_out);
}

/* The key that signed: kept with the state folder, beside the trail of a backup, and in an exported copy. */
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
    if (!file_path(path, sizeof path, folder, ANCHOR_PUBLIC_KEY_FILE) && !anchor_key_public(&key, path, why))
        return key;
    return NULL;
}

/* The chains that a copy says it was made without; what is no name of a chain is not believed. */
struct left_out {
    struct buf text;
    const char **names;
    size_t count;
};

static void left_out_read(struct left_out *left, const char *folder)
{
    char path[PATH_MAX], *rest = NULL;
    struct reason why;
    if (file_path(path, sizeof path, folder, EXTRACT_LEFT_OUT_FILE) ||
        file_read(path, LEFT_OUT_MAX, &left->text, &why))
        return;
    char *text = (char *)buf_string(&left->text);
    for (char *name = text ? strtok_r(text, "\n", &rest) : NULL; name; name = strtok_r(NULL, "\n", &rest)) {
        const char **more =
            names_is_chain(name) ? reallocarray(left->names, left->count + 1, sizeof *more) : NULL;
        if (!more)
            continue;
        left->names = more;
        left->names[left->count++] = name;
    }
}

static void left_out_fini(struct left_out *left)
{
    free(left->names);
    buf_fini(&left->text);
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
    bool compared = !argc && !heads_ask(state, HEADS_VERB, &v.heads, &why);
    if (!compared)
        snprintf(heads_said, sizeof heads_said, "not compared: %s", argc ? "a folder was named" : why.text);
    struct anchor_key *key = find_key(folder, state, &key_why);
    char signatures[ACCORD_REASON_MAX + 16] = "checked";
    if (!key)
        snprintf(signatures, sizeof signatures, "not checked: %s", key_why.text);
    struct left_out left = {0};
    if (argc) /* the agent's own trail is never without a chain */
        left_out_read(&left, folder);
    struct verify_options options = {.folder = folder,
                                     .key = key,
                                     .heads = compared ? v.heads.rows : NULL,
                                     .head_count = compared ? v.heads.count : 0,
                                     .heads_now = compared ? ask_again : NULL,
                                     .left_out = left.names,
                                     .left_out_count = left.count,
                                     .report = take_problem,
                                     .arg = &v};
    struct verify_summary summary = {0};
    int result = verify_trail(&options, &summary, &why);
    if (!result)
        put_summary(cli, &summary, signatures, heads_said);
    code = result ? cli_end(cli, EXIT_UNCHECKED, "%s", why.text) : conclude(cli, folder, &summary, key);
    anchor_key_close(key);
    left_out_fini(&left);
    heads_fini(&v.heads);
    heads_fini(&v.now);
    return code;
}
