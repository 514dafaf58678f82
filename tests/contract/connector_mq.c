/* The contract suite on the connector mq, with its connection as it is: TLS, SASL and frames to a broker of our own with
 * two queues (tests/unit/amqp_queues.h), on threads of the case's process. */
#include <accord/testkit/suite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/amqp_queues.h"
#include "unit/tls_pki.h"
#include "unit/web_server.h"

#define FOR_AGES .from = -3650, .until = 36500

static struct web *web;
static char *trust, *chain, *key;

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    struct pki root = pki_make(&(struct pki_wish){.name = "root", .role = PKI_CA, FOR_AGES});
    struct pki server = pki_make(
        &(struct pki_wish){.name = "mq.example", .hosts = "DNS:mq.example", .issuer = &root, FOR_AGES});
    trust = pki_pem(&root);
    chain = pki_pem(&server);
    key = pki_key_pem(&server, NULL);
    web = web_start(&(struct web_wish){.certificate = chain, .key = key, .serve = queues_serve});
    *failed = !web;
    return NULL;
}

static void end(void *arg)
{
    (void)arg;
    web_stop(web);
    queues_empty();
    free(trust);
    free(chain);
    free(key);
    pki_sweep();
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    testhost_set_wall(host, PKI_NOW * 1000000);
    testhost_endpoint(host, web_port(web));
    testhost_profile(host, "tls.versions", "1.3,1.2");
    testhost_profile(host, "tls.ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384");
    testhost_profile(host, "tls.suites", "TLS_AES_256_GCM_SHA384");
    testhost_profile(host, "tls.groups", "P-384,P-256,X25519");
    testhost_profile(host, "tls.signatures", "ECDSA+SHA384,ECDSA+SHA256");
    testhost_profile(host, "tls.rsa-bits", "2048");
    testhost_profile(host, "tls.ec-bits", "256");
    testhost_profile(host, "tls.client-certificate", "allowed");
    testhost_profile(host, "sasl.mechanisms", "EXTERNAL,PLAIN");
    testhost_secret(host, "trust", trust, strlen(trust));
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
