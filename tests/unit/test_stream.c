/* Payload from a store to a child that reads fast, slowly, or not at all. */
#include "bus/source.h"
#include "hub/stream.h"
#include "store/front.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS 24
#define SIZE    1000000

struct world {
    uv_loop_t loop;
    struct store *store;
    struct child child;
    int theirs; /* the child's end */
    struct store_payload *payload;
    uint8_t *bytes;
    struct bus_source sources[STREAMS];
    struct stream streams[STREAMS];
    int64_t received[STREAMS];
    bool last[STREAMS];
    int failed, freed;
};

static struct world *world;

static void nothing(void *arg, const struct wire_message *m, int fd)
{
    (void)arg, (void)m, (void)fd;
}

static void gone(void *arg, const struct reason *why)
{
    (void)arg, (void)why;
}

static void room(void *arg)
{
    streams_go_on(arg);
}

static void taken(void *arg, int result)
{
    assert_int_equal(result, 0);
    *(bool *)arg = true;
}

static void lost(struct stream *stream)
{
    (void)stream;
    world->failed++;
}

static void freed(struct stream *stream)
{
    (void)stream;
    world->freed++;
}

static void fill(struct world *w, size_t size)
{
    uint8_t hash[DIGEST_SIZE];
    int64_t whole;
    w->payload = store_payload_new(w->store, "site");
    for (size_t at = 0; at < size;) {
        bool done = false;
        size_t piece = size - at < ACCORD_PIECE_MAX ? size - at : ACCORD_PIECE_MAX;
        store_payload_add(w->payload, w->bytes + at, piece, taken, &done);
        while (!done)
            uv_run(&w->loop, UV_RUN_ONCE);
        at += piece;
    }
    store_payload_seal(w->payload, hash, &whole);
    assert_int_equal(whole, size);
    for (size_t i = 0; i < STREAMS; i++) {
        w->sources[i] = (struct bus_source){.store = w->store, .staged = w->payload, .size = whole};
        w->streams[i] =
            (struct stream){.child = &w->child, .source = &w->sources[i], .id = i, .unreadable = lost};
    }
}

static struct world *world_new(size_t size)
{
    static const struct channel_events events = {nothing, gone, room};
    struct world *w = world = calloc(1, sizeof *w);
    struct store_config config = {.folder = "/nowhere", .backend = "memory", .epoch = 1};
    struct store_recovery recovery;
    struct reason why;
    int ends[2];
    uv_loop_init(&w->loop);
    assert_int_equal(store_open(&w->store, &w->loop, &config, &recovery, &why), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(channel_open(&w->child.channel, &w->loop, ends[0], WIRE_L, &events, &w->child), 0);
    w->theirs = ends[1];
    w->bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        w->bytes[i] = (uint8_t)(i * 31 >> 3);
    fill(w, size);
    return w;
}

static void world_free(struct world *w)
{
    assert_null(w->child.waiting);
    assert_int_equal(w->child.reading, 0);
    if (w->child.channel)
        channel_close(w->child.channel);
    close(w->theirs);
    store_payload_free(w->payload);
    store_close(w->store);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w->bytes);
    free(w);
}

static void take_piece(struct world *w, const struct wire_PIECE *piece)
{
    size_t i = (size_t)piece->stream;
    assert_false(w->last[i]);
    assert_memory_equal(piece->data.data, w->bytes + w->received[i], piece->data.size);
    w->received[i] += (int64_t)piece->data.size;
    w->last[i] = piece->last;
}

/* What the child does with its next datagram; false: there is none. */
static bool read_one(struct world *w)
{
    static uint8_t datagram[WIRE_DATAGRAM_MAX];
    ssize_t size = recv(w->theirs, datagram, sizeof datagram, 0);
    if (size < 0)
        return false;
    struct wire_bytes bytes = {datagram, (size_t)size};
    while (bytes.size) {
        struct wire_message m;
        struct reason why;
        assert_int_equal(wire_decode(&bytes, WIRE_H, &m, &why), 0);
        assert_int_equal(m.type, WIRE_PIECE);
        take_piece(w, &m.PIECE);
    }
    return true;
}

static void turn(struct world *w, int times)
{
    for (int i = 0; i < times; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

static bool all_here(const struct world *w, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!w->last[i])
            return false;
    return true;
}

/* The child reads until everything is there; false: it stopped coming. */
static bool read_all(struct world *w, size_t count)
{
    for (int i = 0; i < 5000 && !all_here(w, count); i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        if (!read_one(w))
            uv_sleep(1);
    }
    return all_here(w, count);
}

static void payload_comes_whole_for_one_pull_of_everything(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    stream_pull(&w->streams[0], INT64_MAX);
    stream_pull(&w->streams[0], INT64_MAX); /* credit adds up, and does not overflow */
    assert_true(read_all(w, 1));
    assert_int_equal(w->received[0], SIZE);
    world_free(w);
}

/* As claimed with their messages. */
static void claim(struct world *w, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        w->sources[i] =
            (struct bus_source){.store = w->store, .claimed = malloc(size), .size = (int64_t)size};
        memcpy(w->sources[i].claimed, w->bytes, size);
    }
}

static void payload_that_was_claimed_leaves_without_a_copy(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    claim(w, 3, 20000);
    stream_pull(&w->streams[0], 20000);
    stream_pull(&w->streams[1], INT64_MAX);
    stream_pull(&w->streams[2], 19999); /* not whole: what is left must stay */
    assert_true(!w->sources[0].claimed && !w->sources[1].claimed && w->sources[2].claimed);
    stream_pull(&w->streams[2], 1);
    assert_true(read_all(w, 3));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->received[i], 20000);
    free(w->sources[2].claimed);
    world_free(w);
}

static void no_more_comes_than_was_pulled(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    stream_pull(&w->streams[0], 1000);
    turn(w, 20);
    while (read_one(w))
        ;
    assert_int_equal(w->received[0], 1000);
    stream_pull(&w->streams[0], 200000);
    turn(w, 20);
    while (read_one(w))
        ;
    assert_int_equal(w->received[0], 201000);
    assert_false(w->last[0]);
    world_free(w);
}

static void empty_payload_is_one_last_piece(void **state)
{
    (void)state;
    struct world *w = world_new(0);
    stream_pull(&w->streams[0], 1);
    assert_true(read_all(w, 1));
    assert_int_equal(w->received[0], 0);
    world_free(w);
}

static void child_that_does_not_read_costs_a_bounded_amount(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    for (size_t i = 0; i < STREAMS; i++)
        stream_pull(&w->streams[i], INT64_MAX);
    for (int i = 0; i < 100; i++) {
        turn(w, 1);
        assert_true((int64_t)channel_backlog(w->child.channel) + w->child.reading < 2 << 20);
    }
    assert_true(read_all(w, STREAMS)); /* and then nothing is stuck */
    world_free(w);
}

static void small_streams_are_not_starved_by_a_large_one(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    for (size_t i = 0; i < STREAMS; i++)
        stream_pull(&w->streams[i], INT64_MAX);
    while (!w->last[0]) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        read_one(w);
    }
    for (size_t i = 0; i < STREAMS; i++)
        assert_true(w->received[i] >= SIZE / 2);
    assert_true(read_all(w, STREAMS));
    world_free(w);
}

static void closed_stream_is_freed_when_its_read_is_over(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    stream_pull(&w->streams[0], 1000);
    stream_close(&w->streams[0], freed);
    assert_int_equal(w->freed, 0);
    turn(w, 20);
    assert_int_equal(w->freed, 1);
    stream_close(&w->streams[1], freed);
    assert_int_equal(w->freed, 2);
    assert_false(read_one(w)); /* nothing was sent */
    world_free(w);
}

static void streams_that_wait_may_be_closed(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    for (size_t i = 0; i < STREAMS; i++)
        stream_pull(&w->streams[i], INT64_MAX);
    turn(w, 50);
    assert_non_null(w->child.waiting);
    for (size_t i = 0; i < STREAMS; i++)
        stream_close(&w->streams[i], freed);
    turn(w, 20);
    assert_int_equal(w->freed, STREAMS);
    world_free(w);
}

static int peek_fails(void *state, uint64_t position, const struct seal_bond *bond, size_t offset, void *to,
                      size_t size, size_t *got)
{
    (void)state, (void)position, (void)bond, (void)offset, (void)to, (void)size;
    *got = 0;
    return ACCORD_EIO;
}

static void payload_that_cannot_be_read_fails_once(void **state)
{
    (void)state;
    struct world *w = world_new(SIZE);
    struct backend broken = store_memory;
    broken.peek = peek_fails;
    w->store->backend = &broken; /* nothing is under way */
    stream_pull(&w->streams[0], INT64_MAX);
    turn(w, 20);
    stream_pull(&w->streams[0], 1);
    turn(w, 20);
    assert_int_equal(w->failed, 1);
    assert_false(read_one(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_comes_whole_for_one_pull_of_everything),
        cmocka_unit_test(payload_that_was_claimed_leaves_without_a_copy),
        cmocka_unit_test(no_more_comes_than_was_pulled),
        cmocka_unit_test(empty_payload_is_one_last_piece),
        cmocka_unit_test(child_that_does_not_read_costs_a_bounded_amount),
        cmocka_unit_test(small_streams_are_not_starved_by_a_large_one),
        cmocka_unit_test(closed_stream_is_freed_when_its_read_is_over),
        cmocka_unit_test(streams_that_wait_may_be_closed),
        cmocka_unit_test(payload_that_cannot_be_read_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
