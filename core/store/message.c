/* Messages as they are read back. */
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "util/text.h"

static size_t texts_size(const struct record_admission *a)
{
    size_t size = 0;
    for (size_t i = 0; i < a->header_count; i++)
        size += strlen(a->headers[i].name) + strlen(a->headers[i].value) + 2;
    return size;
}

static char *keep_text(char *to, const char *text)
{
    size_t size = strlen(text) + 1;
    return (char *)memcpy(to, text, size) + size;
}

/* The pairs and, behind them in the same block, their texts. */
static bool copy_headers(struct store_message *message, const struct record_admission *a)
{
    if (!a->header_count)
        return true;
    message->headers = malloc(a->header_count * sizeof *message->headers + texts_size(a));
    if (!message->headers)
        return false;
    char *to = (char *)(message->headers + a->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        message->headers[i].name = to;
        to = keep_text(to, a->headers[i].name);
        message->headers[i].value = to;
        to = keep_text(to, a->headers[i].value);
    }
    message->header_count = a->header_count;
    return true;
}

struct store_message *message_new(const struct record_admission *a)
{
    struct store_message *message = malloc(sizeof *message); /* much of it is room that is hardly ever used */
    if (!message)
        return NULL;
    message->headers = NULL;
    message->deliveries = NULL;
    message->header_count = message->delivery_count = 0;
    if (!copy_headers(message, a)) {
        free(message);
        return NULL;
    }
    text_copy(message->id, sizeof message->id, a->id);
    text_copy(message->origin, sizeof message->origin, a->origin);
    text_copy(message->type, sizeof message->type, a->type);
    text_copy(message->name, sizeof message->name, a->name);
    text_copy(message->source_id, sizeof message->source_id, a->source_id);
    text_copy(message->rule, sizeof message->rule, a->rule);
    text_copy(message->reason, sizeof message->reason, a->reason);
    memcpy(message->sha256, a->sha256, DIGEST_SIZE);
    message->time = a->time;
    message->size = a->size;
    message->flags = a->flags;
    return message;
}
