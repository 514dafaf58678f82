/* accord complete WORD...: what may stand in place of the last word, a line each. For the shell's completion
 * (core/cli/completion.bash), which thus knows what the tables know. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "conf/schema.h"
#include "util/text.h"

static void offer(const char *word, size_t size, const char *begun)
{
    if (size && strncmp(word, begun, strlen(begun)) == 0)
        printf("%.*s\n", (int)size, word);
}

/* The stems of conf.d's files: agreements, and perhaps the site. */
static void offer_agreements(const struct cli *cli, const char *begun)
{
    DIR *folder = opendir(cli->conf);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        size_t size = strlen(entry->d_name);
        if (size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0 &&
            strcmp(entry->d_name, "agent.conf") != 0)
            offer(entry->d_name, size - 5, begun);
    }
    if (folder)
        closedir(folder);
}

static void offer_types(const char *begun)
{
    for (const struct schema_type *type = schema_types; type->name; type++)
        offer(type->name, strlen(type->name), begun);
}

/* What the usage calls the argument decides; for files and ids the shell and the person know better. */
static void offer_argument(const struct cli *cli, const char *what, size_t size, const char *begun)
{
    if (size >= 4 && strncmp(what, "NAME", 4) == 0)
        offer_agreements(cli, begun);
    else if (size == 4 && strncmp(what, "TYPE", 4) == 0)
        offer_types(begun);
}

/* A word of the usage: without the brackets around it. */
static const char *next_word(const char **at, size_t *size)
{
    *at += strspn(*at, " []|");
    const char *word = *at;
    *size = strcspn(word, " []|");
    *at += *size;
    return *size ? word : NULL;
}

static bool is_option(const char *word)
{
    return strncmp(word, "--", 2) == 0;
}

/* Behind an option its value; otherwise the argument of this place, and the options. */
static void offer_for(const struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const char *begun = argv[argc - 1], *at = command->arguments, *option = "";
    const char *before = argc > 1 && is_option(argv[argc - 2]) ? argv[argc - 2] : NULL;
    int place = argc;
    size_t size, option_size = 0;
    for (int i = 0; i < argc - 1; i++)
        if (is_option(argv[i]))
            place -= 2;
    for (const char *word; (word = next_word(&at, &size));) {
        bool its_value = option_size > 0;
        if (is_option(word)) {
            option = word;
            option_size = size;
            if (!before)
                offer(word, size, begun);
            continue;
        }
        if (its_value ? before && strlen(before) == option_size && strncmp(option, before, option_size) == 0
                      : !before && --place == 0)
            offer_argument(cli, word, size, begun);
        option_size = 0;
    }
}

static void offer_commands(const char *first, const char *begun)
{
    char last[64] = "";
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        const char *space = strchr(command->name, ' ');
        size_t size = space ? (size_t)(space - command->name) : strlen(command->name);
        if (command->hidden)
            continue;
        if (*first && space && strlen(first) == size && strncmp(command->name, first, size) == 0)
            offer(space + 1, strlen(space + 1), begun);
        if (!*first && (strlen(last) != size || strncmp(last, command->name, size) != 0))
            offer(command->name, size, begun);
        snprintf(last, sizeof last, "%.*s", (int)size, command->name);
    }
}

static bool matches(const struct cli_command *command, int argc, char **argv, int *words)
{
    char two[128];
    snprintf(two, sizeof two, "%s %s", argv[0], argc > 1 ? argv[1] : "");
    *words = strcmp(command->name, argv[0]) == 0 ? 1 : strcmp(command->name, two) == 0 ? 2 : 0;
    return *words && *words < argc;
}

int cli_complete(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    int words;
    (void)self;
    if (argc == 1)
        offer_commands("", argv[0]);
    for (const struct cli_command *command = cli_commands; argc > 1 && command->name; command++)
        if (!command->hidden && matches(command, argc, argv, &words))
            offer_for(cli, command, argc - words, argv + words);
    if (argc == 2)
        offer_commands(argv[0], argv[1]);
    return EXIT_OK;
}
