/* Records: what stands in them, how long they may become, and that they read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/chain.h"
#include "audit/line.h"
#include "audit/record.h"
#include "util/clock.h"

#include <cmocka.h> /* last: its fail() is a macro */

static struct line read_back(const struct buf *rendered)
{
    struct buf whole = {0};
    struct line line;
    struct reason why = {0};
    buf_put(&whole, rendered->data, rendered->size);
    buf_byte(&whole, '}');
    if (line_parse(&line, (const char *)whole.data, whole.size, &why))
        fail_msg("%s in %.*s", why.text, (int)whole.size, (const char *)whole.data);
    buf_fini(&whole);
    return line;
}

static void renders_ecs_names_in_order(void **state)
{
    (void)state;
    struct accord_pair details[] = {{"window", "open"}};
    struct audit_event event = {.action = AUDIT_ADMITTED,
                                .time = 1741953600123456,
                                .agreement = "cbp-isa",
                                .service = "stow-plan",
                                .message = "01",
                                .name = "plan.edi",
                                .type = "stow-plan",
                                .sha256 = "ab",
                                .size = 0,
                                .reason = "",
                                .details = details,
                                .detail_count = 1};
    struct buf line = {0};
    audit_host_set("gate1", "192.0.2.7");
    audit_render(&line, &event);
    assert_string_equal(
        buf_string(&line),
        "{\"@timestamp\":\"2025-03-14T12:00:00.123456Z\",\"event.action\":\"message-admitted\","
        "\"event.category\":\"file\",\"event.outcome\":\"success\",\"host.name\":\"gate1\","
        "\"host.ip\":\"192.0.2.7\",\"accord.agreement\":\"cbp-isa\",\"accord.service\":\"stow-plan\","
        "\"accord.message\":\"01\",\"accord.name\":\"plan.edi\",\"accord.type\":\"stow-plan\","
        "\"accord.sha256\":\"ab\",\"accord.size\":0,\"accord.details.window\":\"open\"");
    buf_fini(&line);
}

static void put_part(struct buf *line, const struct audit_part *part)
{
    buf_put(line, part->data, part->size);
}

/* Whoever puts a record together from its parts gets the same. */
static void assert_apart(const struct audit_event *event, const struct buf *whole)
{
    struct buf rest = {0}, line = {0};
    struct audit_shared shared;
    buf_text(&rest, "before");
    audit_render_apart(&rest, event, &shared);
    assert_false(rest.failed);
    buf_put(&line, rest.data + 6, shared.at);
    put_part(&line, &shared.parts[0]);
    put_part(&line, &shared.parts[1]);
    buf_put(&line, rest.data + 6 + shared.at, rest.size - 6 - shared.at);
    assert_int_equal(line.size, whole->size);
    assert_memory_equal(line.data, whole->data, whole->size);
    buf_fini(&rest);
    buf_fini(&line);
}

/* What records of one kind have in common is kept from one to the next. */
static void a_record_is_the_same_each_time_and_nobody_else_s(void **state)
{
    static const char *const names[] = {"east", "west"};
    static const char *const outcomes[] = {"success", "failure"};
    (void)state;
    for (unsigned turn = 0; turn < 256; turn++) {
        unsigned at = turn / 2,
                 i = (at ^ at >> 1) & 63; /* each differs in at most one thing from the one before */
        char expected[512], link[8] = "in", service[8] = "first";
        const char *host = i & 32 ? "gate2" : "gate1";
        if (i & 8)
            link[0] = 'o';
        if (i & 16)
            service[0] = 'b';
        struct audit_event event = {.action = i & 1 ? AUDIT_DELIVERED : AUDIT_ADMITTED,
                                    .outcome = i & 2 ? AUDIT_FAILURE : AUDIT_SUCCESS,
                                    .time = 1741953600123456,
                                    .agreement = names[i >> 2 & 1],
                                    .link = link,
                                    .service = service,
                                    .message = "01",
                                    .rule = turn >= 128 && turn & 1 ? "some.rule" : ""};
        struct buf line = {0};
        if (!turn || strcmp(audit_host_name(), host) != 0)
            audit_host_set(host, NULL);
        audit_render(&line, &event);
        snprintf(expected, sizeof expected,
                 "{\"@timestamp\":\"2025-03-14T12:00:00.123456Z\",\"event.action\":\"message-%s\","
                 "\"event.category\":\"file\",\"event.outcome\":\"%s\",\"host.name\":\"%s\"%s,"
                 "\"accord.agreement\":\"%s\",\"accord.link\":\"%s\",\"accord.service\":\"%s\","
                 "\"accord.message\":\"01\"",
                 i & 1 ? "delivered" : "admitted", outcomes[i >> 1 & 1], host,
                 *event.rule ? ",\"rule.name\":\"some.rule\"" : "", names[i >> 2 & 1], link, service);
        assert_string_equal(buf_string(&line), expected);
        assert_apart(&event, &line);
        buf_fini(&line);
    }
}

/* The first record fills it, and what the others say of the message is that. */
static void what_is_kept_of_a_message_stands_in_all_its_records(void **state)
{
    struct buf kept = {0}, first = {0}, second = {0}, alone = {0};
    struct audit_shared shared;
    (void)state;
    struct audit_event event = {.action = AUDIT_ADMITTED,
                                .time = 1741953600123456,
                                .agreement = "east",
                                .link = "in",
                                .service = "first",
                                .message = "01",
                                .name = "a \"name\"",
                                .type = "opaque",
                                .sha256 = "00ff",
                                .size = 7,
                                .receipt = "250 taken"};
    audit_render(&alone, &event);
    event.kept = &kept;
    audit_render_apart(&first, &event, &shared);
    assert_ptr_equal(shared.parts[1].data, kept.data);
    assert_int_equal(shared.parts[1].size, kept.size);
    assert_int_equal(first.size + shared.parts[0].size + kept.size, alone.size);
    assert_apart(&event, &alone);
    audit_render(&second, &event);
    assert_int_equal(second.size, alone.size);
    assert_memory_equal(second.data, alone.data, alone.size);
    buf_fini(&kept);
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&alone);
}

/* Wherever they stand, in a value or in the name of a detail. */
static void what_needs_an_escape_gets_one(void **state)
{
    static const char *const odd[] = {"\"", "\\", "\x1f", "\x7f", "\xc2\xa0", "\xff"};
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        char value[40] = {0}, name[40] = {0};
        size_t size = 1 + i % 20, at = i % size;
        memset(value, 'v', size);
        memcpy(value + at, odd[i % 6], strlen(odd[i % 6]));
        memset(name, 'n', size);
        memcpy(name + at, odd[i / 6 % 4], strlen(odd[i / 6 % 4]));
        struct accord_pair details[] = {{name, "plain"}, {"plain", value}};
        struct audit_event event = {.action = AUDIT_ADMITTED, .details = details, .detail_count = 2};
        struct buf buf = {0}, plain = {0};
        audit_render(&buf, &event);
        struct line line = read_back(&buf);
        buf_format(&plain, "accord.details.%s", name);
        assert_string_equal(line_get(&line, buf_string(&plain)), "plain");
        if (odd[i % 6][0] != (char)0xff) /* which is not UTF-8, and replaced */
            assert_string_equal(line_get(&line, "accord.details.plain"), value);
        line_fini(&line);
        buf_fini(&plain);
        buf_fini(&buf);
    }
}

static void every_field_reads_back(void **state)
{
    (void)state;
    struct audit_event event = {
        .action = AUDIT_COMMAND,
        .outcome = AUDIT_FAILURE,
        .time = 1,
        .link = "l",
        .rule = "a.b",
        .module = "m",
        .reason = "line\none \"two\" \\ \xff \xe2\x82\xac \xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81",
        .receipt = "250 ok",
        .user = "root",
        .source_address = "192.0.2.1:22",
        .destination_address = "[2001:db8::1]:22"};
    const char *expected[][2] = {
        {"@timestamp", "1970-01-01T00:00:00.000001Z"},
        {"event.action", "command"},
        {"event.category", "iam"},
        {"event.outcome", "failure"},
        {"accord.link", "l"},
        {"rule.name", "a.b"},
        {"accord.module", "m"},
        {"event.reason",
         "line\none \"two\" \\ \xef\xbf\xbd \xe2\x82\xac \xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81"},
        {"accord.receipt", "250 ok"},
        {"user.name", "root"},
        {"source.address", "192.0.2.1:22"},
        {"destination.address", "[2001:db8::1]:22"}};
    struct buf rendered = {0};
    audit_render(&rendered, &event);
    struct line line = read_back(&rendered);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(line_get(&line, expected[i][0]), expected[i][1]);
    assert_null(line_get(&line, "accord.message"));
    assert_null(line_get(&line, "accord.size"));
    line_fini(&line);
    buf_fini(&rendered);
}

static void times_are_right_within_and_across_seconds(void **state)
{
    (void)state;
    const struct {
        int64_t us;
        const char *text;
    } times[] = {{1741953600000001, "2025-03-14T12:00:00.000001Z"},
                 {1741953600999999, "2025-03-14T12:00:00.999999Z"},
                 {1741953601000001, "2025-03-14T12:00:01.000001Z"},
                 {1741953600000042, "2025-03-14T12:00:00.000042Z"},
                 {-1, "1969-12-31T23:59:59.999999Z"}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct buf rendered = {0};
        audit_render(&rendered, &(struct audit_event){.action = AUDIT_AGENT_START, .time = times[i].us});
        struct line line = read_back(&rendered);
        assert_string_equal(line_get(&line, "@timestamp"), times[i].text);
        line_fini(&line);
        buf_fini(&rendered);
    }
}

static void time_zero_is_now(void **state)
{
    (void)state;
    struct clock_source source = {.wall = 1741953600000007};
    struct buf rendered = {0};
    clock_use(&source);
    audit_render(&rendered, &(struct audit_event){.action = AUDIT_AGENT_START});
    clock_use(NULL);
    assert_non_null(strstr(buf_string(&rendered), "2025-03-14T12:00:00.000007Z"));
    buf_fini(&rendered);
}

/* Control characters grow sixfold: the worst that a field can hold. */
static void the_largest_event_still_fits_a_line(void **state)
{
    (void)state;
    char *endless = malloc(200001);
    memset(endless, 1, 200000);
    endless[200000] = 0;
    struct accord_pair details[64];
    for (size_t i = 0; i < 64; i++)
        details[i] = (struct accord_pair){"detail", endless};
    struct audit_event event = {.action = AUDIT_DELIVERED,
                                .time = 1741953600123456,
                                .agreement = endless,
                                .link = endless,
                                .service = endless,
                                .message = endless,
                                .name = endless,
                                .type = endless,
                                .sha256 = endless,
                                .size = INT64_MAX,
                                .rule = endless,
                                .module = endless,
                                .reason = endless,
                                .receipt = endless,
                                .user = endless,
                                .source_address = endless,
                                .destination_address = endless,
                                .details = details,
                                .detail_count = 64};
    struct audit_head head = {0};
    struct buf line = {0};
    audit_render(&line, &event);
    assert_non_null(strstr(buf_string(&line), "\"accord.details-left-out\":"));
    struct buf kept = {0};
    event.kept = &kept;
    assert_apart(&event, &line);
    buf_fini(&kept);
    assert_int_equal(audit_seal(&line, 0, "a-chain-with-a-long-name", &head), 0);
    assert_true(line.size <= AUDIT_LINE_MAX);
    buf_fini(&line);
    free(endless);
}

static void several_records_share_a_buffer(void **state)
{
    (void)state;
    struct buf both = {0};
    audit_render(&both, &(struct audit_event){.action = AUDIT_AGENT_START, .time = 1});
    size_t one = both.size;
    audit_render(&both, &(struct audit_event){.action = AUDIT_AGENT_STOP, .time = 1});
    assert_true(both.size > one);
    assert_memory_equal(both.data + one, "{\"@timestamp\"", 13);
    buf_fini(&both);
}

static void broken_lines_are_refused(void **state)
{
    (void)state;
    const char *broken[] = {"",
                            "{",
                            "{}",
                            "{\"a\":\"b\"",
                            "{\"a\":\"b\"} ",
                            "{\"a\":\"b\",}",
                            "{\"a\":{\"b\":1}}",
                            "{\"a\":[1]}",
                            "{\"a\":\"b\",\"a\":\"c\"}",
                            "{\"a\":\"\\u0000\"}",
                            "{\"a\":\"\\ud800\"}",
                            "{\"a\":\"\\x\"}",
                            "{\"a\":\"\xff\"}",
                            "{\"a\":\"\n\"}",
                            "{\"a\":1.5}",
                            "{\"a\":-}",
                            "{\"a\":nul}",
                            "{\"a\":truefalse}",
                            "{\"a\":123456789012345678901234}",
                            "{\"a\" :1}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct line line;
        struct reason why;
        if (line_parse(&line, broken[i], strlen(broken[i]), &why) != ACCORD_EFORMAT)
            fail_msg("accepted: %s", broken[i]);
        line_fini(&line);
    }
}

static void good_lines_are_read(void **state)
{
    (void)state;
    const char text[] = "{\"a\":\"\\u20ac\\\"\\/\\t\",\"b\":-12,\"c\":true,\"d\":\"\"}";
    struct line line;
    assert_int_equal(line_parse(&line, text, sizeof text - 1, NULL), 0);
    assert_int_equal(line.count, 4);
    assert_string_equal(line_get(&line, "a"), "\xe2\x82\xac\"/\t");
    assert_string_equal(line_get(&line, "b"), "-12");
    assert_string_equal(line_get(&line, "c"), "true");
    assert_string_equal(line_get(&line, "d"), "");
    line_fini(&line);
}

static void the_events_page_names_every_action(void **state)
{
    (void)state;
    struct buf page = {0};
    audit_events_page(&page);
    for (int i = 0; i < AUDIT_ACTION_END; i++)
        assert_non_null(strstr(buf_string(&page), audit_action_name((enum audit_action)i)));
    assert_non_null(
        strstr(buf_string(&page), "| `audit-anchor` | `configuration` | heads of all chains, signed |"));
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_ecs_names_in_order),
        cmocka_unit_test(a_record_is_the_same_each_time_and_nobody_else_s),
        cmocka_unit_test(what_is_kept_of_a_message_stands_in_all_its_records),
        cmocka_unit_test(what_needs_an_escape_gets_one),
        cmocka_unit_test(every_field_reads_back),
        cmocka_unit_test(times_are_right_within_and_across_seconds),
        cmocka_unit_test(time_zero_is_now),
        cmocka_unit_test(the_largest_event_still_fits_a_line),
        cmocka_unit_test(several_records_share_a_buffer),
        cmocka_unit_test(broken_lines_are_refused),
        cmocka_unit_test(good_lines_are_read),
        cmocka_unit_test(the_events_page_names_every_action),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
