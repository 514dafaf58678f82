#include "mq_outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct mq_bench bench;

const struct accord_pair queue[] = {{"address", "ace.requests"}, {NULL, NULL}};

void open_with(const struct accord_pair *link, const struct accord_pair *options)
{
    const struct mq_service service = {"requests", ACCORD_SEND, options ? options : queue};
    mq_open(&bench, link, &service, 1);
}

struct accord_delivery *send_bytes(const char *id, const void *bytes, size_t size)
{
    struct testhost_message message = {
        .id = id, .type = "opaque", .name = "request.txt", .bytes = bytes, .size = size};
    return mq_send(&bench, 0, &message);
}

struct accord_delivery *send_one(const char *id)
{
    struct accord_delivery *delivery = send_bytes(id, "A2704ABC", 8);
    mq_run(&bench);
    return delivery;
}

void ended(const struct accord_delivery *delivery, enum accord_outcome outcome, const char *words)
{
    const char *said = outcome == ACCORD_DELIVERED ? delivery->receipt : delivery->reason;
    if (!delivery->finished || delivery->outcome != outcome || !strstr(said, words))
        fail_msg("it is %sfinished: %d, %s%s", delivery->finished ? "" : "not ", delivery->outcome,
                 delivery->reason, delivery->receipt);
}
