/* The window policy as it is built: its times over a year, by clocks that people change, and what it refuses to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy_load.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

static const struct accord_policy_service out = {
    .name = "stow-plan", .type = "stow-plan", .link = "sftp", .direction = ACCORD_SEND, .names = ""};
static const struct accord_policy_service in = {
    .name = "responses", .type = "cbp-response", .link = "sftp", .direction = ACCORD_RECEIVE, .names = ""};
static const struct accord_policy_service *const services[] = {&out, &in};
static const struct accord_policy_link link_of_both = {.name = "sftp"};
static const struct accord_policy_link *const links[] = {&link_of_both};
static const struct accord_envelope plan = {.id = "m1", .type = "stow-plan", .name = "a.edi", .size = 10};

static struct testpolicy *window(void)
{
    struct testpolicy *h = policy_of("window");
    h->setup.services = services;
    h->setup.service_count = 2;
    h->setup.links = links;
    h->setup.link_count = 1;
    return h;
}

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    return timegm(&tm) * SECOND;
}

#define OPEN(h, ...)                                                                                         \
    do {                                                                                                     \
        const struct accord_pair written[] = {__VA_ARGS__, {0}};                                             \
        (h) = window();                                                                                      \
        if (testpolicy_open(h, written))                                                                     \
            fail_msg("%s", (h)->why);                                                                        \
    } while (0)

static enum accord_answer ask(struct testpolicy *h, struct accord_case *c, int64_t wall)
{
    testhost_set_wall(h->host, wall);
    testpolicy_ask(h, c, ACCORD_ASK_OUT, &out, &plan);
    return c->answer;
}

static void expect(struct testpolicy *h, int64_t wall, enum accord_answer answer)
{
    struct accord_case c;
    char when[32];
    time_t seconds = (time_t)(wall / SECOND);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M", gmtime(&seconds));
    if (ask(h, &c, wall) != answer)
        fail_msg("at %s UTC: expected %d, got %d %s", when, answer, c.answer, c.reason);
}

/* ---- when ---- */

static void closed_times_defer_with_their_end(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    OPEN(h, {"closed", "Sun 02:00-06:00, 2026-12-24 18:00 - 2026-12-26 06:00"});
    assert_int_equal(ask(h, &c, utc(2026, 11, 22, 1, 59)), ACCORD_ALLOW);
    assert_int_equal(c.good_for, 60000);
    assert_int_equal(ask(h, &c, utc(2026, 11, 22, 1, 59) + 59 * SECOND), ACCORD_ALLOW);
    assert_int_equal(c.good_for, 1000);
    assert_int_equal(ask(h, &c, utc(2026, 11, 22, 2, 0)), ACCORD_DEFER);
    assert_string_equal(c.rule, "window.closed");
    assert_string_equal(c.reason, "service stow-plan is closed until 2026-11-22 06:00 UTC ([policy window] "
                                  "closed = Sun 02:00-06:00)");
    assert_int_equal(c.wait, 4 * 3600 * 1000);
    expect(h, utc(2026, 11, 22, 5, 59) + 59 * SECOND, ACCORD_DEFER);
    expect(h, utc(2026, 11, 22, 6, 0), ACCORD_ALLOW);
    expect(h, utc(2026, 12, 24, 17, 59), ACCORD_ALLOW);
    assert_int_equal(ask(h, &c, utc(2026, 12, 25, 12, 0)), ACCORD_DEFER);
    assert_non_null(strstr(c.reason, "until 2026-12-26 06:00 UTC"));
    expect(h, utc(2026, 12, 26, 6, 0), ACCORD_ALLOW);
    policy_end(h);
}

/* The end that is told is when it is open, whatever follows on what. */
static void times_that_follow_on_each_other_are_one(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    OPEN(h, {"closed", "Sat, Sun 00:00-06:00, 2026-11-22 06:00 - 2026-11-22 08:00"}, {"open", "07:00-20:00"});
    assert_int_equal(ask(h, &c, utc(2026, 11, 21, 12, 0)), ACCORD_DEFER);
    assert_non_null(strstr(c.reason, "until 2026-11-22 08:00 UTC"));
    policy_end(h);
}

static void weekends_and_nights_go_over_midnight(void **state)
{
    (void)state;
    struct testpolicy *h;
    OPEN(h, {"closed", "Fri 18:00-Mon 06:00, Tue-Thu 22:00-04:00"});
    expect(h, utc(2026, 11, 20, 17, 59), ACCORD_ALLOW); /* a Friday */
    expect(h, utc(2026, 11, 20, 18, 0), ACCORD_DEFER);
    expect(h, utc(2026, 11, 22, 12, 0), ACCORD_DEFER);
    expect(h, utc(2026, 11, 23, 5, 59), ACCORD_DEFER);
    expect(h, utc(2026, 11, 23, 6, 0), ACCORD_ALLOW);
    expect(h, utc(2026, 11, 24, 3, 0), ACCORD_ALLOW); /* Monday's night is not among them */
    expect(h, utc(2026, 11, 24, 22, 0), ACCORD_DEFER);
    expect(h, utc(2026, 11, 27, 3, 59), ACCORD_DEFER); /* Thursday's */
    expect(h, utc(2026, 11, 27, 4, 0), ACCORD_ALLOW);
    policy_end(h);
}

/* Another reckoning: what the C library's clock shows, and the rules written out. */
static bool oracle(int64_t wall)
{
    time_t seconds = (time_t)(wall / SECOND);
    struct tm tm;
    localtime_r(&seconds, &tm);
    int minute = tm.tm_hour * 60 + tm.tm_min, yesterday = (tm.tm_wday + 6) % 7;
    bool weekday = tm.tm_wday >= 1 && tm.tm_wday <= 5;
    bool open = (weekday && minute >= 6 * 60 && minute < 22 * 60) || tm.tm_wday == 0 || tm.tm_wday == 6;
    bool night = (tm.tm_wday == 6 && minute >= 23 * 60) || (yesterday == 6 && minute < 2 * 60 + 30);
    bool holiday = tm.tm_mon == 11 && ((tm.tm_mday == 24 && minute >= 18 * 60) || tm.tm_mday == 25);
    return open && !night && !holiday;
}

static void a_year_of_new_york_is_as_its_clocks_show_it(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    OPEN(h, {"closed", "Sat 23:00-02:30, 2026-12-24 18:00 - 2026-12-25"},
         {"open", "Mon-Fri 06:00-22:00, Sat-Sun"}, {"time-zone", "America/New_York"});
    if (access("/usr/share/zoneinfo/America/New_York", R_OK)) {
        print_message("not run: the package tzdata is not installed\n");
        skip();
    }
    setenv("TZ", "America/New_York", 1);
    tzset();
    int differing = 0, closed = 0;
    for (int64_t at = utc(2026, 1, 1, 0, 0); at < utc(2027, 1, 8, 0, 0); at += 10 * 60 * SECOND) {
        bool is = ask(h, &c, at) == ACCORD_ALLOW;
        differing += is != oracle(at);
        closed += !is;
        /* What it promises is so: closed until then, and open; open for so long. */
        if (!is && !oracle(at + c.wait * 1000))
            fail_msg("it says \"%s\", and it is not open then", c.reason);
        if (is && !oracle(at + c.good_for * 1000 - SECOND))
            fail_msg("it allows for %lld ms, and is closed before", (long long)c.good_for);
    }
    assert_int_equal(differing, 0);
    assert_true(closed > 10000);
    assert_string_equal(getenv("TZ"), "America/New_York"); /* what it borrows it gives back */
    unsetenv("TZ");
    tzset();
    policy_end(h);
}

/* 8 March 2026, 02:00 to 03:00 is not there; 1 November 2026, 01:00 to 02:00 is there twice. */
static void hours_that_are_skipped_or_come_twice(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    OPEN(h, {"closed", "Sun 02:00-06:00"}, {"time-zone", "America/New_York"});
    expect(h, utc(2026, 3, 8, 6, 59), ACCORD_ALLOW);                   /* 01:59 EST */
    assert_int_equal(ask(h, &c, utc(2026, 3, 8, 7, 0)), ACCORD_DEFER); /* 03:00 EDT */
    assert_int_equal(c.wait, 3 * 3600 * 1000);                         /* three hours of the four */
    assert_non_null(strstr(c.reason, "until 2026-03-08 06:00 America/New_York"));
    policy_end(h);
    OPEN(h, {"closed", "Sun 01:30-02:00"}, {"time-zone", "America/New_York"});
    expect(h, utc(2026, 11, 1, 5, 29), ACCORD_ALLOW); /* 01:29 EDT */
    expect(h, utc(2026, 11, 1, 5, 30), ACCORD_DEFER);
    expect(h, utc(2026, 11, 1, 6, 0), ACCORD_ALLOW); /* 01:00 EST */
    expect(h, utc(2026, 11, 1, 6, 45), ACCORD_DEFER);
    expect(h, utc(2026, 11, 1, 7, 0), ACCORD_ALLOW);
    policy_end(h);
}

static void jumps_of_the_clock_are_followed(void **state)
{
    (void)state;
    struct testpolicy *h;
    OPEN(h, {"closed", "Sun 02:00-06:00"}, {"time-zone", "Europe/Berlin"});
    expect(h, utc(2026, 11, 22, 2, 0), ACCORD_DEFER);
    expect(h, utc(2026, 11, 18, 2, 0), ACCORD_ALLOW);
    expect(h, utc(2026, 11, 22, 2, 0), ACCORD_DEFER);
    expect(h, utc(2049, 11, 21, 2, 0), ACCORD_DEFER); /* a Sunday, far ahead */
    expect(h, utc(2001, 1, 7, 2, 0), ACCORD_DEFER);
    expect(h, utc(2026, 7, 5, 0, 30), ACCORD_DEFER); /* 02:30 in summer */
    expect(h, utc(2026, 7, 5, 4, 30), ACCORD_ALLOW);
    policy_end(h);
}

/* ---- for what ---- */

static const struct accord_pair no_facts[] = {{0}};

static void one_direction_or_service_leaves_the_others(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    OPEN(h, {"closed", "Sun"}, {"direction", "send"});
    testhost_set_wall(h->host, utc(2026, 11, 22, 12, 0));
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &out, &plan);
    assert_int_equal(c.answer, ACCORD_DEFER);
    testpolicy_ask(h, &c, ACCORD_ASK_IN, &in, &plan);
    assert_int_equal(c.answer, ACCORD_ALLOW);
    testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link_of_both, no_facts); /* it receives as well */
    assert_int_equal(c.answer, ACCORD_ALLOW);
    policy_end(h);
    OPEN(h, {"closed", "Sun"}, {"services", "responses"});
    testhost_set_wall(h->host, utc(2026, 11, 22, 12, 0));
    testpolicy_ask(h, &c, ACCORD_ASK_OUT, &out, &plan);
    assert_int_equal(c.answer, ACCORD_ALLOW);
    testpolicy_ask(h, &c, ACCORD_ASK_IN, &in, &plan);
    assert_int_equal(c.answer, ACCORD_DEFER);
    policy_end(h);
}

static void sessions_are_not_begun_and_are_cut_only_on_request(void **state)
{
    (void)state;
    struct testpolicy *h;
    struct accord_case c;
    for (int cut = 0; cut < 2; cut++) {
        OPEN(h, {"closed", "Sun"}, {"under-way", cut ? "cut" : "finish"});
        testhost_set_wall(h->host, utc(2026, 11, 22, 12, 0));
        testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link_of_both, no_facts);
        assert_int_equal(c.answer, ACCORD_DEFER);
        assert_non_null(strstr(c.reason, "link sftp is closed until 2026-11-23 00:00 UTC"));
        testhost_set_wall(h->host, utc(2026, 11, 21, 23, 59) + 30 * SECOND);
        testpolicy_ask_session(h, &c, ACCORD_ASK_HANDSHAKE, &link_of_both, no_facts);
        assert_int_equal(c.answer, ACCORD_ALLOW);
        assert_int_equal(c.good_for, cut ? 30000 : 0);
        policy_end(h);
    }
}

/* ---- what it does not read ---- */

static void mistakes_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *option, *value, *says;
    } mistakes[] = {
        {"closed", "Sun 25:00-06:00",
         "closed: \"Sun 25:00-06:00\", at character 5: 25:00 is not a time of day"},
        {"closed", "Sun 02:60-06:00", "at character 5: 02:60 is not a time of day"},
        {"closed", "Sun 02:00-24:01", "at character 11: 24:01 is not a time of day"},
        {"closed", "Sun 24:00-02:00", "24:00 can only be an end"},
        {"closed", "Sun 02:00", "at character 10: - and the end is expected here"},
        {"closed", "Sun 2:00-6:00", "at character 5: a time of day such as 06:00 is expected"},
        {"closed", "Sun 02:00-06:00 please", "at character 17: nothing more is expected here"},
        {"closed", "Sun 02:00-02:00", "it ends when it begins"},
        {"closed", "Sunday 02:00-06:00",
         "at character 1: a time of day such as 06:00 is expected here, or one of Mon"},
        {"closed", "sun 02:00-06:00", "or one of Mon Tue Wed Thu Fri Sat Sun"},
        {"closed", "Sun-02:00-06:00", "at character 5: one of Mon Tue"},
        {"closed", "2026-02-29 - 2026-03-02", "at character 1: 2026-02-29 is not a day"},
        {"closed", "2026-12-24 18:00", "- and the day of the end are expected"},
        {"closed", "2026-12-24 18:00 - 06:00", "at character 20: a day such as 2026-12-24 is expected"},
        {"closed", "2026-12-26 - 2026-12-24", "the end is not after the beginning"},
        {"closed", "2026-12-1", "a day such as 2026-12-24 is expected"},
        {"closed", "Sun 02:00-06:00, Sat 22:00-03:00", "\"Sun 02:00-06:00\" and \"Sat 22:00-03:00\" overlap"},
        {"closed", "Mon-Fri 20:00-06:00, Sat 05:00-07:00", "overlap"},
        {"closed", "2026-12-24 - 2026-12-26, 2026-12-26 10:00 - 2026-12-27", "overlap"},
        {"open", "Mon 08:00-10:00, Mon 09:00-11:00", "open: \"Mon 08:00-10:00\" and"},
        {"closed", "Mon-Sun", "never open"},
        {"closed", "00:00-24:00", "never open"},
        {"time-zone", "Mars/Olympus", "time-zone = Mars/Olympus: there is no such zone here"},
        {"time-zone", "../../../etc/passwd", "no such zone"},
        {"time-zone", "zone.tab", "no such zone"},
        {"services", "stowplan", "the agreement has no service \"stowplan\""},
    };
    struct testpolicy *h;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        bool times = !strcmp(mistakes[i].option, "closed") || !strcmp(mistakes[i].option, "open");
        const struct accord_pair written[] = {
            {mistakes[i].option, mistakes[i].value}, {times ? NULL : "closed", "Sun"}, {0}};
        h = window();
        assert_int_equal(testpolicy_check(h, written), ACCORD_EINVAL);
        if (!strstr(h->why, mistakes[i].says))
            fail_msg("%s = %s: \"%s\" does not say \"%s\"", mistakes[i].option, mistakes[i].value, h->why,
                     mistakes[i].says);
        policy_end(h);
    }
    h = window();
    assert_int_equal(testpolicy_check(h, NULL), ACCORD_EINVAL);
    assert_non_null(strstr(h->why, "neither when it is closed nor when it is open"));
    const struct accord_pair one[] = {
        {"closed", "Sun"}, {"services", "responses"}, {"direction", "send"}, {0}};
    assert_int_equal(testpolicy_check(h, one), ACCORD_EINVAL);
    assert_non_null(strstr(h->why, "no service of the agreement in `services` sends"));
    policy_end(h);
    const struct accord_pair shut[] = {{"closed", "Mon 08:00-12:00"}, {"open", "Mon 09:00-11:00"}, {0}};
    h = window();
    assert_int_equal(testpolicy_check(h, shut), ACCORD_EINVAL);
    assert_non_null(strstr(h->why, "never open"));
    policy_end(h);
}

static void what_is_good_is_read(void **state)
{
    (void)state;
    static const char *const good[] = {
        "Sun 02:00-06:00",
        "22:00-06:00",
        "Sat-Sun",
        "Mon-Fri 00:00-24:00",
        " Sun  02:00 - 06:00 ",
        "2026-12-25",
        "2026-12-24 18:00 - 2026-12-26 06:00",
        "2026-12-24 - 2026-12-26",
        "2026-12-24-2026-12-26",
        "Fri 18:00 - Mon 06:00",
        "Sat-Mon 01:00-02:00",
        "2028-02-29",
        "Sun 02:00-06:00, 2026-11-22 01:00 - 2026-11-22 09:00",
    };
    struct testpolicy *h;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct accord_pair written[] = {{"closed", good[i]}, {0}};
        h = window();
        if (testpolicy_check(h, written))
            fail_msg("%s: %s", good[i], h->why);
        policy_end(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_times_defer_with_their_end),
        cmocka_unit_test(times_that_follow_on_each_other_are_one),
        cmocka_unit_test(weekends_and_nights_go_over_midnight),
        cmocka_unit_test(a_year_of_new_york_is_as_its_clocks_show_it),
        cmocka_unit_test(hours_that_are_skipped_or_come_twice),
        cmocka_unit_test(jumps_of_the_clock_are_followed),
        cmocka_unit_test(one_direction_or_service_leaves_the_others),
        cmocka_unit_test(sessions_are_not_begun_and_are_cut_only_on_request),
        cmocka_unit_test(mistakes_are_refused_with_their_place),
        cmocka_unit_test(what_is_good_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
