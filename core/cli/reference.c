/* accord reference FOLDER: the reference pages that are generated from the tables in the code. */
#include <stdio.h>

#include "audit/record.h"
#include "cli/cli.h"
#include "util/file.h"

/* docs/reference/commands.md: the usage, as `accord help` prints it. */
static void commands_page(struct buf *to)
{
    buf_text(to, "# The accord command\n\nGenerated from core/cli/commands.c. Do not edit.\n\n```\n");
    cli_usage(to);
    buf_text(to, "```\n");
}

static int write_page(struct cli *cli, const char *folder, const char *name, void (*page)(struct buf *))
{
    char path[PATH_MAX];
    struct buf text = {0};
    struct reason why = {"the folder's name is too long"};
    page(&text);
    int result = file_path(path, sizeof path, folder, name);
    if (!result && text.failed)
        result = fail(&why, ACCORD_ENOMEM, "out of memory");
    if (!result)
        result = file_replace(path, text.data, text.size, 0644, &why);
    buf_fini(&text);
    return result ? cli_end(cli, EXIT_REFUSED, "%s", why.text) : 0;
}

int cli_reference(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command, (void)argc;
    int code = write_page(cli, argv[0], "commands.md", commands_page);
    if (!code)
        code = write_page(cli, argv[0], "events.md", audit_events_page);
    return code ? code : cli_end(cli, EXIT_OK, "written to %s", argv[0]);
}
