#include "store/recover.h"

#include <stdlib.h>
#include <string.h>

#include "store/crc.h"

struct held { /* a record of the group at hand; its body is in `bodies` */
    struct record_head head;
    size_t at;
};

struct region {
    uint64_t position, size;
};

/* The group at hand. */
struct work {
    struct recover *run;
    bool open;
    uint64_t group, start, end, marker, next_number;
    bool ended; /* its commit record was seen */
    uint32_t count, heads_crc;
    struct buf bodies, held; /* struct held */
    struct buf regions;      /* struct region: damage in the group or right before it */
    bool doubt;              /* something is missing since the last group that was known to be synced */
    uint64_t last_taken;
};

static size_t region_count(const struct work *work)
{
    return work->regions.size / sizeof(struct region);
}

static void add_region(struct work *work, uint64_t position, uint64_t size)
{
    buf_put(&work->regions, &(struct region){position, size}, sizeof(struct region));
    work->doubt = true;
}

static void begin_group(struct work *work, const struct record_head *head)
{
    work->open = true;
    work->ended = false;
    work->group = head->group;
    work->start = head->position;
    work->marker = work->next_number = 0;
    work->count = work->heads_crc = 0;
    buf_clear(&work->bodies);
    buf_clear(&work->held);
}

static void count_damage(struct work *work)
{
    const struct region *regions = (const struct region *)work->regions.data;
    for (size_t i = 0; i < region_count(work); i++)
        if (segments_set_aside(work->run->segments, regions[i].position, regions[i].size)) {
            work->run->damaged_records++;
            work->run->damaged_bytes += regions[i].size;
        }
    buf_clear(&work->regions);
}

static int take(struct work *work)
{
    struct recover *run = work->run;
    const struct held *held = (const struct held *)work->held.data;
    int result = 0;
    count_damage(work);
    for (size_t i = 0; !result && i < work->held.size / sizeof *held; i++)
        result = run->record(run->arg, &held[i].head, work->bodies.data + held[i].at);
    run->records += work->count + (work->marker != 0);
    run->last_end = work->end;
    work->last_taken = work->group;
    work->open = false;
    if (!result)
        result = run->taken(run->arg, &(struct recover_group){.group = work->group,
                                                              .end = work->end,
                                                              .marker = work->marker,
                                                              .next_number = work->next_number});
    return result;
}

/* The group was never reported as done. With a whole commit record it is odd enough to be kept for a look. */
static void drop(struct work *work)
{
    buf_clear(&work->regions);
    if (work->marker) {
        add_region(work, work->start, work->end - work->start);
        count_damage(work);
    }
    work->open = false;
}

/* Something later shows that the group at hand had been synced, or nothing does. */
static int settle_group(struct work *work, bool proven)
{
    if (!work->open)
        return 0;
    if (proven || work->group <= work->run->durable)
        return take(work);
    drop(work);
    return 0;
}

/* ---- a whole group whose payload pieces may have been lost before it ---- */

#define PIECE_ROOM (RECORD_HEAD + RECORD_PIECE_HEAD + ACCORD_PIECE_MAX)

static bool piece_readable(struct segments *segments, uint64_t position, uint8_t *to)
{
    struct record_head head;
    struct record_piece piece;
    size_t got;
    return !segments_read(segments, position, to, PIECE_ROOM, &got) && got >= RECORD_HEAD &&
           record_read_head(to, position, &head) && got - RECORD_HEAD >= head.size &&
           head.type == RECORD_PIECE && record_body_good(&head, to + RECORD_HEAD) &&
           !record_get_piece(to + RECORD_HEAD, head.size, &piece);
}

static bool payload_readable(struct work *work, const struct held *held, uint8_t *to)
{
    struct record_admission_room room;
    const uint8_t *body = work->bodies.data + held->at;
    if (held->head.type == RECORD_ADMISSION ? record_get_admission(body, held->head.size, &room)
                                            : record_get_carried_admission(body, held->head.size, &room))
        return false;
    for (size_t i = 0; i < room.admission.piece_count; i++)
        if (!piece_readable(work->run->segments, record_piece_position(&room.admission, i), to))
            return false;
    return true;
}

static bool payloads_readable(struct work *work)
{
    const struct held *held = (const struct held *)work->held.data;
    uint8_t *to = malloc(PIECE_ROOM);
    bool readable = to != NULL;
    for (size_t i = 0; readable && i < work->held.size / sizeof *held; i++)
        if (held[i].head.type == RECORD_ADMISSION || held[i].head.type == RECORD_CARRIED)
            readable = payload_readable(work, &held[i], to);
    free(to);
    return readable;
}

/* ---- records ---- */

static int end_group(struct work *work, const struct scanned *found, uint64_t end)
{
    struct record_commit commit = {0};
    work->ended = true;
    work->end = end;
    work->marker = found->head.position;
    bool whole = found->good && !record_get_commit(found->body, found->head.size, &commit);
    if (!whole) {
        add_region(work, found->head.position, end - found->head.position);
        work->marker = 0;
        return 0;
    }
    work->next_number = commit.next_number;
    whole = commit.start == work->start && commit.count == work->count && commit.heads_crc == work->heads_crc;
    /* Damage before the group does not touch it, unless its payload was there. */
    if (whole && work->doubt && !payloads_readable(work))
        whole = false;
    if (!whole) {
        work->doubt = true;
        return 0;
    }
    if (commit.flags & RECORD_SYNCED)
        work->doubt = false;
    return take(work);
}

static int add_record(struct work *work, const struct scanned *found, uint64_t end)
{
    uint8_t crc[4];
    for (int i = 0; i < 4; i++)
        crc[i] = (uint8_t)(found->head.head_crc >> 8 * i);
    work->heads_crc = crc32c(work->heads_crc, crc, sizeof crc);
    work->end = end;
    if (!found->good) {
        add_region(work, found->head.position, end - found->head.position);
        return 0; /* not counted: the group is not whole */
    }
    work->count++;
    if (found->head.type == RECORD_PIECE)
        return 0;
    buf_put(&work->held, &(struct held){found->head, work->bodies.size}, sizeof(struct held));
    buf_put(&work->bodies, found->body, found->head.size);
    return work->held.failed || work->bodies.failed ? ACCORD_ENOMEM : 0;
}

/* A gap in front of a record means that something was lost there. */
static void add_gap(struct work *work, const struct scan *scan)
{
    if (scan->gap)
        add_region(work, scan->gap_at, scan->gap);
}

static int feed(struct work *work, const struct scan *scan, const struct scanned *found)
{
    uint64_t end = scan->at;
    int result = 0;
    if (found->head.group <= work->last_taken || (work->open && found->head.group < work->group))
        return 0; /* left over from a write that failed */
    if (work->run->last_group < found->head.group)
        work->run->last_group = found->head.group;
    if (work->open && found->head.group != work->group)
        result = settle_group(work, true);
    add_gap(work, scan);
    if (!work->open)
        begin_group(work, &found->head);
    if (result)
        return result;
    return found->head.type == RECORD_COMMIT ? end_group(work, found, end) : add_record(work, found, end);
}

static int run_scan(struct work *work, struct scan *scan)
{
    struct scanned found;
    int result;
    while ((result = scan_next(scan, &found)) > 0) {
        work->run->data_end = scan->at;
        if ((result = feed(work, scan, &found)))
            break;
        if (work->regions.failed)
            return ACCORD_ENOMEM;
    }
    if (!result && scan->gap && scan->gap_data)
        work->run->data_end = scan->gap_at + scan->gap;
    return result < 0 ? result : settle_group(work, false);
}

int recover_run(struct recover *run)
{
    struct work work = {.run = run};
    struct scan scan;
    scan_init(&scan, run->segments, run->from, run->end);
    int result = run_scan(&work, &scan);
    scan_fini(&scan);
    buf_fini(&work.bodies);
    buf_fini(&work.held);
    buf_fini(&work.regions);
    return result;
}
