/* From the command line to the last line of the answer. */
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/file.h"
#include "util/text.h"

int cli_end(struct cli *cli, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(cli->line, sizeof cli->line, format, list);
    va_end(list);
    return code;
}

void cli_row(struct cli *cli, const char *table, const struct accord_pair *cells, size_t count)
{
    struct wire_pairs pairs = WIRE_PAIRS(cells, count);
    render_row(&cli->render, table, &pairs);
}

const char *cli_option(int *argc, char **argv, const char *name)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0)
            continue;
        const char *value = i + 1 < *argc ? argv[i + 1] : NULL;
        if (!value) {
            *argc = -1;
            return NULL;
        }
        memmove(&argv[i], &argv[i + 2], (size_t)(*argc - i - 2) * sizeof *argv);
        *argc -= 2;
        return value;
    }
    return NULL;
}

/* ---- where things are ---- */

static void find_daemon(struct cli *cli)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = 0;
    if (file_path(cli->daemon, sizeof cli->daemon, dirname(self), "accordd"))
        cli->daemon[0] = 0;
}

int cli_state(struct cli *cli, char to[PATH_MAX])
{
    if (cli->state_option) {
        text_copy(to, PATH_MAX, cli->state_option);
        return 0;
    }
    struct conf_agent agent = {0};
    struct conf_report report = {0};
    int result = conf_load_agent(cli->conf, NULL, &agent, &report);
    text_copy(to, PATH_MAX, agent.state);
    if (result && report.count)
        snprintf(cli->mistake, sizeof cli->mistake, "%.64s:%d: %.400s", report.items[0].file,
                 report.items[0].line, report.items[0].text);
    conf_agent_fini(&agent);
    conf_report_fini(&report);
    return *to ? 0 : cli_end(cli, EXIT_CONFIG, "%s", cli->mistake);
}

void cli_plugins(const struct cli *cli, const struct conf_agent *agent, char to[PATH_MAX])
{
    char folder[PATH_MAX];
    text_copy(folder, sizeof folder, cli->daemon);
    if (*agent->plugins)
        text_copy(to, PATH_MAX, agent->plugins);
    else if (file_path(to, PATH_MAX, dirname(dirname(folder)), "lib/accord/plugins"))
        *to = 0;
}

/* ---- printing ---- */

static size_t terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO))
        return 0; /* a file or a pipe: nothing is cut */
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* Flushes even when there is nothing more, so that what came before stands above the last line. */
static int put_out(FILE *to, const struct buf *text)
{
    bool whole = !text->size || fwrite(text->data, 1, text->size, to) == text->size;
    return text->failed || !whole || fflush(to) ? -1 : 0;
}

/* The last line goes to standard error when the command failed, so that a script sees it in either case. */
static int print_answer(const struct cli *cli, int code)
{
    struct buf out = {0}, line = {0};
    if (cli->json)
        render_json(&cli->render, cli->line, &out);
    else
        render_people(&cli->render, terminal_width(), &out);
    if (*cli->line) {
        render_visible(&line, cli->line);
        buf_byte(&line, '\n');
    }
    int result = put_out(stdout, &out);
    if (!cli->json || code)
        result |= put_out(code ? stderr : stdout, &line);
    buf_fini(&out);
    buf_fini(&line);
    if (!result && !cli->render.failed)
        return code;
    fprintf(stderr, "accord: the answer could not be written whole\n");
    return code ? code : EXIT_REFUSED;
}

/* ---- the command line ---- */

static int usage_error(const char *format, const char *text, const char *near)
{
    fprintf(stderr, "accord: ");
    fprintf(stderr, format, text);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\nTry: accord help\n");
    return EXIT_USAGE;
}

/* Options before the command. Returns how many arguments they took, -1 after saying what is wrong. */
static int take_options(struct cli *cli, int argc, char **argv)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        bool conf = strcmp(argv[at], "--conf") == 0, state = strcmp(argv[at], "--state") == 0;
        if ((conf || state) && at + 1 >= argc) {
            usage_error("%s needs a folder", argv[at], NULL);
            return -1;
        }
        if (conf)
            cli->conf = argv[++at];
        else if (state)
            cli->state_option = argv[++at];
        else if (strcmp(argv[at], "--json") == 0)
            cli->json = true;
        else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
            argv[at--] = "help";
        else if (strcmp(argv[at], "--version") == 0)
            argv[at--] = "version";
        else {
            usage_error("unknown option '%s'", argv[at], NULL);
            return -1;
        }
    }
    return at;
}

/* Words of argv that the command's name takes: 1 or 2; 0 when it is another command. */
static int words_of(const struct cli_command *command, int argc, char **argv)
{
    char name[128];
    if (strcmp(command->name, argv[0]) == 0)
        return 1;
    if (argc < 2)
        return 0;
    snprintf(name, sizeof name, "%s %s", argv[0], argv[1]);
    return strcmp(command->name, name) == 0 ? 2 : 0;
}

static int unknown_command(const char *word)
{
    const char *names[64] = {NULL};
    size_t count = 0;
    for (const struct cli_command *command = cli_commands; command->name && count < 63; command++)
        if (!command->hidden)
            names[count++] = command->name;
    const char *near = text_nearest(word, names);
    for (size_t i = 0; i < count && !near; i++)
        if (strncmp(names[i], word, strlen(word)) == 0)
            near = names[i]; /* the first word of two */
    return usage_error("unknown command '%s'", word, near);
}

static int run_command(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    if ((size_t)argc < command->least || (size_t)argc > command->most) {
        fprintf(stderr, "usage: accord %s %s\n", command->name, command->arguments);
        return EXIT_USAGE;
    }
    if (command->table)
        render_table(&cli->render, command->table);
    int code = command->run(cli, command, argc, argv);
    if (code != EXIT_USAGE || *cli->line) /* the agent says better than the usage what it does not take */
        return print_answer(cli, code);
    fprintf(stderr, "usage: accord %s %s\n", command->name, command->arguments);
    return code;
}

int cli_run(int argc, char **argv)
{
    static struct cli cli;
    const char *from_environment = getenv("ACCORD_CONF");
    cli = (struct cli){.conf = from_environment && *from_environment ? from_environment : CLI_CONF_FOLDER};
    find_daemon(&cli);
    int at = take_options(&cli, argc, argv);
    if (at < 0)
        return EXIT_USAGE;
    if (at == argc)
        return usage_error("%s", "which command?", NULL);
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        int words = words_of(command, argc - at, argv + at);
        if (words) {
            int code = run_command(&cli, command, argc - at - words, argv + at + words);
            render_fini(&cli.render);
            return code;
        }
    }
    return unknown_command(argv[at]);
}
