/* A copy of the journal as it is at one commit, made in steps between the groups.
 *
 * What stands before the position of the last commit never changes, so that it can be copied while more is written
 * behind it; segments are not deleted meanwhile (journal_pinned). The index is not copied: it is made again from the
 * journal. The keyring is copied last, so that it has the keys of everything that was copied. A file "backup" says
 * what the copy is: a store that finds it has been restored.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal.h"
#include "store/keyring_file.h"
#include "store/restored.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

#define STEP                                                                                                 \
    (4u << 20) /* bytes in one call; each ends in a sync, so that the disk is not held up at the end */
#define CHUNK (1u << 20)

struct journal_backup {
    char folder[PATH_MAX];
    uint64_t end;    /* position behind the last commit when it began */
    uint32_t number; /* of the segment at hand */
    uint64_t offset; /* in it */
    int64_t time;
    int fd; /* of its copy; -1: not begun */
    uint8_t *chunk;
};

bool journal_pinned(const struct journal *journal)
{
    return journal->backup != NULL;
}

void journal_backup_end(struct journal *journal)
{
    struct journal_backup *backup = journal->backup;
    if (!backup)
        return;
    if (backup->fd >= 0)
        close(backup->fd);
    free(backup->chunk);
    free(backup);
    journal->backup = NULL;
}

static int fail_write(const struct journal_backup *backup, struct reason *why)
{
    int number = errno;
    return fail(why, number == ENOSPC || number == EDQUOT ? ACCORD_ELIMIT : ACCORD_EIO,
                "cannot write the backup in %s: %s", backup->folder, strerror(number));
}

/* How much of a segment there is to copy. */
static uint64_t wanted(const struct journal_backup *backup, const struct segment *segment)
{
    if (segment->number > POSITION_SEGMENT(backup->end))
        return 0;
    return segment->number == POSITION_SEGMENT(backup->end) ? POSITION_OFFSET(backup->end) : segment->size;
}

static int begin(struct journal *journal, struct store_backup *request)
{
    struct reason *why = &request->why;
    struct journal_backup *backup = calloc(1, sizeof *backup);
    uint8_t *chunk = malloc(CHUNK);
    if (!backup || !chunk) {
        free(backup);
        free(chunk);
        return fail(why, ACCORD_ENOMEM, "out of memory for the backup");
    }
    *backup = (struct journal_backup){.end = journal->at,
                                      .time = clock_wall(),
                                      .fd = -1,
                                      .chunk = chunk,
                                      .number = journal->segments.items[0].number};
    journal->backup = backup;
    request->state = backup;
    text_copy(backup->folder, sizeof backup->folder, request->folder);
    request->copied = request->total = 0;
    for (size_t i = 0; i < journal->segments.count; i++)
        request->total += wanted(backup, &journal->segments.items[i]);
    if (mkdir(backup->folder, 0700) < 0)
        return fail(why, errno == EEXIST ? ACCORD_EEXIST : error_from_errno(errno),
                    "cannot make the folder %s: %s", backup->folder, strerror(errno));
    return 0;
}

/* ---- one segment ---- */

static int begin_segment(struct journal_backup *backup, struct reason *why)
{
    char path[PATH_MAX], name[64];
    snprintf(name, sizeof name, SEGMENT_NAME, backup->number);
    if (file_path(path, sizeof path, backup->folder, name))
        return fail(why, ACCORD_EINVAL, "the folder's name is too long: %s", backup->folder);
    backup->offset = 0;
    backup->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return backup->fd < 0 ? fail_write(backup, why) : 0;
}

static int write_chunk(struct journal_backup *backup, size_t size, struct reason *why)
{
    return file_write_all(backup->fd, backup->chunk, size) < 0 ? fail_write(backup, why) : 0;
}

static int end_segment(struct journal_backup *backup, struct reason *why)
{
    int result = fsync(backup->fd) < 0 ? fail_write(backup, why) : 0;
    close(backup->fd);
    backup->fd = -1;
    backup->number++;
    return result;
}

/* Copies a chunk; in *copied how much. Nothing when the segment is done. */
static int copy_chunk(struct journal *journal, const struct segment *segment, size_t *copied,
                      struct reason *why)
{
    struct journal_backup *backup = journal->backup;
    uint64_t size = wanted(backup, segment);
    size_t want = size - backup->offset < CHUNK ? (size_t)(size - backup->offset) : CHUNK;
    int result = segments_read(&journal->segments, POSITION(segment->number, backup->offset), backup->chunk,
                               want, copied);
    if (!result && *copied < want)
        result = ACCORD_EIO;
    if (result)
        return fail(why, result, "cannot read segment %u of the journal (%s)", segment->number,
                    error_name(result));
    backup->offset += *copied;
    return write_chunk(backup, *copied, why);
}

/* The segment at hand, or the next one that is there: a damaged store may lack some. NULL: all are copied. */
static const struct segment *current(struct journal *journal)
{
    struct journal_backup *backup = journal->backup;
    const struct segment *segment = segments_after(&journal->segments, backup->number - 1);
    if (!segment || segment->number > POSITION_SEGMENT(backup->end))
        return NULL;
    backup->number = segment->number;
    return segment;
}

static int copy_some(struct journal *journal, struct store_backup *request, bool *all)
{
    struct journal_backup *backup = journal->backup;
    const struct segment *segment;
    uint64_t done = 0;
    int result = 0;
    while (!result && done < STEP && (segment = current(journal))) {
        size_t copied = 0;
        if (backup->fd < 0)
            result = begin_segment(backup, &request->why);
        if (!result)
            result = copy_chunk(journal, segment, &copied, &request->why);
        done += copied;
        if (!result && backup->offset >= wanted(backup, segment))
            result = end_segment(backup, &request->why);
    }
    request->copied += done;
    *all = !result && !current(journal);
    if (!result && backup->fd >= 0 && fdatasync(backup->fd) < 0)
        result = fail_write(backup, &request->why);
    return result;
}

/* ---- the small files ---- */

static int copy_keyring(const struct journal *journal, struct reason *why)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct buf bytes = {0};
    if (file_path(from, sizeof from, journal->segments.folder, KEYRING_FILE) ||
        file_path(to, sizeof to, journal->backup->folder, KEYRING_FILE))
        return fail(why, ACCORD_EINVAL, "the folder's name is too long: %s", journal->backup->folder);
    int result = file_read(from, KEYRING_FILE_MAX, &bytes, why);
    if (!result)
        result = file_replace(to, bytes.data, bytes.size, 0600, why);
    buf_fini(&bytes);
    return result;
}

static int finish(struct journal *journal, struct reason *why)
{
    const struct journal_backup *backup = journal->backup;
    int result = copy_keyring(journal, why);
    return result ? result : restored_mark(backup->folder, backup->time, backup->end, why);
}

/* ---- steps ---- */

int journal_backup(void *state, struct store_backup *request)
{
    struct journal *journal = state;
    bool all = false;
    int result = 0;
    request->more = false;
    request->why.text[0] = 0;
    if (journal->backup && request->state != journal->backup)
        return fail(&request->why, ACCORD_EBUSY, "another backup is being made; wait until it is done");
    if (!journal->backup && request->state)
        return fail(&request->why, ACCORD_ESTATE, "the backup has ended");
    if (request->cancel)
        result = ACCORD_ECANCELED;
    else if (!journal->backup)
        result = begin(journal, request);
    if (!result)
        result = copy_some(journal, request, &all);
    if (!result && all)
        result = finish(journal, &request->why);
    request->more = !result && !all;
    if (request->more)
        return 0;
    journal_backup_end(journal);
    request->state = NULL;
    return result == ACCORD_ECANCELED ? 0 : result;
}

int journal_rotate(void *state, struct store_rotation *rotation)
{
    struct journal *journal = state;
    return rotation->agreement ? keyring_add(journal->keys.ring, rotation->agreement, &rotation->why)
                               : keys_replace_file(&journal->keys, &rotation->why);
}
