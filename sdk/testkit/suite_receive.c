/* The connector suite: messages on their way in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite_private.h"

/* For so many ms something must not happen. */
static int64_t look_on(const struct bench *bench)
{
    return bench->suite->clock == TESTHOST_REAL_CLOCK ? 1000 : 3000;
}

static bool makes_up(const struct bench *bench)
{
    return bench->suite->flags & TESTSUITE_MAKES_UP;
}

/* Is the offer what was given? */
static void is_as_given(struct bench *bench, const struct accord_offer *offer, const char *name, size_t size)
{
    if (makes_up(bench))
        return;
    uint8_t *expected = malloc(size + 1);
    unsigned seed = 0;
    for (const char *at = name; *at; at++)
        seed = seed * 31 + (unsigned char)*at;
    bench_bytes(bench, expected, size, seed);
    if (offer->size != (int64_t)size || memcmp(offer->bytes ? offer->bytes : expected, expected, size) != 0)
        suite_complain("the message %s of %zu bytes was offered with %lld, or with others", name, size,
                       (long long)offer->size);
    free(expected);
}

/* Waits until the offer has its verdict. */
static bool over(struct bench *bench, struct accord_offer *offer)
{
    if (offer && testhost_within(bench->host, bench_offer_over, offer, bench_patience(bench)) && offer->done)
        return true;
    if (offer)
        suite_complain("the message %s was %s", offer->name,
                       offer->aborted ? "offered and given up, though its source was there"
                                      : "not handed over in time");
    return false;
}

static bool complete(struct bench *bench, struct accord_offer *offer)
{
    if (offer && testhost_within(bench->host, bench_offer_complete, offer, bench_patience(bench)) &&
        offer->complete)
        return true;
    if (offer)
        suite_complain("the message %s was not handed over whole", offer->name);
    return false;
}

/* Gives a message of this size, with a name of its own, and waits for one more offer than `before`. */
static struct accord_offer *offered(struct bench *bench, size_t before, char name[64], size_t size)
{
    bench_give(bench, bench_name(bench, name), size);
    return bench_offer(bench, before);
}

static void whole_messages_are_taken(void *arg)
{
    static const size_t sizes[] = {1, 1000, ACCORD_PIECE_MAX, 300001};
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_RECEIVE);
    bench_begin(bench);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        size_t before = testhost_offers(bench->host);
        struct accord_offer *offer = offered(bench, before, name, sizes[i]);
        if (over(bench, offer))
            is_as_given(bench, offer, name, sizes[i]);
    }
}

/* What was taken is not offered a second time, unless its source gives it again. */
static void what_was_taken_is_not_offered_again(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (makes_up(bench))
        suite_not_run("it makes its messages up");
    bench_begin(bench);
    if (!over(bench, offered(bench, 0, name, 1000)))
        return;
    bench_run(bench, look_on(bench));
    if (testhost_offers(bench->host) > 1)
        suite_complain("a message that was accepted was offered again");
}

static void nothing_is_done_at_the_source_before_the_verdict(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (!bench->suite->holds)
        suite_not_run("the suite has no hook `holds`");
    bench_begin(bench);
    testhost_hold_admissions(bench->host, true);
    struct accord_offer *offer = offered(bench, 0, name, 1000);
    if (!complete(bench, offer))
        return;
    bench_run(bench, look_on(bench));
    if (!bench_holds(bench, name))
        suite_complain("%s was deleted, moved or acknowledged at the source before offer_done", name);
    testhost_tell(bench->host, offer, ACCORD_ACCEPTED, "", "");
}

/* The next offer after `before` with this source id. */
static struct accord_offer *again(struct bench *bench, size_t before, const struct accord_offer *first)
{
    for (;;) {
        struct accord_offer *offer = bench_offer(bench, before++);
        if (!offer || makes_up(bench) || strcmp(offer->source_id, first->source_id) == 0)
            return offer;
    }
}

static void what_is_deferred_stays_and_is_offered_again(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    bench_begin(bench);
    testhost_admission(bench->host, ACCORD_DEFERRED, "suite.verdict", "not now");
    struct accord_offer *first = offered(bench, 0, name, 1000);
    if (!over(bench, first))
        return;
    bool holds = bench_holds(bench, name);
    size_t before = testhost_offers(bench->host);
    testhost_admission(bench->host, ACCORD_ACCEPTED, "", "");
    struct accord_offer *second = again(bench, before, first);
    if (!holds || (!second && !bench_holds(bench, name))) /* a peer may take its time to let go of it */
        suite_complain("%s was deleted, moved or acknowledged at the source though it was deferred", name);
    else if (!second)
        suite_complain("what was deferred was not offered again");
    if (second && over(bench, second))
        is_as_given(bench, second, name, 1000);
}

/* How often this message was offered. A source may still have others, of before. */
static size_t times(struct bench *bench, const struct accord_offer *offer)
{
    size_t count = 0;
    for (size_t i = 0; i < testhost_offers(bench->host); i++)
        count += strcmp(testhost_offer(bench->host, i)->source_id, offer->source_id) == 0;
    return count;
}

static void set_aside(struct bench *bench, enum accord_admission admission, const char *word)
{
    char name[64];
    bench_begin(bench);
    testhost_admission(bench->host, admission, "suite.verdict", "the suite says so");
    struct accord_offer *offer = offered(bench, 0, name, 1000);
    bool good = over(bench, offer);
    bench_run(bench, look_on(bench));
    if (good && !makes_up(bench) && times(bench, offer) > 1)
        suite_complain("a message that was %s was offered again at once", word);
    bench_end(bench);
}

static void what_is_quarantined_or_rejected_is_set_aside(void *arg)
{
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_RECEIVE);
    set_aside(bench, ACCORD_QUARANTINED, "quarantined");
    set_aside(bench, ACCORD_REJECTED, "rejected");
}

static bool is_asked(void *arg)
{
    const struct accord_offer *offer = arg;
    return offer->size > 0 || bench_offer_over(arg);
}

/* The first offer, of a message of this size, when some of it has been handed over; NULL: none was made. */
static struct accord_offer *in_mid_message(struct bench *bench, char name[64], size_t size)
{
    testhost_ask(bench->host, 4096);
    struct accord_offer *offer = offered(bench, 0, name, size);
    if (offer)
        testhost_within(bench->host, is_asked, offer, bench_patience(bench));
    return offer;
}

static void a_verdict_may_come_before_the_last_byte(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    bench_begin(bench);
    testhost_hold_admissions(bench->host, true);
    struct accord_offer *offer = in_mid_message(bench, name, 100000);
    if (!offer)
        return;
    testhost_tell(bench->host, offer, ACCORD_REJECTED, "suite.verdict", "too large");
    testhost_hold_admissions(bench->host, false);
    bench_run(bench, look_on(bench));
    size_t before = testhost_offers(bench->host);
    over(bench, offered(bench, before, name, 1000));
}

static void nothing_is_written_beyond_what_was_asked_for(void *arg)
{
    static const int64_t windows[] = {8, 1000, 33000};
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_RECEIVE);
    bench_begin(bench);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        char name[64];
        size_t size = i == 0 ? 400 : 100001, before = testhost_offers(bench->host);
        testhost_ask(bench->host, windows[i]);
        struct accord_offer *offer = offered(bench, before, name, size);
        if (over(bench, offer))
            is_as_given(bench, offer, name, size);
    }
}

static void a_host_at_capacity_is_waited_for(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    bench_begin(bench);
    testhost_offer_room(bench->host, 0);
    bench_give(bench, bench_name(bench, name), 1000);
    bench_run(bench, look_on(bench));
    testhost_offer_room(bench->host, 16);
    over(bench, bench_offer(bench, 0));
}

static void a_stop_takes_nothing_new(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (makes_up(bench))
        suite_not_run("it makes its messages up");
    bench_begin(bench);
    bench_run(bench, 200);
    testhost_stop(bench->host);
    bench_run(bench, 200);
    bench_give(bench, bench_name(bench, name), 1000);
    bench_run(bench, look_on(bench));
    if (testhost_offers(bench->host))
        suite_complain("a message was offered after stop");
    testhost_start(bench->host);
    over(bench, bench_offer(bench, 0));
}

/* A process that ends and begins again: what is held already does not come again, the rest does. */
static void it_goes_on_where_it_was_after_a_restart(void *arg)
{
    struct bench *bench = arg;
    char first[64], second[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (makes_up(bench))
        suite_not_run("it makes its messages up");
    bench_begin(bench);
    if (!over(bench, offered(bench, 0, first, 1000)))
        return;
    bench_run(bench, look_on(bench));
    snprintf(bench->cursor, sizeof bench->cursor, "%s",
             testhost_cursor(bench->host, (size_t)bench->receives));
    bench_end(bench);
    bench_begin(bench);
    struct accord_offer *offer = offered(bench, 0, second, 2000);
    if (over(bench, offer))
        is_as_given(bench, offer, second, 2000);
}

/* The same in mid-message: it comes again, whole. */
static void what_was_cut_comes_again_whole(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (makes_up(bench))
        suite_not_run("it makes its messages up");
    bench_begin(bench);
    testhost_hold_admissions(bench->host, true);
    struct accord_offer *offer = in_mid_message(bench, name, 100000);
    if (!offer)
        return;
    bench_end(bench);
    if (!bench_holds(bench, name) && bench->suite->endpoint_host)
        suite_complain("%s is gone from the source, though close came in mid-message", name);
    bench_begin(bench);
    offer = bench_offer(bench, 0);
    if (over(bench, offer))
        is_as_given(bench, offer, name, 100000);
}

static void a_session_cut_in_mid_message_loses_nothing(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    bench_needs_endpoint(bench);
    bench_begin(bench);
    struct accord_offer *offer = in_mid_message(bench, name, 300000);
    if (!offer)
        return;
    size_t before = testhost_offers(bench->host);
    testhost_revoke(bench->host);
    testhost_ask(bench->host, 256 * 1024);
    testhost_within(bench->host, bench_offer_over, offer, bench_patience(bench));
    if (!offer->done)
        offer = again(bench, before, offer);
    if (over(bench, offer))
        is_as_given(bench, offer, name, 300000);
}

static void a_session_that_is_not_allowed_brings_nothing(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    bench_needs_endpoint(bench);
    for (int stage = ACCORD_HANDSHAKE; stage <= ACCORD_AUTHENTICATED; stage++) {
        bench_begin(bench);
        testhost_verdict(bench->host, stage, ACCORD_DENY, "suite.verdict", "the suite says so");
        bench_give(bench, bench_name(bench, name), 1000);
        bench_run(bench, look_on(bench));
        if (testhost_offers(bench->host))
            suite_complain("a message was offered over a session that was denied");
        bench_end(bench);
    }
}

/* Three messages, the first of which is deferred: no cursor may go past it. */
static void no_cursor_goes_past_what_was_deferred(void *arg)
{
    struct bench *bench = arg;
    char name[64];
    bench_needs(bench, ACCORD_RECEIVE);
    if (makes_up(bench))
        suite_not_run("it makes its messages up");
    bench_begin(bench);
    testhost_hold_admissions(bench->host, true);
    for (int i = 0; i < 3; i++)
        bench_give(bench, bench_name(bench, name), 500);
    struct accord_offer *first = bench_offer(bench, 0);
    if (!complete(bench, first))
        return;
    bench_run(bench, look_on(bench));
    testhost_tell(bench->host, first, ACCORD_DEFERRED, "suite.verdict", "not now");
    size_t before = testhost_offers(bench->host);
    testhost_hold_admissions(bench->host, false);
    struct accord_offer *second = again(bench, before, first);
    if (second)
        over(bench, second);
    bench_run(bench, look_on(bench));
}

const struct suite_case suite_receive[] = {
    {"whole messages are taken", whole_messages_are_taken},
    {"what was taken is not offered again", what_was_taken_is_not_offered_again},
    {"nothing is done at the source before the verdict", nothing_is_done_at_the_source_before_the_verdict},
    {"what is deferred stays and is offered again", what_is_deferred_stays_and_is_offered_again},
    {"what is quarantined or rejected is set aside", what_is_quarantined_or_rejected_is_set_aside},
    {"a verdict may come before the last byte", a_verdict_may_come_before_the_last_byte},
    {"nothing is written beyond what was asked for", nothing_is_written_beyond_what_was_asked_for},
    {"a host at capacity is waited for", a_host_at_capacity_is_waited_for},
    {"a stop takes nothing new", a_stop_takes_nothing_new},
    {"it goes on where it was after a restart", it_goes_on_where_it_was_after_a_restart},
    {"what was cut comes again whole", what_was_cut_comes_again_whole},
    {"a session cut in mid-message loses nothing", a_session_cut_in_mid_message_loses_nothing},
    {"a session that is not allowed brings nothing", a_session_that_is_not_allowed_brings_nothing},
    {"no cursor goes past what was deferred", no_cursor_goes_past_what_was_deferred},
};
const size_t suite_receive_count = sizeof suite_receive / sizeof *suite_receive;
