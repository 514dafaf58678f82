/* What the smtp connector reads of a mail server's bytes: replies, whatever the pieces in which they come; what EHLO's
 * offers; and how long it is to wait. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/smtp/replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 64

struct heard {
    int codes[MOST], count, end;
    size_t texts; /* bytes of all texts */
};

static void must(bool good)
{
    if (!good)
        abort();
}

static void look(const struct replies *replies)
{
    char said[512];
    struct capabilities can;
    must(replies->code >= 200 && replies->code < 600 && replies->text_size == strlen(replies->text));
    replies_say(replies, said, sizeof said);
    for (const char *at = said; *at; at++)
        must(*at >= ' ' && *at <= '~');
    int64_t wait = replies_wait(said);
    must(wait >= 0 && wait <= REPLY_WAIT_MAX);
    capabilities_read(&can, replies);
    must(can.size_limit >= 0 && (can.size || !can.size_limit));
    for (const char *at = can.mechanisms; *at; at++)
        must((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || strchr("-_,", *at));
}

/* In pieces of `piece` bytes. */
static struct heard hear(const uint8_t *data, size_t size, size_t piece)
{
    struct replies *replies = calloc(1, sizeof *replies);
    struct heard heard = {.end = 0};
    while (size && heard.end == 0) {
        size_t now = size < piece ? size : piece;
        const char *at = (const char *)data;
        data += now;
        size -= now;
        while (now && (heard.end = replies_next(replies, &at, &now)) > 0) {
            look(replies);
            heard.codes[heard.count++ % MOST] = replies->code;
            heard.texts += replies->text_size;
            heard.end = 0;
        }
    }
    free(replies);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole = hear(data, size, size ? size : 1), bits = hear(data, size, 1),
                 some = hear(data, size, 7);
    must(memcmp(&whole, &bits, sizeof whole) == 0 && memcmp(&whole, &some, sizeof whole) == 0);
    return 0;
}
