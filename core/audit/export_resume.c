#include "audit/export_resume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/log.h"
#include "util/text.h"

#define POSITION_MAX (1 << 20)

/* ---- the position file ---- */

struct export_chain *export_chain_of(struct export_state *state, const char *name)
{
    for (size_t i = 0; i < state->count; i++)
        if (!strcmp(state->chains[i].name, name))
            return &state->chains[i];
    if (state->count == EXPORT_CHAINS_MAX)
        return NULL;
    if (state->count == state->room) {
        size_t room = state->room ? 2 * state->room : 16;
        struct export_chain *chains = realloc(state->chains, room * sizeof *chains);
        if (!chains)
            return NULL;
        state->chains = chains;
        state->room = room;
    }
    struct export_chain *chain = &state->chains[state->count++];
    *chain = (struct export_chain){0};
    text_copy(chain->name, sizeof chain->name, name);
    return chain;
}

static bool parse_chain(struct export_state *state, const char *text)
{
    char name[64], date[LINE_DATE_SIZE];
    uint64_t sequence;
    int64_t size;
    int end = 0;
    if (sscanf(text, "chain %63s %" SCNu64 " %10s %" SCNd64 "%n", name, &sequence, date, &size, &end) != 4 ||
        text[end] || size < 0 || !text_is_name(name, 63) || (!line_is_date(date) && strcmp(date, "-") != 0))
        return false;
    struct export_chain *chain = export_chain_of(state, name);
    if (!chain)
        return false;
    chain->sequence = sequence;
    chain->size = size;
    text_copy(chain->date, sizeof chain->date, *date == '-' ? "" : date);
    return true;
}

static bool parse_position(struct export_state *state, char *text)
{
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    int end = 0;
    if (!line || strcmp(line, "accord-audit-export 1") != 0 || !(line = strtok_r(NULL, "\n", &rest)) ||
        sscanf(line, "position %" SCNu64 "%n", &state->position, &end) != 1 || line[end])
        return false;
    while ((line = strtok_r(NULL, "\n", &rest)))
        if (!parse_chain(state, line))
            return false;
    return true;
}

static int load(struct export_state *state, const char *folder, struct reason *why)
{
    char path[PATH_MAX];
    struct buf text = {0};
    if (file_path(path, sizeof path, folder, EXPORT_POSITION_FILE))
        return fail(why, ACCORD_EINVAL, "the audit folder's name is too long: %s", folder);
    int result = file_read(path, POSITION_MAX, &text, why);
    if (result == ACCORD_ENOENT)
        result = 0;
    else if (!result && (!buf_string(&text) || !parse_position(state, (char *)text.data)))
        result =
            fail(why, ACCORD_EFORMAT,
                 "%s is not readable: remove it; the export then begins again and skips the records that are "
                 "there already",
                 path);
    buf_fini(&text);
    return result;
}

int export_state_save(const struct export_state *state, const char *folder, struct reason *why)
{
    char path[PATH_MAX];
    struct buf text = {0};
    if (file_path(path, sizeof path, folder, EXPORT_POSITION_FILE))
        return fail(why, ACCORD_EINVAL, "the audit folder's name is too long: %s", folder);
    buf_format(&text, "accord-audit-export 1\nposition %" PRIu64 "\n", state->position);
    for (size_t i = 0; i < state->count; i++) {
        const struct export_chain *chain = &state->chains[i];
        buf_format(&text, "chain %s %" PRIu64 " %s %" PRId64 "\n", chain->name, chain->sequence,
                   *chain->date ? chain->date : "-", chain->size);
    }
    int result = text.failed ? fail(why, ACCORD_ENOMEM, "out of memory exporting the audit trail")
                             : file_replace(path, text.data, text.size, 0640, why);
    buf_fini(&text);
    return result;
}

/* ---- what stands in the files ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool export_chain_has(const struct export_chain *chain, uint64_t sequence)
{
    return sequence <= chain->sequence ||
           (chain->present_count &&
            bsearch(&sequence, chain->present, chain->present_count, sizeof sequence, by_value));
}

static int add_present(struct export_chain *chain, uint64_t sequence)
{
    if (chain->present_count == chain->present_room) {
        size_t room = chain->present_room ? 2 * chain->present_room : 256;
        uint64_t *present = realloc(chain->present, room * sizeof *present);
        if (!present)
            return ACCORD_ENOMEM;
        chain->present = present;
        chain->present_room = room;
    }
    chain->present[chain->present_count++] = sequence;
    return 0;
}

static void note_last(struct export_chain *chain, const struct audit_seal_facts *facts)
{
    if (facts->sequence <= chain->last.sequence)
        return;
    chain->last.sequence = facts->sequence;
    memcpy(chain->last.hash, facts->hash, DIGEST_SIZE);
}

/* Reads lines from `offset`, notes the later sequences among them, and finds where the good part ends: behind
 * the last whole line that is a record of this chain, never before `offset`. */
static int scan(int fd, int64_t offset, struct export_chain *chain, int64_t *good_end)
{
    struct audit_seal_facts facts;
    struct line_reader reader;
    int result = line_reader_init(&reader, fd, offset);
    *good_end = offset;
    while (!result && (result = line_read(&reader)) == 1) {
        result = 0;
        if (!reader.whole || reader.too_long || audit_unseal(reader.bytes, reader.size, &facts, NULL) ||
            strcmp(facts.chain, chain->name) != 0)
            continue;
        *good_end = reader.end;
        note_last(chain, &facts);
        if (facts.sequence > chain->sequence)
            result = add_present(chain, facts.sequence);
    }
    line_reader_fini(&reader);
    return result;
}

/* The record that ends at `size`; false: none does. */
static bool tail_facts(int fd, int64_t size, const struct export_chain *chain, struct audit_seal_facts *facts)
{
    size_t want = size < AUDIT_LINE_MAX + 1 ? (size_t)size : AUDIT_LINE_MAX + 1;
    char *tail = malloc(want + 1);
    bool found = false;
    if (tail && want && pread(fd, tail, want, size - (int64_t)want) == (ssize_t)want &&
        tail[want - 1] == '\n') {
        const char *before = memrchr(tail, '\n', want - 1);
        const char *line = before ? before + 1 : tail;
        found = !audit_unseal(line, (size_t)(tail + want - 1 - line), facts, NULL) &&
                strcmp(facts->chain, chain->name) == 0;
    }
    free(tail);
    return found;
}

/* Whether a file that the position does not name ends as it should: with a counted record. */
static bool tail_counted(int fd, int64_t size, struct export_chain *chain)
{
    struct audit_seal_facts facts;
    return tail_facts(fd, size, chain, &facts) && facts.sequence <= chain->sequence;
}

/* A file that ends in whole lines keeps them all, also unreadable ones: they are for the verifier to name. Only
 * what follows the counted part and is no record is what a crash left. */
static int resume_file(struct export_chain *chain, int fd, const char *date, const char *path,
                       struct reason *why)
{
    struct stat st;
    struct audit_seal_facts facts;
    int64_t good_end, begin = !strcmp(date, chain->date) ? chain->size : 0;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(why, ACCORD_EIO, "cannot examine %s: is it a regular file?", path);
    if (st.st_size < begin) {
        log_event(ACCORD_WARNING, "audit.export-shrunk", NULL,
                  "%s is shorter than what was exported to it (%lld of %lld bytes): records are missing; "
                  "run: accord audit verify",
                  path, (long long)st.st_size, (long long)begin);
        return 0;
    }
    if (begin && tail_facts(fd, begin, chain, &facts))
        note_last(chain, &facts);
    if (st.st_size == begin || (!begin && tail_counted(fd, st.st_size, chain)))
        return 0;
    if (scan(fd, begin, chain, &good_end))
        return fail(why, ACCORD_EIO, "cannot read %s to find where the export stopped", path);
    char last = '\n';
    bool kept = !begin && pread(fd, &last, 1, st.st_size - 1) == 1 && last == '\n';
    if (!kept && good_end < st.st_size)
        log_event(ACCORD_NOTICE, "audit.export-cut", NULL, "cut %lld bytes of a half-written record off %s",
                  (long long)(st.st_size - good_end), path);
    /* What is kept and not yet counted will not be written again: it must be durable before it counts. */
    if ((!kept && ftruncate(fd, good_end) < 0) || fsync(fd) < 0)
        return fail(why, ACCORD_EIO, "cannot cut the half-written end off %s: %s", path, strerror(errno));
    return 0;
}

static int resume_chain(struct export_state *state, const char *folder, const char *name, struct reason *why)
{
    char path[PATH_MAX];
    struct export_chain *chain = export_chain_of(state, name);
    DIR *dir = chain && !file_path(path, sizeof path, folder, name) ? opendir(path) : NULL;
    struct dirent *entry;
    int result = dir ? 0 : fail(why, ACCORD_EIO, "cannot read the audit folder of %s", name);
    while (!result && dir && (entry = readdir(dir))) {
        char date[LINE_DATE_SIZE], file[PATH_MAX];
        if (strlen(entry->d_name) != 16 || strcmp(entry->d_name + 10, ".jsonl") != 0 ||
            file_path(file, sizeof file, path, entry->d_name))
            continue;
        memcpy(date, entry->d_name, 10);
        date[10] = 0;
        int fd = line_is_date(date) ? openat(dirfd(dir), entry->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        result = resume_file(chain, fd, date, file, why);
        close(fd);
    }
    if (!result && fsync(dirfd(dir)) < 0)
        result = fail(why, ACCORD_EIO, "cannot sync %s: %s", path, strerror(errno));
    if (dir)
        closedir(dir);
    if (chain && chain->present_count)
        qsort(chain->present, chain->present_count, sizeof *chain->present, by_value);
    return result;
}

int export_resume(struct export_state *state, const char *folder, struct reason *why)
{
    struct dirent *entry;
    int result = load(state, folder, why);
    DIR *dir = result ? NULL : opendir(folder);
    if (!result && !dir)
        result = fail(why, ACCORD_EIO, "cannot read the audit folder %s: %s", folder, strerror(errno));
    while (!result && (entry = readdir(dir)))
        if (entry->d_type != DT_REG && text_is_name(entry->d_name, 63))
            result = resume_chain(state, folder, entry->d_name, why);
    if (!result && fsync(dirfd(dir)) < 0)
        result = fail(why, ACCORD_EIO, "cannot sync %s: %s", folder, strerror(errno));
    if (dir)
        closedir(dir);
    return result;
}

void export_state_fini(struct export_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        free(state->chains[i].present);
    free(state->chains);
    *state = (struct export_state){0};
}
