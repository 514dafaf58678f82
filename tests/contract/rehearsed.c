#include "rehearsed.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON   "/usr/bin/python3"
#define FILE_MAX (1 << 20)

static struct {
    char folder[64];
    pid_t pid;
    int orders;
    FILE *told;
    uint16_t port;
} partner = {.orders = -1};

bool rehearsed_possible(const char *modules)
{
    char command[300];
    const char *comma = *modules ? ", " : "";
    snprintf(command, sizeof command, PYTHON " -W ignore -c 'import cryptography%s%s' 2>/dev/null", comma,
             modules);
    if (system(command) == 0)
        return true;
    printf("not run: one of Python's cryptography%s%s is not installed\n", comma, modules);
    return false;
}

/* ---- files ---- */

const char *rehearsed_path(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%.300s", partner.folder, name);
    return path;
}

char *rehearsed_read(const char *name, size_t *size)
{
    int fd = open(rehearsed_path(name), O_RDONLY | O_CLOEXEC);
    char *bytes = calloc(1, FILE_MAX + 1);
    ssize_t got = 0;
    *size = 0;
    while (bytes && fd >= 0 && (got = read(fd, bytes + *size, FILE_MAX - *size)) > 0)
        *size += (size_t)got;
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* The next file of an open folder that is not hidden, as a name within the partner's folder. */
static bool next_file(DIR *open, const char *folder, char *name, size_t room)
{
    struct dirent *entry;
    while ((entry = readdir(open)))
        if (entry->d_name[0] != '.') {
            snprintf(name, room, "%s/%.255s", folder, entry->d_name);
            return true;
        }
    return false;
}

bool rehearsed_kept(const void *bytes, size_t size)
{
    char name[300];
    bool found = false;
    DIR *open = opendir(rehearsed_path("kept"));
    while (open && !found && next_file(open, "kept", name, sizeof name)) {
        size_t have;
        char *content = rehearsed_read(name, &have);
        found = content && have == size && memcmp(content, bytes, size) == 0;
        free(content);
    }
    if (open)
        closedir(open);
    return found;
}

static void remove_folder(const char *folder)
{
    char name[300];
    DIR *open = opendir(rehearsed_path(folder));
    while (open && next_file(open, folder, name, sizeof name))
        unlink(rehearsed_path(name));
    if (open)
        closedir(open);
    rmdir(rehearsed_path(folder));
}

/* ---- the process ---- */

static void run(const char *script, const char *const more[], int in, int out)
{
    char path[600], kept[100];
    const char *source = getenv("ACCORD_SOURCE");
    snprintf(path, sizeof path, "%s/sdk/rehearsal/%s", source ? source : ".", script);
    snprintf(kept, sizeof kept, "%s/kept", partner.folder);
    const char *arguments[32] = {PYTHON, "-W", "ignore", path, "--pki", partner.folder, "--kept", kept};
    for (size_t i = 8; *more && i < 31; i++)
        arguments[i] = *more++;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1)
        execv(PYTHON, (char *const *)arguments);
    _exit(127);
}

/* It tells all that it does; nobody reads that later, and it must not wait for us. */
static bool wait_listening(void)
{
    char line[1000];
    while (!partner.port && fgets(line, sizeof line, partner.told)) {
        const char *number = strstr(line, "\"port\": ");
        if (strstr(line, "\"listening\"") && number)
            partner.port = (uint16_t)atoi(number + 8);
    }
    return partner.port && fcntl(fileno(partner.told), F_SETPIPE_SZ, 1 << 20) > 0;
}

bool rehearsed_begin(const char *script, const char *const more[])
{
    int in[2], out[2];
    strcpy(partner.folder, "/tmp/accord-contract.XXXXXX");
    if (!mkdtemp(partner.folder) || mkdir(rehearsed_path("kept"), 0700) < 0 ||
        mkdir(rehearsed_path("give"), 0700) < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return false;
    partner.pid = fork();
    if (partner.pid == 0)
        run(script, more, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    partner.orders = in[1];
    partner.told = fdopen(out[0], "r");
    return partner.told && wait_listening();
}

void rehearsed_end(void)
{
    if (partner.pid > 0) {
        kill(partner.pid, SIGKILL);
        waitpid(partner.pid, NULL, 0);
    }
    if (partner.told)
        fclose(partner.told);
    if (partner.orders >= 0)
        close(partner.orders);
    remove_folder("kept");
    remove_folder("give");
    remove_folder(".");
}

uint16_t rehearsed_port(void)
{
    return partner.port;
}

bool rehearsed_tell(const char *line)
{
    size_t length = strlen(line);
    return write(partner.orders, line, length) == (ssize_t)length;
}
