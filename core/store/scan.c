#include "store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WINDOW (256u * 1024)
#define PAGE   4096u

/* Behind what is written in the last file the kernel must not read ahead: what is in its cache looks like data to it
 * (pass_hole). */
static void look_no_further(struct scan *scan)
{
    struct segment *segment = segments_find(scan->segments, POSITION_SEGMENT(scan->at));
    bool last = segment && !segments_after(scan->segments, segment->number);
    int fd = last ? segment_fd(scan->segments, segment) : -1;
    if (fd >= 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}

void scan_init(struct scan *scan, struct segments *segments, uint64_t from, uint64_t end)
{
    *scan = (struct scan){.segments = segments, .at = from, .end = end};
    if (POSITION_OFFSET(from) < SEGMENT_DATA)
        scan->at = POSITION(POSITION_SEGMENT(from), SEGMENT_DATA);
    look_no_further(scan);
}

void scan_fini(struct scan *scan)
{
    buf_fini(&scan->window);
}

/* Makes `size` bytes at scan->at readable; NULL in *bytes when the file ends before. */
static int need(struct scan *scan, size_t size, const uint8_t **bytes)
{
    uint64_t skip = scan->at - scan->window_at;
    *bytes = NULL;
    if (scan->at < scan->window_at || skip > scan->window.size || scan->window.size - skip < size) {
        size_t want = size > WINDOW ? size : WINDOW, got = 0;
        want += PAGE - (POSITION_OFFSET(scan->at) + want) % PAGE; /* of the last page, too, all is read */
        buf_clear(&scan->window);
        uint8_t *to = buf_reserve(&scan->window, want);
        if (!to)
            return ACCORD_ENOMEM;
        int result = segments_read(scan->segments, scan->at, to, want, &got);
        scan->window.size = got;
        scan->window_at = scan->at;
        if (result)
            return result;
        skip = 0;
    }
    if (scan->window.size - skip >= size)
        *bytes = scan->window.data + skip;
    return 0;
}

/* Passes `size` bytes that are no record. */
static void pass(struct scan *scan, uint64_t size, bool data)
{
    if (!scan->gap)
        scan->gap_at = scan->at;
    scan->gap += size;
    scan->gap_data |= data;
    scan->at += size;
}

/* Holes and preallocated room that was never written need not be read. */
static void pass_hole(struct scan *scan)
{
    struct segment *segment = segments_find(scan->segments, POSITION_SEGMENT(scan->at));
    int fd = segment ? segment_fd(scan->segments, segment) : -1;
    off_t offset = (off_t)POSITION_OFFSET(scan->at);
    off_t data = fd < 0 ? -1 : lseek(fd, offset, SEEK_DATA);
    if (data < 0 && fd >= 0 && errno == ENXIO)
        data = (off_t)segment->size;
    if (data > offset + 8)
        pass(scan, (uint64_t)(data - offset) & ~(uint64_t)7, false);
}

/* Zeros up to the end of what was read, then what is not there at all. */
static void pass_zeros(struct scan *scan, const uint8_t *bytes)
{
    size_t left = scan->window.size - (size_t)(scan->at - scan->window_at), size = 8;
    uint64_t word = 0;
    for (; size + 8 <= left && !word; size += word ? 0 : 8)
        memcpy(&word, bytes + size, 8);
    pass(scan, size, false);
    if (left - size < RECORD_HEAD)
        pass_hole(scan);
}

/* From a place where no record is to the next one that is, in this segment. */
static int resync(struct scan *scan, struct record_head *head, bool *found)
{
    static const uint8_t zeros[8];
    const uint8_t *bytes;
    for (*found = false; scan->at < scan->end;) {
        int result = need(scan, RECORD_HEAD, &bytes);
        if (result || !bytes)
            return result;
        if (record_read_head(bytes, scan->at, head)) {
            *found = true;
            return 0;
        }
        if (memcmp(bytes, zeros, 8))
            pass(scan, 8, true);
        else
            pass_zeros(scan, bytes);
    }
    return 0;
}

/* Notes what is left behind the last record of a segment, and goes to the next. */
static bool next_segment(struct scan *scan)
{
    struct segment *next = segments_after(scan->segments, POSITION_SEGMENT(scan->at));
    if (!next || POSITION(next->number, SEGMENT_DATA) >= scan->end)
        return false;
    if (!scan->gap_data)
        scan->gap = 0; /* preallocated and never used */
    scan->at = POSITION(next->number, SEGMENT_DATA);
    buf_clear(&scan->window);
    scan->window_at = scan->at;
    look_no_further(scan);
    return true;
}

static int give(struct scan *scan, struct scanned *out)
{
    const uint8_t *bytes;
    size_t span = record_span(out->head.size);
    out->body = NULL;
    out->good = true;
    if (!scan->skip_pieces || out->head.type != RECORD_PIECE) {
        int result = need(scan, span, &bytes);
        if (result)
            return result;
        out->good = bytes && record_body_good(&out->head, bytes + RECORD_HEAD);
        out->body = bytes ? bytes + RECORD_HEAD : NULL;
    }
    scan->at += span;
    return 1;
}

bool scan_passed(const struct scan *scan, uint64_t position, enum record_type type, const uint8_t **body,
                 size_t *size)
{
    struct record_head head;
    if (!scan || position < scan->window_at || position - scan->window_at > scan->window.size)
        return false;
    const uint8_t *bytes = scan->window.data + (position - scan->window_at);
    size_t left = scan->window.size - (size_t)(position - scan->window_at);
    if (left < RECORD_HEAD || !record_read_head(bytes, position, &head) || head.type != type ||
        left - RECORD_HEAD < head.size || !record_body_good(&head, bytes + RECORD_HEAD))
        return false;
    *body = bytes + RECORD_HEAD;
    *size = head.size;
    return true;
}

int scan_next(struct scan *scan, struct scanned *out)
{
    bool found;
    scan->gap = 0;
    scan->gap_data = false;
    for (;;) {
        int result = segments_find(scan->segments, POSITION_SEGMENT(scan->at)) ? 0 : ACCORD_ENOENT;
        found = false;
        if (!result && scan->at < scan->end)
            result = resync(scan, &out->head, &found);
        if (result && result != ACCORD_ENOENT)
            return result;
        if (found)
            return give(scan, out);
        if (!next_segment(scan))
            return 0;
    }
}
