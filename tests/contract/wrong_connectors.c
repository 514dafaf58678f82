/* The connector suite passes the connector `depot`, and fails it for each of its faults by name. */
#include <stdlib.h>
#include <string.h>

#include "testkit/wrong/depot.h"
#include "testkit/wrong/wrong.h"
#include "wrong.h"

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    *failed = !depot_start();
    return NULL;
}

static void end(void *arg)
{
    (void)arg;
    depot_stop();
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    testhost_endpoint(host, depot_port());
    testhost_profile(host, "depot.mode", "any");
    testhost_secret(host, "key", DEPOT_KEY, strlen(DEPOT_KEY));
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    (void)service;
    return depot_got(name, bytes, size);
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    (void)service;
    depot_give(name, bytes, size);
    return true;
}

static bool holds(void *arg, size_t service, const char *name)
{
    (void)arg;
    (void)service;
    return depot_holds(name);
}

int main(void)
{
#define AS_ROW(name, found, text) {#name, found, text},
    static const struct wrong wrongs[] = {WRONG_CONNECTORS(AS_ROW)};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, NULL},
                                                        {"in", "opaque", ACCORD_RECEIVE, NULL}};
    struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                           .clock = TESTHOST_VIRTUAL_CLOCK,
                                           .services = services,
                                           .service_count = 2,
                                           .endpoint_host = "depot.example",
                                           .patience = 60000,
                                           .begin = begin,
                                           .end = end,
                                           .prepare = prepare,
                                           .got = got,
                                           .give = give,
                                           .holds = holds};
    const char *one = getenv("WRONG");
    int failed = one && *one ? 0 : wrong_none(accord_connector_suite_results(&suite));
    suite.loop_patience = 300;
    suite.patience = 20000;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        if (one && strcmp(one, wrongs[i].name) != 0)
            continue;
        depot_is = (enum depot_wrong)(i + 1);
        suite.case_patience = strcmp(wrongs[i].name, "HANGS") == 0 ? 3000 : 60000;
        setenv("TESTSUITE_CASE", wrongs[i].found, 1);
        failed += wrong_found(&wrongs[i], accord_connector_suite_results(&suite));
    }
    return failed ? 1 : 0;
}
