/* Journal records as they come from a disk that may have been changed. The first byte chooses how the rest is
 * read: the body of a record of that type, or (0) a head at position 4096 and its body. What decodes must
 * encode to the same bytes. */
#include "store/crc.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

static void check_same(const struct buf *again, const uint8_t *data, size_t size)
{
    if (again->failed || again->size != size || memcmp(again->data, data, size))
        abort();
}

/* Of persons, of time, and carried over; false: it does not decode. */
static bool decode_life(unsigned type, const uint8_t *data, size_t size, struct buf *again)
{
    static struct record_release_room release;
    static struct record_carried_room carried;
    static struct record_kept_room kept;
    static struct record_snapshot_room snapshot;
    struct record_adoption adoption;
    struct record_note note;
    struct record_answered answered;
    struct record_forget forget;
    if (type == RECORD_RELEASE && !record_get_release(data, size, &release))
        record_put_release(again, &release.release);
    else if (type == RECORD_ADOPTION && !record_get_adoption(data, size, &adoption))
        record_put_adoption(again, &adoption);
    else if (type == RECORD_NOTE && !record_get_note(data, size, &note))
        record_put_note(again, &note);
    else if (type == RECORD_ANSWERED && !record_get_answered(data, size, &answered))
        record_put_answered(again, &answered);
    else if (type == RECORD_FORGET && !record_get_forget(data, size, &forget))
        record_put_forget(again, &forget);
    else if (type == RECORD_CARRIED && !record_get_carried(data, size, &carried))
        record_put_carried(again, &carried.carried);
    else if (type == RECORD_KEPT && !record_get_kept(data, size, &kept))
        record_put_kept(again, &kept.kept);
    else if (type == RECORD_SNAPSHOT && !record_get_snapshot(data, size, &snapshot))
        record_put_snapshot(again, &snapshot.snapshot);
    else
        return false;
    return true;
}

static void decode(unsigned type, const uint8_t *data, size_t size, struct buf *again)
{
    static struct record_admission_room room;
    struct record_piece piece;
    struct record_settlement settlement;
    struct record_move move;
    struct record_audit audit;
    struct record_commit commit;
    uint64_t epoch;
    if (type == RECORD_PIECE && !record_get_piece(data, size, &piece))
        record_put_piece(again, &piece);
    else if (type == RECORD_ADMISSION && !record_get_admission(data, size, &room))
        record_put_admission(again, &room.admission);
    else if (type == RECORD_SETTLEMENT && !record_get_settlement(data, size, &settlement))
        record_put_settlement(again, &settlement);
    else if (type == RECORD_MOVE && !record_get_move(data, size, &move))
        record_put_move(again, &move);
    else if (type == RECORD_AUDIT && !record_get_audit(data, size, &audit))
        record_put_audit(again, &audit);
    else if (type == RECORD_EPOCH && !record_get_epoch(data, size, &epoch))
        record_put_epoch(again, epoch);
    else if (type == RECORD_COMMIT && !record_get_commit(data, size, &commit))
        record_put_commit(again, &commit);
    else if (!decode_life(type, data, size, again))
        return;
    check_same(again, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_head head;
    struct buf again = {0};
    if (!size)
        return 0;
    if (data[0])
        decode(data[0], data + 1, size - 1, &again);
    else if (size > RECORD_HEAD && record_read_head(data + 1, 4096, &head) &&
             head.size <= size - 1 - RECORD_HEAD && record_body_good(&head, data + 1 + RECORD_HEAD))
        decode(head.type, data + 1 + RECORD_HEAD, head.size, &again);
    buf_fini(&again);
    return 0;
}
