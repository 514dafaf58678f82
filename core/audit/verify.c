#include "audit/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/names.h"
#include "audit/verify_anchors.h"
#include "audit/verify_holes.h"
#include "util/text.h"

struct verify {
    const struct verify_options *options;
    const struct audit_chain_head *heads_now; /* NULL until a chain goes on beyond options' */
    size_t heads_now_count;
    struct verify_summary *summary;
    int folder;
    char **host_files; /* what promises point to */
    size_t host_count;
    struct promises promises;
};

/* One chain while it is walked. */
struct walk {
    struct verify *verify;
    const char *chain;
    int folder;
    char **files;
    size_t count;
    struct holes holes;
    const struct promise *promises;
    size_t promise_count;
    uint64_t unreadable; /* lines since the last good one */
    /* of the file being read */
    size_t file;
    uint64_t last; /* its highest sequence so far, and the line */
    uint64_t last_line;
};

const char *verify_fault_name(enum verify_fault fault)
{
    static const char *const names[] = {"changed",    "cut",    "missing",   "swapped",
                                        "duplicated", "forged", "unreadable"};
    return names[fault];
}

/* ---- reporting ---- */

static void report(struct verify *verify, enum verify_fault fault, const char *file, uint64_t line,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
static void report(struct verify *verify, enum verify_fault fault, const char *file, uint64_t line,
                   const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    verify->summary->problems++;
    struct verify_problem problem = {.fault = fault, .file = file, .line = line, .text = text};
    if (verify->options->report)
        verify->options->report(verify->options->arg, &problem);
}

struct place {
    char text[256];
};

static struct place place_of(const char *chain, const char *file)
{
    struct place place;
    snprintf(place.text, sizeof place.text, "%s/%s", chain, file);
    return place;
}

/* ---- anchors: the first walk, over the host chain ---- */

static int collect_line(struct verify *verify, const struct line_reader *reader, uint32_t file)
{
    static const char mark[] = "\"event.action\":\"audit-anchor\"";
    struct audit_seal_facts facts;
    struct line line;
    struct reason why;
    if (reader->too_long || !memmem(reader->bytes, reader->size, mark, sizeof mark - 1) ||
        audit_unseal(reader->bytes, reader->size, &facts, NULL))
        return 0; /* the second walk names a changed line */
    int result = line_parse(&line, reader->bytes, reader->size, &why);
    if (!result)
        result = anchor_check(&line, verify->options->key, &why);
    verify->summary->anchors++;
    if (result && result != ACCORD_ENOMEM)
        report(verify, VERIFY_FORGED, place_of(AUDIT_HOST_CHAIN, verify->host_files[file]).text,
               reader->number, "record %" PRIu64 ": %s", facts.sequence, why.text);
    else if (!result)
        result = promises_add(&verify->promises, &line, file, reader->number);
    line_fini(&line);
    return result == ACCORD_ENOMEM ? result : 0;
}

static int collect_file(struct verify *verify, int folder, uint32_t file)
{
    struct line_reader reader;
    int fd = openat(folder, verify->host_files[file], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return 0; /* the second walk says so */
    int result = line_reader_init(&reader, fd, 0);
    while (!result && (result = line_read(&reader)) == 1)
        result = collect_line(verify, &reader, file);
    line_reader_fini(&reader);
    close(fd);
    return result == ACCORD_ENOMEM ? result : 0;
}

static int collect_promises(struct verify *verify)
{
    int folder = openat(verify->folder, AUDIT_HOST_CHAIN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return 0;
    int result = names_list(folder, names_is_day_file, &verify->host_files, &verify->host_count);
    for (size_t i = 0; !result && i < verify->host_count; i++)
        result = collect_file(verify, folder, (uint32_t)i);
    close(folder);
    promises_sort(&verify->promises);
    return result;
}

/* ---- records: the second walk, over every chain ---- */

static void report_line(struct walk *walk, enum verify_fault fault, uint64_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void report_line(struct walk *walk, enum verify_fault fault, uint64_t line, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    report(walk->verify, fault, place_of(walk->chain, walk->files[walk->file]).text, line, "%s", text);
}

static void keep_promise(struct walk *walk, const struct audit_seal_facts *record, uint64_t line)
{
    size_t low = 0, high = walk->promise_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (walk->promises[middle].sequence < record->sequence)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < walk->promise_count && walk->promises[low].sequence == record->sequence; low++) {
        const struct promise *promise = &walk->promises[low];
        if (memcmp(promise->hash, record->hash, DIGEST_SIZE) == 0)
            continue;
        report_line(walk, VERIFY_CHANGED, line,
                    "record %" PRIu64 " is not the one that the anchor at %s:%" PRIu64
                    " signed: it was written anew",
                    record->sequence,
                    place_of(AUDIT_HOST_CHAIN, walk->verify->host_files[promise->file]).text, promise->line);
        return;
    }
}

static void check_order(struct walk *walk, const struct audit_seal_facts *record, uint64_t line)
{
    if (record->sequence < walk->last)
        report_line(walk, VERIFY_SWAPPED, line,
                    "record %" PRIu64 " stands behind record %" PRIu64 " (line %" PRIu64
                    "): lines were swapped",
                    record->sequence, walk->last, walk->last_line);
    if (record->sequence > walk->last) {
        walk->last = record->sequence;
        walk->last_line = line;
    }
}

static int check_sequence(struct walk *walk, const struct audit_seal_facts *record, uint64_t line)
{
    switch (holes_fill(&walk->holes, record, walk->file, line, walk->unreadable)) {
    case HOLES_TWICE:
        report_line(walk, VERIFY_DUPLICATED, line, "record %" PRIu64 " stands twice", record->sequence);
        return 0;
    case HOLES_FULL:
        return ACCORD_ELIMIT;
    case HOLES_BEFORE:
        report_line(walk, VERIFY_CHANGED, line,
                    "record %" PRIu64 " does not follow the record %" PRIu64
                    " that stands before it: one of the two "
                    "was written anew",
                    record->sequence, record->sequence - 1);
        break;
    case HOLES_AFTER:
        report_line(walk, VERIFY_CHANGED, line,
                    "record %" PRIu64 " is not the one that record %" PRIu64
                    " was sealed upon: it was written anew",
                    record->sequence, record->sequence + 1);
        break;
    case HOLES_FILLED:
        break;
    }
    check_order(walk, record, line);
    walk->unreadable = 0;
    return 0;
}

static const struct audit_chain_head *head_of(const struct audit_chain_head *heads, size_t count,
                                              const char *chain)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(heads[i].chain, chain))
            return &heads[i];
    return NULL;
}

static void see_head(struct walk *walk, const struct audit_seal_facts *facts, uint64_t line)
{
    const struct verify_options *options = walk->verify->options;
    const struct audit_chain_head *head = head_of(options->heads, options->head_count, walk->chain);
    if (head && facts->sequence == head->head.sequence &&
        memcmp(facts->hash, head->head.hash, DIGEST_SIZE) != 0)
        report_line(walk, VERIFY_CHANGED, line,
                    "record %" PRIu64 " is not the one in the store: it was written anew", facts->sequence);
}

static int check_line(struct walk *walk, const struct line_reader *reader)
{
    struct audit_seal_facts facts;
    struct reason why;
    char date[LINE_DATE_SIZE];
    const char *file = walk->files[walk->file];
    int result = 0;
    if (reader->too_long)
        result = fail(&why, ACCORD_ELIMIT, "the line is longer than %d bytes", AUDIT_LINE_MAX);
    else if (!reader->whole)
        result = fail(&why, ACCORD_EFORMAT, "the last line is cut off");
    else
        result = audit_unseal(reader->bytes, reader->size, &facts, &why);
    if (result) {
        report_line(walk, VERIFY_CHANGED, reader->number, "the line was changed: %s", why.text);
        walk->unreadable++;
        return 0;
    }
    walk->verify->summary->records++;
    if (strcmp(facts.chain, walk->chain) != 0) {
        report_line(walk, VERIFY_SWAPPED, reader->number,
                    "record %" PRIu64 " of the chain %s stands in the chain %s", facts.sequence, facts.chain,
                    walk->chain);
        return 0;
    }
    if (!line_date(reader->bytes, reader->size, date) || strncmp(date, file, LINE_DATE_SIZE - 1) != 0)
        report_line(walk, VERIFY_SWAPPED, reader->number,
                    "record %" PRIu64 " stands in the file of another day", facts.sequence);
    result = check_sequence(walk, &facts, reader->number);
    keep_promise(walk, &facts, reader->number);
    see_head(walk, &facts, reader->number);
    return result;
}

static int check_file(struct walk *walk)
{
    struct line_reader reader;
    int fd = openat(walk->folder, walk->files[walk->file], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        report_line(walk, VERIFY_UNREADABLE, 0, "cannot open it: %s", strerror(errno));
        return 0;
    }
    walk->last = 0;
    walk->verify->summary->files++;
    int result = line_reader_init(&reader, fd, 0);
    while (!result && (result = line_read(&reader)) == 1)
        result = check_line(walk, &reader);
    if (result == ACCORD_EIO) {
        report_line(walk, VERIFY_UNREADABLE, reader.number + 1, "cannot read on: %s", strerror(errno));
        result = 0;
    }
    line_reader_fini(&reader);
    close(fd);
    return result;
}

/* ---- the end of a chain ---- */

/* Lines that were named as changed account for as many missing records. */
static void report_holes(struct walk *walk)
{
    for (size_t i = 0; i < walk->holes.count; i++) {
        const struct hole *hole = &walk->holes.holes[i];
        if (hole->to == UINT64_MAX || hole->to - hole->from + 1 <= hole->unreadable ||
            (hole->from == 1 && walk->verify->options->begins_late))
            continue;
        walk->file = hole->file;
        if (hole->from == hole->to)
            report_line(walk, VERIFY_MISSING, hole->line, "record %" PRIu64 " is missing before this line",
                        hole->from);
        else
            report_line(walk, VERIFY_MISSING, hole->line,
                        "%" PRIu64 " records are missing before this line, from %" PRIu64 " to %" PRIu64,
                        hole->to - hole->from + 1, hole->from, hole->to);
    }
}

static void report_cut(struct walk *walk, uint64_t wanted, const char *who)
{
    uint64_t last = holes_last(&walk->holes);
    if (wanted <= last || wanted - last <= walk->unreadable)
        return;
    const char *file = walk->count ? walk->files[walk->count - 1] : NULL;
    struct place place = place_of(walk->chain, file ? file : "");
    report(walk->verify, VERIFY_CUT, file ? place.text : walk->chain, 0,
           "the chain ends with record %" PRIu64 ", but %s knows record %" PRIu64 ": the end was cut off",
           last, who, wanted);
}

/* While the agent goes on, its newest record may be behind what is in the files by now. */
static uint64_t store_ends_now(struct verify *verify, const char *chain)
{
    const struct verify_options *options = verify->options;
    if (!verify->heads_now && options->heads_now)
        verify->heads_now = options->heads_now(options->arg, &verify->heads_now_count);
    const struct audit_chain_head *head = head_of(verify->heads_now, verify->heads_now_count, chain);
    return head ? head->head.sequence : 0;
}

/* The newest record of the store must be there (see_head: and be the same), and nothing behind it. */
static void check_head(struct walk *walk)
{
    const struct verify_options *options = walk->verify->options;
    const struct audit_chain_head *head = head_of(options->heads, options->head_count, walk->chain);
    uint64_t last = holes_last(&walk->holes), wanted = head ? head->head.sequence : 0;
    if (!options->heads)
        return;
    if (wanted > last)
        report_cut(walk, wanted, "the store");
    else if (wanted < last && store_ends_now(walk->verify, walk->chain) < last)
        report(walk->verify, VERIFY_CHANGED, walk->chain, 0,
               "the chain goes on to record %" PRIu64 ", but the store ends with %" PRIu64
               ": records were added, or the store lost some",
               last, wanted);
}

static void check_end(struct walk *walk)
{
    const struct promise *promise = walk->promise_count ? &walk->promises[walk->promise_count - 1] : NULL;
    const struct audit_chain_head *head =
        head_of(walk->verify->options->heads, walk->verify->options->head_count, walk->chain);
    report_holes(walk);
    /* The store's head, when it is higher, says the same and more. */
    if (promise && (!head || head->head.sequence < promise->sequence)) {
        char who[300];
        snprintf(who, sizeof who, "the anchor at %s:%" PRIu64,
                 place_of(AUDIT_HOST_CHAIN, walk->verify->host_files[promise->file]).text, promise->line);
        report_cut(walk, promise->sequence, who);
    }
    check_head(walk);
}

static int check_chain(struct verify *verify, const char *chain)
{
    struct walk walk = {.verify = verify, .chain = chain};
    walk.folder = openat(verify->folder, chain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    walk.promises = promises_of(&verify->promises, chain, &walk.promise_count);
    int result = holes_init(&walk.holes);
    if (!result && walk.folder >= 0)
        result = names_list(walk.folder, names_is_day_file, &walk.files, &walk.count);
    else if (!result && errno != ENOENT)
        report(verify, VERIFY_UNREADABLE, chain, 0, "cannot open the chain's folder: %s", strerror(errno));
    for (walk.file = 0; !result && walk.file < walk.count; walk.file++)
        result = check_file(&walk);
    if (!result)
        check_end(&walk);
    holes_fini(&walk.holes);
    names_free(walk.files, walk.count);
    if (walk.folder >= 0)
        close(walk.folder);
    verify->summary->chains++;
    return result;
}

/* ---- chains ---- */

static bool left_out(const struct verify_options *options, const char *chain)
{
    for (size_t i = 0; i < options->left_out_count; i++)
        if (strcmp(options->left_out[i], chain) == 0)
            return true;
    return false;
}

/* Chains whose folder is gone, but which the store or an anchor knows. */
static int check_absent(struct verify *verify, char **chains, size_t count)
{
    const struct verify_options *options = verify->options;
    int result = 0;
    for (size_t i = 0; !result && i < verify->promises.chain_count; i++)
        if (names_have(chains, count, verify->promises.chains[i]))
            continue;
        else if (left_out(options, verify->promises.chains[i]))
            verify->summary->left_out++;
        else
            result = check_chain(verify, verify->promises.chains[i]);
    for (size_t i = 0; !result && i < options->head_count; i++) {
        size_t promised;
        promises_of(&verify->promises, options->heads[i].chain, &promised);
        if (!promised && options->heads[i].head.sequence &&
            !names_have(chains, count, options->heads[i].chain))
            result = check_chain(verify, options->heads[i].chain);
    }
    return result;
}

int verify_trail(const struct verify_options *options, struct verify_summary *summary, struct reason *why)
{
    struct verify verify = {.options = options, .summary = summary};
    char **chains = NULL;
    size_t count = 0;
    *summary = (struct verify_summary){0};
    verify.folder = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (verify.folder < 0)
        return fail(why, error_from_errno(errno), "cannot open the audit folder %s: %s", options->folder,
                    strerror(errno));
    int result = names_list(verify.folder, names_is_chain, &chains, &count);
    if (!result)
        result = collect_promises(&verify);
    for (size_t i = 0; !result && i < count; i++)
        result = check_chain(&verify, chains[i]);
    if (!result)
        result = check_absent(&verify, chains, count);
    names_free(chains, count);
    names_free(verify.host_files, verify.host_count);
    promises_fini(&verify.promises);
    close(verify.folder);
    if (result)
        fail(why, result, "could not verify %s to the end: %s", options->folder,
             result == ACCORD_ELIMIT ? "too many records are missing" : "out of memory or unreadable folder");
    return result;
}
