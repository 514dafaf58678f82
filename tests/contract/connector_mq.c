/* The contract suite on the connector mq, with its connection as it is: TLS, SASL and frames to a broker of our own with
 * two queues (tests/unit/amqp_queues.h), on threads of the case's process. */
#include <accord/testkit/suite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/amqp_queues.h"
#include "unit/tls_allowed.h"
#include "unit/tls_papers.h"
#include "unit/tls_pki.h"
#include "unit/web_server.h"

static struct web *web;
static struct papers papers;

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    papers = papers_make("mq.example");
    web = web_start(
        &(struct web_wish){.certificate = papers.certificate, .key = papers.key, .serve = queues_serve});
    *failed = !web;
    return NULL;
}

static void end(void *arg)
{
    (void)arg;
    web_stop(web);
    queues_empty();
    papers_burn(&papers);
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    testhost_set_wall(host, PKI_NOW * 1000000);
    testhost_endpoint(host, web_port(web));
    allow_tls(host);
    testhost_profile(host, "sasl.mechanisms", "EXTERNAL,PLAIN");
    testhost_secret(host, "trust", papers.root, strlen(papers.root));
    testhost_secret(host, "password", "open sesame", 11);
}

static const char *queue_of(size_t service)
{
    return service == 0 ? "requests" : "answers";
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)name;
    return queues_got(queue_of(service), bytes, size);
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    return queues_put(queue_of(service), name, bytes, size);
}

static bool holds(void *arg, size_t service, const char *name)
{
    (void)arg;
    return queues_hold(queue_of(service), name);
}

int main(void)
{
    static const struct accord_pair link[] = {{"profile", "generic"},     {"user", "acme"},
                                              {"password", "password"},   {"trust", "root.pem"},
                                              {"connect-timeout", "5 s"}, {"answer-timeout", "5 s"},
                                              {"idle-close", "1 s"},      {NULL, NULL}};
    static const struct accord_pair out[] = {{"address", "requests"}, {NULL, NULL}},
                                    in[] = {
                                        {"address", "answers"}, {"rejected", "dead-letter"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, out},
                                                        {"in", "opaque", ACCORD_RECEIVE, in}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_REAL_CLOCK,
                                                 .link_options = link,
                                                 .services = services,
                                                 .service_count = 2,
                                                 .endpoint_host = "mq.example",
                                                 .patience = 15000,
                                                 .loop_patience = 5000,
                                                 .begin = begin,
                                                 .end = end,
                                                 .prepare = prepare,
                                                 .got = got,
                                                 .give = give,
                                                 .holds = holds};
    return accord_connector_suite(&suite) ? 1 : 0;
}
