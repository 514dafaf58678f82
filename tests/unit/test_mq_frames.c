/* What is looked at in each frame before proton gets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/mq/channel_frames.h"

#define HEADER "AMQP\0\1\0\0"
/* Of the link with this handle: begins with a delivery-id or goes on without, and more of it comes or not. */
#define BEGIN(handle, more)                                                                                  \
    "\0\0\0\x19\2\0\0\0\0\x53\x14\xc0\x0b\6\x52" handle "\x52\1\xa0\1t\x43\x42" more "x"
#define GO_ON(handle, more) "\0\0\0\x16\2\0\0\0\0\x53\x14\xc0\x08\6\x52" handle "\x40\x40\x40\x40" more "x"
#define MORE                "\x41"
#define LAST                "\x42"
#define ATTACH(handle)      "\0\0\0\x13\2\0\0\0\0\x53\x12\xc0\6\2\xa1\1n\x52" handle
#define DETACH(handle)      "\0\0\0\x10\2\0\0\0\0\x53\x16\xc0\3\1\x52" handle
#define END                 "\0\0\0\x0c\2\0\0\0\0\x53\x17\x45"
#define ABORT(handle)                                                                                        \
    "\0\0\0\x1a\2\0\0\0\0\x53\x14\xc0\x0c\x0a\x52" handle "\x40\x40\x40\x40\x41\x40\x40\x40\x41x"

static const struct {
    const char *bytes;
    size_t size;
    bool passes;
} streams[] = {
#define STREAM(text) HEADER text, sizeof(HEADER text) - 1
    {STREAM(""), true},
    {STREAM(BEGIN("\1", LAST) BEGIN("\1", LAST)), true},
    {STREAM(BEGIN("\1", MORE) GO_ON("\1", MORE) GO_ON("\1", LAST) BEGIN("\1", MORE)), true},
    {STREAM(BEGIN("\1", MORE) BEGIN("\2", MORE) GO_ON("\1", MORE) GO_ON("\2", LAST) GO_ON("\1", LAST)), true},
    {STREAM(BEGIN("\1", MORE) ATTACH("\2") GO_ON("\1", MORE)), true},
    {STREAM(GO_ON("\1", LAST)), true}, /* proton refuses it by itself */
    {STREAM(GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", LAST) GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", MORE) GO_ON("\2", MORE)), false},
    {STREAM(BEGIN("\1", MORE) GO_ON("\1", LAST) GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", MORE) DETACH("\1") GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", MORE) ATTACH("\1") GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", MORE) END GO_ON("\1", MORE)), false},
    {STREAM(BEGIN("\1", MORE) ABORT("\1") GO_ON("\1", MORE)), false},
    {STREAM("\0\0\0\4\2\0\0\0" GO_ON("\1", MORE)), true}, /* proton has ended it before */
};

static void tells_which_transfers_have_no_id(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        for (size_t piece = 1; piece <= streams[i].size; piece++) {
            struct frames frames;
            bool passes = true;
            frames_init(&frames);
            for (size_t at = 0; passes && at < streams[i].size; at += piece) {
                size_t left = streams[i].size - at;
                passes =
                    frames_pass(&frames, (const uint8_t *)streams[i].bytes + at, left < piece ? left : piece);
            }
            if (passes != streams[i].passes)
                fail_msg("stream %zu in pieces of %zu", i, piece);
        }
}

static void so_many_on_their_way_are_too_many(void **state)
{
    struct frames frames;
    uint8_t begin[] = BEGIN("\0", MORE);
    (void)state;
    frames_init(&frames);
    assert_true(frames_pass(&frames, (const uint8_t *)HEADER, 8));
    for (int i = 0; i <= FRAMES_MIDST; i++) {
        begin[15] = (uint8_t)i;
        assert_int_equal(frames_pass(&frames, begin, sizeof begin - 1), i < FRAMES_MIDST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_which_transfers_have_no_id),
        cmocka_unit_test(so_many_on_their_way_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
