#include "audit/names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/line.h"
#include "util/text.h"

#define CHAIN_MAX 63

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

bool names_is_chain(const char *name)
{
    return text_is_name(name, CHAIN_MAX);
}

bool names_is_day_file(const char *name)
{
    char date[LINE_DATE_SIZE];
    if (strlen(name) != 16 || strcmp(name + 10, ".jsonl") != 0)
        return false;
    memcpy(date, name, 10);
    date[10] = 0;
    return line_is_date(date);
}

int names_list(int folder, bool (*wanted)(const char *), char ***out, size_t *count)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char **names = NULL;
    size_t used = 0, room = 0;
    struct dirent *entry;
    int result = dir ? 0 : ACCORD_EIO;
    while (!result && (entry = readdir(dir))) {
        if (!wanted(entry->d_name) || (wanted == names_is_chain && entry->d_type == DT_REG))
            continue;
        if (used == room) {
            room = room ? 2 * room : 64;
            char **more = reallocarray(names, room, sizeof *names);
            if (!more)
                result = ACCORD_ENOMEM;
            names = more ? more : names;
        }
        if (!result && !(names[used++] = strdup(entry->d_name)))
            result = ACCORD_ENOMEM;
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    if (used)
        qsort(names, used, sizeof *names, by_name);
    *out = names;
    *count = used;
    return result;
}

bool names_have(char **names, size_t count, const char *name)
{
    return count && bsearch(&name, names, count, sizeof *names, by_name);
}
