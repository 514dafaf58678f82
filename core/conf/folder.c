#include "conf/folder.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "util/buf.h"
#include "util/text.h"

bool conf_folder_counts(const char *file)
{
    char stem[CONF_NAME_MAX];
    size_t size = strlen(file), tail = strlen(".conf");
    if (size <= tail || strcmp(file + size - tail, ".conf") != 0 || size - tail >= sizeof stem)
        return false;
    memcpy(stem, file, size - tail);
    stem[size - tail] = 0;
    return text_is_name(stem, sizeof stem - 1);
}

static int counts(const struct dirent *entry)
{
    return conf_folder_counts(entry->d_name);
}

static void add(struct buf *to, int folder, const char *name)
{
    struct stat st = {0};
    buf_format(to, "%s ", name);
    if (fstatat(folder, name, &st, 0) == 0)
        buf_format(to, "%" PRId64 " %" PRId64 ".%09ld %" PRIu64 "\n", (int64_t)st.st_size,
                   (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (uint64_t)st.st_ino);
    else
        buf_text(to, "unreadable\n");
}

bool conf_folder_sign(const char *folder, struct conf_signature *signature)
{
    struct dirent **entries = NULL;
    struct buf all = {0};
    DIR *dir = opendir(folder);
    int found = dir ? scandirat(dirfd(dir), ".", &entries, counts, alphasort) : -1;
    for (int i = 0; i < found; i++) {
        add(&all, dirfd(dir), entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (dir)
        closedir(dir);
    bool good = found >= 0 && !all.failed &&
                digest_of(all.data ? all.data : (const uint8_t *)"", all.size, signature->digest) == 0;
    buf_fini(&all);
    return good;
}
