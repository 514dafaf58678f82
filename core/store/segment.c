#include "store/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/crc.h"
#include "util/file.h"

#define MAGIC     "ACCORD JOURNAL\n"
#define OPEN_MAX  64 /* descriptors kept open */
#define ASIDE_MAX (16u << 20)

struct segment_io segment_io = {pwrite, fdatasync, fallocate, posix_fadvise, sysconf};

/* ---- the folder ---- */

/* A new store must survive a power cut in its first second: each folder above holds the next one's name. */
static int sync_parents(const char *folder, struct reason *why)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
        *slash = 0;
        int result = file_sync_folder(path, why);
        if (result == ACCORD_EDENIED)
            return 0; /* not ours to open, so not made by us */
        if (result)
            return result;
    }
    return 0;
}

static int lock_folder(struct segments *segments, struct reason *why)
{
    char path[PATH_MAX];
    if (file_path(path, sizeof path, segments->folder, "lock"))
        return fail(why, ACCORD_EINVAL, "the store's folder name is too long: %s", segments->folder);
    segments->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (segments->lock_fd < 0)
        return fail(why, error_from_errno(errno), "cannot open %s: %s", path, strerror(errno));
    if (flock(segments->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail(why, ACCORD_EIO, "cannot lock %s: %s", path, strerror(errno));
    return fail(
        why, ACCORD_EBUSY,
        "another process has the store in %s open; stop that agent, or give this one a folder of its own",
        segments->folder);
}

static int insert(struct segments *segments, uint32_t number, uint64_t size)
{
    if (segments->count == segments->room) {
        size_t room = segments->room ? 2 * segments->room : 16;
        struct segment *items = realloc(segments->items, room * sizeof *items);
        if (!items)
            return ACCORD_ENOMEM;
        segments->items = items;
        segments->room = room;
    }
    size_t at = segments->count;
    while (at && segments->items[at - 1].number > number)
        at--;
    memmove(segments->items + at + 1, segments->items + at, (segments->count - at) * sizeof *segments->items);
    segments->items[at] = (struct segment){.number = number, .fd = -1, .size = size};
    segments->count++;
    return 0;
}

static bool parse_name(const char *name, uint32_t *number)
{
    char again[64];
    if (sscanf(name, "journal-%10u.seg", number) != 1 || !*number || *number >= 1u << 28)
        return false;
    snprintf(again, sizeof again, SEGMENT_NAME, *number);
    return !strcmp(again, name);
}

static int list_files(struct segments *segments, struct reason *why)
{
    DIR *folder = opendir(segments->folder);
    struct dirent *entry;
    int result = 0;
    if (!folder)
        return fail(why, error_from_errno(errno), "cannot list %s: %s", segments->folder, strerror(errno));
    while (!result && (entry = readdir(folder))) {
        struct stat st;
        uint32_t number;
        size_t length = strlen(entry->d_name);
        if (length > 8 && !strcmp(entry->d_name + length - 8, ".seg.new"))
            unlinkat(segments->folder_fd, entry->d_name, 0); /* never became part of the journal */
        else if (parse_name(entry->d_name, &number) &&
                 fstatat(segments->folder_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(st.st_mode))
            result = insert(segments, number, (uint64_t)st.st_size);
    }
    closedir(folder);
    return result ? fail(why, result, "out of memory listing %s", segments->folder) : 0;
}

/* ---- file heads ---- */

static void write_head(uint8_t head[SEGMENT_DATA], uint32_t number)
{
    memset(head, 0, SEGMENT_DATA);
    memcpy(head, MAGIC, sizeof MAGIC);
    uint32_t fields[2] = {SEGMENT_VERSION, number};
    for (size_t i = 0; i < 8; i++)
        head[16 + i] = (uint8_t)(fields[i / 4] >> 8 * (i % 4));
    uint32_t crc = crc32c(0, head, 24);
    for (size_t i = 0; i < 4; i++)
        head[24 + i] = (uint8_t)(crc >> 8 * i);
}

/* A damaged head does not matter, each record knows its position; a whole one of another version does. */
static int check_version(struct segments *segments, struct segment *segment, struct reason *why)
{
    uint8_t head[SEGMENT_DATA];
    size_t got = 0;
    int result = segments_read(segments, POSITION(segment->number, 0), head, sizeof head, &got);
    if (result)
        return fail(why, result, "cannot open segment %u of the journal in %s: %s", segment->number,
                    segments->folder, error_name(result));
    uint32_t crc = crc32c(0, head, 24), version = 0;
    if (got < 28 || memcmp(head, MAGIC, sizeof MAGIC))
        return 0;
    for (size_t i = 0; i < 4; i++)
        if (head[24 + i] != (uint8_t)(crc >> 8 * i))
            return 0;
    for (size_t i = 0; i < 4; i++)
        version |= (uint32_t)head[16 + i] << 8 * i;
    segment->version = version;
    if (version >= 1 && version <= SEGMENT_VERSION)
        return 0;
    return fail(why, ACCORD_ENOTSUP,
                "the journal in %s has format %u and this agent reads up to format %d; start the version "
                "that wrote it",
                segments->folder, version, SEGMENT_VERSION);
}

/* ---- life ---- */

int segments_open(struct segments *segments, const char *folder, struct reason *why)
{
    *segments = (struct segments){.folder_fd = -1, .lock_fd = -1};
    if (!(segments->folder = strdup(folder)))
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    int result = file_make_folder(folder, why);
    if (result)
        return result;
    segments->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (segments->folder_fd < 0)
        return fail(why, error_from_errno(errno), "cannot open %s: %s", folder, strerror(errno));
    result = lock_folder(segments, why);
    if (!result)
        result = list_files(segments, why);
    if (!result && !segments->count)
        result = sync_parents(folder, why);
    for (size_t i = 0; !result && i < segments->count; i++)
        result = check_version(segments, &segments->items[i], why);
    return result;
}

void segments_close(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->items[i].fd >= 0)
            close(segments->items[i].fd);
    if (segments->folder_fd >= 0)
        close(segments->folder_fd);
    if (segments->lock_fd >= 0)
        close(segments->lock_fd);
    free(segments->items);
    free(segments->folder);
    *segments = (struct segments){.folder_fd = -1, .lock_fd = -1};
}

struct segment *segments_find(struct segments *segments, uint32_t number)
{
    size_t low = 0, high = segments->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (segments->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < segments->count && segments->items[low].number == number ? &segments->items[low] : NULL;
}

struct segment *segments_after(struct segments *segments, uint32_t number)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->items[i].number > number)
            return &segments->items[i];
    return NULL;
}

/* The last segment is being written and stays open. */
static void close_one(struct segments *segments)
{
    for (size_t i = 0; i + 1 < segments->count; i++)
        if (segments->items[i].fd >= 0) {
            close(segments->items[i].fd);
            segments->items[i].fd = -1;
            segments->open_count--;
            return;
        }
}

int segment_fd(struct segments *segments, struct segment *segment)
{
    char name[64];
    if (segment->fd >= 0)
        return segment->fd;
    if (segments->open_count >= OPEN_MAX)
        close_one(segments);
    snprintf(name, sizeof name, SEGMENT_NAME, segment->number);
    segment->fd = openat(segments->folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    segments->open_count += segment->fd >= 0;
    return segment->fd;
}

/* ---- new files ---- */

static int write_whole(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const uint8_t *at = bytes;
    while (size) {
        ssize_t n = segment_io.pwrite(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ACCORD_ELIMIT
                                                                                  : ACCORD_EIO;
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* File systems that cannot preallocate get a sparse file: then a write may find the disk full. */
static int preallocate(int fd, uint64_t size)
{
    if (segment_io.fallocate(fd, 0, 0, (off_t)size) == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ACCORD_ELIMIT : ACCORD_EIO;
    return ftruncate(fd, (off_t)size) == 0 ? 0 : ACCORD_EIO;
}

/* Fills a file that is not part of the journal yet; smaller than wished when the disk is nearly full. */
static int fill_new(int fd, uint32_t number, uint64_t *size, uint64_t need)
{
    uint8_t head[SEGMENT_DATA];
    int result = preallocate(fd, *size);
    while (result == ACCORD_ELIMIT && *size > need) {
        *size = *size / 2 > need ? *size / 2 : need;
        if (ftruncate(fd, 0) == 0)
            result = preallocate(fd, *size);
    }
    write_head(head, number);
    if (!result)
        result = write_whole(fd, head, sizeof head, 0);
    return result ? result : fsync(fd) == 0 ? 0 : ACCORD_EIO;
}

int segments_add(struct segments *segments, uint64_t size, uint64_t need)
{
    char name[64], temporary[80];
    uint32_t number = segments->count ? segments->items[segments->count - 1].number + 1 : 1;
    snprintf(name, sizeof name, SEGMENT_NAME, number);
    snprintf(temporary, sizeof temporary, "%s.new", name);
    int fd =
        openat(segments->folder_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? ACCORD_ELIMIT : ACCORD_EIO;
    need += SEGMENT_DATA;
    size = size > need ? size : need;
    int result = fill_new(fd, number, &size, need);
    if (!result && renameat(segments->folder_fd, temporary, segments->folder_fd, name) < 0)
        result = ACCORD_EIO;
    if (result) {
        unlinkat(segments->folder_fd, temporary, 0);
    } else if (fsync(segments->folder_fd) < 0 || insert(segments, number, size)) {
        unlinkat(segments->folder_fd, name, 0);
        result = ACCORD_EIO;
    }
    if (result) {
        close(fd);
    } else {
        segments->items[segments->count - 1].fd = fd;
        segments->items[segments->count - 1].version = SEGMENT_VERSION;
        segments->open_count++;
    }
    return result;
}

int segments_remove(struct segments *segments, uint32_t number)
{
    char name[64];
    struct segment *segment = segments_find(segments, number);
    if (!segment)
        return ACCORD_ENOENT;
    snprintf(name, sizeof name, SEGMENT_NAME, number);
    if (unlinkat(segments->folder_fd, name, 0) < 0 && errno != ENOENT)
        return ACCORD_EIO;
    if (segment->fd >= 0) {
        close(segment->fd);
        segments->open_count--;
    }
    size_t at = (size_t)(segment - segments->items);
    memmove(segment, segment + 1, (segments->count - at - 1) * sizeof *segment);
    segments->count--;
    return fsync(segments->folder_fd) == 0 ? 0 : ACCORD_EIO;
}

/* ---- bytes ---- */

/* Reads block by block around those that the disk cannot read. */
static void read_around(int fd, uint8_t *to, size_t size, uint64_t offset)
{
    for (size_t at = 0; at < size;) {
        size_t block = 4096 - (size_t)((offset + at) % 4096);
        block = block < size - at ? block : size - at;
        if (pread(fd, to + at, block, (off_t)(offset + at)) != (ssize_t)block)
            memset(to + at, 0, block);
        at += block;
    }
}

int segments_read(struct segments *segments, uint64_t position, void *to, size_t size, size_t *got)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    uint64_t offset = POSITION_OFFSET(position);
    *got = 0;
    if (!segment)
        return ACCORD_ENOENT;
    int fd = segment_fd(segments, segment);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? ACCORD_EBUSY : ACCORD_EIO;
    if (offset >= segment->size)
        return 0;
    size = size < segment->size - offset ? size : (size_t)(segment->size - offset);
    while (*got < size) {
        ssize_t n = pread(fd, (uint8_t *)to + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0) {
            read_around(fd, (uint8_t *)to + *got, size - *got, offset + *got);
            n = (ssize_t)(size - *got);
        }
        *got += (size_t)n;
    }
    return 0;
}

int segments_write(struct segments *segments, uint64_t position, const void *bytes, size_t size)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    int fd = segment ? segment_fd(segments, segment) : -1;
    return fd < 0 ? ACCORD_EIO : write_whole(fd, bytes, size, POSITION_OFFSET(position));
}

int segments_sync(struct segments *segments, uint64_t position)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    int fd = segment ? segment_fd(segments, segment) : -1;
    return fd < 0 || segment_io.fdatasync(fd) < 0 ? ACCORD_EIO : 0;
}

void segments_forget(struct segments *segments, uint64_t position)
{
    for (size_t i = 0; i < segments->count; i++) {
        struct segment *segment = &segments->items[i];
        bool first = segment->number == POSITION_SEGMENT(position);
        int fd = segment->number < POSITION_SEGMENT(position) ? -1 : segment_fd(segments, segment);
        if (fd >= 0)
            segment_io.fadvise(fd, first ? (off_t)(POSITION_OFFSET(position) & ~(uint64_t)4095) : 0, 0,
                               POSIX_FADV_DONTNEED);
    }
}

uint64_t segments_memory(void)
{
    long pages = segment_io.sysconf(_SC_PHYS_PAGES), size = segment_io.sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

void segments_release(struct segments *segments, uint64_t position, uint64_t size)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    int fd = segment ? segment_fd(segments, segment) : -1;
    if (fd >= 0)
        segment_io.fadvise(fd, (off_t)POSITION_OFFSET(position), (off_t)size, POSIX_FADV_DONTNEED);
}

void segments_prefetch(struct segments *segments, uint64_t position, uint64_t size)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    int fd = segment ? segment_fd(segments, segment) : -1;
    if (fd >= 0)
        segment_io.fadvise(fd, (off_t)POSITION_OFFSET(position), (off_t)size, POSIX_FADV_WILLNEED);
}

static int write_zeros(int fd, uint64_t offset, uint64_t end)
{
    static const uint8_t zeros[65536];
    int result = 0;
    while (offset < end && !result) {
        size_t size = end - offset < sizeof zeros ? (size_t)(end - offset) : sizeof zeros;
        result = write_whole(fd, zeros, size, offset);
        offset += size;
    }
    return result;
}

int segments_prepare(struct segments *segments, uint64_t position, uint64_t size)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    uint64_t offset = POSITION_OFFSET(position), end = offset + size;
    int fd = segment ? segment_fd(segments, segment) : -1;
    if (fd < 0)
        return ACCORD_EIO;
    return write_zeros(fd, offset, end < segment->size ? end : segment->size);
}

int segments_zero(struct segments *segments, uint64_t position)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    uint64_t offset = POSITION_OFFSET(position);
    int fd = segment ? segment_fd(segments, segment) : -1;
    if (fd < 0)
        return ACCORD_EIO;
    if (offset < segment->size &&
        segment_io.fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)offset, (off_t)(segment->size - offset)) < 0) {
        int result = write_zeros(fd, offset, segment->size);
        if (result)
            return result;
    }
    return segment_io.fdatasync(fd) < 0 ? ACCORD_EIO : 0;
}

void segments_trim(struct segments *segments, uint64_t position)
{
    struct segment *segment = segments_find(segments, POSITION_SEGMENT(position));
    int fd = segment ? segment_fd(segments, segment) : -1;
    if (fd >= 0 && ftruncate(fd, (off_t)POSITION_OFFSET(position)) == 0)
        segment->size = POSITION_OFFSET(position);
}

void segments_extend(struct segments *segments, uint32_t number, uint64_t size)
{
    struct segment *segment = segments_find(segments, number);
    int fd = segment && segment->size < size ? segment_fd(segments, segment) : -1;
    if (fd >= 0 && preallocate(fd, size) == 0 && fsync(fd) == 0)
        segment->size = size;
}

uint64_t segments_available(const struct segments *segments)
{
    struct statvfs st;
    return fstatvfs(segments->folder_fd, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : UINT64_MAX;
}

bool segments_set_aside(struct segments *segments, uint64_t position, uint64_t size)
{
    char folder[PATH_MAX], path[PATH_MAX], name[128];
    size_t got = 0, want = size < ASIDE_MAX ? (size_t)size : ASIDE_MAX;
    snprintf(name, sizeof name, "segment-%010u-offset-%llu-size-%llu", POSITION_SEGMENT(position),
             (unsigned long long)POSITION_OFFSET(position), (unsigned long long)size);
    if (file_path(folder, sizeof folder, segments->folder, "damaged") || file_make_folder(folder, NULL) ||
        file_path(path, sizeof path, folder, name))
        return true;
    if (access(path, F_OK) == 0)
        return false;
    uint8_t *bytes = malloc(want ? want : 1);
    if (bytes && !segments_read(segments, position, bytes, want, &got))
        file_replace(path, bytes, got, 0600, NULL); /* the copy is a courtesy: start-up goes on without it */
    free(bytes);
    return true;
}

bool segments_note_missing(struct segments *segments, uint32_t number)
{
    static const char note[] = "This file of the journal was missing when the agent started.\n";
    char folder[PATH_MAX], path[PATH_MAX], name[128];
    snprintf(name, sizeof name, "segment-%010u-missing", number);
    if (file_path(folder, sizeof folder, segments->folder, "damaged") || file_make_folder(folder, NULL) ||
        file_path(path, sizeof path, folder, name))
        return true;
    if (access(path, F_OK) == 0)
        return false;
    file_replace(path, note, sizeof note - 1, 0600, NULL);
    return true;
}
