#include "channel_ends.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* last: it defines fail() */

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

void on_gone(void *arg, const struct reason *why)
{
    struct end *end = arg;
    end->gone++;
    end->why = *why;
}

void on_room(void *arg)
{
    ((struct end *)arg)->rooms++;
}

static const struct channel_events events = {on_message, on_gone, on_room};

void open_end(struct fixture *f, struct end *end, int fd, unsigned peer)
{
    *end = (struct end){.in_order = true};
    assert_int_equal(channel_open(&end->ch, &f->loop, fd, peer, &events, end), 0);
}

void make_pair(int pair[2])
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

int setup(void **state)
{
    return set_up(state, false);
}

int setup_bare(void **state)
{
    return set_up(state, true);
}

int teardown(void **state)
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

void turn(struct fixture *f)
{
    f->a.at_once = f->b.at_once = 0;
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

void put_ping(struct buf *out, uint64_t token)
{
    wire_put_PING(out, &(struct wire_PING){token});
}

void put_piece(struct buf *out, size_t size)
{
    static const uint8_t bytes[ACCORD_PIECE_MAX + 1];
    wire_put_PIECE(out, &(struct wire_PIECE){.stream = 1, .data = {bytes, size}});
}

void say(struct fixture *f, struct buf *frames)
{
    assert_int_equal(send(f->bare, frames->data, frames->size, 0), (ssize_t)frames->size);
    buf_fini(frames);
}

void hang_up(struct fixture *f)
{
    close(f->bare);
    f->bare = -1;
}
