/* accord init: a conf.d to begin with. Asks what it cannot know, checks each answer as it is given, writes the files that
 * this program brings along with the answers in them, and never over files that are there.
 */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/load.h"
#include "cli/shipped.h"
#include "conf/edit.h"
#include "conf/folder.h"
#include "conf/value.h"
#include "util/file.h"
#include "util/text.h"

#define ANSWER_MAX 256
#define TRIES      5
#define NO_KEY     "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct init {
    struct cli *cli;
    const char *folder;
    bool yes; /* every default */
    char organisation[ANSWER_MAX], user[ANSWER_MAX], state[ANSWER_MAX], site_folder[ANSWER_MAX];
    bool cbp, ais, sftp;
    char name[ANSWER_MAX], partner[ANSWER_MAX]; /* of the generic agreement */
    char host[ANSWER_MAX], port[ANSWER_MAX], account[ANSWER_MAX], key[ANSWER_MAX], remote[ANSWER_MAX];
    struct buf agent, site, agreement, cbp_isa, cisa_ais;
    struct reason why;
};

/* ---- questions ---- */

struct question {
    const char *text, *fallback;
    enum accord_kind kind;
    bool (*fits)(struct init *, const char *answer); /* NULL; sets init->why */
};

static bool fits_kind(struct init *init, const struct question *q, const char *text)
{
    const struct accord_option option = {.name = "answer", .kind = q->kind};
    struct conf_value value;
    if (!*text || strpbrk(text, ";#")) {
        fail(&init->why, 0, "write something, without ; or #");
        return false;
    }
    if (conf_value_parse(&option, text, &value, &init->why) < 0)
        return false;
    conf_value_fini(&value);
    return !q->fits || q->fits(init, text);
}

/* The answer without its line end and blanks around it; false: there are no more. */
static bool read_answer(char to[ANSWER_MAX])
{
    char line[4 * ANSWER_MAX];
    if (!fgets(line, sizeof line, stdin))
        return false;
    size_t from = strspn(line, " \t"), size = strlen(line);
    while (size > from && strchr(" \t\r\n", line[size - 1]))
        line[--size] = 0;
    text_copy(to, ANSWER_MAX, line + from);
    return true;
}

static int ask(struct init *init, const struct question *q, char to[ANSWER_MAX])
{
    text_copy(to, ANSWER_MAX, q->fallback);
    for (int i = 0; i < TRIES && !init->yes; i++) {
        fprintf(stderr, "%s [%s]: ", q->text, q->fallback);
        fflush(stderr);
        if (!read_answer(to))
            return cli_end(init->cli, EXIT_USAGE,
                           "\nthe answers ended before the questions; nothing was written");
        if (!*to)
            text_copy(to, ANSWER_MAX, q->fallback);
        if (fits_kind(init, q, to))
            return 0;
        fprintf(stderr, "  %s\n", init->why.text);
    }
    return init->yes
               ? 0
               : cli_end(init->cli, EXIT_USAGE, "%d answers that do not fit; nothing was written", TRIES);
}

static bool fits_agreements(struct init *init, const char *text)
{
    char list[ANSWER_MAX], *rest;
    text_copy(list, sizeof list, text);
    init->cbp = init->ais = init->sftp = false;
    for (char *word = strtok_r(list, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
        init->cbp = init->cbp || !strcmp(word, "cbp");
        init->ais = init->ais || !strcmp(word, "ais");
        init->sftp = init->sftp || !strcmp(word, "sftp");
        if (strcmp(word, "cbp") != 0 && strcmp(word, "ais") != 0 && strcmp(word, "sftp") != 0) {
            fail(&init->why, 0, "write cbp, ais or sftp, or some of them separated by commas");
            return false;
        }
    }
    return true;
}

static bool fits_name(struct init *init, const char *text)
{
    bool reserved = !strcmp(text, "site") || !strcmp(text, "agent") || !strcmp(text, "cbp-isa") ||
                    !strcmp(text, "cisa-ais");
    if (text_is_name(text, CONF_NAME_MAX - 8) && !reserved)
        return true;
    fail(&init->why, 0,
         "the name of a file, without .conf: lower-case letters, digits and hyphens, and not taken");
    return false;
}

static bool fits_key(struct init *init, const char *text)
{
    if (!strncmp(text, "SHA256:", 7) && strlen(text) == 50)
        return true;
    fail(&init->why, 0, "SHA256: and 43 characters, as `ssh-keygen -l` prints it");
    return false;
}

static int ask_all(struct init *init)
{
    char agreements[ANSWER_MAX];
    int code =
        ask(init, &(struct question){"Name of your organisation", "Example Organisation", ACCORD_TEXT, NULL},
            init->organisation);
    if (!code)
        code = ask(init, &(struct question){"User that the agent runs as", "accord", ACCORD_TEXT, NULL},
                   init->user);
    if (!code)
        code =
            ask(init, &(struct question){"State folder", "/var/lib/accord", ACCORD_PATH, NULL}, init->state);
    if (!code)
        code = ask(init,
                   &(struct question){"Folder for messages of your own side", "/var/lib/accord/site",
                                      ACCORD_PATH, NULL},
                   init->site_folder);
    if (!code)
        code = ask(init,
                   &(struct question){
                       "Agreements to begin with: cbp (U.S. Customs and Border Protection), ais (CISA "
                       "Automated Indicator Sharing), sftp (any SFTP partner)",
                       "sftp", ACCORD_TEXT, fits_agreements},
                   agreements);
    if (!code && init->yes)
        fits_agreements(init, agreements);
    return code;
}

/* Where the SFTP partner is; of CBP's or of the generic agreement. */
static int ask_partner(struct init *init)
{
    int code = 0;
    if (init->sftp)
        code = ask(init,
                   &(struct question){"SFTP agreement: name of its file", "partner", ACCORD_TEXT, fits_name},
                   init->name);
    if (!code && init->sftp)
        code = ask(init, &(struct question){"The partner's name", "Example Partner", ACCORD_TEXT, NULL},
                   init->partner);
    if (!code && (init->sftp || init->cbp))
        code = ask(init,
                   &(struct question){"The partner's SFTP host", "sftp.partner.example", ACCORD_HOST, NULL},
                   init->host);
    if (!code && (init->sftp || init->cbp))
        code = ask(init, &(struct question){"Its port", "22", ACCORD_PORT, NULL}, init->port);
    if (!code && (init->sftp || init->cbp))
        code =
            ask(init, &(struct question){"Your user name there", "acme", ACCORD_TEXT, NULL}, init->account);
    if (!code && init->sftp)
        code = ask(init, &(struct question){"The folder there", "/inbound", ACCORD_TEXT, NULL}, init->remote);
    if (!code && (init->sftp || init->cbp))
        code = ask(init,
                   &(struct question){"Its host key's fingerprint (may be set later)", NO_KEY, ACCORD_TEXT,
                                      fits_key},
                   init->key);
    return code;
}

/* ---- files ---- */

static int set(struct buf *file, const char *section, const char *key, const char *value, struct reason *why)
{
    struct buf out = {0};
    int result = conf_edit(file->data, file->size, section, key, value, &out, why);
    if (result) {
        buf_fini(&out);
        return result;
    }
    buf_fini(file);
    *file = out;
    return 0;
}

static int make_agent(struct init *init)
{
    buf_put(&init->agent, shipped_agent.bytes, shipped_agent.size);
    int result = set(&init->agent, "agent", "state", init->state, &init->why);
    return result ? result : set(&init->agent, "agent", "user", init->user, &init->why);
}

/* Sections of the shipped site.conf, and the agreement that each is for. */
static const struct folder {
    const char *name;
    bool ais; /* otherwise CBP's */
} folders[] = {{"stow-plans", false},
               {"container-status", false},
               {"aes-commodity", false},
               {"stow-plans-mail", false},
               {"ace-requests", false},
               {"responses", false},
               {"indicators", true},
               {"ais-feed", true}};
#define FOLDER_COUNT (sizeof folders / sizeof *folders)

static bool is_chosen(const struct init *init, const struct folder *folder)
{
    return folder->ais ? init->ais : init->cbp;
}

/* "[link indicators]": is it a section that was not asked for? */
static bool is_left_out(const struct init *init, const char *line)
{
    char name[64];
    if (sscanf(line, "[link %63[^]]]", name) != 1 && sscanf(line, "[service %63[^]]]", name) != 1)
        return false;
    for (size_t i = 0; i < FOLDER_COUNT; i++)
        if (!strcmp(folders[i].name, name))
            return !is_chosen(init, &folders[i]);
    return false;
}

/* The shipped site.conf without what belongs to agreements that were not asked for: a section ends with a blank line. */
static void put_site(struct init *init)
{
    const char *at = (const char *)shipped_site.bytes, *end = at + shipped_site.size;
    bool left_out = false;
    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        char line[ANSWER_MAX];
        next = next ? next + 1 : end;
        snprintf(line, sizeof line, "%.*s", (int)(next - at), at);
        left_out = left_out || is_left_out(init, line);
        if (!left_out)
            buf_put(&init->site, at, (size_t)(next - at));
        left_out = left_out && *line != '\n';
        at = next;
    }
}

static int make_site(struct init *init)
{
    int result = 0;
    put_site(init);
    for (size_t i = 0; i < FOLDER_COUNT && !result; i++) {
        char section[64], path[2 * ANSWER_MAX];
        snprintf(section, sizeof section, "link %s", folders[i].name);
        snprintf(path, sizeof path, "%s/%s", init->site_folder, folders[i].name);
        if (is_chosen(init, &folders[i]))
            result = set(&init->site, section, "path", path, &init->why);
    }
    return result;
}

static int make_cbp(struct init *init)
{
    int result = 0;
    buf_put(&init->cbp_isa, shipped_cbp_isa.bytes, shipped_cbp_isa.size);
    if (!init->sftp) { /* the answers are CBP's */
        const struct {
            const char *section, *key, *value;
        } sets[] = {{"endpoint sftp", "host", init->host},
                    {"endpoint sftp", "port", init->port},
                    {"link sftp", "user", init->account},
                    {"link sftp", "host-key", init->key}};
        for (size_t i = 0; i < sizeof sets / sizeof *sets && !result; i++)
            result = set(&init->cbp_isa, sets[i].section, sets[i].key, sets[i].value, &init->why);
    }
    return result;
}

static void make_sftp(struct init *init)
{
    buf_format(&init->site,
               "\n; What is put into this folder goes to %s, once the agreement is enabled.\n\n"
               "[link %s]\nconnector = dir\npath      = %s/%s\n\n"
               "[service %s]\ntype      = opaque\ndirection = receive\nlink      = %s\n",
               init->partner, init->name, init->site_folder, init->name, init->name, init->name);
    buf_format(&init->agreement,
               "; Files from this organisation's folder to %s, by SFTP. Docs: docs/reference/options.md.\n"
               "; Set `acknowledged` to the day of the last signature, then: accord enable %s\n\n"
               "[agreement]\ntitle     = Agreement with %s\npartner   = %s\nenabled   = no\n"
               "; acknowledged = 2025-03-14\nvalid-for = 3 years\n\n"
               "; No host and port but these can be connected to.\n\n"
               "[endpoint sftp]\nhost = %s\nport = %s\n\n"
               "[link sftp]\nconnector = sftp\nendpoint  = sftp\nuser      = %s\n"
               "key       = id                 ; the file credentials/%s/id\nhost-key  = %s\n\n"
               "; What has no section here is refused, and the refusal recorded.\n\n"
               "[service files]\ntype      = opaque\ndirection = send\nlink      = sftp\ndirectory = %s\n"
               "from      = site/%s\n",
               init->partner, init->name, init->partner, init->partner, init->host, init->port, init->account,
               init->name, init->key, init->remote, init->name);
}

static int make_files(struct init *init)
{
    int result = make_agent(init);
    if (init->ais)
        buf_put(&init->cisa_ais, shipped_cisa_ais.bytes, shipped_cisa_ais.size);
    if (!result && init->cbp)
        result = make_cbp(init);
    if (!result && (init->cbp || init->ais))
        result = make_site(init);
    else
        buf_text(&init->site,
                 "; The organisation's own side: where messages come from and where they go.\n\n[site]\n");
    if (!result && init->sftp)
        make_sftp(init);
    if (!result)
        result = set(&init->site, "site", "name", init->organisation, &init->why);
    bool failed = init->agent.failed || init->site.failed || init->agreement.failed || init->cbp_isa.failed ||
                  init->cisa_ais.failed;
    return result || !failed ? result : fail(&init->why, ACCORD_ENOMEM, "out of memory");
}

static int write_file(struct init *init, const char *name, const void *bytes, size_t size)
{
    char path[PATH_MAX], file[ANSWER_MAX + 8];
    snprintf(file, sizeof file, "%s.conf", name);
    if (!size)
        return 0;
    if (file_path(path, sizeof path, init->folder, file) < 0)
        return fail(&init->why, ACCORD_ELIMIT, "the path of %s is too long", file);
    int result = file_replace(path, bytes, size, 0644, &init->why);
    if (!result)
        cli_row(init->cli, "files", (struct accord_pair[]){{"file", path}}, 1);
    return result;
}

static int write_files(struct init *init)
{
    int result = file_make_folder(init->folder, &init->why);
    if (!result)
        result = write_file(init, "agent", init->agent.data, init->agent.size);
    if (!result)
        result = write_file(init, "site", init->site.data, init->site.size);
    if (!result)
        result = write_file(init, "cbp-isa", init->cbp_isa.data, init->cbp_isa.size);
    if (!result)
        result = write_file(init, "cisa-ais", init->cisa_ais.data, init->cisa_ais.size);
    if (!result)
        result = write_file(init, init->name, init->agreement.data, init->agreement.size);
    return result;
}

/* Whatever is there was written by somebody. */
static bool is_taken(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool taken = false;
    while (dir && !taken && (entry = readdir(dir)))
        taken = conf_folder_counts(entry->d_name);
    if (dir)
        closedir(dir);
    return taken;
}

/* ---- what came of it ---- */

static void say_next(struct init *init)
{
    const char *name = init->sftp ? init->name : init->cbp ? "cbp-isa" : "cisa-ais";
    char above[PATH_MAX];
    if (init->cli->json)
        return;
    if (!realpath(init->folder, above))
        text_copy(above, sizeof above, init->folder);
    dirname(above);
    printf("Next, as root:\n"
           "  1. the user and its folders:  useradd --system %s; install -d -o %s -m 700 %s\n"
           "     and the folders of site.conf below %s, owned by it\n",
           init->user, init->user, init->state, init->site_folder);
    if (init->sftp || init->cbp)
        printf("  2. the private key:           %s/credentials/%s/%s, owned by %s, mode 0600\n"
               "  3. the partner's host key:    ssh-keyscan HOST | ssh-keygen -lf -, compared with what the "
               "partner says\n",
               above, name, init->sftp ? "id" : "id_ecdsa", init->user);
    else
        printf("  2. client.pem, client.key and federal-bridge.pem: %s/credentials/cisa-ais/, owned by %s, "
               "mode 0600\n"
               "  3. what cisa-ais.conf calls ASSIGNED\n",
               above, init->user);
    printf("  4. `acknowledged` in %s.conf, then: accord check, accord enable %s, and start accordd\n", name,
           name);
}

static int check(struct init *init)
{
    const struct conf_setting setting = {.elsewhere = true};
    struct cli_loaded loaded;
    init->cli->conf = init->folder;
    cli_load(init->cli, &setting, &loaded);
    size_t errors = conf_report_count(&loaded.report, CONF_ERROR, NULL);
    for (size_t i = 0; i < loaded.report.count; i++)
        if (loaded.report.items[i].severity == CONF_ERROR)
            cli_problem(init->cli, &loaded.report.items[i]);
    cli_loaded_fini(&loaded);
    if (errors)
        return cli_end(init->cli, EXIT_CONFIG, "%s was written, and has %zu mistake%s", init->folder, errors,
                       errors == 1 ? "" : "s");
    say_next(init);
    return cli_end(init->cli, EXIT_OK, "%s was written, and is sound; nothing is enabled yet", init->folder);
}

static int run(struct init *init)
{
    if (is_taken(init->folder))
        return cli_end(init->cli, EXIT_REFUSED, "%s has files already; nothing was written", init->folder);
    int code = ask_all(init);
    if (!code)
        code = ask_partner(init);
    if (code)
        return code;
    if (make_files(init) < 0 || write_files(init) < 0)
        return cli_end(init->cli, EXIT_REFUSED, "%s", init->why.text);
    return check(init);
}

int cli_init(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    struct init init = {.cli = cli, .folder = cli->conf};
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--yes"))
            init.yes = true;
        else if (argv[i][0] == '-' || init.folder != cli->conf)
            return EXIT_USAGE;
        else
            init.folder = argv[i];
    }
    int code = run(&init);
    buf_fini(&init.agent);
    buf_fini(&init.site);
    buf_fini(&init.agreement);
    buf_fini(&init.cbp_isa);
    buf_fini(&init.cisa_ais);
    return code;
}
