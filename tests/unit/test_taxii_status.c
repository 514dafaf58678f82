/* What every status type, every kind of HTTP code and every page that is no TAXII means for what was asked. */
#include "connectors/taxii/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct outcome means(enum asked asked, const char *type, const char *detail, const char *value)
{
    const struct accord_pair details[] = {{"OTHER", "7"}, {detail, value}, {detail, "second"}};
    const struct answer_status status = {
        .type = type, .message = "their words", .details = details, .detail_count = detail ? 2 : 0};
    struct outcome outcome;
    memset(&outcome, 0x55, sizeof outcome);
    status_means(&outcome, asked, &status);
    assert_true(outcome.means == MEANS_DONE || outcome.reason[0]);
    return outcome;
}

static void every_status_type_has_its_meaning(void **state)
{
    static const struct {
        const char *type;
        enum meaning inbox, poll;
        const char *rule; /* of both */
        bool stale;
    } types[] = {{"SUCCESS", MEANS_DONE, MEANS_RETRY, NULL, false},
                 {"ASYNCHRONOUS_POLL_ERROR", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"BAD_MESSAGE", MEANS_REFUSED, MEANS_RETRY, "taxii.bad-message", false},
                 {"DENIED", MEANS_PARK, MEANS_PARK, "taxii.denied", true},
                 {"DESTINATION_COLLECTION_ERROR", MEANS_RETRY, MEANS_RETRY, "taxii.destination", true},
                 {"FAILURE", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"INVALID_RESPONSE_PART", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"NETWORK_ERROR", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"NOT_FOUND", MEANS_RETRY, MEANS_RETRY, "taxii.not-found", true},
                 {"PENDING", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"POLLING_UNSUPPORTED", MEANS_RETRY, MEANS_RETRY, "taxii.unsupported", true},
                 {"RETRY", MEANS_RETRY, MEANS_RETRY, "", false},
                 {"UNAUTHORIZED", MEANS_PARK, MEANS_PARK, "taxii.unauthorized", true},
                 {"UNSUPPORTED_MESSAGE", MEANS_RETRY, MEANS_RETRY, "taxii.unsupported", true},
                 {"UNSUPPORTED_CONTENT", MEANS_REFUSED, MEANS_RETRY, "taxii.binding", true},
                 {"UNSUPPORTED_PROTOCOL", MEANS_RETRY, MEANS_RETRY, "taxii.unsupported", true},
                 {"UNSUPPORTED_QUERY", MEANS_RETRY, MEANS_RETRY, "taxii.unsupported", true},
                 {"SOMETHING_ELSE", MEANS_RETRY, MEANS_RETRY, "", false}};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct outcome inbox = means(ASKED_INBOX, types[i].type, NULL, NULL);
        struct outcome poll = means(ASKED_POLL, types[i].type, NULL, NULL);
        if (inbox.means != types[i].inbox || poll.means != types[i].poll || inbox.stale != types[i].stale ||
            poll.stale != types[i].stale)
            fail_msg("%s means %d and %d, stale %d", types[i].type, inbox.means, poll.means, inbox.stale);
        if (types[i].rule) {
            assert_string_equal(inbox.rule, types[i].rule);
            assert_string_equal(poll.rule, types[i].rule);
        }
        if (poll.means != MEANS_DONE && poll.rule[0] == '\0')
            assert_non_null(strstr(poll.reason, "their words"));
    }
}

static void success_has_their_words(void **state)
{
    (void)state;
    assert_string_equal(means(ASKED_INBOX, "SUCCESS", NULL, NULL).said, "their words");
    assert_true(means(ASKED_POLL, "SUCCESS", NULL, NULL).broken);
    assert_true(means(ASKED_CATALOGUE, "SUCCESS", NULL, NULL).broken);
}

static void the_time_that_they_ask_for_is_waited(void **state)
{
    (void)state;
    assert_int_equal(means(ASKED_INBOX, "RETRY", "ESTIMATED_WAIT", "300").wait, 300000);
    assert_int_equal(means(ASKED_POLL, "RETRY", NULL, NULL).wait, 0);
    assert_int_equal(means(ASKED_POLL, "RETRY", "ESTIMATED_WAIT", "-4").wait, 0);
    assert_int_equal(means(ASKED_POLL, "RETRY", "ESTIMATED_WAIT", "4 s").wait, 0);
    assert_int_equal(means(ASKED_POLL, "RETRY", "ESTIMATED_WAIT", "999999999999999999999999").wait, 0);
    assert_int_equal(means(ASKED_POLL, "RETRY", "ESTIMATED_WAIT", "99999999").wait, 86400000);
    assert_int_equal(means(ASKED_POLL, "PENDING", "ESTIMATED_WAIT", "5").wait, 5000);
    assert_true(means(ASKED_POLL, "PENDING", NULL, NULL).wait > 0);
}

static void what_they_take_is_told(void **state)
{
    (void)state;
    assert_non_null(strstr(
        means(ASKED_INBOX, "DESTINATION_COLLECTION_ERROR", "ACCEPTABLE_DESTINATION", "A_B").reason, "A_B"));
    assert_non_null(
        strstr(means(ASKED_INBOX, "UNSUPPORTED_CONTENT", "SUPPORTED_CONTENT", "urn:x").reason, "urn:x"));
    assert_non_null(
        strstr(means(ASKED_POLL, "UNSUPPORTED_MESSAGE", "SUPPORTED_BINDING", "urn:y").reason, "urn:y"));
    assert_non_null(
        strstr(means(ASKED_POLL, "UNSUPPORTED_PROTOCOL", "SUPPORTED_PROTOCOL", "urn:z").reason, "urn:z"));
    assert_non_null(strstr(means(ASKED_POLL, "NOT_FOUND", "ITEM", "AIS_X").reason, "AIS_X"));
}

static void a_result_that_is_gone_is_known(void **state)
{
    (void)state;
    assert_true(means(ASKED_PART, "NOT_FOUND", "ITEM", "x").gone);
    assert_false(means(ASKED_PART, "NOT_FOUND", "ITEM", "x").stale);
    assert_false(means(ASKED_POLL, "NOT_FOUND", "ITEM", "x").gone);
    assert_true(means(ASKED_PART, "INVALID_RESPONSE_PART", "MAX_PART_NUMBER", "4").gone);
    assert_int_equal(means(ASKED_PART, "INVALID_RESPONSE_PART", "MAX_PART_NUMBER", "4").parts, 4);
    assert_int_equal(means(ASKED_PART, "INVALID_RESPONSE_PART", NULL, NULL).parts, -1);
}

static void a_flood_of_details_is_cut(void **state)
{
    static char big[4000];
    struct accord_pair details[64];
    const struct answer_status status = {
        .type = "DESTINATION_COLLECTION_ERROR", .message = big, .details = details, .detail_count = 64};
    struct outcome outcome;
    (void)state;
    memset(big, 'x', sizeof big - 1);
    for (size_t i = 0; i < 64; i++)
        details[i] = (struct accord_pair){"ACCEPTABLE_DESTINATION", big};
    status_means(&outcome, ASKED_INBOX, &status);
    assert_true(strlen(outcome.reason) < sizeof outcome.reason);
}

/* ---- HTTP ---- */

static void every_code_has_its_meaning(void **state)
{
    static const struct {
        long code;
        enum meaning inbox, poll;
    } codes[] = {{200, MEANS_UNCERTAIN, MEANS_RETRY}, {204, MEANS_UNCERTAIN, MEANS_RETRY},
                 {301, MEANS_RETRY, MEANS_RETRY},     {400, MEANS_REFUSED, MEANS_RETRY},
                 {401, MEANS_PARK, MEANS_PARK},       {403, MEANS_PARK, MEANS_PARK},
                 {404, MEANS_RETRY, MEANS_RETRY},     {405, MEANS_RETRY, MEANS_RETRY},
                 {406, MEANS_RETRY, MEANS_RETRY},     {407, MEANS_PARK, MEANS_PARK},
                 {408, MEANS_RETRY, MEANS_RETRY},     {413, MEANS_REFUSED, MEANS_RETRY},
                 {415, MEANS_RETRY, MEANS_RETRY},     {429, MEANS_RETRY, MEANS_RETRY},
                 {500, MEANS_RETRY, MEANS_RETRY},     {502, MEANS_UNCERTAIN, MEANS_RETRY},
                 {503, MEANS_RETRY, MEANS_RETRY},     {504, MEANS_UNCERTAIN, MEANS_RETRY},
                 {599, MEANS_RETRY, MEANS_RETRY}};
    struct outcome outcome;
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        status_of_http(&outcome, ASKED_INBOX, codes[i].code, "<html><b>an error</b> page</html>", 0);
        if (outcome.means != codes[i].inbox)
            fail_msg("%ld means %d", codes[i].code, outcome.means);
        assert_non_null(strstr(outcome.reason, "an error page"));
        status_of_http(&outcome, ASKED_POLL, codes[i].code, "", 0);
        if (outcome.means != codes[i].poll)
            fail_msg("%ld means %d for a poll", codes[i].code, outcome.means);
    }
    status_of_http(&outcome, ASKED_POLL, 503, "", 7000);
    assert_int_equal(outcome.wait, 7000);
}

static void a_page_about_our_certificate_parks(void **state)
{
    static const char *const pages[] = {
        "<html><head><title>400 No required SSL certificate was sent</title></head>",
        "<html><head><title>400 The SSL certificate error</title></head>",
        "<html>403 - Forbidden: Access is denied. The client certificate is untrusted</html>"};
    struct outcome outcome;
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        status_of_http(&outcome, ASKED_INBOX, i == 2 ? 403 : 400, pages[i], 0);
        assert_int_equal(outcome.means, MEANS_PARK);
        assert_string_equal(outcome.rule, "taxii.certificate-refused");
    }
    status_of_http(&outcome, ASKED_INBOX, 400, "a certificate of analysis", 0);
    assert_int_equal(outcome.means, MEANS_REFUSED);
}

static void an_answer_that_cannot_be_read_leaves_it_open_whether_content_was_taken(void **state)
{
    struct outcome outcome;
    (void)state;
    status_broken(&outcome, ASKED_INBOX, "line 3: a tag is not closed");
    assert_int_equal(outcome.means, MEANS_UNCERTAIN);
    assert_non_null(strstr(outcome.reason, "line 3"));
    status_broken(&outcome, ASKED_POLL, "");
    assert_int_equal(outcome.means, MEANS_RETRY);
    assert_true(outcome.broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_type_has_its_meaning),
        cmocka_unit_test(success_has_their_words),
        cmocka_unit_test(the_time_that_they_ask_for_is_waited),
        cmocka_unit_test(what_they_take_is_told),
        cmocka_unit_test(a_result_that_is_gone_is_known),
        cmocka_unit_test(a_flood_of_details_is_cut),
        cmocka_unit_test(every_code_has_its_meaning),
        cmocka_unit_test(a_page_about_our_certificate_parks),
        cmocka_unit_test(an_answer_that_cannot_be_read_leaves_it_open_whether_content_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
