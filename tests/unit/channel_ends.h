/* Two ends of a channel over a real socket pair on one loop; where the peer must misbehave it is a bare descriptor. */
#ifndef TEST_CHANNEL_ENDS_H
#define TEST_CHANNEL_ENDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "wire/channel.h"

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

void on_gone(void *arg, const struct reason *why);
void on_room(void *arg);
void open_end(struct fixture *f, struct end *end, int fd, unsigned peer);
void make_pair(int pair[2]);
int setup(void **state);
int setup_bare(void **state);
int teardown(void **state);
void turn(struct fixture *f);
void put_ping(struct buf *out, uint64_t token);
void put_piece(struct buf *out, size_t size);
/* Says it on the bare descriptor. */
void say(struct fixture *f, struct buf *frames);
void hang_up(struct fixture *f);

#define UNTIL(f, condition)                                                                                  \
    for (uint64_t until_ = uv_hrtime() + 5000000000u; !(condition);) {                                       \
        assert_true(uv_hrtime() < until_);                                                                   \
        turn(f);                                                                                             \
    }

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

#endif
