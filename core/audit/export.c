#include "audit/export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "audit/export_resume.h"
#include "audit/line.h"
#include "util/file.h"
#include "util/log.h"
#include "util/text.h"

#define UNREADABLE_FILE "unreadable.txt"
#define TARGETS_MAX     256 /* files open at a time; a batch that needs more syncs in between */

/* A file being appended to in this batch. */
struct target {
    size_t chain; /* index into state.chains; SIZE_MAX: the unreadable lines */
    char date[LINE_DATE_SIZE];
    int fd;
    int64_t before;     /* size when the batch began */
    struct buf pending; /* struct iovec: lines that stay where they were given */
};

/* The highest sequence of a chain in this batch, and the file that holds it. */
struct progress {
    uint64_t sequence;
    char date[LINE_DATE_SIZE];
    int64_t size;
};

struct export
{
    char *folder;
    int folder_fd;
    void (*fault)(const char *);
    struct export_state state;
    struct target *targets;
    size_t target_count;
    struct progress *progress; /* one for each of state.chains */
    size_t progress_room;
    uint64_t unreadable, unreadable_now;
    uint64_t position; /* that the lines written so far have come to */
    bool begun;        /* lines were written since the last sync */
    bool dirty;        /* a failed batch may have left bytes: resume before the next */
    bool synced; /* the lines of this batch are durable: they stay even when the position cannot be written */
};

static int fail_write(const struct export *export, const struct target *target, struct reason *why)
{
    int number = errno;
    const char *chain =
        target->chain == SIZE_MAX ? UNREADABLE_FILE : export->state.chains[target->chain].name;
    return fail(why, error_from_errno(number), "cannot write the audit trail %s/%s: %s", export->folder,
                chain, strerror(number));
}

/* ---- targets ---- */

static int open_in_chain(struct export *export, const char *chain, const char *file)
{
    if (mkdirat(export->folder_fd, chain, 0750) == 0) {
        if (fsync(export->folder_fd) < 0)
            return -1;
    } else if (errno != EEXIST) {
        return -1;
    }
    int folder = openat(export->folder_fd, chain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return -1;
    struct stat st;
    bool fresh = fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) < 0;
    int fd = openat(folder, file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd >= 0 && fresh && fsync(folder) < 0) {
        close(fd);
        fd = -1;
    }
    close(folder);
    return fd;
}

static int open_target(struct export *export, struct target *target)
{
    char file[LINE_DATE_SIZE + 8];
    struct stat st;
    snprintf(file, sizeof file, "%s.jsonl", target->date);
    if (target->chain == SIZE_MAX)
        target->fd = openat(export->folder_fd, UNREADABLE_FILE,
                            O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    else
        target->fd = open_in_chain(export, export->state.chains[target->chain].name, file);
    if (target->fd < 0 || fstat(target->fd, &st) < 0)
        return ACCORD_EIO;
    target->before = st.st_size;
    return 0;
}

/* Leaves out what has been written. */
static void advance(struct iovec **at, size_t *count, size_t written)
{
    for (; *count && written >= (*at)->iov_len; ++*at, --*count)
        written -= (*at)->iov_len;
    if (!*count)
        return;
    (*at)->iov_base = (char *)(*at)->iov_base + written;
    (*at)->iov_len -= written;
}

static int write_target(struct target *target)
{
    struct iovec *at = (struct iovec *)target->pending.data;
    size_t count = target->pending.size / sizeof *at;
    if (target->pending.failed) {
        errno = ENOMEM;
        return -1;
    }
    while (count) {
        ssize_t n = writev(target->fd, at, count < IOV_MAX ? (int)count : IOV_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        advance(&at, &count, (size_t)n);
    }
    buf_clear(&target->pending);
    return 0;
}

static int write_targets(struct export *export, struct reason *why)
{
    for (size_t i = 0; i < export->target_count; i++)
        if (write_target(&export->targets[i]) < 0)
            return fail_write(export, &export->targets[i], why);
    return 0;
}

/* Writes and syncs what is pending, and notes how large the files have become. */
static int flush(struct export *export, struct reason *why)
{
    int result = write_targets(export, why);
    for (size_t i = 0; !result && i < export->target_count; i++) {
        struct target *target = &export->targets[i];
        struct stat st;
        if (fsync(target->fd) < 0 || fstat(target->fd, &st) < 0)
            return fail_write(export, target, why);
        struct progress *progress = target->chain == SIZE_MAX ? NULL : &export->progress[target->chain];
        if (progress && !strcmp(progress->date, target->date))
            progress->size = st.st_size;
    }
    return result;
}

static void close_targets(struct export *export, bool undo)
{
    for (size_t i = 0; i < export->target_count; i++) {
        struct target *target = &export->targets[i];
        /* After a failed sync the kernel may have forgotten what was not written: begin anew. */
        if (undo && target->fd >= 0 && ftruncate(target->fd, target->before) < 0)
            log_event(ACCORD_WARNING, "audit.export-undo", NULL, "cannot cut %s/%s back: %s", export->folder,
                      target->date, strerror(errno));
        if (target->fd >= 0)
            close(target->fd);
        buf_fini(&target->pending);
    }
    export->target_count = 0;
}

static struct target *add_target(struct export *export, size_t chain, const char *date, struct reason *why)
{
    if (export->target_count == TARGETS_MAX) {
        if (flush(export, why))
            return NULL;
        close_targets(export, false);
    }
    struct target *target = &export->targets[export->target_count];
    *target = (struct target){.chain = chain, .fd = -1};
    text_copy(target->date, sizeof target->date, date);
    export->target_count++;
    if (open_target(export, target) == 0)
        return target;
    fail_write(export, target, why);
    return NULL;
}

/* NULL: not open in this batch. */
static struct target *find_target(struct export *export, const char *name, const char *date)
{
    for (size_t i = export->target_count; i-- > 0;) {
        struct target *target = &export->targets[i];
        if (target->chain != SIZE_MAX && !memcmp(target->date, date, LINE_DATE_SIZE) &&
            !strcmp(export->state.chains[target->chain].name, name))
            return target;
    }
    return NULL;
}

/* ---- lines ---- */

/* A line as it was given, with its newline. */
struct given {
    const char *text;
    size_t size; /* without it */
    bool ends;   /* it stands there */
};

static void put_bytes(struct buf *pending, const char *bytes, size_t size)
{
    struct iovec *last = pending->size ? (struct iovec *)(pending->data + pending->size) - 1 : NULL;
    if (last && (char *)last->iov_base + last->iov_len == bytes)
        last->iov_len += size;
    else
        buf_put(pending, &(struct iovec){(void *)bytes, size}, sizeof *last);
}

static void put_line(struct target *target, const struct given *line)
{
    put_bytes(&target->pending, line->text, line->size + line->ends);
    if (!line->ends)
        put_bytes(&target->pending, "\n", 1);
}

static int set_aside(struct export *export, const struct given *line, struct reason *why)
{
    struct target *target = NULL;
    for (size_t i = 0; i < export->target_count && !target; i++)
        if (export->targets[i].chain == SIZE_MAX)
            target = &export->targets[i];
    if (!target && !(target = add_target(export, SIZE_MAX, "", why)))
        return ACCORD_EIO;
    put_line(target, line);
    export->unreadable_now++;
    return 0;
}

static struct progress *progress_of(struct export *export, size_t chain)
{
    if (chain >= export->progress_room) {
        size_t room = export->state.room;
        struct progress *progress = realloc(export->progress, room * sizeof *progress);
        if (!progress)
            return NULL;
        memset(progress + export->progress_room, 0, (room - export->progress_room) * sizeof *progress);
        export->progress = progress;
        export->progress_room = room;
    }
    return &export->progress[chain];
}

/* Opened also for a line that is there already: its file's size will be counted. */
static int open_for(struct export *export, const char *name, const char *date, struct target **target,
                    struct reason *why)
{
    struct export_chain *chain = export_chain_of(&export->state, name);
    size_t index = chain ? (size_t)(chain - export->state.chains) : 0;
    if (!chain || !progress_of(export, index))
        return fail(why, ACCORD_ELIMIT, "too many audit chains, or out of memory");
    *target = add_target(export, index, date, why);
    return *target ? 0 : ACCORD_EIO;
}

static int take_line(struct export *export, const struct given *line, struct reason *why)
{
    struct audit_seal_facts facts;
    char date[LINE_DATE_SIZE];
    if (audit_read_seal(line->text, line->size, &facts, NULL) || !line_date(line->text, line->size, date))
        return set_aside(export, line, why);
    struct target *target = find_target(export, facts.chain, date);
    if (!target && !text_is_name(facts.chain, 63))
        return set_aside(export, line, why);
    int result = target ? 0 : open_for(export, facts.chain, date, &target, why);
    if (result)
        return result;
    if (!export_chain_has(&export->state.chains[target->chain], facts.sequence))
        put_line(target, line);
    struct progress *progress = &export->progress[target->chain];
    if (facts.sequence > progress->sequence) {
        progress->sequence = facts.sequence;
        memcpy(progress->date, date, sizeof date);
    }
    return 0;
}

static int take_lines(struct export *export, const char *at, size_t size, struct reason *why)
{
    const char *end = at + size;
    int result = 0;
    while (!result && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct given line = {at, (size_t)((newline ? newline : end) - at), newline != NULL};
        result = take_line(export, &line, why);
        at += line.size + 1;
    }
    return result;
}

/* While sequences found at start are still ahead, the old size stays: the next start must find them again. */
static void count_progress(struct export_state *state, const struct progress *progress)
{
    for (size_t i = 0; i < state->count; i++) {
        struct export_chain *chain = &state->chains[i];
        if (progress[i].sequence <= chain->sequence)
            continue;
        chain->sequence = progress[i].sequence;
        if (chain->present_count && chain->present[chain->present_count - 1] > chain->sequence)
            continue;
        chain->present_count = 0;
        chain->size = progress[i].size;
        memcpy(chain->date, progress[i].date, sizeof chain->date);
    }
}

static int commit(struct export *export, struct reason *why)
{
    int result = flush(export, why);
    if (result)
        return result;
    export->synced = true;
    if (export->unreadable_now && fsync(export->folder_fd) < 0)
        return fail(why, ACCORD_EIO, "cannot sync %s: %s", export->folder, strerror(errno));
    if (export->fault)
        export->fault("export");
    for (size_t i = 0; i < export->state.count; i++)
        if (!progress_of(export, i))
            return fail(why, ACCORD_ENOMEM, "out of memory exporting the audit trail");
    count_progress(&export->state, export->progress);
    export->state.position = export->position;
    return export_state_save(&export->state, export->folder, why);
}

/* Nothing of the batch counts any more. */
static int give_up(struct export *export, int result)
{
    close_targets(export, !export->synced);
    export->dirty = true;
    export->begun = false;
    return result;
}

static int begin(struct export *export, struct reason *why)
{
    if (export->begun)
        return 0;
    if (export->dirty) {
        export_state_fini(&export->state);
        int result = export_resume(&export->state, export->folder, why);
        if (result)
            return result;
        export->dirty = false;
    }
    if (export->progress)
        memset(export->progress, 0, export->progress_room * sizeof *export->progress);
    export->unreadable_now = 0;
    export->synced = false;
    export->position = export->state.position;
    export->begun = true;
    return 0;
}

int export_write(struct export *export, const void *lines, size_t size, uint64_t position, struct reason *why)
{
    int result = begin(export, why);
    if (result)
        return result;
    result = take_lines(export, lines, size, why);
    if (!result)
        result = write_targets(export, why);
    if (result)
        return give_up(export, result);
    export->position = position;
    return 0;
}

int export_sync(struct export *export, struct reason *why)
{
    if (!export->begun)
        return 0;
    int result = commit(export, why);
    if (result)
        return give_up(export, result);
    close_targets(export, false);
    export->begun = false;
    export->unreadable += export->unreadable_now;
    return 0;
}

int export_append(struct export *export, const void *lines, size_t size, uint64_t position,
                  struct reason *why)
{
    int result = export_write(export, lines, size, position, why);
    return result ? result : export_sync(export, why);
}

/* ---- life ---- */

int export_open(struct export **out, const struct export_config *config, struct reason *why)
{
    int result = file_make_folder(config->folder, why);
    if (result)
        return result;
    struct export *export = calloc(1, sizeof *export);
    if (!export)
        return fail(why, ACCORD_ENOMEM, "out of memory opening the audit folder");
    export->folder = strdup(config->folder);
    export->targets = calloc(TARGETS_MAX, sizeof *export->targets);
    export->folder_fd = open(config->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    export->fault = config->fault;
    if (!export->folder || !export->targets || export->folder_fd < 0)
        result = fail(why, ACCORD_EIO, "cannot open the audit folder %s", config->folder);
    if (!result)
        result = export_resume(&export->state, export->folder, why);
    if (result) {
        export_close(export);
        return result;
    }
    *out = export;
    return 0;
}

uint64_t export_position(const struct export *export)
{
    return export->state.position;
}

void export_lasts(const struct export *export,
                  void (*each)(void *arg, const char *chain, const struct audit_head *), void *arg)
{
    for (size_t i = 0; i < export->state.count; i++)
        if (export->state.chains[i].last.sequence)
            each(arg, export->state.chains[i].name, &export->state.chains[i].last);
}

int export_rewind(struct export *export, struct reason *why)
{
    export->state.position = 0;
    return export_state_save(&export->state, export->folder, why);
}

uint64_t export_unreadable(const struct export *export)
{
    return export->unreadable;
}

void export_close(struct export *export)
{
    if (!export)
        return;
    if (export->targets)
        close_targets(export, false);
    if (export->folder_fd >= 0)
        close(export->folder_fd);
    export_state_fini(&export->state);
    free(export->targets);
    free(export->progress);
    free(export->folder);
    free(export);
}
