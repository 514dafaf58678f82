#include "store/restored.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"

#define FORM "accord-store-backup 1\ntime %" PRId64 "\nend %" PRIu64 "\n"

int restored_mark(const char *folder, int64_t time, uint64_t end, struct reason *why)
{
    char path[PATH_MAX], text[128];
    int size = snprintf(text, sizeof text, FORM, time, end);
    if (file_path(path, sizeof path, folder, RESTORED_FILE))
        return fail(why, ACCORD_EINVAL, "the folder's name is too long: %s", folder);
    return file_replace(path, text, (size_t)size, 0600, why);
}

int64_t restored_from(const char *folder)
{
    char path[PATH_MAX];
    struct buf text = {0};
    int64_t time = 0;
    uint64_t end;
    if (file_path(path, sizeof path, folder, RESTORED_FILE) || access(path, F_OK) < 0)
        return 0;
    bool good = !file_read(path, 4096, &text, NULL) && buf_string(&text) &&
                sscanf((const char *)text.data, "accord-store-backup 1\ntime %" SCNd64 "\nend %" SCNu64,
                       &time, &end) == 2 &&
                time > 0;
    buf_fini(&text);
    return good ? time : -1;
}

int restored_told(const char *folder, struct reason *why)
{
    char path[PATH_MAX];
    if (file_path(path, sizeof path, folder, RESTORED_FILE) || (unlink(path) < 0 && errno != ENOENT))
        return fail(why, ACCORD_EIO, "cannot remove %s/%s: %s", folder, RESTORED_FILE, strerror(errno));
    return file_sync_folder(folder, why);
}
