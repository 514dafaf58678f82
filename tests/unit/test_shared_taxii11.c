/* Exchanges with servers and messages of other people, kept outside of the project; not run (77) where they are absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "answer_trace.h"
#include "common/xml/xml.h"

static char folder[512];

/* A whole file; heap, NUL-terminated. */
static char *read_file(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is not there", path);
    char *text = calloc(1, 4 << 20);
    assert_true(text && fread(text, 1, (4 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static const struct {
    const char *name;
    int asked, error; /* of reading the request, and the answer */
    const char *told; /* how what is told begins; or in the reason */
    int lines;        /* that begin with "instance", "collection" or "block" */
} exchanges[] = {
    {"t11-01-discovery", 0, 0, "instance DISCOVERY urn:taxii.mitre.org:services:1.1 ", 10},
    {"t11-02-discovery-ext-headers", 0, 0, "instance DISCOVERY ", 10},
    {"t11-03-collection-info", 0, 0, "collection ", 2},
    {"t11-04-inbox-ais-ingest", 0, 0, "status SUCCESS \"\"\n", 0},
    {"t11-05-inbox-ais-5blocks", 0, 0, "status SUCCESS \"\"\n", 0},
    {"t11-06-inbox-no-dest", 0, 0,
     "status DESTINATION_COLLECTION_ERROR \"A Destination_Collection_Name is required", 0},
    {"t11-07-inbox-unknown-dest", 0, 0, "status NOT_FOUND \"Collection NO_SUCH was not found\"\n", 0},
    {"t11-08-inbox-unsupported-binding", 0, 0, "status SUCCESS \"\"\n", 0},
    {"t11-09-inbox-nodest-service-with-dest", 0, 0, "status DESTINATION_COLLECTION_ERROR \"Dest", 0},
    {"t11-10-poll-full-part1", 0, 0,
     "poll AIS result=1662542614448597411 subscription= more part=1 "
     "(2020-01-01T00:00:00+00:00, 2099-01-01T00:00:00+00:00] count=5 \"\"\n",
     2},
    {"t11-11-poll-fulfillment-part2", 0, 0, "poll AIS result=1662542614448597411 subscription= more part=2 ",
     2},
    {"t11-12-poll-fulfillment-part3", 0, 0, "poll AIS result=1662542614448597411 subscription= part=3 ", 1},
    {"t11-13-poll-fulfillment-part4", 0, 0, "poll AIS result=1662542614448597411 subscription= part=4 ", 0},
    {"t11-14-poll-fulfillment-bad-result", 0, 0, "status NOT_FOUND \"\" ITEM=urn:uuid:nope\n", 0},
    {"t11-15-poll-count-only", 0, 0,
     "poll AIS result=421470690589243529 subscription= more part=1 (, ] count=5 ", 0},
    {"t11-16-poll-bad-binding", 0, 0,
     "status UNSUPPORTED_CONTENT \"\" SUPPORTED_CONTENT=urn:stix.mitre.org:xml:1.1.1\n", 0},
    {"t11-17-poll-unknown-collection", 0, 0,
     "status NOT_FOUND \"Requested collection was not found\" ITEM=NO_SUCH\n", 0},
    {"t11-18-poll-begin-after-end", 0, 0, "status FAILURE \"Exclusive begin timestamp label is later", 0},
    {"t11-19-subscribe", 0, ACCORD_EPROTO, "Subscription_Management_Response is no answer", 0},
    {"t11-20-subscription-status", 0, ACCORD_EPROTO, "Subscription_Management_Response is no answer", 0},
    {"t11-21-malformed", ACCORD_EFORMAT, 0, "status BAD_MESSAGE \"Request was invalid XML\"\n", 0},
    {"t11-22-xxe", ACCORD_EFORMAT, 0, "status BAD_MESSAGE \"Request was invalid XML\"\n", 0},
    {"t11-23-bad-credentials", 0, 0, "status UNAUTHORIZED \"\"\n", 0},
    {"t11-24-inbox-not-permitted", 0, 0, "status NOT_FOUND \"Collection AIS_INGEST was not found\"\n", 0},
    {"t11-25-wrong-message-for-service", 0, 0, "status FAILURE \"Message not supported by this service\"\n",
     0},
    {"t11-26-bad-path", 0, ACCORD_EFORMAT, "this is no TAXII message: line 1: DOCTYPE is not allowed", 0},
    {"t11-27-bad-x-taxii-accept", 0, 0, "status FAILURE \"The specified value of X-TAXII-Accept", 0},
};

/* What follows the first empty line, and all others right behind it. */
static char *body_of(char *message)
{
    char *unix_end = strstr(message, "\n\n"), *end = strstr(message, "\r\n\r\n");
    char *body = end && (!unix_end || end < unix_end) ? end : unix_end;
    assert_non_null(body);
    return body + strspn(body, "\r\n");
}

static int read_xml(const char *text, size_t size)
{
    static const struct xml_limits limits = XML_LIMITS;
    struct xml_reader *reader = xml_reader_new(&limits, &(struct xml_events){NULL, NULL, NULL}, NULL);
    assert_non_null(reader);
    int error = xml_feed(reader, (const uint8_t *)text, size);
    if (!error)
        error = xml_finish(reader);
    xml_reader_free(reader);
    return error;
}

static int count_lines(const char *calls)
{
    static const char *const heads[] = {"instance ", "collection ", "block "};
    int count = 0;
    for (const char *line = calls; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        for (size_t i = 0; i < 3; i++)
            count += !strncmp(line, heads[i], strlen(heads[i]));
    return count;
}

/* Every content stands in the answer byte for byte: the envelopes declare nothing but TAXII's own namespaces. */
static void check_contents(const char *calls, const char *answer)
{
    for (const char *at = calls; (at = strstr(at, "\n[<")); at++) {
        const char *end = strstr(at, "]\nend ");
        assert_non_null(end);
        assert_non_null(memmem(answer, strlen(answer), at + 2, (size_t)(end - at - 2)));
    }
}

static void check_exchange(size_t i)
{
    char name[128], id[128] = "";
    snprintf(name, sizeof name, "exchanges/%s.http", exchanges[i].name);
    char *text = read_file(name), *answer = strstr(text, "### RESPONSE");
    assert_non_null(answer);
    *answer++ = 0;
    const char *request = body_of(text), *given = strstr(request, "message_id=\"");
    assert_int_equal(read_xml(request, strlen(request)), exchanges[i].asked);
    if (given)
        sscanf(given, "message_id=\"%127[^\"]", id);
    answer = body_of(answer);
    struct answer_trace trace = answer_trace_all(answer, strlen(answer), id, 1 << 20);
    if (trace.error != exchanges[i].error)
        fail_msg("%s: %d %s", name, trace.error, trace.why);
    const char *told = strstr(trace.error ? trace.why : trace.calls, exchanges[i].told);
    if (!told || (!trace.error && told != trace.calls))
        fail_msg("%s: %.300s", name, trace.error ? trace.why : trace.calls);
    if (!trace.error && count_lines(trace.calls) != exchanges[i].lines)
        fail_msg("%s: %d: %s", name, count_lines(trace.calls), trace.calls);
    if (!trace.error)
        check_contents(trace.calls, answer);
    answer_trace_free(&trace);
    free(text);
}

static void captured_answers_tell_what_they_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
        check_exchange(i);
}

static void messages_of_others_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id;
        int xml, error;
        const char *told;
    } messages[] = {
        {"libtaxii-tests/Discovery_Response", "urn:uuid:ac4d80f4-3dd4-47fb-81ed-67cd49911de2", 0, 0,
         "instance INBOX"},
        /* It answers message "0", which only a status may. */
        {"libtaxii-tests/Collection_Information_Response", "1", 0, ACCORD_EPROTO, "answers message \"0\""},
        {"libtaxii-tests/Inbox_Message", "1", 0, ACCORD_EPROTO, "Inbox_Message is no answer"},
        {"libtaxii-tests/Subscription_Management_Response", "1", 0, ACCORD_EPROTO, "is no answer"},
        {"handwritten/inbox-ais-5blocks", "1", 0, ACCORD_EPROTO, "Inbox_Message is no answer"},
        {"handwritten/malformed", "1", ACCORD_EFORMAT, ACCORD_EPROTO, "Discovery_Request is no answer"},
        {"handwritten/hostile-xxe", "1", ACCORD_EFORMAT, ACCORD_EFORMAT, "DOCTYPE is not allowed"},
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        char name[128];
        snprintf(name, sizeof name, "taxii11/%s.xml", messages[i].name);
        char *text = read_file(name);
        assert_int_equal(read_xml(text, strlen(text)), messages[i].xml);
        struct answer_trace trace = answer_trace_all(text, strlen(text), messages[i].id, 1 << 20);
        if (trace.error != messages[i].error ||
            !strstr(trace.error ? trace.why : trace.calls, messages[i].told))
            fail_msg("%s: %d %s%s", name, trace.error, trace.why, trace.calls ? trace.calls : "");
        answer_trace_free(&trace);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_answers_tell_what_they_hold),
        cmocka_unit_test(messages_of_others_are_read),
    };
    const char *shared = getenv("ACCORD_SHARED"), *source = getenv("ACCORD_SOURCE");
    if (shared)
        snprintf(folder, sizeof folder, "%s/data", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data", source ? source : ".");
    char probe[600];
    snprintf(probe, sizeof probe, "%s/exchanges", folder);
    if (access(probe, R_OK)) {
        printf("not run: no TAXII exchanges in %s\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
