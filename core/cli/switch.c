/* accord enable, accord disable: one line of one file, with the caller's own rights; then the running agent, if there is
 * one, is asked to take it on, and says what became of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/load.h"
#include "conf/edit.h"
#include "conf/folder.h"
#include "conf/reader.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

#define WAIT_MS  20000 /* for the agreement to be up, or down */
#define PAUSE_US 100000

struct toggle {
    const char *name;
    bool on;
    char file[CONF_NAME_MAX + 8]; /* NAME.conf */
    char path[PATH_MAX];          /* where it really lies, behind symbolic links */
    struct stat st;
    struct buf before, after;
    char hash_before[DIGEST_HEX], hash_after[DIGEST_HEX];
};

/* ---- the file ---- */

static int hash(const struct buf *bytes, char hex[DIGEST_HEX])
{
    uint8_t digest[DIGEST_SIZE];
    if (digest_of(bytes->data ? bytes->data : (const uint8_t *)"", bytes->size, digest) < 0)
        return ACCORD_EIO;
    hex_encode(hex, digest, sizeof digest);
    return 0;
}

static int read_agreement(struct cli *cli, struct toggle *t)
{
    char path[PATH_MAX];
    struct reason why;
    snprintf(t->file, sizeof t->file, "%.63s.conf", t->name);
    if (!text_is_name(t->name, CONF_NAME_MAX - 1) || !strcmp(t->name, CONF_SITE) || !strcmp(t->name, "agent"))
        return cli_end(cli, EXIT_USAGE, "`%s` is not the name of an agreement: NAME of conf.d/NAME.conf",
                       t->name);
    if (file_path(path, sizeof path, cli->conf, t->file) < 0 || !realpath(path, t->path) ||
        stat(t->path, &t->st) < 0)
        return cli_end(cli, EXIT_REFUSED, "cannot find %s in %s: %s", t->file, cli->conf, strerror(errno));
    if (file_read(t->path, READER_FILE_MAX, &t->before, &why) < 0)
        return cli_end(cli, EXIT_REFUSED, "%s", why.text);
    if (conf_edit(t->before.data ? (const void *)t->before.data : "", t->before.size, "agreement", "enabled",
                  t->on ? "yes" : "no", &t->after, &why) < 0)
        return cli_end(cli, EXIT_CONFIG, "%s: %s; nothing was changed", t->file, why.text);
    if (hash(&t->before, t->hash_before) < 0 || hash(&t->after, t->hash_after) < 0)
        return cli_end(cli, EXIT_REFUSED, "cannot take the SHA-256 of %s", t->file);
    return 0;
}

/* What would keep the agreement from running is said before anything is written. */
static int check_enabled(struct cli *cli, const struct toggle *t)
{
    const struct conf_setting setting = {.instead = t->file, .bytes = t->after.data, .size = t->after.size};
    struct cli_loaded loaded;
    cli_load(cli, &setting, &loaded);
    size_t errors = conf_report_count(&loaded.report, CONF_ERROR, t->file);
    bool whole = loaded.conf && conf_agreement_find(loaded.conf, t->name);
    for (size_t i = 0; i < loaded.report.count; i++) {
        const struct conf_problem *p = &loaded.report.items[i];
        bool its = !strcmp(p->file, t->file) && (p->severity == CONF_ERROR || p->severity == CONF_UNCHECKED);
        if (its || (!whole && !errors && p->severity == CONF_ERROR))
            cli_problem(cli, p);
    }
    cli_loaded_fini(&loaded);
    if (whole)
        return 0;
    return cli_end(cli, EXIT_CONFIG, "%s was not enabled: %s; nothing was changed", t->name,
                   errors ? "its file has the mistakes above" : "the configuration has the mistakes above");
}

static int write_new(const struct toggle *t, int fd, struct reason *why)
{
    if (file_write_all(fd, t->after.data, t->after.size) < 0)
        return fail(why, error_from_errno(errno), "cannot write beside %s: %s", t->path, strerror(errno));
    struct stat st;
    bool foreign = fstat(fd, &st) == 0 && (st.st_uid != t->st.st_uid || st.st_gid != t->st.st_gid);
    if (foreign && fchown(fd, t->st.st_uid, t->st.st_gid) < 0)
        return fail(
            why, ACCORD_EDENIED,
            "%s belongs to uid %u and gid %u, which this user cannot give a new file; let its owner do it",
            t->path, (unsigned)t->st.st_uid, (unsigned)t->st.st_gid);
    if (fchmod(fd, t->st.st_mode & 07777) < 0 || fsync(fd) < 0)
        return fail(why, error_from_errno(errno), "cannot finish the new %s: %s", t->path, strerror(errno));
    return 0;
}

/* Somebody else may be editing it. */
static int check_untouched(const struct toggle *t, struct reason *why)
{
    struct stat now;
    if (stat(t->path, &now) == 0 && now.st_ino == t->st.st_ino && now.st_size == t->st.st_size &&
        now.st_mtim.tv_sec == t->st.st_mtim.tv_sec && now.st_mtim.tv_nsec == t->st.st_mtim.tv_nsec)
        return 0;
    return fail(why, ACCORD_EBUSY, "%s was changed by somebody else just now; try again", t->path);
}

/* The old file or the new one, whole; with the same owner and mode. */
static int replace(const struct toggle *t, struct reason *why)
{
    char temporary[PATH_MAX + 16], folder[PATH_MAX];
    if (access(t->path, W_OK) < 0)
        return fail(why, error_from_errno(errno), "this user may not change %s: %s", t->path,
                    strerror(errno));
    text_copy(folder, sizeof folder, t->path);
    *strrchr(folder, '/') = 0;
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", t->path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail(why, error_from_errno(errno), "this user may not put a file into %s: %s", folder,
                    strerror(errno));
    int result = write_new(t, fd, why);
    close(fd);
    if (!result)
        result = check_untouched(t, why);
    if (!result && rename(temporary, t->path) < 0)
        result = fail(why, error_from_errno(errno), "cannot replace %s: %s", t->path, strerror(errno));
    if (result) {
        unlink(temporary);
        return result;
    }
    return file_sync_folder(*folder ? folder : "/", why);
}

/* ---- the agent ---- */

struct looking {
    const char *name;
    char state[32], reason[ACCORD_REASON_MAX];
    size_t problems; /* that keep the file from counting */
    struct cli *cli;
};

static void cell(const struct wire_pairs *cells, const char *name, char *to, size_t room)
{
    const char *value = wire_pairs_get(cells, name);
    text_copy(to, room, value ? value : "");
}

static void take_agreement(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct looking *looking = arg;
    const char *name = wire_pairs_get(cells, "agreement");
    if (strcmp(table, "agreements") != 0 || !name || strcmp(name, looking->name) != 0)
        return;
    cell(cells, "state", looking->state, sizeof looking->state);
    cell(cells, "reason", looking->reason, sizeof looking->reason);
}

/* What the reload found in this file, or in agent.conf. */
static void take_problem(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct looking *looking = arg;
    struct conf_problem problem = {.severity = CONF_ERROR};
    char severity[32], line[16], file[CONF_NAME_MAX + 8];
    cell(cells, "severity", severity, sizeof severity);
    cell(cells, "file", problem.file, sizeof problem.file);
    cell(cells, "line", line, sizeof line);
    cell(cells, "text", problem.text, sizeof problem.text);
    snprintf(file, sizeof file, "%s.conf", looking->name);
    problem.line = atoi(line);
    if (!strcmp(table, "problems") && !strcmp(severity, "error") &&
        (!strcmp(problem.file, file) || !strcmp(problem.file, "agent.conf"))) {
        cli_problem(looking->cli, &problem);
        looking->problems++;
    }
}

static int verdict(struct cli *cli, const struct toggle *t, const struct looking *looking, bool there)
{
    const char *state = *looking->state ? looking->state : "not known to the agent";
    if (there)
        return cli_end(cli, EXIT_OK, "%s is %s", t->name, t->on ? "enabled and up" : "disabled");
    return cli_end(cli, EXIT_REFUSED, "%s is %s in its file, and %s%s%s", t->name,
                   t->on ? "enabled" : "disabled", state, *looking->reason ? ": " : "", looking->reason);
}

/* Waits until it is what was asked for, or cannot be. */
static int follow(struct cli *cli, struct client *client, const struct toggle *t, struct looking *looking)
{
    struct client_end end;
    struct reason why;
    int64_t until = clock_ticks() + WAIT_MS;
    for (;;) {
        *looking->state = 0;
        if (client_command(client, "agreements", NULL, 0, take_agreement, looking, &end, &why) < 0)
            return cli_end(cli, EXIT_NO_AGENT, "%s", why.text);
        bool off = !strcmp(looking->state, "not-in-force") || !strcmp(looking->state, "suspended");
        bool there = t->on ? !strcmp(looking->state, "up") : off || !strcmp(looking->state, "disabled");
        if (there || off || looking->problems || !*looking->state || clock_ticks() >= until)
            return verdict(cli, t, looking, there);
        usleep(PAUSE_US);
    }
}

static int tell_agent(struct cli *cli, struct client *client, const struct toggle *t)
{
    const struct accord_pair arguments[] = {{"name", t->name},
                                            {"enabled", t->on ? "yes" : "no"},
                                            {"before", t->hash_before},
                                            {"after", t->hash_after}};
    struct looking looking = {.name = t->name, .cli = cli};
    struct client_end end;
    struct reason why;
    if (client_command(client, "switch", arguments, 4, take_problem, &looking, &end, &why) < 0)
        return cli_end(cli, EXIT_NO_AGENT, "%s", why.text);
    return end.exit ? cli_end(cli, end.exit, "%s", end.line) : follow(cli, client, t, &looking);
}

static int report(struct cli *cli, const struct toggle *t)
{
    char state[PATH_MAX];
    struct client *client = NULL;
    struct reason why = {""};
    int code = cli_state(cli, state);
    int result = code ? code : client_open(&client, state, &why);
    if (result) {
        bool denied = result == ACCORD_EDENIED;
        return cli_end(cli, denied ? EXIT_NO_AGENT : EXIT_OK, "%s is %s in its file; %s", t->name,
                       t->on ? "enabled" : "disabled",
                       denied ? why.text : "no agent runs here: it counts when the agent starts");
    }
    code = tell_agent(cli, client, t);
    client_close(client);
    return code;
}

/* ---- the command ---- */

static int toggle(struct cli *cli, struct toggle *t)
{
    struct reason why;
    int code = read_agreement(cli, t);
    if (code)
        return code;
    if (t->on)
        code = check_enabled(cli, t);
    bool same = !strcmp(t->hash_before, t->hash_after);
    if (!code && !same && replace(t, &why) < 0)
        code = cli_end(cli, EXIT_REFUSED, "%s", why.text);
    if (!code)
        cli_row(cli, "switch",
                (struct accord_pair[]){{"agreement", t->name},
                                       {"enabled", t->on ? "yes" : "no"},
                                       {"changed", same ? "no" : "yes"},
                                       {"before", t->hash_before},
                                       {"after", t->hash_after}},
                5);
    return code ? code : report(cli, t);
}

int cli_switch(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)argc;
    struct toggle t = {.name = argv[0], .on = !strcmp(command->name, "enable")};
    int code = toggle(cli, &t);
    buf_fini(&t.before);
    buf_fini(&t.after);
    return code;
}
