/* accord audit export: a copy of the exported trail for an auditor, which verifies by itself. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/extract.h"
#include "audit/names.h"
#include "cli/cli.h"
#include "cli/heads.h"
#include "util/copy.h"
#include "util/file.h"
#include "util/text.h"

struct audit_copy {
    const char *agreement; /* NULL: all of them */
    char state[PATH_MAX], trail[PATH_MAX], folder[PATH_MAX], partial[PATH_MAX];
    struct heads heads;
    bool running;  /* the agent, which gave its heads */
    char **chains; /* that are there */
    size_t chain_count;
    struct buf left_out; /* chains, one a line */
    size_t left_out_count;
    struct extract_summary summary;
};

/* The host's chain has the signed anchors. */
static bool chosen(const struct audit_copy *copy, const char *chain)
{
    return !copy->agreement || !strcmp(chain, copy->agreement) || !strcmp(chain, AUDIT_HOST_CHAIN);
}

/* ---- what there is ---- */

static int list_chains(struct audit_copy *copy, struct reason *why)
{
    int folder = open(copy->trail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail(why, error_from_errno(errno), "cannot open the audit folder %s: %s", copy->trail,
                    strerror(errno));
    int result = names_list(folder, names_is_chain, &copy->chains, &copy->chain_count);
    close(folder);
    if (result)
        return fail(why, result, "cannot list the audit folder %s", copy->trail);
    if (copy->agreement && !names_have(copy->chains, copy->chain_count, copy->agreement))
        return fail(why, ACCORD_ENOENT, "%s has no trail of an agreement %s", copy->trail, copy->agreement);
    return 0;
}

/* The agent answers when its files have come up to its heads; without one, what is there has to do. */
static int ask(struct audit_copy *copy, struct reason *why)
{
    int result = heads_ask(copy->state, HEADS_EXPORT_VERB, &copy->heads, why);
    copy->running = !result;
    return result == ACCORD_ENOENT ? 0 : result;
}

static int check_folder(const struct audit_copy *copy, struct reason *why)
{
    struct stat st;
    if (lstat(copy->folder, &st) == 0)
        return fail(why, ACCORD_EEXIST, "%s is there already; name a folder that is not", copy->folder);
    if (copy_is_inside(copy->folder, copy->state))
        return fail(why, ACCORD_EINVAL, "%s is in the agent's state folder; name one elsewhere",
                    copy->folder);
    return 0;
}

/* ---- copying ---- */

static int copy_key(struct audit_copy *copy, struct reason *why)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (file_path(from, sizeof from, copy->state, ANCHOR_PUBLIC_KEY_FILE) ||
        file_path(to, sizeof to, copy->partial, ANCHOR_PUBLIC_KEY_FILE))
        return fail(why, ACCORD_ELIMIT, "the folder's name is too long: %s", copy->partial);
    int result = copy_file(from, to, 0600, &copy->summary.bytes, why);
    return result == ACCORD_ENOENT
               ? fail(why, result, "%s is not there, and without it nobody could verify the copy", from)
               : result;
}

static int copy_chains(struct audit_copy *copy, struct reason *why)
{
    static const struct audit_head none = {0}; /* a chain that has begun after the heads were told */
    int result = 0;
    for (size_t i = 0; !result && i < copy->chain_count; i++) {
        const char *chain = copy->chains[i];
        const struct audit_head *head = heads_find(&copy->heads, chain);
        if (chosen(copy, chain)) {
            result = extract_chain(copy->trail, copy->partial, chain, head || !copy->running ? head : &none,
                                   &copy->summary, why);
        } else {
            buf_format(&copy->left_out, "%s\n", chain);
            copy->left_out_count++;
        }
    }
    /* A chain that the agent knows, whose folder is gone. */
    for (size_t i = 0; !result && i < copy->heads.count; i++)
        if (chosen(copy, copy->heads.rows[i].chain) && copy->heads.rows[i].head.sequence &&
            !names_have(copy->chains, copy->chain_count, copy->heads.rows[i].chain))
            result = extract_chain(copy->trail, copy->partial, copy->heads.rows[i].chain,
                                   &copy->heads.rows[i].head, &copy->summary, why);
    return result;
}

/* Anchors name all chains: verify must know which ones to do without. */
static int write_left_out(struct audit_copy *copy, struct reason *why)
{
    char path[PATH_MAX];
    if (!copy->left_out_count)
        return 0;
    if (file_path(path, sizeof path, copy->partial, EXTRACT_LEFT_OUT_FILE) || copy->left_out.failed)
        return fail(why, ACCORD_ELIMIT, "cannot write %s/%s", copy->partial, EXTRACT_LEFT_OUT_FILE);
    return file_replace(path, copy->left_out.data, copy->left_out.size, 0600, why);
}

static int fill(struct audit_copy *copy, struct reason *why)
{
    char above[PATH_MAX];
    int result = copy_chains(copy, why);
    if (!result && !copy->summary.records)
        result = fail(why, ACCORD_ENOENT, "%s has no audit record", copy->trail);
    if (!result)
        result = copy_key(copy, why);
    if (!result)
        result = write_left_out(copy, why);
    if (!result)
        result = file_sync_folder(copy->partial, why);
    /* Fails when somebody has made a folder with something in it there meanwhile. */
    if (!result && rename(copy->partial, copy->folder) < 0)
        result = fail(why, error_from_errno(errno), "cannot make %s: %s", copy->folder, strerror(errno));
    text_copy(above, sizeof above, copy->folder);
    return result ? result : file_sync_folder(dirname(above), why);
}

static int make(struct audit_copy *copy, struct reason *why)
{
    int result = check_folder(copy, why);
    if (!result)
        result = list_chains(copy, why);
    if (result)
        return result;
    if (mkdir(copy->partial, 0700) < 0)
        return errno == EEXIST
                   ? fail(why, ACCORD_EEXIST, "%s is left of an export that was not finished; remove it",
                          copy->partial)
                   : fail(why, error_from_errno(errno), "cannot make %s: %s", copy->partial, strerror(errno));
    result = ask(copy, why);
    if (!result) {
        names_free(copy->chains, copy->chain_count); /* the agent may have begun others */
        copy->chains = NULL;
        copy->chain_count = 0;
        result = list_chains(copy, why);
    }
    if (!result)
        result = fill(copy, why);
    if (result)
        remove_folder(copy->partial);
    return result;
}

/* ---- the command ---- */

static int conclude(struct cli *cli, const struct audit_copy *copy)
{
    const struct extract_summary *summary = &copy->summary;
    char numbers[5][24], missing[100] = "";
    const uint64_t values[5] = {summary->chains, summary->files, summary->records, copy->left_out_count,
                                summary->missing};
    for (size_t i = 0; i < 5; i++)
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu64, values[i]);
    cli_row(cli, "export",
            (struct accord_pair[]){{"folder", copy->folder},
                                   {"chains", numbers[0]},
                                   {"files", numbers[1]},
                                   {"records", numbers[2]},
                                   {"from", summary->from},
                                   {"to", summary->to},
                                   {"left-out", numbers[3]},
                                   {"missing", numbers[4]},
                                   {"agent", copy->running ? "running" : "not running"}},
            9);
    if (summary->missing)
        snprintf(missing, sizeof missing,
                 "; %" PRIu64 " between them missing or damaged: accord audit verify says which",
                 summary->missing);
    return cli_end(
        cli, summary->missing ? EXIT_REFUSED : EXIT_OK,
        "%s: %" PRIu64 " records in %" PRIu64 " chain%s, from %s to %s%s%s", copy->folder, summary->records,
        summary->chains, summary->chains == 1 ? "" : "s", summary->from, summary->to, missing,
        copy->running ? "" : "; no agent runs there: what it may not have exported yet is not in it");
}

static int set_up(struct audit_copy *copy, const char *folder, struct reason *why)
{
    text_copy(copy->folder, sizeof copy->folder, folder);
    for (size_t size = strlen(copy->folder); size > 1 && copy->folder[size - 1] == '/';)
        copy->folder[--size] = 0;
    if (!*folder || strlen(folder) > PATH_MAX - 128 ||
        file_path(copy->trail, sizeof copy->trail, copy->state, "audit"))
        return fail(why, ACCORD_EINVAL, "the folder's name is empty or too long");
    if (copy->agreement && !names_is_chain(copy->agreement))
        return fail(why, ACCORD_EINVAL, "'%s' is no name of an agreement", copy->agreement);
    snprintf(copy->partial, sizeof copy->partial, "%.*s.partial", PATH_MAX - 128, copy->folder);
    return 0;
}

int cli_audit_export(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    struct reason why = {""};
    const char *agreement = cli_option(&argc, argv, "--agreement");
    if (argc != 1)
        return EXIT_USAGE;
    struct audit_copy *copy = calloc(1, sizeof *copy);
    if (!copy)
        return cli_end(cli, EXIT_REFUSED, "out of memory");
    copy->agreement = agreement;
    int code = cli_state(cli, copy->state);
    if (!code) {
        int result = set_up(copy, argv[0], &why);
        if (result)
            code = cli_end(cli, EXIT_USAGE, "%s", why.text);
        else if (make(copy, &why))
            code = cli_end(cli, EXIT_REFUSED, "nothing was exported: %s", why.text);
        else
            code = conclude(cli, copy);
    }
    names_free(copy->chains, copy->chain_count);
    heads_fini(&copy->heads);
    buf_fini(&copy->left_out);
    free(copy);
    return code;
}
