#include "audit/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/names.h"
#include "util/copy.h"
#include "util/file.h"
#include "util/text.h"

#define TIME_PREFIX "{\"@timestamp\":\""

struct extract {
    const char *name;
    char from[PATH_MAX], to[PATH_MAX]; /* the chain's folders */
    uint64_t wanted;                   /* its last record; UINT64_MAX: all that is there */
    uint64_t last;                     /* the highest that was met */
    bool made;                         /* `to` */
    struct extract_summary *summary;
};

static void note_time(struct extract_summary *summary, const char *bytes, size_t size)
{
    const size_t skip = sizeof TIME_PREFIX - 1;
    char time[sizeof summary->from];
    const char *end =
        size > skip && memcmp(bytes, TIME_PREFIX, skip) == 0 ? memchr(bytes + skip, '"', size - skip) : NULL;
    size_t length = end ? (size_t)(end - bytes) - skip : 0;
    if (!length || length >= sizeof time)
        return;
    memcpy(time, bytes + skip, length);
    time[length] = 0;
    if (!*summary->from || strcmp(time, summary->from) < 0)
        text_copy(summary->from, sizeof summary->from, time);
    if (strcmp(time, summary->to) > 0)
        text_copy(summary->to, sizeof summary->to, time);
}

/* How much of a file belongs into the copy: *size. */
static int measure(struct extract *extract, int fd, uint64_t *size)
{
    struct line_reader reader;
    struct audit_seal_facts facts;
    int result = line_reader_init(&reader, fd, 0);
    while (!result && (result = line_read(&reader)) == 1 && reader.whole) {
        bool good = !reader.too_long && !audit_unseal(reader.bytes, reader.size, &facts, NULL);
        result = 0;
        if (good && facts.sequence > extract->wanted)
            break;
        *size = (uint64_t)reader.end;
        if (!good)
            continue;
        extract->summary->records++;
        if (extract->last && facts.sequence > extract->last)
            extract->summary->missing += facts.sequence - extract->last - 1;
        extract->last = facts.sequence > extract->last ? facts.sequence : extract->last;
        note_time(extract->summary, reader.bytes, reader.size);
    }
    line_reader_fini(&reader);
    return result < 0 ? result : 0;
}

static int make_folder(struct extract *extract, struct reason *why)
{
    if (!extract->made && mkdir(extract->to, 0700) < 0)
        return fail(why, error_from_errno(errno), "cannot make %s: %s", extract->to, strerror(errno));
    extract->summary->chains += !extract->made;
    extract->made = true;
    return 0;
}

static int extract_file(struct extract *extract, const char *file, struct reason *why)
{
    char from[PATH_MAX], to[PATH_MAX];
    uint64_t size = 0, copied = 0;
    if (file_path(from, sizeof from, extract->from, file) || file_path(to, sizeof to, extract->to, file))
        return fail(why, ACCORD_ELIMIT, "the folder's name is too long: %s", extract->to);
    int fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fail(why, error_from_errno(errno), "cannot read %s: %s", from, strerror(errno));
    int result = measure(extract, fd, &size);
    close(fd);
    if (result)
        return fail(why, result, "cannot read %s to its end", from);
    if (!size)
        return 0;
    if ((result = make_folder(extract, why)) ||
        (result = copy_file_start(from, to, 0600, size, &copied, why)))
        return result;
    if (copied != size)
        return fail(why, ACCORD_EIO, "%s became shorter while it was copied", from);
    extract->summary->files++;
    extract->summary->bytes += copied;
    return 0;
}

static int extract_files(struct extract *extract, struct reason *why)
{
    char **files = NULL;
    size_t count = 0;
    int folder = open(extract->from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return 0;
    if (folder < 0)
        return fail(why, error_from_errno(errno), "cannot open %s: %s", extract->from, strerror(errno));
    int result = names_list(folder, names_is_day_file, &files, &count);
    if (result)
        fail(why, result, "cannot list %s", extract->from);
    for (size_t i = 0; !result && i < count; i++)
        result = extract_file(extract, files[i], why);
    names_free(files, count);
    close(folder);
    return result;
}

int extract_chain(const char *trail, const char *to, const char *name, const struct audit_head *head,
                  struct extract_summary *summary, struct reason *why)
{
    struct extract extract = {.name = name, .wanted = head ? head->sequence : UINT64_MAX, .summary = summary};
    if (file_path(extract.from, sizeof extract.from, trail, name) ||
        file_path(extract.to, sizeof extract.to, to, name))
        return fail(why, ACCORD_ELIMIT, "the folder's name is too long: %s", to);
    int result = extract_files(&extract, why);
    if (!result && head && extract.last < head->sequence)
        result = fail(why, ACCORD_EFORMAT,
                      "%s ends with record %" PRIu64 ", but the agent has written record %" PRIu64
                      "; see: accord audit verify",
                      extract.from, extract.last, head->sequence);
    return result || !extract.made ? result : file_sync_folder(extract.to, why);
}
