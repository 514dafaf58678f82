#include "bus/source.h"

int64_t bus_source_size(const struct bus_source *source)
{
    return source->size;
}

const uint8_t *bus_source_memory(const struct bus_source *source)
{
    size_t size;
    return source->staged ? store_payload_memory(source->staged, &size) : source->claimed;
}

uint8_t *bus_source_take(struct bus_source *source)
{
    uint8_t *payload = source->claimed;
    source->claimed = NULL;
    return payload;
}

static void read_done(void *arg, int result)
{
    struct bus_source *source = arg;
    if (result == ACCORD_EIO && !source->staged)
        source->unreadable = true;
    source->done(source->arg, result, source->staged ? source->peeked : source->read.got);
}

void bus_source_read(struct bus_source *source, int64_t offset, void *to, size_t room, bus_read_done done,
                     void *arg)
{
    source->done = done;
    source->arg = arg;
    if (source->staged) {
        store_payload_peek(source->staged, offset, to, room, &source->peeked, read_done, source);
        return;
    }
    source->read = (struct store_read){.message = source->message, .offset = offset, .to = to, .room = room};
    store_read(source->store, &source->read, read_done, source);
}
