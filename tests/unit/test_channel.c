/* channel.c over a real socket pair; where the peer must misbehave it is a bare descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/channel.h"

#include <cmocka.h> /* last: it defines fail() */

struct end {
    struct channel *ch;
    int messages, gone, rooms, fds;
    int close_at; /* closes the channel in this message's callback */
    uint64_t next;
    bool in_order;
    int at_once, most_at_once; /* messages within one turn of the loop */
    struct reason why;
    size_t bytes;
    uint8_t last_byte; /* of the last piece */
    uint64_t lasts;    /* the sum of those expected, less those that came */
    const uint8_t *secret;
};

struct fixture {
    uv_loop_t loop;
    struct end a, b; /* a is the hub's end, b the link's */
    int bare;        /* the other end of a lone channel */
};

static void on_message(void *arg, const struct wire_message *m, int fd)
{
    struct end *end = arg;
    end->messages++;
    if (++end->at_once > end->most_at_once)
        end->most_at_once = end->at_once;
    if (fd >= 0) {
        end->fds++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
    }
    uint64_t token = end->next;
    if (m->type == WIRE_PIECE && m->PIECE.data.size)
        end->last_byte = m->PIECE.data.data[m->PIECE.data.size - 1];
    end->lasts -= m->type == WIRE_PIECE ? end->last_byte : 0;
    if (m->type == WIRE_PING || m->type == WIRE_DIALED)
        token = m->type == WIRE_PING ? m->PING.token : m->DIALED.session;
    if (m->type == WIRE_DIALED)
        assert_true(fd >= 0);
    if (m->type == WIRE_PIECE)
        end->bytes += m->PIECE.data.size;
    if (m->type == WIRE_SECRET_GIVEN)
        end->secret = m->SECRET_GIVEN.value.data;
    end->in_order = end->in_order && token == end->next;
    end->next++;
    if (end->messages == end->close_at) {
        channel_close(end->ch);
        end->ch = NULL;
    }
}

static void on_gone(void *arg, const struct reason *why)
{
    struct end *end = arg;
    end->gone++;
    end->why = *why;
}

static void on_room(void *arg)
{
    ((struct end *)arg)->rooms++;
}

static const struct channel_events events = {on_message, on_gone, on_room};

static void open_end(struct fixture *f, struct end *end, int fd, unsigned peer)
{
    *end = (struct end){.in_order = true};
    assert_int_equal(channel_open(&end->ch, &f->loop, fd, peer, &events, end), 0);
}

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

/* `bare`: the link's end alone; the test plays the hub on a bare descriptor. */
static int set_up(void **state, bool bare)
{
    struct fixture *f = *state = calloc(1, sizeof *f);
    int pair[2];
    make_pair(pair);
    uv_loop_init(&f->loop);
    open_end(f, &f->b, pair[1], WIRE_H);
    f->bare = bare ? pair[0] : -1;
    if (!bare)
        open_end(f, &f->a, pair[0], WIRE_L);
    return 0;
}

static int setup(void **state)
{
    return set_up(state, false);
}

static int setup_bare(void **state)
{
    return set_up(state, true);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    channel_close(f->a.ch);
    channel_close(f->b.ch);
    if (f->bare >= 0)
        close(f->bare);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    f->a.at_once = f->b.at_once = 0;
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

#define UNTIL(f, condition)                                                                                  \
    for (uint64_t until_ = uv_hrtime() + 5000000000u; !(condition);) {                                       \
        assert_true(uv_hrtime() < until_);                                                                   \
        turn(f);                                                                                             \
    }

static void put_ping(struct buf *out, uint64_t token)
{
    wire_put_PING(out, &(struct wire_PING){token});
}

static void put_piece(struct buf *out, size_t size)
{
    static const uint8_t bytes[ACCORD_PIECE_MAX + 1];
    wire_put_PIECE(out, &(struct wire_PIECE){.stream = 1, .data = {bytes, size}});
}

/* Says it on the bare descriptor. */
static void say(struct fixture *f, struct buf *frames)
{
    assert_int_equal(send(f->bare, frames->data, frames->size, 0), (ssize_t)frames->size);
    buf_fini(frames);
}

static void hang_up(struct fixture *f)
{
    close(f->bare);
    f->bare = -1;
}

static void frames_of_one_turn_leave_in_one_datagram(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    make_pair(pair);
    struct end alone;
    open_end(f, &alone, pair[0], WIRE_L);
    for (uint64_t i = 0; i < 10; i++)
        put_ping(channel_out(alone.ch), i);
    turn(f);
    uint8_t in[4096];
    ssize_t first = recv(pair[1], in, sizeof in, MSG_DONTWAIT);
    assert_int_equal(first, 10 * (4 + 2 + 8));
    assert_int_equal(recv(pair[1], in, sizeof in, MSG_DONTWAIT), -1);
    assert_int_equal(channel_backlog(alone.ch), 0);
    channel_close(alone.ch);
    close(pair[1]);
}

static void an_idle_channel_lets_the_loop_sleep(void **state)
{
    struct fixture *f = *state;
    put_ping(channel_out(f->a.ch), 0);
    UNTIL(f, f->b.messages == 1);
    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1);
}

static void a_full_socket_is_a_backlog_and_then_room(void **state)
{
    struct fixture *f = *state;
    size_t put = 0;
    while (!channel_full(f->a.ch) || put < 60) {
        put_piece(channel_out(f->a.ch), ACCORD_PIECE_MAX);
        put++;
    }
    channel_flush(f->a.ch, 0);
    assert_true(channel_full(f->a.ch));
    assert_int_equal(f->a.rooms, 0);
    UNTIL(f, f->b.messages == (int)put && f->a.rooms);
    assert_int_equal(f->a.rooms, 1);
    assert_int_equal(f->b.bytes, put * ACCORD_PIECE_MAX);
    assert_int_equal(channel_backlog(f->a.ch), 0);
    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1);
}

static void a_chatty_peer_is_read_in_turns(void **state)
{
    struct fixture *f = *state;
    struct buf frame = {0};
    put_ping(&frame, 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(send(f->bare, frame.data, frame.size, 0), (ssize_t)frame.size);
    buf_fini(&frame);
    UNTIL(f, f->b.messages == 200);
    assert_true(f->b.most_at_once < 100);
}

static void descriptors_keep_their_place(void **state)
{
    struct fixture *f = *state;
    struct buf frame = {0};
    for (uint64_t i = 0; i < 100; i++) {
        if (i % 7) {
            put_ping(channel_out(f->a.ch), i);
            continue;
        }
        buf_clear(&frame);
        wire_put_DIALED(&frame, &(struct wire_DIALED){.session = i});
        channel_put_fd(f->a.ch, &frame, dup(0));
    }
    buf_fini(&frame);
    UNTIL(f, f->b.messages == 100);
    assert_true(f->b.in_order);
    assert_int_equal(f->b.fds, 15);
}

static void descriptors_behind_a_backlog_keep_their_place(void **state)
{
    struct fixture *f = *state;
    struct buf frame = {0};
    for (uint64_t i = 0; i < 60; i++) {
        put_piece(channel_out(f->a.ch), ACCORD_PIECE_MAX);
        buf_clear(&frame);
        wire_put_DIALED(&frame, &(struct wire_DIALED){.session = 2 * i + 1});
        channel_put_fd(f->a.ch, &frame, dup(0));
    }
    buf_fini(&frame);
    UNTIL(f, f->b.messages == 120);
    assert_true(f->b.in_order);
    assert_int_equal(f->b.fds, 60);
}

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

static int lowest_free(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void what_was_not_passed_on_is_closed(void **state)
{
    struct fixture *f = *state;
    int before = lowest_free();
    struct buf frame = {0};
    wire_put_DIALED(&frame, &(struct wire_DIALED){.session = 1});
    for (int i = 0; i < 5; i++)
        channel_put_fd(f->a.ch, &frame, dup(0));
    buf_fini(&frame);
    channel_close(f->a.ch);
    f->a.ch = NULL;
    assert_true(lowest_free() <= before);
}

static void say_ping_with_fds(struct fixture *f, int count)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(32 * sizeof(int))];
    } control = {0};
    int fds[32];
    for (int i = 0; i < count; i++)
        fds[i] = STDERR_FILENO;
    struct buf frame = {0};
    put_ping(&frame, 0);
    struct iovec part = {frame.data, frame.size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(head), fds, (size_t)count * sizeof(int));
    assert_int_equal(sendmsg(f->bare, &message, 0), (ssize_t)frame.size);
    buf_fini(&frame);
}

static void surplus_descriptors_are_closed(void **state)
{
    struct fixture *f = *state;
    int before = lowest_free();
    say_ping_with_fds(f, 5);
    UNTIL(f, f->b.messages == 1);
    assert_int_equal(f->b.fds, 1);
    assert_int_equal(lowest_free(), before);
}

static void cut_descriptors_end_the_channel(void **state)
{
    struct fixture *f = *state;
    int before = lowest_free();
    say_ping_with_fds(f, 20);
    UNTIL(f, f->b.gone);
    assert_int_equal(f->b.messages, 0);
    assert_non_null(strstr(f->b.why.text, "cut off"));
    assert_int_equal(lowest_free(), before);
}

static void a_bad_frame_ends_the_channel_with_its_reason(void **state)
{
    struct fixture *f = *state;
    struct buf frames = {0};
    put_ping(&frames, 0);
    put_ping(&frames, 1);
    frames.data[frames.size - 14] ^= 1; /* size of the second */
    say(f, &frames);
    UNTIL(f, f->b.gone);
    assert_int_equal(f->b.messages, 1);
    assert_true(f->b.why.text[0]);
    turn(f);
    assert_int_equal(f->b.gone, 1);
}

static void a_message_from_the_wrong_sender_ends_the_channel(void **state)
{
    struct fixture *f = *state;
    wire_put_PONG(channel_out(f->a.ch), &(struct wire_PONG){1});
    UNTIL(f, f->b.gone);
    assert_non_null(strstr(f->b.why.text, "PONG"));
    assert_int_equal(f->b.messages, 0);
}

static void a_datagram_that_is_too_long_ends_the_channel(void **state)
{
    struct fixture *f = *state;
    struct buf frames = {0};
    put_piece(&frames, ACCORD_PIECE_MAX);
    put_piece(&frames, 8192);
    say(f, &frames);
    UNTIL(f, f->b.gone);
    assert_int_equal(f->b.messages, 0);
    assert_non_null(strstr(f->b.why.text, "longer"));
}

static void a_message_too_long_to_send_ends_the_senders_channel(void **state)
{
    struct fixture *f = *state;
    static char text[2000];
    memset(text, 'x', sizeof text - 1);
    struct accord_pair pairs[100];
    for (size_t i = 0; i < 100; i++)
        pairs[i] = (struct accord_pair){"n", text};
    wire_put_LINK(channel_out(f->a.ch), &(struct wire_LINK){.options = WIRE_PAIRS(pairs, 100)});
    UNTIL(f, f->a.gone);
    assert_non_null(strstr(f->a.why.text, "too long"));
}

static void a_plain_end_has_no_reason(void **state)
{
    struct fixture *f = *state;
    hang_up(f);
    UNTIL(f, f->b.gone);
    assert_string_equal(f->b.why.text, "");
    put_ping(channel_out(f->b.ch), 0); /* to nobody */
    turn(f);
    assert_int_equal(f->b.gone, 1);
}

static void put_pongs(struct fixture *f, int count)
{
    while (count-- > 0)
        wire_put_PONG(channel_out(f->b.ch), &(struct wire_PONG){1});
}

/* The peer says why it ends, without having read the `unread` that wait for it: a reset, which must not hide the words. */
static void say_last_words(struct fixture *f, int unread)
{
    struct buf frame = {0};
    put_pongs(f, unread);
    channel_flush(f->b.ch, 100);
    put_ping(&frame, 0);
    say(f, &frame);
    hang_up(f);
}

static void expect_last_words(struct fixture *f)
{
    UNTIL(f, f->b.gone);
    assert_int_equal(f->b.messages, 1);
    assert_string_equal(f->b.why.text, "");
}

static void last_words_survive_a_reset(void **state)
{
    struct fixture *f = *state;
    say_last_words(f, 50);
    put_pongs(f, 50);
    expect_last_words(f);
}

/* As above, found by reading instead of sending. */
static void last_words_survive_a_reset_that_is_read(void **state)
{
    struct fixture *f = *state;
    say_last_words(f, 1);
    expect_last_words(f);
}

static void words_that_are_not_utf8_do_not_end_the_channel(void **state)
{
    struct fixture *f = *state;
    wire_put_PARK(channel_out(f->b.ch), &(struct wire_PARK){0, "sftp.auth",
                                                            "r\xe9"
                                                            "fus"});
    UNTIL(f, f->a.messages == 1 || f->a.gone);
    assert_int_equal(f->a.gone, 0);
}

static void closing_inside_a_callback_is_safe(void **state)
{
    struct fixture *f = *state;
    f->b.close_at = 3;
    for (uint64_t i = 0; i < 10; i++)
        put_ping(channel_out(f->a.ch), i);
    UNTIL(f, f->a.gone);
    assert_int_equal(f->b.messages, 3);
    assert_int_equal(f->b.gone, 0);
}

static void flush_sends_now_and_gives_up_in_time(void **state)
{
    struct fixture *f = *state;
    put_ping(channel_out(f->b.ch), 0);
    channel_flush(f->b.ch, 1000);
    uint8_t in[64];
    assert_int_equal(recv(f->bare, in, sizeof in, MSG_DONTWAIT), 14);
    for (int i = 0; i < 100; i++)
        put_piece(channel_out(f->b.ch), ACCORD_PIECE_MAX);
    uint64_t begun = uv_hrtime();
    channel_flush(f->b.ch, 20);
    assert_true(uv_hrtime() - begun >= 19000000);
    assert_true(channel_backlog(f->b.ch) > 0);
}

static void a_received_secret_is_wiped_after_the_callback(void **state)
{
    struct fixture *f = *state;
    static const uint8_t secret[] = "correct horse";
    wire_put_SECRET_GIVEN(channel_out(f->a.ch),
                          &(struct wire_SECRET_GIVEN){.value = {secret, sizeof secret}});
    const uint8_t *sent = channel_out(f->a.ch)->data;
    size_t room = channel_out(f->a.ch)->size;
    UNTIL(f, f->b.messages == 1);
    static const uint8_t zeros[sizeof secret];
    assert_memory_equal(f->b.secret, zeros, sizeof zeros);
    assert_null(memmem(sent, room, secret, 7));
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_of_one_turn_leave_in_one_datagram),
        TEST(an_idle_channel_lets_the_loop_sleep),
        TEST(what_a_turn_leads_to_leaves_with_it),
        TEST(what_may_wait_leaves_with_what_may_not),
        TEST(what_may_wait_does_not_wait_for_ever),
        TEST(what_one_datagram_is_answered_with_leaves_together),
        TEST(a_full_socket_is_a_backlog_and_then_room),
        TEST_BARE(a_chatty_peer_is_read_in_turns),
        TEST(descriptors_keep_their_place),
        TEST(descriptors_behind_a_backlog_keep_their_place),
        TEST(bytes_that_are_not_copied_keep_their_place),
        TEST(bytes_that_are_not_copied_are_released_when_nobody_reads),
        TEST(bytes_that_are_not_copied_are_released_by_closing),
        TEST(bytes_that_stay_the_callers_arrive_as_they_were),
        TEST(what_was_not_passed_on_is_closed),
        TEST_BARE(surplus_descriptors_are_closed),
        TEST_BARE(cut_descriptors_end_the_channel),
        TEST_BARE(a_bad_frame_ends_the_channel_with_its_reason),
        TEST(a_message_from_the_wrong_sender_ends_the_channel),
        TEST_BARE(a_datagram_that_is_too_long_ends_the_channel),
        TEST(a_message_too_long_to_send_ends_the_senders_channel),
        TEST_BARE(a_plain_end_has_no_reason),
        TEST_BARE(last_words_survive_a_reset),
        TEST_BARE(last_words_survive_a_reset_that_is_read),
        TEST(words_that_are_not_utf8_do_not_end_the_channel),
        TEST(closing_inside_a_callback_is_safe),
        TEST_BARE(flush_sends_now_and_gives_up_in_time),
        TEST(a_received_secret_is_wiped_after_the_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
