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
    else
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
