#include "bus/content.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf_pool.h"
#include "util/pool.h"
#include "util/text.h"

#define USUAL 1280 /* bytes of one with its texts: what is larger is not kept for the next */

static struct buf_pool buffers = {.usual = 1024};
static struct pool contents = {.size = USUAL, .head = sizeof(struct bus_content), .most = 512};

/* At most `most` bytes with the NUL; moves *at behind them. */
static const char *add_text(char **at, const char *from, size_t most)
{
    char *to = *at;
    size_t room = strlen(from) + 1;
    if (room <= most)
        memcpy(to, from, room);
    else
        text_copy(to, most, from);
    *at += text_make_visible(to) + 1;
    return to;
}

static size_t texts_room(const struct accord_envelope *from, size_t headers)
{
    size_t room = ACCORD_NAME_MAX + strlen(from->source_id) + 1 + STORE_NAME_MAX + STORE_ROUTE_MAX;
    for (size_t i = 0; i < headers; i++)
        room += strlen(from->headers[i].name) + strlen(from->headers[i].value) + 2;
    return room;
}

static void add_headers(struct accord_envelope *to, struct accord_pair *headers,
                        const struct accord_envelope *from, size_t count, char **at)
{
    for (size_t i = 0; i < count; i++) {
        headers[i].name = add_text(at, from->headers[i].name, SIZE_MAX);
        headers[i].value = add_text(at, from->headers[i].value, SIZE_MAX);
    }
    to->headers = headers;
    to->header_count = count;
}

static void content_free(struct bus_content *content)
{
    if (content->usual)
        pool_give(&contents, content);
    else
        free(content);
}

struct bus_content *bus_content_new(struct store *store, const struct accord_envelope *from, const char *type,
                                    const char *agreement, const char *service)
{
    size_t count = from->header_count < ACCORD_HEADERS_MAX ? from->header_count : ACCORD_HEADERS_MAX;
    size_t size = sizeof(struct bus_content) + count * sizeof(struct accord_pair) + texts_room(from, count);
    struct bus_content *content = size <= USUAL ? pool_take(&contents) : calloc(1, size);
    if (!content)
        return NULL;
    content->usual = size <= USUAL;
    if (!(content->payload = store_payload_new(store, agreement))) {
        content_free(content);
        return NULL;
    }
    struct accord_pair *headers = (struct accord_pair *)(content + 1);
    char *at = (char *)(headers + count);
    content->users = 1;
    content->encoded = buf_pool_take(&buffers);
    content->recorded = buf_pool_take(&buffers);
    content->envelope = (struct accord_envelope){
        .id = content->id.text, .size = from->size, .sha256 = content->sha256, .name = at};
    text_safe_name(at, ACCORD_NAME_MAX, from->name);
    at += strlen(at) + 1;
    content->envelope.origin = at;
    at += text_join(at, STORE_ROUTE_MAX, agreement, "/", service) + 1;
    content->envelope.type = add_text(&at, type, STORE_NAME_MAX);
    content->envelope.source_id = add_text(&at, from->source_id, ACCORD_SOURCE_ID_MAX);
    add_headers(&content->envelope, headers, from, count, &at);
    return content;
}

struct bus_content *bus_content_ref(struct bus_content *content)
{
    content->users++;
    return content;
}

void bus_content_unref(struct bus_content *content)
{
    if (!content || --content->users)
        return;
    store_payload_free(content->payload);
    buf_pool_give(&buffers, &content->encoded);
    buf_pool_give(&buffers, &content->recorded);
    content_free(content);
}
