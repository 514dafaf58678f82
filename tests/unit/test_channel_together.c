/* channel.c: what leaves together, and bytes that are not copied. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_ends.h"

#include <cmocka.h> /* last: it defines fail() */

static void on_at_once(uv_timer_t *timer)
{
    put_ping(channel_out(timer->data), 1);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Something else than the channel is heard of, and leads to a second thing by a timer that is due at once. */
static void on_async(uv_async_t *async)
{
    static uv_timer_t at_once;
    put_ping(channel_out(async->data), 0);
    uv_timer_init(async->loop, &at_once);
    at_once.data = async->data;
    uv_timer_start(&at_once, on_at_once, 0, 0);
    uv_close((uv_handle_t *)async, NULL);
}

static void what_a_turn_leads_to_leaves_with_it(void **state)
{
    struct fixture *f = *state;
    uint8_t in[4096];
    int pair[2];
    uv_async_t async;
    struct end alone;
    make_pair(pair);
    open_end(f, &alone, pair[0], WIRE_L);
    uv_async_init(&f->loop, &async, on_async);
    async.data = alone.ch;
    uv_async_send(&async);
    turn(f);
    turn(f);
    assert_int_equal(recv(pair[1], in, sizeof in, MSG_DONTWAIT), 2 * (4 + 2 + 8));
    channel_close(alone.ch);
    close(pair[1]);
}

/* How many datagrams these pings left in, one of each turn, the last of which does not wait. */
static int datagrams_of_pings(uv_loop_t *loop, struct channel *ch, int theirs)
{
    uint8_t in[4096];
    int datagrams = 0;
    for (uint64_t i = 0; i < 3; i++) {
        put_ping(i < 2 ? channel_out_later(ch) : channel_out(ch), i);
        uv_run(loop, UV_RUN_NOWAIT);
    }
    while (recv(theirs, in, sizeof in, MSG_DONTWAIT) > 0)
        datagrams++;
    return datagrams;
}

/* A few times: on a busy machine a millisecond may be over sooner than two turns. */
static void what_may_wait_leaves_with_what_may_not(void **state)
{
    struct fixture *f = *state;
    int pair[2], datagrams = 0;
    struct end alone;
    make_pair(pair);
    open_end(f, &alone, pair[0], WIRE_L);
    for (int i = 0; i < 50 && datagrams != 1; i++)
        datagrams = datagrams_of_pings(&f->loop, alone.ch, pair[1]);
    assert_int_equal(datagrams, 1);
    channel_close(alone.ch);
    close(pair[1]);
}

static void what_may_wait_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;
    put_ping(channel_out_later(f->a.ch), 0);
    uv_run(&f->loop, UV_RUN_ONCE); /* sleeps until it is due */
    uint64_t began = uv_hrtime();
    UNTIL(f, f->b.messages == 1);
    assert_true(uv_hrtime() - began < 1000000000);
    put_ping(channel_out(f->a.ch), 1);
    put_ping(channel_out_later(f->a.ch), 2); /* behind one that does not wait */
    turn(f);
    turn(f);
    assert_int_equal(f->b.messages, 3);
    assert_true(f->b.in_order);
}

static int released;

static void release(void *bytes)
{
    released++;
    free(bytes);
}

/* A frame whose end stays where it is. */
static void put_outside(struct channel *ch, size_t size, uint8_t last)
{
    struct buf frame = {0};
    uint8_t *bytes = calloc(1, size + 1);
    if (size)
        bytes[size - 1] = last;
    wire_put_PIECE(&frame, &(struct wire_PIECE){.stream = 1});
    wire_put_rest(&frame, size);
    channel_put_frame(ch, &frame, bytes, size, release);
    buf_fini(&frame);
}

static void bytes_that_are_not_copied_keep_their_place(void **state)
{
    struct fixture *f = *state;
    released = 0;
    for (uint64_t i = 0; i < 60; i++) {
        put_ping(channel_out(f->a.ch), 3 * i);
        put_outside(f->a.ch, ACCORD_PIECE_MAX - i, (uint8_t)i);
        put_ping(channel_out(f->a.ch), 3 * i + 2);
    }
    assert_true(channel_full(f->a.ch));
    assert_true(released > 0 && released < 60);
    UNTIL(f, f->b.messages == 180);
    assert_true(f->b.in_order);
    assert_int_equal(f->b.bytes, 60 * ACCORD_PIECE_MAX - 59 * 60 / 2);
    assert_int_equal(f->b.last_byte, 59);
    assert_int_equal(released, 60);
    assert_int_equal(channel_backlog(f->a.ch), 0);
    assert_int_equal(f->a.rooms, 1);
}

/* Answers each ping with a piece that is not copied. */
static void answer_outside(void *arg, const struct wire_message *m, int fd)
{
    struct end *end = arg;
    (void)m, (void)fd;
    put_outside(end->ch, 20000, (uint8_t)++end->messages);
}

static void what_one_datagram_is_answered_with_leaves_together(void **state)
{
    static const struct channel_events answering = {answer_outside, on_gone, on_room};
    static uint8_t in[WIRE_DATAGRAM_MAX];
    struct fixture *f = *state;
    struct end alone = {0};
    struct buf pings = {0};
    int pair[2];
    make_pair(pair);
    assert_int_equal(channel_open(&alone.ch, &f->loop, pair[0], WIRE_H, &answering, &alone), 0);
    for (uint64_t i = 0; i < 8; i++)
        put_ping(&pings, i);
    assert_int_equal(send(pair[1], pings.data, pings.size, 0), (ssize_t)pings.size);
    buf_fini(&pings);
    released = 0;
    UNTIL(f, alone.messages == 8);
    assert_int_equal(released, 8);
    size_t frame = 4 + 2 + 8 + 1 + 4 + 20000;
    assert_int_equal(recv(pair[1], in, sizeof in, MSG_DONTWAIT),
                     6 * frame); /* as many as there is room for */
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(in[(i + 1) * frame - 1], i + 1);
    assert_int_equal(recv(pair[1], in, sizeof in, MSG_DONTWAIT), 2 * frame);
    assert_int_equal(in[2 * frame - 1], 8);
    channel_close(alone.ch);
    close(pair[1]);
}

static void bytes_that_are_not_copied_are_released_when_nobody_reads(void **state)
{
    struct fixture *f = *state;
    released = 0;
    for (int i = 0; i < 30; i++)
        put_outside(f->a.ch, ACCORD_PIECE_MAX, 1);
    channel_close(f->b.ch);
    f->b.ch = NULL;
    UNTIL(f, f->a.gone);
    assert_int_equal(released, 30);
    put_outside(f->a.ch, 1, 1);
    assert_int_equal(released, 31);
    assert_int_equal(channel_backlog(f->a.ch), 0);
}

static void bytes_that_are_not_copied_are_released_by_closing(void **state)
{
    struct fixture *f = *state;
    released = 0;
    for (int i = 0; i < 30; i++)
        put_outside(f->a.ch, ACCORD_PIECE_MAX, 1);
    channel_close(f->a.ch);
    f->a.ch = NULL;
    assert_int_equal(released, 30);
}

/* Written over as soon as they are the caller's again: what waits must be a copy. */
static void bytes_that_stay_the_callers_arrive_as_they_were(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[ACCORD_PIECE_MAX];
    for (uint64_t i = 0; i < 60; i++) {
        struct buf frame = {0};
        size_t size = ACCORD_PIECE_MAX - i;
        put_ping(channel_out(f->a.ch), 2 * i);
        bytes[size - 1] = (uint8_t)(i + 1);
        wire_put_PIECE(&frame, &(struct wire_PIECE){.stream = 1});
        wire_put_rest(&frame, size);
        channel_put_bytes(f->a.ch, &frame, bytes, size);
        bytes[size - 1] = 0;
        buf_fini(&frame);
        f->b.lasts += i + 1;
    }
    assert_true(channel_full(f->a.ch)); /* some left at once, some wait */
    UNTIL(f, f->b.messages == 120);
    assert_true(f->b.in_order);
    assert_int_equal(f->b.bytes, 60 * ACCORD_PIECE_MAX - 59 * 60 / 2);
    assert_int_equal(f->b.lasts, 0);
    assert_int_equal(channel_backlog(f->a.ch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_turn_leads_to_leaves_with_it),
        TEST(what_may_wait_leaves_with_what_may_not),
        TEST(what_may_wait_does_not_wait_for_ever),
        TEST(what_one_datagram_is_answered_with_leaves_together),
        TEST(bytes_that_are_not_copied_keep_their_place),
        TEST(bytes_that_are_not_copied_are_released_when_nobody_reads),
        TEST(bytes_that_are_not_copied_are_released_by_closing),
        TEST(bytes_that_stay_the_callers_arrive_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
