#include "mq_inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct mq_bench bench;
static uint8_t *made[600];
static size_t made_count;

const struct accord_pair queue[] = {{"address", "answers"}, {NULL, NULL}};

void open_with(const struct accord_pair *link, const struct accord_pair *options)
{
    const struct mq_service service = {"answers", ACCORD_RECEIVE, options ? options : queue};
    mq_open(&bench, link, &service, 1);
    mq_run(&bench);
}

void close_bench(void)
{
    mq_close(&bench);
    while (made_count)
        free(made[--made_count]);
}

void put_bytes(const void *bytes, size_t size)
{
    made[made_count] = malloc(size + 1);
    memcpy(made[made_count], bytes, size);
    broker_put("answers", made[made_count++], size);
}

void put(const char *id, const void *payload, size_t size)
{
    size_t whole;
    made[made_count] = broker_message(id, "subject of it", payload, size, &whole);
    broker_put("answers", made[made_count++], whole);
}

struct accord_offer *offer(size_t index)
{
    assert_true(index < testhost_offers(bench.host));
    return testhost_offer(bench.host, index);
}

void has(size_t index, const char *id, const void *bytes, size_t size)
{
    const struct accord_offer *one = offer(index);
    assert_string_equal(one->source_id, id);
    assert_true(one->complete);
    assert_int_equal(one->size, size);
    assert_memory_equal(one->bytes, bytes, size);
}
