/* What a hostile SFTP server may send, as a stream: framing, decoding, and who gets the reply. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sftp/client.h"
#include "connectors/sftp/found.h"
#include "connectors/sftp/mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a listing keeps of a name, and a cursor that was kept. */
static void keep_name(const struct sftp_entry *entry)
{
    char path[300], shown[64], id[FOUND_ID], cursor[ACCORD_CURSOR_MAX];
    size_t size = entry->name.size < sizeof path - 1 ? entry->name.size : sizeof path - 1;
    struct mark mark;
    memcpy(path, entry->name.bytes, size);
    path[size] = 0;
    found_text(path, shown, sizeof shown);
    if (mark_read(&mark, path)) {
        mark_write(&mark, cursor);
        if (!mark_read(&mark, cursor))
            abort();
    }
    struct found *found = found_new(path, entry->attrs.size, entry->attrs.modified, false);
    if (!found)
        return;
    found_id(found, id);
    mark_add(&mark, found);
    if (!mark_has(&mark, found, INT32_MAX))
        abort();
    free(found);
}

static void read_all(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct sftp_entry entry;
    volatile uint8_t *sink = arg;
    (void)note;
    for (size_t i = 0; i < reply->data.size; i++)
        *sink = (uint8_t)(*sink ^ reply->data.bytes[i]);
    while (sftp_next_name(reply, &entry)) {
        keep_name(&entry);
        for (size_t i = 0; i < entry.name.size; i++)
            *sink = (uint8_t)(*sink ^ entry.name.bytes[i]);
    }
}

/* The first byte says how large the pieces are in which the rest arrives. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t sink;
    char why[256];
    bool stop = false;
    if (size == 0)
        return 0;
    struct client *client = calloc(1, sizeof *client);
    size_t step = (size_t)data[0] + 1;
    for (int i = 0; i < 16; i++)
        client_ask(client, read_all, &sink, 0); /* ids 4096, 8193, 12290, ... */
    for (size_t at = 1; at < size; at += step)
        if (client_feed(client, data + at, size - at < step ? size - at : step, &stop, why, sizeof why) < 0)
            break;
    client_fini(client);
    free(client);
    return 0;
}
