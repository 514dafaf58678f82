/* Personal data in the free text of a STIX package (AIS-2, AIS-3.3): found, and never quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policies/content/stix_personal.h"
#include "stix_package.h"

#define MAIL  "an e-mail address"
#define PHONE "a telephone number"
#define SSN   "a social security number"
#define CARD  "a payment card number"

static void patterns_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"write to jane.doe@example.org.", MAIL},
        {"<j+x@mail.example.co.uk>", MAIL},
        {"jane@@doe@example.org", MAIL},
        {"mailto:x@y.example", MAIL},
        {"call 202-555-0143 now", PHONE},
        {"call (202) 555-0143", PHONE},
        {"(202)555-0143", PHONE},
        {"tel:1.202.555.0143,", PHONE},
        {"+1 202 555 0143", PHONE},
        {"+49 (30) 1234567", PHONE},
        {"+442079460123", PHONE},
        {"ssn 219-09-9999", SSN},
        {"[219 09 9999]", SSN},
        {"paid with 4111 1111 1111 1111", CARD},
        {"4111-1111-1111-1111.", CARD},
        {"378282246310005", CARD},
        {"card 5555555555554444, stolen", CARD},
        {"6011111111111117", CARD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t at;
        const char *found = stix_personal_find(rows[i].text, &at);
        if (!found || strcmp(found, rows[i].found))
            fail_msg("%s: %s", rows[i].text, found ? found : "nothing");
    }
}

static void what_indicators_hold_is_not_taken_for_it(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "@",
        "@example.org",
        "user@localhost",
        "user@192.0.2.1",
        "a @ b.example",
        "jane.doe[at]example[.]org",
        "x.@example.org",
        "192.0.2.17 and 198.51.100.200, 2001:db8::4111",
        "d41d8cd98f00b204e9800998ecf8427e",
        "4111111111111111aa0204e9800998ec",
        "aa4111111111111111",
        "45eee277-2d76-4079-91d0-0061a443bac6",
        "4111 1111 1111 1112",
        "1234567890123456",
        "2026-01-15T12:00:00.500000Z",
        "20260115120000",
        "CVE-2020-27197",
        "port 8443, 40 times a minute",
        "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
        "219-09-99999",
        "219-09 9999",
        "http://example.org/202-555-0143",
        "102-555-0143",
        "202-155-0143",
        "202 555-01433",
        "2025550143",
        "+1 202",
        "+1234567890123456",
        "1.2.3.4-555-0143",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t at;
        const char *found = stix_personal_find(rows[i], &at);
        if (found)
            fail_msg("%s: %s", rows[i], found);
    }
}

static void the_reason_says_what_and_where_and_never_the_data(void **state)
{
    (void)state;
    static const struct stix_change changes[] = {
        {STIX_MARKING, "Seen every night", "Ask jane.doe@example.org", "personal-data",
         "line 31 (indicator:Description): an e-mail address stands in free text, at its byte 13", NULL,
         NULL},
        {STIX_MARKING, "Seen every night", "Ask jane.doe@example.org", "", NULL, "personal-data", "off"},
        {STIX_MARKING, "A scanner that knocks", "Call 202-555-0143", "personal-data", "(stix:Title)", NULL,
         NULL},
        /* Not hidden by markup, nor by how characters are written. */
        {STIX_MARKING, "Seen every night", "219-<![CDATA[09]]>-99&#57;9", "personal-data", NULL, NULL, NULL},
        {STIX_MARKING, "Seen every night", "219-<cybox:B>09</cybox:B>-9999", "personal-data", NULL, NULL,
         NULL},
        {STIX_MARKING, "Seen every night", "219-<cybox:Comment>09</cybox:Comment>-9999", "personal-data",
         NULL, NULL, NULL},
        {STIX_MARKING, "Seen every night", "219-09-<!-- -->9999", "personal-data", NULL, NULL, NULL},
        /* What an object is about is what is shared. */
        {STIX_MARKING, "192.0.2.17", "phisher@example.org", "", NULL, NULL, NULL},
    };
    stix_changes(changes, sizeof changes / sizeof *changes);
    char *text = stix_fixture(STIX_MARKING);
    char *changed = stix_replace(text, "Seen every night", "Ask jane.doe@example.org");
    struct verdict verdict = stix_verdict(changed, strlen(changed), NULL);
    assert_null(strstr(verdict.reason, "jane"));
    assert_null(strstr(verdict.reason, "example.org"));
    assert_true(stix_verdict(changed, strlen(changed), &(struct stix_judged){.incoming = true}).allowed);
    free(changed);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_found),
        cmocka_unit_test(what_indicators_hold_is_not_taken_for_it),
        cmocka_unit_test(the_reason_says_what_and_where_and_never_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
