/* The connector suite: descriptor, options, life. */
#include <stdio.h>
#include <string.h>

#include "suite_private.h"

/* ---- what it says about itself ---- */

static void the_descriptor_is_whole(void *arg)
{
    const struct bench *bench = arg;
    const struct accord_plugin *p = bench->suite->plugin;
    const struct accord_connector *c = bench->connector;
    if (p->size != sizeof *p || p->abi_major != ACCORD_ABI_MAJOR || p->abi_minor > ACCORD_ABI_MINOR)
        suite_complain("the descriptor is of another ABI: size %u, %u.%u", p->size, p->abi_major,
                       p->abi_minor);
    if (p->kind != ACCORD_CONNECTOR || !p->name || !*p->name || !p->version || !p->summary)
        suite_complain("the descriptor says no connector, or has no name, version or summary");
    if (c->size != sizeof *c)
        suite_complain("the connector's size is %u, not %zu", c->size, sizeof *c);
    if (!(c->flags & (ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE)))
        suite_complain("it neither sends nor receives");
    if (!c->open || !c->start || !c->stop || !c->close)
        suite_complain("open, start, stop or close is missing");
    if ((c->flags & ACCORD_CAN_SEND) && (!c->deliver || !c->payload || !c->cancel))
        suite_complain("it can send, but deliver, payload or cancel is missing");
    if ((c->flags & ACCORD_CAN_RECEIVE) && (!c->offer_pull || !c->offer_done))
        suite_complain("it can receive, but offer_pull or offer_done is missing");
    if (bench->suite->endpoint_host && !(c->flags & ACCORD_DIALS))
        suite_complain("the suite gives it an endpoint, but it has not the flag ACCORD_DIALS");
}

static void table_is_sound(const char *what, const struct accord_options *options)
{
    char why[ACCORD_REASON_MAX];
    for (const struct accord_option *o = options->table; o && o->name; o++) {
        const struct accord_option alone[] = {*o, {.name = NULL}};
        const struct accord_options one = {alone, options->size};
        const struct accord_pair written[] = {{o->name, o->fallback ? o->fallback : ""}, {NULL, NULL}};
        if (!o->help || !*o->help)
            suite_complain("option %s of the %s has no help", o->name, what);
        if (o->offset >= options->size)
            suite_complain("option %s of the %s lies outside of its struct", o->name, what);
        else if (o->fallback) {
            struct testoptions *filled = testoptions_new(&one, written, why, sizeof why);
            if (!filled)
                suite_complain("the default of an option of the %s cannot be: %s", what, why);
            testoptions_free(filled);
        }
    }
}

static void defaults_are_legal_values(void *arg)
{
    const struct bench *bench = arg;
    table_is_sound("link", &bench->connector->link_options);
    table_is_sound("service", &bench->connector->service_options);
}

/* `check` has nothing but the configuration, which is whatever someone wrote. */
static void check_survives_any_legal_values(void *arg)
{
    struct bench *bench = arg;
    if (!bench->connector->check)
        suite_not_run("it has no `check`");
    size_t count = bench->setup.service_count;
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct testoptions *random[9] = {testoptions_random(&bench->connector->link_options, NULL, seed)};
        struct accord_link_setup setup = bench->setup;
        setup.options = testoptions_struct(random[0]);
        for (size_t i = 0; i < count && i < 8; i++) {
            random[i + 1] =
                testoptions_random(&bench->connector->service_options, NULL, seed * 31 + (unsigned)i);
            bench->services[i].options = testoptions_struct(random[i + 1]);
        }
        char why[ACCORD_REASON_MAX] = "";
        snprintf(testkit_watched, TESTKIT_WATCHED, "check");
        suite_note("with random options of seed %u", seed);
        int result = bench->connector->check(&setup, why, sizeof why);
        if (result > 0 || (result < 0 && !*why) || memchr(why, 0, sizeof why) == NULL)
            suite_complain("check returned %d for random options (seed %u) and said \"%.80s\"", result, seed,
                           why);
        for (size_t i = 0; i <= count && i < 9; i++)
            testoptions_free(random[i]);
    }
    *testkit_watched = 0;
    suite_note("%s", "");
}

/* ---- life ---- */

static void it_opens_and_closes_without_a_start(void *arg)
{
    struct bench *bench = arg;
    for (int i = 0; i < 3; i++) {
        bench_new_host(bench);
        bench_end(bench);
    }
}

static void it_starts_and_stops_and_starts_again(void *arg)
{
    struct bench *bench = arg;
    bench_begin(bench);
    for (int i = 0; i < 3; i++) {
        bench_run(bench, 300);
        testhost_stop(bench->host);
        bench_run(bench, 300);
        testhost_start(bench->host);
    }
    char name[64];
    if (bench->sends >= 0)
        bench_delivered(bench, bench_deliver(bench, bench_name(bench, name), 1000), name);
}

static void it_closes_at_any_moment_after_its_start(void *arg)
{
    struct bench *bench = arg;
    for (size_t i = 0; i < suite_point_count; i++) {
        bench_begin(bench);
        for (int step = 0; step < suite_points[i]; step++)
            bench_step(bench);
        bench_end(bench);
    }
}

static void begin_everything(struct bench *bench, bool stalls)
{
    char name[64];
    for (int i = 0; bench->sends >= 0 && i < 4; i++) {
        struct accord_delivery *delivery = bench_deliver(bench, bench_name(bench, name), 200000);
        if (stalls && i % 2)
            delivery->stall_at = 70000;
    }
    if (bench->receives >= 0 && (bench->suite->give || bench->suite->flags & TESTSUITE_MAKES_UP))
        for (int i = 0; i < 3; i++)
            bench_give(bench, bench_name(bench, name), 200000);
}

static void it_closes_at_any_moment_with_everything_in_flight(void *arg)
{
    struct bench *bench = arg;
    for (size_t i = 0; i < suite_point_count; i++) {
        bench_begin(bench);
        testhost_hold_admissions(bench->host, i % 2);
        testhost_ask(bench->host, 50000);
        begin_everything(bench, true);
        for (int step = 0; step < suite_points[i]; step++)
            bench_step(bench);
        bench_end(bench);
    }
}

static void it_closes_while_its_session_is_judged(void *arg)
{
    struct bench *bench = arg;
    bench_needs_endpoint(bench);
    for (size_t i = 0; i < suite_point_count; i++) {
        bench_begin(bench);
        testhost_hold_verdicts(bench->host, true);
        begin_everything(bench, false);
        for (int step = 0; step < suite_points[i]; step++)
            bench_step(bench);
        bench_end(bench);
    }
}

static bool all_finished(void *arg)
{
    for (const struct accord_delivery *at = ((struct testhost *)arg)->deliveries; at; at = at->next)
        if (!at->finished)
            return false;
    return true;
}

static void what_is_in_flight_ends_after_a_stop(void *arg)
{
    struct bench *bench = arg;
    bench_needs(bench, ACCORD_SEND);
    for (int steps = 0; steps < 10; steps += 3) {
        bench_begin(bench);
        begin_everything(bench, false);
        for (int step = 0; step < steps; step++)
            bench_step(bench);
        testhost_stop(bench->host);
        if (!testhost_within(bench->host, all_finished, bench->host, bench_patience(bench)))
            suite_complain("what was in flight at the stop was not finished within %lld ms",
                           (long long)bench_patience(bench));
        bench_end(bench);
    }
}

static void a_probe_walks_to_its_end(void *arg)
{
    struct bench *bench = arg;
    if (!bench->connector->probe)
        suite_not_run("it has no `probe`");
    bench_begin(bench);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            testhost_fail_dials(bench->host, 100, "connection refused");
        testhost_probe(bench->host);
        if (!testhost_within(bench->host, testhost_probed, bench->host, bench_patience(bench)))
            suite_complain("a probe did not end within %lld ms", (long long)bench_patience(bench));
        else if (i == 0 && testhost_step(bench->host, testhost_steps(bench->host) - 1)->result)
            suite_complain("a probe of a sound link failed: %s",
                           testhost_step(bench->host, testhost_steps(bench->host) - 1)->text);
    }
    if (testhost_parked(bench->host))
        suite_complain("a probe parked the link");
    bench_end(bench);
    bench_begin(bench);
    testhost_probe(bench->host);
    bench_end(bench);
}

const struct suite_case suite_life[] = {
    {"the descriptor is whole", the_descriptor_is_whole},
    {"defaults are legal values", defaults_are_legal_values},
    {"check survives any legal values", check_survives_any_legal_values},
    {"it opens and closes without a start", it_opens_and_closes_without_a_start},
    {"it starts and stops and starts again", it_starts_and_stops_and_starts_again},
    {"it closes at any moment after its start", it_closes_at_any_moment_after_its_start},
    {"it closes at any moment with everything in flight", it_closes_at_any_moment_with_everything_in_flight},
    {"it closes while its session is judged", it_closes_while_its_session_is_judged},
    {"what is in flight ends after a stop", what_is_in_flight_ends_after_a_stop},
    {"a probe walks to its end", a_probe_walks_to_its_end},
};
const size_t suite_life_count = sizeof suite_life / sizeof *suite_life;
