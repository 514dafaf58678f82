/* Receiving over AMQP: when a message is settled, what comes again. */
#include "mq_inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <proton/disposition.h>

static const char *header(size_t index, const char *name)
{
    const struct accord_offer *one = offer(index);
    for (size_t i = 0; i < one->header_count; i++)
        if (strcmp(one->headers[i].name, name) == 0)
            return one->headers[i].value;
    return "";
}

/* ---- what comes ---- */

static void a_message_is_accepted_when_the_bus_has_it(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_hold_admissions(bench.host, true);
    put("id-1", "UNB+UNOA", 8);
    mq_run(&bench);
    has(0, "id-1", "UNB+UNOA", 8);
    assert_string_equal(offer(0)->name, "subject of it");
    assert_int_equal(offer(0)->declared, 8);
    assert_int_equal(broker_depth("answers"), 1); /* not yet */
    testhost_hold_admissions(bench.host, false);
    mq_run(&bench);
    assert_int_equal(broker_depth("answers"), 0);
    assert_int_equal(broker_outcome_count(PN_ACCEPTED), 1);
    close_bench();
}

static void what_is_quarantined_is_held_too(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_admission(bench.host, ACCORD_QUARANTINED, "cbp-response.unt-count", "it does not add up");
    put(NULL, "x", 1);
    mq_run(&bench);
    assert_string_equal(offer(0)->source_id, ""); /* nobody named it */
    assert_int_equal(broker_outcome_count(PN_ACCEPTED), 1);
    assert_int_equal(testhost_logged(bench.host, "mq.quarantined"), 1);
    close_bench();
}

static void ids_and_headers_of_every_kind_are_read(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *id, *correlation;
    } rows[] = {
        {"\x00\x53\x73\xc0\x12\x01\x98\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 23,
         "00112233-4455-6677-8899-aabbccddeeff", ""},
        {"\x00\x53\x73\xc0\x03\x01\x53\x2a", 8, "42", ""},
        {"\x00\x53\x73\xc0\x0a\x01\x80\xff\xff\xff\xff\xff\xff\xff\xff", 15, "18446744073709551615", ""},
        {"\x00\x53\x73\xc0\x05\x01\xa0\x02\x01\xfe", 10, "01fe", ""},
        {"\x00\x53\x73\xc0\x0d\x06\x40\x40\x40\x40\x40\xa0\x05"
         "abc\x00\x00",
         18, "", "abc"},
        {"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x73\x45", 11, "", ""},
        {"", 0, "", ""},
    };
    (void)state;
    open_with(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[64];
        memcpy(bytes, rows[i].bytes, rows[i].size);
        memcpy(bytes + rows[i].size,
               "\x00\x53\x75\xa0\x01"
               "x",
               6);
        put_bytes(bytes, rows[i].size + 6);
        mq_run(&bench);
        has(i, rows[i].id, "x", 1);
        assert_string_equal(header(i, "correlation-id"), rows[i].correlation);
    }
    close_bench();
}

static void properties_become_headers_when_asked_for(void **state)
{
    static const struct accord_pair options[] = {{"address", "answers"},
                                                 {"name-property", "File"},
                                                 {"properties", "Batch,subject,n,flag"},
                                                 {NULL, NULL}};
    static const char bytes[] =
        "\x00\x53\x73\xd0\x00\x00\x00\x33\x00\x00\x00\x07\x40\x40\x40\xa1\x03s\nu\xa1\x05reply"
        "\xa1\x10"
        "0123456789abcdef"
        "\xa3\x0a"
        "text/plain"
        "\x00\x53\x74\xc1\x39\x0a"
        "\xa1\x04"
        "File"
        "\xa1\x05"
        "a.edi"
        "\xa1\x05"
        "Batch"
        "\xa1\x04"
        "0042"
        "\xa1\x07"
        "subject"
        "\xa1\x01"
        "z"
        "\xa1\x01n\x54\xfe"
        "\xa1\x04"
        "flag"
        "\x41"
        "\x00\x53\x75\xa0\x02hi";
    uint8_t copy[sizeof bytes];
    (void)state;
    open_with(NULL, options);
    memcpy(copy, bytes, sizeof bytes);
    const uint8_t *map = memmem(copy, sizeof copy, "\x00\x53\x74\xc1", 4),
                  *data = memmem(copy, sizeof copy, "\x00\x53\x75", 3);
    copy[7] = (uint8_t)(map - copy - 8);
    copy[map - copy + 4] = (uint8_t)(data - map - 5);
    put_bytes(copy, sizeof copy - 1);
    mq_run(&bench);
    has(0, "", "hi", 2);
    assert_string_equal(offer(0)->name, "a.edi");
    assert_string_equal(header(0, "subject"), "s?u"); /* no property takes its place */
    assert_string_equal(header(0, "reply-to"), "reply");
    assert_string_equal(header(0, "correlation-id"), "0123456789abcdef");
    assert_string_equal(header(0, "content-type"), "text/plain");
    assert_string_equal(header(0, "batch"), "0042");
    assert_string_equal(header(0, "n"), "-2");
    assert_string_equal(header(0, "flag"), "true");
    close_bench();
}

static void text_of_ibm_mq_and_several_data_sections_are_payload(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    put_bytes("\x00\x53\x77\xa1\x03"
              "abc",
              8);
    put_bytes("\x00\x53\x77\x40", 4);
    put_bytes("\x00\x53\x75\xa0\x02"
              "ab\x00\x53\x75\xa0\x00\x00\x53\x75\xb0\x00\x00\x00\x01"
              "c\x00\x53\x78\xc1\x01\x00",
              27);
    put_bytes("\x00\x53\x70\x45", 4);
    mq_run(&bench);
    has(0, "", "abc", 3);
    has(1, "", "", 0);
    has(2, "", "abc", 3);
    has(3, "", "", 0);
    assert_int_equal(broker_depth("answers"), 0);
    close_bench();
}

static void a_large_message_is_streamed(void **state)
{
    size_t size = 9 << 20;
    uint8_t *bytes = malloc(size);
    (void)state;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 11 + i / 997);
    open_with(NULL, NULL);
    testhost_ask(bench.host, 200000);
    put("big", bytes, size);
    put("small", "s", 1);
    mq_run(&bench);
    has(0, "big", bytes, size);
    assert_int_equal(offer(0)->declared, -1);
    has(1, "small", "s", 1);
    assert_int_equal(broker_depth("answers"), 0);
    free(bytes);
    close_bench();
}

static void a_message_in_many_small_pieces_arrives_whole(void **state)
{
    uint8_t bytes[200000];
    (void)state;
    memset(bytes, 'z', sizeof bytes);
    open_with(NULL, NULL);
    broker.piece = 1777;
    put("pieces", bytes, sizeof bytes);
    put("short", bytes, 5000);
    mq_run(&bench);
    has(0, "pieces", bytes, sizeof bytes);
    has(1, "short", bytes, 5000);
    close_bench();
}

static void order_is_kept(void **state)
{
    char id[20];
    (void)state;
    open_with(NULL, NULL);
    testhost_offer_room(bench.host, 7);
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof id, "%d", i);
        put(id, id, strlen(id));
    }
    mq_run(&bench);
    assert_int_equal(testhost_offers(bench.host), 500);
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof id, "%d", i);
        has((size_t)i, id, id, strlen(id));
    }
    assert_int_equal(broker_outcome_count(PN_ACCEPTED), 500);
    close_bench();
}

static void credit_is_ours(void **state)
{
    static const struct accord_pair options[] = {{"address", "answers"}, {"credit", "5"}, {NULL, NULL}};
    (void)state;
    open_with(NULL, options);
    assert_int_equal(broker_credit(), 5);
    testhost_hold_admissions(bench.host, true);
    for (int i = 0; i < 20; i++)
        put(NULL, "x", 1);
    mq_run(&bench);
    assert_int_equal(testhost_offers(bench.host), 5);
    testhost_hold_admissions(bench.host, false);
    mq_run(&bench);
    assert_int_equal(broker_depth("answers"), 0);
    close_bench();
}

/* ---- the broker goes ---- */

static void a_cut_gives_all_again(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_hold_admissions(bench.host, true);
    put("1", "one", 3);
    mq_run(&bench);
    assert_true(offer(0)->complete);
    broker_cut(&bench);
    assert_true(offer(0)->aborted);
    testhost_hold_admissions(bench.host, false);
    assert_int_equal(broker_connections(), 1);
    mq_pass(&bench, 1000);
    assert_int_equal(broker_connections(), 2);
    has(1, "1", "one", 3);
    assert_int_equal(broker_depth("answers"), 0);
    close_bench();
}

static void a_message_that_the_broker_takes_back_is_forgotten(void **state)
{
    uint8_t *bytes = calloc(1, 300000);
    (void)state;
    open_with(NULL, NULL);
    broker.piece = broker.halt_at = 100000;
    put("1", bytes, 300000);
    mq_run(&bench);
    assert_int_equal(testhost_offers(bench.host), 1);
    broker.halt_at = 0;
    broker_abort(&bench);
    assert_true(offer(0)->aborted);
    put("2", "two", 3);
    mq_run(&bench);
    has(1, "2", "two", 3);
    free(bytes);
    close_bench();
}

static void a_detached_receiver_is_attached_again(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    broker_detach(&bench, "amqp:link:detach-forced", "maintenance");
    assert_int_equal(broker_links(), 0);
    mq_pass(&bench, 1000);
    assert_int_equal(broker_links(), 1);
    broker_end_session(&bench, "amqp:internal-error");
    assert_int_equal(broker_links(), 0);
    mq_pass(&bench, 2000);
    assert_int_equal(broker_links(), 1);
    put("1", "one", 3);
    mq_run(&bench);
    has(0, "1", "one", 3);
    close_bench();
}

static void a_missing_queue_is_asked_for_each_minute(void **state)
{
    const struct mq_service service = {"answers", ACCORD_RECEIVE, queue};
    (void)state;
    mq_open(&bench, NULL, &service, 1);
    broker.missing = "answers";
    mq_run(&bench);
    assert_non_null(testhost_incident(bench.host, "mq.not-found"));
    broker.missing = NULL;
    mq_pass(&bench, 59999);
    assert_int_equal(broker_links(), 0);
    mq_pass(&bench, 1);
    assert_int_equal(broker_links(), 1);
    close_bench();
}

static void who_may_not_receive_is_parked(void **state)
{
    const struct mq_service service = {"answers", ACCORD_RECEIVE, queue};
    (void)state;
    mq_open(&bench, NULL, &service, 1);
    broker.missing = "answers";
    broker.condition = "amqp:unauthorized-access";
    mq_run(&bench);
    assert_string_equal(testhost_parked(bench.host), "mq.unauthorized-access");
    close_bench();
}

static void a_lost_connection_is_made_again_and_again(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    for (int i = 0; i < 5; i++) {
        broker_cut(&bench);
        mq_pass(&bench, INT64_C(1000) << i);
        assert_int_equal(broker_connections(), 2 + i);
    }
    mq_pass(&bench, 20000); /* it held for a while */
    broker_cut(&bench);
    mq_pass(&bench, 1000);
    assert_int_equal(broker_connections(), 7);
    close_bench();
}

/* ---- stopping ---- */

static void stopping_finishes_what_the_bus_has(void **state)
{
    (void)state;
    open_with(NULL, NULL);
    testhost_hold_admissions(bench.host, true);
    put("1", "one", 3);
    mq_run(&bench);
    testhost_stop(bench.host);
    put("2", "two", 3);
    mq_run(&bench);
    assert_int_equal(broker_links(), 1);
    testhost_hold_admissions(bench.host, false);
    mq_run(&bench);
    assert_int_equal(broker_outcome_count(PN_ACCEPTED), 1);
    assert_int_equal(broker_links(), 0);
    mq_pass(&bench, 10000);
    assert_int_equal(broker_depth("answers"), 1);
    testhost_start(bench.host);
    mq_run(&bench);
    has(testhost_offers(bench.host) - 1, "2", "two", 3);
    close_bench();
}

static void several_services_share_the_connections(void **state)
{
    static const struct accord_pair link[] = {MQ_LINK, {"connections", "2"}, {NULL, NULL}};
    const struct mq_service services[] = {
        {"a", ACCORD_RECEIVE, queue}, {"b", ACCORD_RECEIVE, queue}, {"c", ACCORD_RECEIVE, queue}};
    (void)state;
    mq_open(&bench, link, services, 3);
    mq_run(&bench);
    assert_int_equal(broker_connections(), 2);
    assert_int_equal(broker_links(), 3);
    close_bench();
}

/* ---- our certificate ---- */

static void a_quiet_connection_is_made_anew_while_our_certificate_ends(void **state)
{
    const int64_t day = INT64_C(86400000000), now = INT64_C(1764000000000000);
    (void)state;
    open_with(NULL, NULL);
    testhost_set_wall(bench.host, now);
    broker_reads_certificate(&bench, now + 200 * day);
    mq_pass(&bench, 2 * 3600000);
    assert_int_equal(broker_connections(), 1); /* it lasts */
    broker_reads_certificate(&bench, now + 5 * day);
    testhost_hold_admissions(bench.host, true);
    put("a", "first", 5);
    mq_run(&bench);
    mq_pass(&bench, 3600000);
    assert_int_equal(broker_connections(), 1); /* a message is on its way */
    testhost_hold_admissions(bench.host, false);
    mq_run(&bench);
    assert_int_equal(broker_depth("answers"), 0);
    mq_pass(&bench, 3600000);
    assert_int_equal(broker_connections(), 2);
    mq_pass(&bench, 1000);
    broker_reads_certificate(&bench, now + 400 * day);
    mq_pass(&bench, 2 * 3600000);
    assert_int_equal(broker_connections(), 2);
    put("b", "second", 6);
    mq_run(&bench);
    has(1, "b", "second", 6);
    assert_int_equal(testhost_offers(bench.host), 2);
    close_bench();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_accepted_when_the_bus_has_it),
        cmocka_unit_test(what_is_quarantined_is_held_too),
        cmocka_unit_test(ids_and_headers_of_every_kind_are_read),
        cmocka_unit_test(properties_become_headers_when_asked_for),
        cmocka_unit_test(text_of_ibm_mq_and_several_data_sections_are_payload),
        cmocka_unit_test(a_large_message_is_streamed),
        cmocka_unit_test(a_message_in_many_small_pieces_arrives_whole),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(credit_is_ours),
        cmocka_unit_test(a_cut_gives_all_again),
        cmocka_unit_test(a_message_that_the_broker_takes_back_is_forgotten),
        cmocka_unit_test(a_detached_receiver_is_attached_again),
        cmocka_unit_test(a_missing_queue_is_asked_for_each_minute),
        cmocka_unit_test(who_may_not_receive_is_parked),
        cmocka_unit_test(a_lost_connection_is_made_again_and_again),
        cmocka_unit_test(stopping_finishes_what_the_bus_has),
        cmocka_unit_test(several_services_share_the_connections),
        cmocka_unit_test(a_quiet_connection_is_made_anew_while_our_certificate_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
