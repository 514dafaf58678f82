/* accord plugin new: a plugin to begin with, copied from the template that is installed with this program.
 * The template's plugins are called `sample`; that word stands for the name, in files and in their names. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "util/copy.h"
#include "util/file.h"
#include "util/text.h"

#define PLUGIN_NAME_MAX 32
#define FILE_MAX        ((size_t)1 << 20)
#define DEPTH_MAX       8

struct plugin_new {
    const char *name, *kind;
    char upper[PLUGIN_NAME_MAX + 1]; /* of C's include guards */
    size_t files;
    struct reason why;
};

/* Puts `text` with the name in the place of each `sample`. */
static void put_named(struct buf *to, const struct plugin_new *new, const char *text, size_t size)
{
    const struct {
        const char *word, *name;
    } words[] = {{"sample", new->name}, {"SAMPLE", new->upper}};
    for (size_t at = 0; at < size;) {
        size_t word = 0;
        while (word < 2 && (size - at < 6 || memcmp(text + at, words[word].word, 6) != 0))
            word++;
        if (word < 2)
            buf_text(to, words[word].name);
        else
            buf_put(to, text + at, 1);
        at += word < 2 ? 6 : 1;
    }
}

static int copy_file_named(struct plugin_new *new, const char *from, const char *to)
{
    struct buf text = {0}, named = {0};
    int result = file_read(from, FILE_MAX, &text, &new->why);
    if (!result) {
        put_named(&named, new, (const char *)text.data, text.size);
        result = named.failed ? fail(&new->why, ACCORD_ENOMEM, "out of memory")
                              : file_replace(to, named.data, named.size, 0644, &new->why);
    }
    buf_fini(&text);
    buf_fini(&named);
    new->files += !result;
    return result;
}

static int copy_tree(struct plugin_new *new, const char *from, const char *to, unsigned depth);

static int copy_entry(struct plugin_new *new, const char *from, const char *to, const char *name,
                      unsigned depth)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct buf named = {0};
    struct stat st;
    put_named(&named, new, name, strlen(name));
    const char *text = buf_string(&named);
    int result = text ? file_path(source, sizeof source, from, name) : ACCORD_ENOMEM;
    if (!result)
        result = file_path(target, sizeof target, to, text);
    buf_fini(&named);
    if (result || depth > DEPTH_MAX)
        return fail(&new->why, ACCORD_ELIMIT, "a path below %.200s is too long", to);
    if (stat(source, &st) < 0)
        return fail(&new->why, ACCORD_EIO, "cannot examine %s: %s", source, strerror(errno));
    return S_ISDIR(st.st_mode) ? copy_tree(new, source, target, depth + 1)
                               : copy_file_named(new, source, target);
}

static int copy_tree(struct plugin_new *new, const char *from, const char *to, unsigned depth)
{
    const struct dirent *entry;
    int result = 0;
    DIR *folder = opendir(from);
    if (!folder)
        return fail(&new->why, ACCORD_EIO, "cannot read %s: %s", from, strerror(errno));
    if (mkdir(to, 0755) < 0)
        result = fail(&new->why, ACCORD_EIO, "cannot make the folder %s: %s", to, strerror(errno));
    while (!result && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            result = copy_entry(new, from, to, entry->d_name, depth);
    closedir(folder);
    return result;
}

/* The folder above the executables': where the package is installed. */
static void find_prefix(const struct cli *cli, char to[PATH_MAX])
{
    char daemon[PATH_MAX];
    text_copy(daemon, sizeof daemon, cli->daemon);
    text_copy(to, PATH_MAX, dirname(dirname(daemon)));
}

static int check_arguments(struct cli *cli, struct plugin_new *new)
{
    if (!text_is_name(new->name, PLUGIN_NAME_MAX))
        return cli_end(
            cli, EXIT_REFUSED,
            "%.80s cannot be a plugin's name: it has 1 to %d lower-case letters, digits and hyphens",
            new->name, PLUGIN_NAME_MAX);
    if (strcmp(new->kind, "connector") != 0 && strcmp(new->kind, "policy") != 0)
        return cli_end(cli, EXIT_USAGE, "a plugin's kind is connector or policy, not %.80s", new->kind);
    for (size_t i = 0; new->name[i]; i++) {
        char c = new->name[i];
        new->upper[i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return 0;
}

static int make(struct cli *cli, struct plugin_new *new, const char *to)
{
    char prefix[PATH_MAX], from[PATH_MAX];
    struct stat st;
    find_prefix(cli, prefix);
    if (snprintf(from, sizeof from, "%s/share/accord/template/%s", prefix, new->kind) >= (int)sizeof from ||
        stat(from, &st) < 0)
        return cli_end(cli, EXIT_REFUSED,
                       "the template is not installed: there is no %.400s; install Accord with its SDK "
                       "(cmake --install)",
                       from);
    if (lstat(to, &st) == 0)
        return cli_end(cli, EXIT_REFUSED, "%.400s exists already; nothing was written", to);
    if (copy_tree(new, from, to, 0) < 0) {
        remove_folder(to);
        return cli_end(cli, EXIT_REFUSED, "%s; nothing was left behind", new->why.text);
    }
    char count[24];
    snprintf(count, sizeof count, "%zu", new->files);
    cli_row(
        cli, "plugin",
        (struct accord_pair[]){{"name", new->name}, {"kind", new->kind}, {"folder", to}, {"files", count}},
        4);
    return cli_end(
        cli, EXIT_OK,
        "next: cmake -S %.300s -B %.300s/build -DCMAKE_PREFIX_PATH=%.300s, cmake --build %.300s/build, "
        "ctest --test-dir %.300s/build; its README.md says the rest",
        to, to, prefix, to, to);
}

int cli_plugin_new(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    (void)command;
    struct plugin_new new = {.kind = cli_option(&argc, argv, "--kind")};
    if (argc < 0)
        return EXIT_USAGE;
    const char *to = cli_option(&argc, argv, "--to");
    if (argc != 1)
        return EXIT_USAGE;
    new.name = argv[0];
    new.kind = new.kind ? new.kind : "connector";
    int code = check_arguments(cli, &new);
    return code ? code : make(cli, &new, to ? to : new.name);
}
