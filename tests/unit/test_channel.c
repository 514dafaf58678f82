/* channel.c: order, descriptors, ends and mistakes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_ends.h"

#include <cmocka.h> /* last: it defines fail() */

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
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_of_one_turn_leave_in_one_datagram),
        TEST(an_idle_channel_lets_the_loop_sleep),
        TEST(a_full_socket_is_a_backlog_and_then_room),
        TEST_BARE(a_chatty_peer_is_read_in_turns),
        TEST(descriptors_keep_their_place),
        TEST(descriptors_behind_a_backlog_keep_their_place),
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
