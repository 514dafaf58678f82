#include "taxii_partner.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "connectors/taxii/taxii.h"

/* ---- http.h ---- */

struct http_call {
    struct http_call *next;
    const struct http_request *request;
    char *body, *lines;
    size_t body_size;
    bool readied, whole, stuck, canceled, headed, ended, paused, taxii;
    long status;
    size_t given; /* of the lines */
    const char *type;
    struct http_result result;
    char reason[ACCORD_REASON_MAX], rule[ACCORD_RULE_MAX];
};

struct http {
    struct http_settings settings;
};

static struct http_call *calls;
static struct http *the_http;
static unsigned begun, dropped, fails;
static bool takes_whole;

struct http *http_new(const struct http_settings *settings)
{
    struct http *http = calloc(1, sizeof *http);
    http->settings = *settings;
    the_http = http;
    return http;
}

static void free_call(struct http_call *call)
{
    struct http_call **at = &calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    free(call->body);
    free(call->lines);
    free(call);
}

void http_free(struct http *http)
{
    while (http && calls)
        free_call(calls);
    free(http);
    the_http = NULL;
}

struct http_call *http_begin(struct http *http, const struct http_request *request)
{
    struct http_call **at = &calls;
    (void)http;
    if (fails && !--fails)
        return NULL;
    while (*at)
        at = &(*at)->next;
    *at = calloc(1, sizeof **at);
    (*at)->request = request;
    (*at)->body = calloc(1, 1);
    begun++;
    return *at;
}

void http_cancel(struct http_call *call, const char *reason)
{
    call->canceled = true;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
}

void http_go_on(struct http_call *call)
{
    call->stuck = call->paused = false;
}

const char *http_header(const struct http_call *call, const char *name)
{
    if (strcasecmp(name, "X-TAXII-Content-Type") == 0)
        return call->taxii ? "urn:taxii.mitre.org:message:xml:1.1" : NULL;
    return strcasecmp(name, "Content-Type") == 0 ? call->type : NULL;
}

void http_drop_idle(struct http *http)
{
    (void)http;
    dropped++;
}

void http_tell_steps(struct http_call *call, http_step_fn step, void *arg)
{
    (void)call;
    if (step)
        step(arg, "connect", 0, "taxii.example:8443");
}

/* ---- running ---- */

static bool take_whole(struct http_call *call)
{
    const struct http_request *request = call->request;
    const uint8_t *bytes = request->whole(request->arg);
    if (!bytes)
        return false;
    call->body = realloc(call->body, (size_t)request->size + 1);
    memcpy(call->body, bytes, (size_t)request->size);
    call->body_size = (size_t)request->size;
    call->body[call->body_size] = '\0';
    call->whole = true;
    request->leaves(request->arg);
    return true;
}

static bool pull_body(struct http_call *call)
{
    uint8_t piece[5000];
    if (!call->readied) {
        call->readied = true;
        call->request->ready(call->request->arg, NULL);
        return true;
    }
    if (call->whole || call->stuck || call->canceled)
        return false;
    if (takes_whole)
        return take_whole(call);
    ptrdiff_t got = call->request->body(call->request->arg, piece, sizeof piece);
    assert_true(got <= (ptrdiff_t)sizeof piece);
    call->whole = got == HTTP_END;
    call->stuck = got == 0;
    if (got == HTTP_ABORT)
        http_cancel(call, "aborted");
    if (got <= 0)
        return got == HTTP_ABORT || got == HTTP_END;
    call->body = realloc(call->body, call->body_size + (size_t)got + 1);
    memcpy(call->body + call->body_size, piece, (size_t)got);
    call->body_size += (size_t)got;
    call->body[call->body_size] = '\0';
    return true;
}

static void finish(struct http_call *call, enum http_end end)
{
    const struct http_request *request = call->request;
    const struct http_result result = {.end = end,
                                       .status = end == HTTP_ANSWERED ? call->status : 0,
                                       .rule = call->rule,
                                       .reason = call->reason};
    if (end == HTTP_ANSWERED && call->whole && request->size >= 0)
        assert_int_equal(request->size, call->body_size); /* as it was declared */
    request->done(request->arg, &result);
    free_call(call);
}

/* A line at a time, as small packets would bring them. */
static bool give_answer(struct http_call *call)
{
    if (!call->status || call->paused)
        return false;
    if (!call->headed) {
        call->headed = true;
        if (call->request->head(call->request->arg, call, call->status) != 0)
            http_cancel(call, "the head was not taken");
        return true;
    }
    const char *from = call->lines ? call->lines + call->given : "";
    size_t size = *from ? strcspn(from, "\n") + (strchr(from, '\n') != NULL) : 0;
    if (!size)
        return false;
    int result = call->request->answer(call->request->arg, (const uint8_t *)from, size);
    call->paused = result == HTTP_PAUSE;
    if (result != HTTP_PAUSE)
        call->given += size;
    if (result != 0 && result != HTTP_PAUSE)
        http_cancel(call, "the answer was not taken");
    return true;
}

static bool run_call(struct http_call *call)
{
    if (call->canceled) {
        finish(call, HTTP_CANCELED);
        return true;
    }
    if (pull_body(call) || give_answer(call))
        return true;
    if (!call->ended || (call->status && call->lines && call->lines[call->given]))
        return false;
    finish(call, call->result.end);
    return true;
}

static bool run_partner(void)
{
    for (struct http_call *call = calls; call; call = call->next)
        if (run_call(call))
            return true;
    return false;
}

void ais_run(struct ais_bench *bench)
{
    for (int idle = 0, turns = 0; idle < 3; idle++) {
        if (turns++ > 20000)
            fail_msg("it never comes to rest");
        testhost_advance(bench->host, 0);
        testhost_turn(bench->host);
        while (run_partner())
            idle = -1;
    }
}

void ais_pass(struct ais_bench *bench, int64_t ms)
{
    testhost_advance(bench->host, ms);
    ais_run(bench);
}

/* ---- looking ---- */

size_t partner_waiting(void)
{
    size_t count = 0;
    for (const struct http_call *call = calls; call; call = call->next)
        count++;
    return count;
}

unsigned partner_asked(void)
{
    return begun;
}

struct http_call *partner_call(size_t index)
{
    struct http_call *call = calls;
    while (call && index--)
        call = call->next;
    assert_non_null(call);
    return call;
}

const char *partner_path(const struct http_call *call)
{
    return call->request->path;
}

const char *partner_body(const struct http_call *call)
{
    return call->body;
}

bool partner_whole(const struct http_call *call)
{
    return call->whole;
}

int64_t partner_declared(const struct http_call *call)
{
    return call->request->size;
}

bool partner_again(const struct http_call *call)
{
    return call->request->again;
}

bool partner_canceled(const struct http_call *call)
{
    return call->canceled;
}

bool partner_paused(const struct http_call *call)
{
    return call->paused;
}

void partner_fail_begin(void)
{
    fails = 1;
}

void partner_takes_whole(void)
{
    takes_whole = true;
}

unsigned partner_dropped(void)
{
    return dropped;
}

void partner_certificate(int64_t until)
{
    the_http->settings.certificate_until(the_http->settings.arg, until);
}

/* ---- answering ---- */

static void put(struct http_call *call, const char *lines)
{
    size_t had = call->lines ? strlen(call->lines) : 0;
    call->lines = realloc(call->lines, had + strlen(lines) + 1);
    memcpy(call->lines + had, lines, strlen(lines) + 1);
}

void answer_begin(struct ais_bench *bench, const char *lines)
{
    struct http_call *call = partner_call(0);
    call->taxii = true;
    call->type = "application/xml; charset=utf-8";
    call->status = 200;
    put(call, lines);
    ais_run(bench);
}

void answer_code(struct ais_bench *bench, long status, const char *lines)
{
    struct http_call *call = partner_call(0);
    call->taxii = true;
    call->type = "application/xml";
    call->status = status;
    call->ended = true;
    call->result.end = HTTP_ANSWERED;
    put(call, lines);
    ais_run(bench);
}

void answer(struct ais_bench *bench, const char *lines)
{
    answer_code(bench, 200, lines);
}

void answer_page(struct ais_bench *bench, long status, const char *type, const char *page)
{
    struct http_call *call = partner_call(0);
    call->taxii = false;
    call->type = type;
    call->status = status;
    call->ended = true;
    call->result.end = HTTP_ANSWERED;
    put(call, page);
    ais_run(bench);
}

void answer_end(struct ais_bench *bench, enum http_end end, const char *rule, const char *reason)
{
    struct http_call *call = partner_call(0);
    call->ended = true;
    call->result.end = end;
    snprintf(call->rule, sizeof call->rule, "%s", rule);
    snprintf(call->reason, sizeof call->reason, "%s", reason);
    ais_run(bench);
}

void answer_catalogue(struct ais_bench *bench)
{
    static const char base[] = "https://taxii.example:8443";
    char lines[1000];
    if (strcmp(partner_path(partner_call(0)), "/disc") == 0) {
        snprintf(lines, sizeof lines,
                 "INSTANCE INBOX|%s/inbox|urn:stix.mitre.org:xml:1.1.1\nINSTANCE POLL|%s/poll|\n"
                 "INSTANCE COLLECTION_MANAGEMENT|%s/coll|\n",
                 base, base, base);
        answer(bench, lines);
    }
    assert_string_equal(partner_path(partner_call(0)), "/coll");
    snprintf(
        lines, sizeof lines,
        "COLLECTION AIS|feed|%s/poll||urn:stix.mitre.org:xml:1.1.1\n"
        "COLLECTION AIS_INGEST|feed||%s/inbox|urn:stix.mitre.org:xml:1.1.1\nCOLLECTION SET|set|%s/poll||\n",
        base, base, base);
    answer(bench, lines);
}

/* ---- the bench ---- */

void ais_open(struct ais_bench *bench, const struct accord_pair *link, const struct ais_service *services,
              size_t count)
{
    static const struct accord_pair paths[] = {
        {"trust", "trust.pem"}, {"inbox", "/inbox"}, {"poll", "/poll"}, {NULL, NULL}};
    const struct accord_connector *connector = accord_plugin.connector;
    char why[ACCORD_REASON_MAX];
    begun = dropped = fails = 0;
    takes_whole = false;
    calls = NULL; /* of a test that has failed */
    bench->options[4] = testoptions_new(&connector->link_options, link ? link : paths, why, sizeof why);
    if (!bench->options[4])
        fail_msg("%s", why);
    for (size_t i = 0; i < count; i++) {
        bench->options[i] =
            testoptions_new(&connector->service_options, services[i].options, why, sizeof why);
        if (!bench->options[i])
            fail_msg("%s", why);
        bench->services[i] = (struct accord_service){.name = services[i].name,
                                                     .type = "stix-1",
                                                     .direction = services[i].direction,
                                                     .options = testoptions_struct(bench->options[i]),
                                                     .max_size = 64 << 20,
                                                     .cursor = bench->cursor};
        bench->pointers[i] = &bench->services[i];
    }
    bench->setup = (struct accord_link_setup){.agreement = "cisa-ais",
                                              .name = "taxii",
                                              .options = testoptions_struct(bench->options[4]),
                                              .services = bench->pointers,
                                              .service_count = count,
                                              .endpoint_host = "taxii.example",
                                              .endpoint_port = 8443};
    bench->host = testhost_new(connector, TESTHOST_VIRTUAL_CLOCK);
    if (testhost_open(bench->host, &bench->setup) < 0)
        fail_msg("%s", testhost_why(bench->host));
}

void ais_open_submit(struct ais_bench *bench, const struct accord_pair *link,
                     const struct accord_pair *options)
{
    static const struct accord_pair plain[] = {{"collection", "AIS_INGEST"}, {NULL, NULL}};
    const struct ais_service service = {"submit", ACCORD_SEND, options ? options : plain};
    memset(bench, 0, sizeof *bench);
    ais_open(bench, link, &service, 1);
    ais_start(bench);
}

void ais_start(struct ais_bench *bench)
{
    testhost_start(bench->host);
    ais_run(bench);
}

void ais_close(struct ais_bench *bench)
{
    testhost_close(bench->host);
    assert_int_equal(testhost_complaints(bench->host), 0);
    testhost_free(bench->host);
    for (size_t i = 0; i < 5; i++)
        testoptions_free(bench->options[i]);
    assert_null(calls);
}

struct accord_delivery *ais_send(struct ais_bench *bench, const char *id, const char *bytes)
{
    const struct testhost_message message = {
        .id = id, .type = "stix-1", .name = "x.xml", .bytes = bytes, .size = strlen(bytes)};
    return testhost_deliver(bench->host, 0, &message);
}

struct accord_delivery *ais_send_one(struct ais_bench *bench, const char *id)
{
    struct accord_delivery *delivery = ais_send(bench, id, "<?xml version='1.0'?><a/>");
    ais_run(bench);
    return delivery;
}

void ais_ended(const struct accord_delivery *delivery, enum accord_outcome outcome, const char *words)
{
    const char *said = outcome == ACCORD_DELIVERED ? delivery->receipt : delivery->reason;
    if (!delivery->finished || delivery->outcome != outcome || !strstr(said, words))
        fail_msg("it is %sfinished: %d, %s", delivery->finished ? "" : "not ", delivery->outcome, said);
}
