/* The smtp connector, mail by mail, against a mail server that says what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail_bench.h"

#define ID "01j0000000000000000000aa"

static const struct testhost_message one_byte = {
    .id = ID, .type = "stow-plan", .name = "x", .origin = "a/b", .bytes = "x", .size = 1};

/* ---- a mail ---- */

static void a_message_goes_as_one_mail_with_one_attachment(void **state)
{
    struct mail_bench bench;
    size_t size;
    (void)state;
    mail_open(&bench, &(struct mail_setting){0});
    mail_expect(mail_send(&bench, ID, "UNB+UNOA:2'"), ACCORD_DELIVERED, "250 2.0.0 queued as 4711");
    assert_non_null(strstr(mail_heard(), "EHLO agent.example|STARTTLS|{tls}|EHLO agent.example|"
                                         "MAIL FROM:<agent@carrier.example> SIZE="));
    assert_non_null(strstr(mail_heard(), "|RCPT TO:<stow@customs.example>|DATA|{mail}|"));
    assert_true(mail_has(
        0, "From: agent@carrier.example\r\nTo: stow@customs.example\r\nSubject: stow-plan PLAN.edi\r\n"));
    assert_true(mail_has(0, "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"));
    assert_true(mail_has(0, "Message-ID: <" ID "@carrier.example>\r\n"));
    assert_true(mail_has(0, "name=\"PLAN.edi\""));
    char *attachment = mail_part(0, 1, &size), *body = mail_part(0, 0, &size);
    assert_string_equal(attachment, "UNB+UNOA:2'");
    assert_non_null(strstr(body, "stow-plan PLAN.edi, 11 bytes\r\nMessage " ID "\r\n"));
    free(attachment);
    free(body);
    assert_string_equal(testhost_fact(bench.host, "sasl.mechanism"), "none");
    assert_string_equal(testhost_fact(bench.host, "sasl.offered"), "PLAIN,LOGIN");
    assert_string_equal(testhost_fact(bench.host, "tls.verified"), "yes");
    mail_shut(&bench);
}

static void the_size_that_is_announced_is_the_size_that_comes(void **state)
{
    struct mail_bench bench;
    char text[64];
    static char bytes[100001];
    (void)state;
    memset(bytes, 'x', sizeof bytes - 1);
    for (size_t size = 0; size < sizeof bytes; size = size * 3 + 56) {
        bytes[size] = 0;
        mail_open(&bench, &(struct mail_setting){0});
        mail_expect(mail_send(&bench, ID, bytes), ACCORD_DELIVERED, "250");
        snprintf(text, sizeof text, "SIZE=%zu|", mail_content_size(0));
        assert_non_null(strstr(mail_heard(), text));
        mail_shut(&bench);
        bytes[size] = 'x';
    }
}

static void every_byte_comes_back(void **state)
{
    static const char *const encodings[] = {"base64", "quoted-printable"};
    static char bytes[70000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i < 512 ? (char)(i / 2) : i % 97 == 3 ? '\n' : i % 5000 < 2000 ? 'z' : (char)(i * i >> 3);
    memcpy(bytes + 600, "\r\n.\r\nQUIT\r\n..\r\n. \r\n=\t\r\n\r\r\n", 27);
    for (size_t i = 0; i < 2; i++)
        for (size_t size = 0; size <= sizeof bytes; size = size * 41 + 57) {
            const struct accord_pair service[] = {{"encoding", encodings[i]}, {NULL, NULL}};
            struct testhost_message message = one_byte;
            struct mail_bench bench;
            size_t got;
            message.bytes = bytes, message.size = size;
            mail_open(&bench, &(struct mail_setting){.service = service});
            testhost_piece(bench.host, 1000);
            mail_expect(mail_send_message(&bench, &message), ACCORD_DELIVERED, "250");
            char *attachment = mail_part(0, 1, &got);
            assert_int_equal(got, size);
            assert_memory_equal(attachment, bytes, size);
            for (const char *line = mail_content(0), *end; (end = strstr(line, "\r\n")); line = end + 2)
                assert_true(end - line <= 78);
            free(attachment);
            mail_shut(&bench);
        }
}

static void a_session_carries_one_mail_after_the_other(void **state)
{
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){0});
    for (int i = 0; i < 5; i++)
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    assert_int_equal(testhost_dials(bench.host), 1);
    assert_int_equal(mail_heard_times("EHLO"), 2);
    mail_shut(&bench);
}

static void an_idle_session_says_goodbye(void **state)
{
    const struct accord_pair link[] = {{"idle-close", "5 s"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.link = link, .clock = TESTHOST_VIRTUAL_CLOCK});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    assert_int_equal(testhost_sessions(bench.host), 1);
    testhost_advance(bench.host, 5001);
    assert_int_equal(testhost_sessions(bench.host), 0);
    while (!mail_heard_times("QUIT"))
        testhost_turn(bench.host);
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    assert_int_equal(testhost_dials(bench.host), 2);
    mail_shut(&bench);
}

static void a_session_that_died_while_idle_costs_nothing(void **state)
{
    const struct mail_line lines[] = {{"MAIL", "250 first"}, {"MAIL", "421 going down"}, {NULL, NULL}};
    const struct mail_line closing[] = {{"MAIL", "250 first"}, {"MAIL", MAIL_CLOSE}, {NULL, NULL}};
    const struct mail_line *const all[] = {lines, closing};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mail_bench bench;
        mail_open(&bench, &(struct mail_setting){.lines = all[i]});
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
        mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
        assert_int_equal(testhost_dials(bench.host), 2);
        mail_shut(&bench);
    }
}

static void without_pipelining_it_waits_for_each_answer(void **state)
{
    const struct accord_pair service[] = {
        {"mail-to", "a@x.example, b@x.example"}, {"cc", "c@x.example"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.service = service, .offers = "8BITMIME"});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250");
    assert_non_null(strstr(mail_heard(), "MAIL FROM:<agent@carrier.example>|RCPT TO:<a@x.example>|RCPT "
                                         "TO:<b@x.example>|RCPT TO:<c@x.example>|DATA|{mail}|"));
    assert_true(mail_has(0, "To: a@x.example, b@x.example\r\nCc: c@x.example\r\n"));
    mail_shut(&bench);
}

/* ---- names and fields ---- */

static void nothing_in_a_name_or_a_field_can_begin_a_header(void **state)
{
    const struct accord_pair headers[] = {{"subject", "plan\r\nBcc: thief@evil.example\r\n\r\n.\r\nRSET"},
                                          {"content-type", "text/plain\r\nX-Evil: yes"}};
    const struct accord_pair service[] = {
        {"subject", "{subject} {name}"}, {"body", "{subject}"}, {NULL, NULL}};
    struct testhost_message message = one_byte;
    struct mail_bench bench;
    (void)state;
    message.name = "a\"b\\c/../\xc3\xa9t\xc3\xa9.edi\r\nX-Evil: 1";
    message.headers = headers, message.header_count = 2;
    mail_open(&bench, &(struct mail_setting){.service = service});
    mail_expect(mail_send_message(&bench, &message), ACCORD_DELIVERED, "250");
    char *head_end = strstr(mail_content(0), "\r\n\r\n");
    assert_false(mail_has(0, "\nX-Evil") || mail_has(0, "\r\n.\r\n") || strstr(head_end, "\r\n."));
    assert_null(memmem(mail_content(0), (size_t)(head_end - mail_content(0)), "\nBcc", 4));
    assert_true(mail_has(0, "Content-Type: application/octet-stream;"));
    assert_true(mail_has(0, "filename*0*=UTF-8''a%22b%5Cc_") || mail_has(0, "filename*0*=UTF-8''a%22b_c_"));
    assert_true(mail_has(0, "Subject: =?UTF-8?B?"));
    for (const char *at = mail_content(0); *at; at++)
        assert_true((unsigned char)*at < 0x80);
    assert_int_equal(mail_heard_times("|RSET"), 0);
    mail_shut(&bench);
}

static void a_subject_of_any_length_and_tongue_fits_its_lines(void **state)
{
    static char subject[800];
    const struct accord_pair headers[] = {{"subject", subject}};
    const struct accord_pair service[] = {{"subject", "{subject}"}, {NULL, NULL}};
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct mail_bench bench;
        for (size_t i = 0; i < sizeof subject - 1; i++)
            subject[i] = kind == 0   ? (i % 9 ? 'a' : ' ')
                         : kind == 1 ? 'a'
                         : kind == 2 ? "\xc3\xa9"[i % 2]
                                     : '\x80';
        struct testhost_message message = one_byte;
        message.headers = headers, message.header_count = 1;
        mail_open(&bench, &(struct mail_setting){.service = service});
        mail_expect(mail_send_message(&bench, &message), ACCORD_DELIVERED, "250");
        for (const char *line = mail_content(0), *end; (end = strstr(line, "\r\n")); line = end + 2)
            assert_true(end - line <= 100);
        mail_shut(&bench);
    }
}

/* ---- what the server refuses ---- */

static void what_is_answered_decides(void **state)
{
    static const struct {
        struct mail_line line;
        enum accord_outcome outcome;
        const char *says;
        int64_t wait;
        unsigned resets;
    } cases[] = {
        {{"MAIL", "451 4.7.1 not now"}, ACCORD_RETRY, "451 4.7.1 not now", 0, 1},
        {{"MAIL", "550 5.7.1 not you"}, ACCORD_REFUSED, "agent@carrier.example: 550 5.7.1 not you", 0, 1},
        {{"MAIL", "552 too large"}, ACCORD_REFUSED, "552 too large", 0, 1},
        {{"MAIL", "421 4.3.2 closing"}, ACCORD_RETRY, "421 4.3.2 closing", 0, 0},
        {{"RCPT", "450 4.2.0 Greylisted, try again in 300 seconds"}, ACCORD_RETRY, "Greylisted", 300000, 1},
        {{"RCPT", "451 come back in 5 minutes"},
         ACCORD_RETRY,
         "stow@customs.example is refused: 451",
         300000,
         1},
        {{"RCPT", "550-5.1.1 No such\n550 5.1.1 user"}, ACCORD_REFUSED, "550 5.1.1 No such 5.1.1 user", 0, 1},
        {{"RCPT", "421 too much"}, ACCORD_RETRY, "421 too much", 0, 0},
        {{"DATA", "451 disk"}, ACCORD_RETRY, "DATA is refused: 451 disk", 0, 1},
        {{"DATA", "554 no"}, ACCORD_REFUSED, "554 no", 0, 1},
        {{"DATA", "421 bye"}, ACCORD_RETRY, "421 bye", 0, 0},
        {{".", "452 4.3.1 full"}, ACCORD_RETRY, "452 4.3.1 full", 0, 0},
        {{".", "550 5.7.1 spam"}, ACCORD_REFUSED, "550 5.7.1 spam", 0, 0},
        {{".", "421 4.3.0 going"}, ACCORD_RETRY, "421 4.3.0 going", 0, 0},
        {{".", "354 what?"}, ACCORD_UNCERTAIN, "354 what?", 0, 0},
        {{"MAIL", "354 what?"}, ACCORD_RETRY, "354 what?", 0, 1},
        {{"MAIL", MAIL_CLOSE}, ACCORD_RETRY, "", 0, 0},
        {{"DATA", MAIL_CLOSE}, ACCORD_RETRY, "", 0, 0},
        {{".", MAIL_CLOSE}, ACCORD_UNCERTAIN, "", 0, 0},
        {{".", "HTTP/1.1 200 OK"}, ACCORD_UNCERTAIN, "no reply of a mail server", 0, 0},
        {{"MAIL", "HTTP/1.1 200 OK"}, ACCORD_RETRY, "no reply of a mail server", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int pipelined = 0; pipelined < 2; pipelined++) {
            const struct mail_line lines[] = {cases[i].line, {NULL, NULL}};
            struct mail_bench bench;
            mail_open(&bench,
                      &(struct mail_setting){.lines = lines, .offers = pipelined ? "PIPELINING" : "X"});
            struct accord_delivery *delivery = mail_send(&bench, NULL, "plan");
            mail_expect(delivery, cases[i].outcome, cases[i].says);
            assert_int_equal(delivery->wait, cases[i].wait);
            assert_null(testhost_parked(bench.host));
            if (!pipelined || strcmp(cases[i].line.line, "RCPT") == 0 || !cases[i].resets)
                assert_true(mail_heard_times("RSET") == cases[i].resets || pipelined);
            bool whole = cases[i].line.line[0] == '.';
            assert_int_equal(mail_content(0) != NULL, whole);
            mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "250"); /* it is not spoilt */
            mail_shut(&bench);
        }
}

static void nobody_gets_a_mail_that_one_may_not_get(void **state)
{
    const struct accord_pair service[] = {{"mail-to", "a@x.example, b@x.example"}, {NULL, NULL}};
    const struct mail_line lines[] = {{"RCPT TO:<b", "550 5.1.1 who?"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.service = service, .lines = lines});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_REFUSED,
                "recipient b@x.example is refused, so nobody was sent it: 550 5.1.1 who?");
    assert_int_equal(mail_heard_times("DATA"), 0);
    assert_int_equal(mail_heard_times("|RSET|"), 1);
    mail_shut(&bench);
}

static void unless_the_service_says_otherwise(void **state)
{
    const struct accord_pair service[] = {
        {"mail-to", "a@x.example, b@x.example"}, {"recipients", "any"}, {NULL, NULL}};
    const struct mail_line lines[] = {{"RCPT TO:<b", "550 5.1.1 who?"}, {NULL, NULL}};
    const struct mail_line none[] = {{"RCPT", "550 one"}, {"RCPT", "550 two"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.service = service, .lines = lines});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_DELIVERED, "4711; not taken for b@x.example");
    mail_shut(&bench);
    mail_open(&bench, &(struct mail_setting){.service = service, .lines = none});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_REFUSED, "no recipient is accepted: 550 two");
    mail_shut(&bench);
}

static void a_mail_without_a_recipient_is_not_begun_even_when_the_server_asks_for_it(void **state)
{
    const struct mail_line lines[] = {{"RCPT", "550 who?"}, {"DATA", "354 go on all the same"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.lines = lines});
    mail_expect(mail_send(&bench, NULL, "plan"), ACCORD_REFUSED, "550 who?");
    assert_null(mail_content(0));
    mail_shut(&bench);
}

static void a_message_too_large_is_refused_with_both_numbers(void **state)
{
    const struct accord_pair link[] = {{"size-limit", "500"}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.offers = "SIZE 600"});
    struct accord_delivery *delivery = mail_send(&bench, ID, "plan");
    mail_expect(delivery, ACCORD_REFUSED, "(4 bytes of payload), and it takes 600");
    assert_int_equal(mail_heard_times("MAIL"), 0);
    mail_shut(&bench);
    mail_open(&bench, &(struct mail_setting){.link = link});
    mail_expect(mail_send(&bench, ID, "plan"), ACCORD_REFUSED, "and the limit is 500");
    assert_int_equal(testhost_dials(bench.host), 0);
    mail_shut(&bench);
}

/* ---- time ---- */

/* A mail on its way; the server has heard this much of it, and says nothing. */
static struct accord_delivery *begin_mail(struct mail_bench *bench, const char *heard)
{
    struct testhost_message message = one_byte;
    message.id = NULL;
    struct accord_delivery *delivery = testhost_deliver(bench->host, 0, &message);
    while (!mail_heard_times(heard))
        testhost_turn(bench->host);
    return delivery;
}

static const struct {
    struct mail_line lines[2];
    const char *heard;
    enum accord_outcome outcome;
    const char *cancelled;
} silences[] = {{{{"MAIL", MAIL_STAY}}, "MAIL", ACCORD_RETRY, "cancelled"},
                {{{".", MAIL_STAY}}, "{mail}", ACCORD_UNCERTAIN, "given up"}};

static struct accord_delivery *begin_silence(struct mail_bench *bench, size_t silence,
                                             const struct accord_pair *link)
{
    mail_open(bench, &(struct mail_setting){
                         .link = link, .lines = silences[silence].lines, .clock = TESTHOST_VIRTUAL_CLOCK});
    struct accord_delivery *delivery = begin_mail(bench, silences[silence].heard);
    for (int turn = 0; turn < 20; turn++)
        testhost_turn(bench->host);
    assert_false(delivery->finished);
    return delivery;
}

static void a_server_that_says_nothing_is_left(void **state)
{
    const struct accord_pair link[] = {{"timeout", "30 s"}, {"connect-timeout", "5 s"}, {NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mail_bench bench;
        struct accord_delivery *delivery = begin_silence(&bench, i, link);
        assert_true(testhost_settle(bench.host, delivery, 40000));
        mail_expect(delivery, silences[i].outcome, "waited 30 s in vain for");
        mail_shut(&bench);
    }
}

static void a_cancelled_mail_ends_soon(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mail_bench bench;
        struct accord_delivery *delivery = begin_silence(&bench, i, NULL);
        testhost_cancel(bench.host, delivery);
        assert_true(testhost_settle(bench.host, delivery, 6000));
        mail_expect(delivery, silences[i].outcome, silences[i].cancelled);
        mail_shut(&bench);
    }
}

static void a_link_that_closes_says_what_it_knows(void **state)
{
    const struct mail_line lines[] = {{".", MAIL_STAY}, {NULL, NULL}};
    struct mail_bench bench;
    (void)state;
    mail_open(&bench, &(struct mail_setting){.lines = lines});
    struct accord_delivery *delivery = begin_mail(&bench, "{mail}");
    testhost_close(bench.host);
    mail_expect(delivery, ACCORD_UNCERTAIN, "closed before the answer");
    mail_shut(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_as_one_mail_with_one_attachment),
        cmocka_unit_test(the_size_that_is_announced_is_the_size_that_comes),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(a_session_carries_one_mail_after_the_other),
        cmocka_unit_test(an_idle_session_says_goodbye),
        cmocka_unit_test(a_session_that_died_while_idle_costs_nothing),
        cmocka_unit_test(without_pipelining_it_waits_for_each_answer),
        cmocka_unit_test(nothing_in_a_name_or_a_field_can_begin_a_header),
        cmocka_unit_test(a_subject_of_any_length_and_tongue_fits_its_lines),
        cmocka_unit_test(what_is_answered_decides),
        cmocka_unit_test(nobody_gets_a_mail_that_one_may_not_get),
        cmocka_unit_test(unless_the_service_says_otherwise),
        cmocka_unit_test(a_mail_without_a_recipient_is_not_begun_even_when_the_server_asks_for_it),
        cmocka_unit_test(a_message_too_large_is_refused_with_both_numbers),
        cmocka_unit_test(a_server_that_says_nothing_is_left),
        cmocka_unit_test(a_cancelled_mail_ends_soon),
        cmocka_unit_test(a_link_that_closes_says_what_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
