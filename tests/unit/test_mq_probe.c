/* `accord probe` of an mq link, and the rules of its options. */
#include "mq_partner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct mq_bench bench;

static const struct accord_pair out[] = {{"address", "requests"}, {NULL, NULL}},
                                in[] = {{"address", "answers"}, {NULL, NULL}};
static const struct mq_service both[] = {{"requests", ACCORD_SEND, out}, {"answers", ACCORD_RECEIVE, in}};

extern const struct accord_plugin accord_plugin;

/* ---- probes ---- */

static void open_and_probe(const struct accord_pair *link)
{
    mq_open(&bench, link, both, 2);
    testhost_stop(bench.host); /* so that only the probe attaches */
    mq_run(&bench);
    assert_true(testhost_probe(bench.host));
}

static void step(size_t index, const char *name, int result, const char *words)
{
    if (index >= testhost_steps(bench.host))
        fail_msg("there is no step %zu: %s", index, name);
    const struct testhost_step *one = testhost_step(bench.host, index);
    assert_string_equal(one->step, name);
    assert_int_equal(one->result, result);
    if (!strstr(one->text, words))
        fail_msg("%s: %s", name, one->text);
}

static void each_queue_is_attached_and_nothing_moves(void **state)
{
    (void)state;
    mq_open(&bench, NULL, both, 1);
    broker.product = "RabbitMQ";
    broker.version = "3.10.8";
    mq_close(&bench);
    open_and_probe(NULL);
    broker_put("answers", "\x00\x53\x75\xa0\x01x", 6);
    mq_run(&bench);
    mq_pass(&bench, 0);
    step(0, "broker", 0, "profile = generic");
    step(1, "requests", 0, "queue requests at broker.example can be sent to; credit 100");
    step(2, "answers", 0, "queue answers at broker.example can be received from");
    assert_int_equal(testhost_steps(bench.host), 3);
    assert_true(testhost_probed(bench.host));
    assert_int_equal(broker_depth("answers"), 1);
    assert_int_equal(broker_links(), 0);
    mq_close(&bench);
}

static void a_witness_is_asked_by_a_probe_too(void **state)
{
    static const struct accord_pair link[] = {
        {"profile", "rabbitmq"}, {"user", "u"}, {"password", "p"}, {NULL, NULL}};
    (void)state;
    open_and_probe(link);
    broker.loses = broker.ends_session = true;
    broker.missing = "requests";
    broker.product = "RabbitMQ";
    broker.version = "3.10.8";
    mq_run(&bench);
    mq_pass(&bench, 0);
    step(0, "broker", 0, "RabbitMQ 3.10.8");
    step(1, "requests", ACCORD_ENOENT, "have it created");
    step(2, "answers", 0, "can be received from");
    assert_null(testhost_incident(bench.host, "mq.not-found")); /* the person is looking already */
    assert_null(testhost_parked(bench.host));
    mq_close(&bench);
}

static void what_fails_is_the_last_step(void **state)
{
    (void)state;
    open_and_probe(NULL);
    broker_hold_open(true);
    broker_refuse(&bench, "tls.untrusted");
    step(0, "tls", ACCORD_ENET, "does not let us in");
    assert_true(testhost_probed(bench.host));
    assert_null(testhost_parked(bench.host));
    mq_close(&bench);
}

static void a_cut_ends_a_probe(void **state)
{
    (void)state;
    open_and_probe(NULL);
    broker.silent_attach = true;
    mq_run(&bench);
    step(0, "broker", 0, "");
    broker_cut(&bench);
    step(1, "requests", ACCORD_EPROTO, "the connection broke");
    assert_true(testhost_probed(bench.host));
    mq_close(&bench);
}

static void silence_is_told(void **state)
{
    (void)state;
    open_and_probe(NULL);
    broker.no_credit = true;
    mq_run(&bench);
    mq_pass(&bench, 60000);
    mq_pass(&bench, 60000);
    step(1, "requests", ACCORD_ETIMEOUT, "gives no credit");
    step(2, "answers", 0, "");
    mq_close(&bench);
    open_and_probe(NULL);
    broker.silent_attach = true;
    mq_run(&bench);
    mq_pass(&bench, 60000);
    step(1, "requests", ACCORD_ETIMEOUT, "not answered the attach");
    mq_close(&bench); /* while it goes on */
}

static void a_probe_that_cannot_dial_ends(void **state)
{
    (void)state;
    mq_open(&bench, NULL, both, 2);
    testhost_stop(bench.host);
    mq_run(&bench);
    broker_fail_open();
    assert_true(testhost_probe(bench.host));
    mq_run(&bench);
    step(0, "connection", ACCORD_ENET, "does not dial");
    mq_close(&bench);
}

/* ---- options ---- */

#define TLS_USER                                                                                             \
    {"user", "u"},                                                                                           \
    {                                                                                                        \
        "password", "p"                                                                                      \
    }

static const char *check_in(const char *agreement, const struct accord_pair *link_written,
                            const struct accord_pair *service_written, enum accord_direction direction)
{
    static char why[ACCORD_REASON_MAX];
    const struct accord_connector *mq = accord_plugin.connector;
    struct testoptions *link = testoptions_new(&mq->link_options, link_written, why, sizeof why);
    struct testoptions *options =
        link ? testoptions_new(&mq->service_options, service_written, why, sizeof why) : NULL;
    if (options) {
        const struct accord_service service = {.name = "s",
                                               .type = "opaque",
                                               .direction = direction,
                                               .options = testoptions_struct(options),
                                               .cursor = ""};
        const struct accord_service *services[] = {&service};
        const struct accord_link_setup setup = {.agreement = agreement,
                                                .name = "mq",
                                                .options = testoptions_struct(link),
                                                .services = services,
                                                .service_count = 1,
                                                .endpoint_host = "broker.example"};
        if (mq->check(&setup, why, sizeof why) == ACCORD_OK)
            why[0] = '\0';
    }
    testoptions_free(options);
    testoptions_free(link);
    return why;
}

static void what_cannot_work_is_found_before(void **state)
{
    static const struct {
        struct accord_pair link[6], service[4];
        const char *words;
    } rows[] = {
        {{{"profile", "generic"}, TLS_USER}, {{"address", "q"}}, ""},
        {{{"profile", "rabbitmq"}, {"certificate", "c"}, {"key", "k"}}, {{"address", "q"}}, ""},
        {{{"profile", "rabbitmq"}, {"certificate", "c"}, {"sasl", "external"}}, {{"address", "q"}}, ""},
        {{{"profile", "ibm-mq"}, TLS_USER, {"certificate", "c"}}, {{"address", "q"}}, ""},
        {{{"user", "u"}, {"password", "p"}}, {{"address", "q"}}, "profile"},
        {{{"profile", "generic"}}, {{"address", "q"}}, "who we are"},
        {{{"profile", "generic"}, {"user", "u"}}, {{"address", "q"}}, "password is missing"},
        {{{"profile", "generic"}, {"password", "p"}}, {{"address", "q"}}, "user is missing"},
        {{{"profile", "generic"}, TLS_USER, {"key", "k"}}, {{"address", "q"}}, "certificate is missing"},
        {{{"profile", "generic"}, TLS_USER, {"key-passphrase", "k"}}, {{"address", "q"}}, "no certificate"},
        {{{"profile", "generic"}, {"sasl", "anonymous"}}, {{"address", "q"}}, "never to a partner"},
        {{{"profile", "generic"}, {"sasl", "plain"}, {"certificate", "c"}},
         {{"address", "q"}},
         "user and password"},
        {{{"profile", "generic"}, {"sasl", "external"}, TLS_USER}, {{"address", "q"}}, "certificate"},
        {{{"profile", "ibm-mq"}, {"sasl", "external"}, {"certificate", "c"}},
         {{"address", "q"}},
         "no SASL EXTERNAL"},
        {{{"profile", "ibm-mq"}, {"certificate", "c"}}, {{"address", "q"}}, "no SASL EXTERNAL"},
        {{{"profile", "ibm-mq"}, TLS_USER, {"container", "a-b"}}, {{"address", "q"}}, "container"},
        {{{"profile", "generic"}, TLS_USER, {"pin", "abc"}}, {{"address", "q"}}, "pin"},
        {{{"profile", "generic"}, TLS_USER}, {{"address", "a b"}}, "without blanks"},
        {{{"profile", "rabbitmq"}, TLS_USER}, {{"address", "/queue/q"}}, "own name"},
        {{{"profile", "artemis"}, TLS_USER}, {{"address", "/queue/q"}}, ""},
        {{{"profile", "generic"}, TLS_USER}, {{"address", "q"}, {"name-property", "a b"}}, "name-property"},
        {{{"profile", "generic"}, TLS_USER}, {{"address", "q"}, {"properties", "a, b c"}}, "properties"},
    };
    static const struct accord_pair ibm[] = {{"profile", "ibm-mq"}, TLS_USER, {NULL, NULL}};
    static const struct accord_pair dead[] = {{"address", "q"}, {"rejected", "dead-letter"}, {NULL, NULL}};
    static const struct accord_pair nobody[] = {{"profile", "generic"}, {"sasl", "anonymous"}, {NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = check_in("cbp", rows[i].link, rows[i].service, ACCORD_SEND);
        if (rows[i].words[0] ? !strstr(why, rows[i].words) : why[0] != '\0')
            fail_msg("%zu: \"%s\", not \"%s\"", i, why, rows[i].words);
    }
    assert_non_null(strstr(check_in("cbp", ibm, dead, ACCORD_RECEIVE), "accepted"));
    assert_string_equal(check_in("site", nobody, out, ACCORD_SEND), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_queue_is_attached_and_nothing_moves),
        cmocka_unit_test(a_witness_is_asked_by_a_probe_too),
        cmocka_unit_test(what_fails_is_the_last_step),
        cmocka_unit_test(a_cut_ends_a_probe),
        cmocka_unit_test(silence_is_told),
        cmocka_unit_test(a_probe_that_cannot_dial_ends),
        cmocka_unit_test(what_cannot_work_is_found_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
