/* One connector in the fake host, as the cases of its suite use it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite_private.h"

int64_t bench_patience(const struct bench *bench)
{
    return bench->suite->patience ? bench->suite->patience : 30000;
}

static void fill_service(struct bench *bench, size_t i)
{
    const struct testsuite_service *from = &bench->suite->services[i];
    char why[ACCORD_REASON_MAX] = "";
    bench->service_options[i] =
        testoptions_new(&bench->connector->service_options, from->options, why, sizeof why);
    if (!bench->service_options[i]) {
        suite_complain("the suite's options of service %s: %s", from->name, why);
        return;
    }
    bench->services[i] = (struct accord_service){.name = from->name,
                                                 .type = from->type,
                                                 .direction = from->direction,
                                                 .options = testoptions_struct(bench->service_options[i]),
                                                 .max_size = 1 << 30,
                                                 .cursor = ""};
    bench->told[i] = &bench->services[i];
    int *first = from->direction == ACCORD_SEND ? &bench->sends : &bench->receives;
    if (*first < 0)
        *first = (int)i;
    if (from->direction == ACCORD_RECEIVE)
        bench->services[i].cursor = bench->cursor;
}

static void fill(struct bench *bench)
{
    const struct accord_connector_suite *suite = bench->suite;
    char why[ACCORD_REASON_MAX] = "";
    bench->link = testoptions_new(&bench->connector->link_options, bench->link_options, why, sizeof why);
    if (!bench->link)
        suite_complain("the suite's options of the link: %s", why);
    bench->service_options = testkit_alloc((suite->service_count + 1) * sizeof *bench->service_options);
    bench->services = testkit_alloc((suite->service_count + 1) * sizeof *bench->services);
    bench->told = testkit_alloc((suite->service_count + 1) * sizeof *bench->told);
    for (size_t i = 0; i < suite->service_count; i++)
        fill_service(bench, i);
    bench->setup = (struct accord_link_setup){.agreement = "agreement",
                                              .name = "link",
                                              .options = bench->link ? testoptions_struct(bench->link) : NULL,
                                              .services = bench->told,
                                              .service_count = suite->service_count,
                                              .endpoint_host = suite->endpoint_host,
                                              .endpoint_port = suite->endpoint_host ? 1 : 0};
}

/* ---- a case ---- */

static void world_begin(struct bench *bench)
{
    bool failed = false;
    const struct accord_pair *options =
        bench->suite->begin ? bench->suite->begin(bench->suite->arg, &failed) : NULL;
    bench->link_options = options ? options : bench->suite->link_options;
    if (failed)
        suite_complain("the hook `begin` says that it failed");
    fill(bench);
}

static void world_end(struct bench *bench)
{
    if (bench->suite->end)
        bench->suite->end(bench->suite->arg);
    testoptions_free(bench->link);
    for (size_t i = 0; i < bench->suite->service_count; i++)
        testoptions_free(bench->service_options[i]);
    free(bench->service_options);
    free(bench->services);
    free(bench->told);
}

/* ---- hosts ---- */

int bench_try_open(struct bench *bench)
{
    bench->host = testhost_new(bench->connector, bench->suite->clock);
    testhost_patience(bench->host, bench->suite->loop_patience ? bench->suite->loop_patience : 2000);
    if (bench->suite->endpoint_host)
        testhost_endpoint(bench->host, 0);
    if (bench->suite->prepare)
        bench->suite->prepare(bench->suite->arg, bench->host);
    int result = testhost_open(bench->host, &bench->setup);
    if (result >= 0)
        return result;
    if (!testhost_why(bench->host)[0] && result != ACCORD_ENOMEM)
        suite_complain("open or check returned %d and gave no reason", result);
    if (!bench->expects_failure)
        suite_complain("%s", testhost_why(bench->host));
    testhost_free(bench->host);
    bench->host = NULL;
    return result;
}

void bench_new_host(struct bench *bench)
{
    int result = bench_try_open(bench);
    if (result >= 0)
        return;
    suite_complain("it does not open (%d)", result);
    suite_give_up();
}

void bench_begin(struct bench *bench)
{
    bench_new_host(bench);
    testhost_start(bench->host);
}

void bench_end(struct bench *bench)
{
    struct testhost *host = bench->host;
    bench->host = NULL;
    if (host->phase < TESTHOST_CLOSING)
        testhost_close(host);
    /* What has no right to come any more gets a moment to come. */
    for (int i = 0; i < 5; i++)
        testhost_one_turn(host, 1);
    testhost_free(host);
}

void bench_step(struct bench *bench)
{
    testhost_one_turn(bench->host, 1);
    if (bench->suite->clock == TESTHOST_VIRTUAL_CLOCK)
        testhost_advance(bench->host, 100);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void bench_run(struct bench *bench, int64_t ms)
{
    testhost_within(bench->host, never, NULL, ms);
}

/* ---- messages ---- */

const char *bench_name(struct bench *bench, char to[64])
{
    snprintf(to, 64, "message-%u.txt", ++bench->names);
    return to;
}

void bench_bytes(const struct bench *bench, void *to, size_t size, unsigned seed)
{
    bool text = bench->suite->flags & TESTSUITE_TEXT;
    unsigned state = seed * 2654435761u + (unsigned)size;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        unsigned byte = state >> 24;
        ((unsigned char *)to)[i] = (unsigned char)(text ? '!' + byte % ('~' - '!' + 1) : byte);
    }
}

/* The same bytes for the same name and size. */
static uint8_t *bytes_of(const struct bench *bench, const char *name, size_t size)
{
    static struct kept {
        struct kept *next;
        uint8_t *bytes;
    } * all; /* reachable until the end: no leak */
    unsigned seed = 0;
    for (const char *at = name; *at; at++)
        seed = seed * 31 + (unsigned char)*at;
    struct kept *kept = testkit_alloc(sizeof *kept);
    kept->bytes = testkit_alloc(size);
    kept->next = all;
    all = kept;
    bench_bytes(bench, kept->bytes, size, seed);
    return kept->bytes;
}

struct accord_delivery *bench_deliver(struct bench *bench, const char *name, size_t size)
{
    size_t service = (size_t)bench->sends;
    struct testhost_message message = {.type = bench->suite->services[service].type,
                                       .name = name,
                                       .source_id = name,
                                       .bytes = bytes_of(bench, name, size),
                                       .size = size};
    return testhost_deliver(bench->host, service, &message);
}

void bench_delivered(struct bench *bench, struct accord_delivery *delivery, const char *name)
{
    const struct accord_connector_suite *suite = bench->suite;
    if (!testhost_settle(bench->host, delivery, bench_patience(bench)))
        suite_complain("the delivery of %s was not finished within %lld ms", name,
                       (long long)bench_patience(bench));
    else if (delivery->outcome != ACCORD_DELIVERED)
        suite_complain("the delivery of %s ended with outcome %d: %s", name, (int)delivery->outcome,
                       delivery->reason);
    else if (!delivery->last_given)
        suite_complain("the delivery of %s was finished as delivered before the last byte was given", name);
    else if (suite->got &&
             !suite->got(suite->arg, (size_t)bench->sends, name, delivery->bytes, (size_t)delivery->size))
        suite_complain("the other side has not %s as it was sent", name);
}

void bench_needs(const struct bench *bench, enum accord_direction direction)
{
    if ((direction == ACCORD_SEND ? bench->sends : bench->receives) < 0)
        suite_not_run("no service of the suite %s", direction == ACCORD_SEND ? "sends" : "receives");
}

void bench_needs_endpoint(const struct bench *bench)
{
    if (!bench->suite->endpoint_host)
        suite_not_run("the link has no endpoint");
}

void bench_give(struct bench *bench, const char *name, size_t size)
{
    const struct accord_connector_suite *suite = bench->suite;
    bench_needs(bench, ACCORD_RECEIVE);
    if (suite->flags & TESTSUITE_MAKES_UP)
        return;
    if (!suite->give)
        suite_not_run("the suite has no hook `give`");
    if (!suite->give(suite->arg, (size_t)bench->receives, name, bytes_of(bench, name, size), size))
        suite_complain("the hook `give` says that it failed");
}

bool bench_holds(struct bench *bench, const char *name)
{
    const struct accord_connector_suite *suite = bench->suite;
    return !suite->holds || suite->holds(suite->arg, (size_t)bench->receives, name);
}

struct more {
    struct testhost *host;
    size_t than;
};

static bool more_offers(void *arg)
{
    const struct more *more = arg;
    return testhost_offers(more->host) > more->than;
}

struct accord_offer *bench_offer(struct bench *bench, size_t before)
{
    struct more more = {bench->host, before};
    if (testhost_within(bench->host, more_offers, &more, bench_patience(bench)))
        return testhost_offer(bench->host, before);
    suite_complain("no message was offered within %lld ms", (long long)bench_patience(bench));
    return NULL;
}

bool bench_offer_over(void *offer)
{
    const struct accord_offer *o = offer;
    return o->done || o->aborted;
}

bool bench_offer_complete(void *offer)
{
    const struct accord_offer *o = offer;
    return o->complete || o->aborted;
}

/* ---- the suite ---- */

static void around(void *suite, void (*run)(void *suite))
{
    struct bench *bench = suite;
    testmemory_reset();
    size_t before = suite_descriptors();
    world_begin(bench);
    if (!suite_complained())
        run(bench);
    if (bench->host)
        bench_end(bench);
    world_end(bench);
    size_t after = suite_descriptors();
    if (after > before)
        suite_complain("%zu descriptor(s) left open", after - before);
    suite_check_memory();
}

static size_t append(struct suite_case *to, size_t at, const struct suite_case *from, size_t count)
{
    memcpy(to + at, from, count * sizeof *from);
    return at + count;
}

struct testsuite_results *accord_connector_suite_results(const struct accord_connector_suite *suite)
{
    static struct suite_case cases[128];
    struct bench bench = {.suite = suite, .connector = suite->plugin->connector, .sends = -1, .receives = -1};
    size_t count = append(cases, 0, suite_life, suite_life_count);
    count = append(cases, count, suite_send, suite_send_count);
    count = append(cases, count, suite_receive, suite_receive_count);
    count = append(cases, count, suite_faults, suite_faults_count);
    return suite_run(cases, count, &bench, around, suite->case_patience ? suite->case_patience : 120000);
}

int accord_connector_suite(const struct accord_connector_suite *suite)
{
    return suite_print(suite->plugin->name, accord_connector_suite_results(suite));
}
