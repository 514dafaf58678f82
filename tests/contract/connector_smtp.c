/* The contract suite on the connector smtp, against the rehearsal partner (sdk/rehearsal/mail_partner.py): STARTTLS, AUTH
 * PLAIN. Each case has a server of its own.
 */
#include <accord/testkit/suite.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rehearsed.h"
#include "unit/tls_allowed.h"

#define PASSWORD "open sesame"

static char *root;

static const struct accord_pair *begin(void *arg, bool *failed)
{
    static const char *const more[] = {"--user", "acme:" PASSWORD, NULL};
    size_t size = 0;
    (void)arg;
    *failed =
        !rehearsed_begin("mail_partner.py", more) || !(root = rehearsed_read("root.pem", &size)) || size == 0;
    return NULL;
}

static void end(void *arg)
{
    (void)arg;
    rehearsed_end();
    free(root);
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    testhost_set_wall(host, now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000); /* certificates have dates */
    testhost_endpoint(host, rehearsed_port());
    allow_tls(host);
    testhost_profile(host, "sasl.mechanisms", "PLAIN");
    testhost_secret(host, "trust", root, strlen(root));
    testhost_secret(host, "password", PASSWORD, strlen(PASSWORD));
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg, (void)service, (void)name;
    return rehearsed_kept(bytes, size);
}

int main(void)
{
    if (!rehearsed_possible("aiosmtpd"))
        return 77;
    static const struct accord_pair link[] = {
        {"trust", "root.pem"}, {"user", "acme"},      {"password", "password"},
        {"timeout", "5 s"},    {"idle-close", "1 s"}, {"connect-timeout", "5 s"},
        {NULL, NULL}};
    static const struct accord_pair out[] = {
        {"mail-from", "agent@carrier.example"}, {"mail-to", "stow@customs.example"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, out}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_REAL_CLOCK,
                                                 .link_options = link,
                                                 .services = services,
                                                 .service_count = 1,
                                                 .endpoint_host = "localhost",
                                                 .patience = 15000,
                                                 .loop_patience = 5000,
                                                 .begin = begin,
                                                 .end = end,
                                                 .prepare = prepare,
                                                 .got = got};
    return accord_connector_suite(&suite) ? 1 : 0;
}
