/* accord reference FOLDER: the reference pages that are generated from the tables in the code. */
#include <stdio.h>
#include <stdlib.h>

#include "audit/record.h"
#include "cli/cli.h"
#include "cli/man.h"
#include "conf/reference.h"
#include "plugin/describe.h"
#include "util/file.h"
#include "wire/metrics.h"

/* docs/reference/commands.md: the usage, as `accord help` prints it. */
static void commands_page(struct buf *to)
{
    buf_text(to, "# The accord command\n\nGenerated from core/cli/commands.c by `accord reference`; do not "
                 "edit.\n\n```\n");
    cli_usage(to);
    buf_text(to, "```\n");
}

/* docs/reference/options.md: the core's sections, and what the plugins beside this executable say. */
static void options_page(struct buf *to, const struct conf_plugins *plugins)
{
    char *text = NULL;
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);
    int result = page ? conf_reference_write(page, plugins) : ACCORD_ENOMEM;
    if (page && fclose(page) == 0 && !result)
        buf_put(to, text, size);
    else
        to->failed = true;
    free(text);
}

/* Takes the text. An exit code. */
static int write_page(struct cli *cli, const char *folder, const char *name, struct buf *text)
{
    char path[PATH_MAX];
    struct reason why = {"the folder's name is too long"};
    int result = file_path(path, sizeof path, folder, name);
    if (!result && text->failed)
        result = fail(&why, ACCORD_ENOMEM, "out of memory");
    if (!result)
        result = file_replace(path, text->data, text->size, 0644, &why);
    buf_fini(text);
    return result ? cli_end(cli, EXIT_REFUSED, "%s", why.text) : 0;
}

static void commands(struct buf *to, const struct conf_plugins *plugins)
{
    (void)plugins;
    commands_page(to);
}

static void events(struct buf *to, const struct conf_plugins *plugins)
{
    (void)plugins;
    audit_events_page(to);
}

static void metrics(struct buf *to, const struct conf_plugins *plugins)
{
    (void)plugins;
    metrics_page(to);
}

static void accord_manual(struct buf *to, const struct conf_plugins *plugins)
{
    (void)plugins;
    man_accord(to);
}

static void accordd_manual(struct buf *to, const struct conf_plugins *plugins)
{
    (void)plugins;
    man_accordd(to);
}

static const struct page {
    const char *name;
    void (*make)(struct buf *, const struct conf_plugins *);
} pages[] = {
    {"commands.md", commands},     {"events.md", events},       {"options.md", options_page},
    {"metrics.md", metrics},       {"accord.1", accord_manual}, {"accord.conf.5", man_conf},
    {"accordd.8", accordd_manual},
};

static int describe(struct cli *cli, struct conf_plugins *plugins)
{
    struct conf_agent agent = {0}; /* nothing is configured: the plugins beside this executable */
    struct conf_report report = {0};
    char folder[PATH_MAX];
    cli_plugins(cli, &agent, folder);
    int result = plugin_describe_all(cli->daemon, folder, NULL, 0, plugins, &report);
    int code = result || report.count
                   ? cli_end(cli, EXIT_CONFIG, "%s", report.count ? report.items[0].text : folder)
                   : 0;
    conf_report_fini(&report);
    return code;
}

int cli_reference(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc;
    struct conf_plugins plugins = {0};
    int code = describe(cli, &plugins);
    for (size_t i = 0; !code && i < sizeof pages / sizeof *pages; i++) {
        struct buf text = {0};
        pages[i].make(&text, &plugins);
        code = write_page(cli, argv[0], pages[i].name, &text);
    }
    conf_plugins_free(&plugins);
    return code ? code : cli_end(cli, EXIT_OK, "written to %s", argv[0]);
}
