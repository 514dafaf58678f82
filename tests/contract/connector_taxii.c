/* The contract suite on the connector taxii, against the rehearsal partner (sdk/rehearsal/taxii_partner.py): mutual TLS, an
 * inbox, a feed. Each case has a server of its own, whose feed is empty.
 */
#include <accord/testkit/suite.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rehearsed.h"
#include "unit/tls_allowed.h"

static char *secrets[3];
static const char *const options[] = {"trust", "certificate", "key"};

/* The client's papers are written behind the server's. */
static bool written(const char *name)
{
    for (int i = 0; i < 50 && access(rehearsed_path(name), R_OK) < 0; i++)
        usleep(10000);
    return access(rehearsed_path(name), R_OK) == 0;
}

static const struct accord_pair *begin(void *arg, bool *failed)
{
    static const char *const names[] = {"root.pem", "client.pem", "client.key"}, *const more[] = {"--escaped",
                                                                                                  NULL};
    (void)arg;
    *failed = !rehearsed_begin("taxii_partner.py", more) || !written("client.key");
    for (int i = 0; !*failed && i < 3; i++) {
        size_t size;
        secrets[i] = rehearsed_read(names[i], &size);
        *failed = size == 0;
    }
    return NULL;
}

static void end(void *arg)
{
    (void)arg;
    rehearsed_end();
    for (int i = 0; i < 3; i++)
        free(secrets[i]);
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    /* Certificates and the feed have dates. */
    testhost_set_wall(host, now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000);
    testhost_endpoint(host, rehearsed_port());
    allow_tls(host);
    testhost_profile(host, "tls.client-certificate", "required");
    for (int i = 0; i < 3; i++)
        testhost_secret(host, options[i], secrets[i], strlen(secrets[i]));
}

/* ---- what it has, and what it is to give ---- */

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)service, (void)name;
    return rehearsed_kept(bytes, size);
}

static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    char file[300], order[500];
    (void)arg, (void)service;
    snprintf(file, sizeof file, "give/%.200s", name);
    int fd = open(rehearsed_path(file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool whole = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    snprintf(order, sizeof order, "{\"feed\": \"%s\"}\n", rehearsed_path(file));
    return whole && rehearsed_tell(order);
}

/* Nothing is done to a feed by reading it. */
static bool holds(void *arg, size_t service, const char *name)
{
    (void)arg, (void)service, (void)name;
    return true;
}

int main(void)
{
    if (!rehearsed_possible(""))
        return 77;
    static const struct accord_pair link[] = {{"trust", "root.pem"},
                                              {"certificate", "client.pem"},
                                              {"key", "client.key"},
                                              {"collections", "/flare/taxii11/collection-management"},
                                              {"poll", "/flare/taxii11/poll"},
                                              {"timeout", "5 s"},
                                              {"connect-timeout", "5 s"},
                                              {"idle-close", "1 s"},
                                              {NULL, NULL}};
    static const struct accord_pair out[] = {{"collection", "AIS_INGEST"}, {"form", "escaped"}, {NULL, NULL}};
    static const struct accord_pair in[] = {
        {"collection", "AIS"}, {"poll", "200 ms"}, {"settle", "0 s"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, out},
                                                        {"in", "opaque", ACCORD_RECEIVE, in}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_REAL_CLOCK,
                                                 .flags = TESTSUITE_TEXT,
                                                 .link_options = link,
                                                 .services = services,
                                                 .service_count = 2,
                                                 .endpoint_host = "localhost",
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
