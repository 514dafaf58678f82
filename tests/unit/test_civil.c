/* The calendar that plugins share, against libc's; and what counts as a date with a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "common/time/civil.h"

static void each_day_is_libc_s(void **state)
{
    (void)state;
    for (int64_t days = 0; days < 366 * 500; days++) {
        time_t seconds = (time_t)days * 86400;
        struct tm tm;
        int year, month, day;
        gmtime_r(&seconds, &tm);
        civil_date(days, &year, &month, &day);
        assert_int_equal(year, tm.tm_year + 1900);
        assert_int_equal(month, tm.tm_mon + 1);
        assert_int_equal(day, tm.tm_mday);
        assert_int_equal(civil_days(year, month, day), days);
    }
    assert_int_equal(civil_days(1, 1, 1), -719162);
    assert_int_equal(civil_month_days(1900, 2), 28);
    assert_int_equal(civil_month_days(2000, 2), 29);
}

static void a_time_is_taken_apart(void **state)
{
    struct civil_time t;
    (void)state;
    assert_true(civil_read("2026-11-22t23:59:60.0000049-05:30", &t));
    assert_int_equal(t.second, 60);
    assert_int_equal(t.micros, 4);
    assert_int_equal(t.separator, 't');
    assert_int_equal(t.zone, '-');
    assert_int_equal(civil_seconds(&t), 1795411800);
    assert_true(civil_read("2026-11-22T23:59:59", &t));
    assert_int_equal(t.zone, 0);
    assert_int_equal(civil_seconds(&t), 1795391999);
}

static void what_is_none_is_refused(void **state)
{
    static const char *const none[] = {"",
                                       "2026-11-22",
                                       "2026-02-29T00:00:00Z",
                                       "2026-13-01T00:00:00Z",
                                       "2026-00-01T00:00:00Z",
                                       "2026-01-00T00:00:00Z",
                                       "2026-01-01T24:00:00Z",
                                       "2026-01-01T00:60:00Z",
                                       "2026-01-01T00:00:61Z",
                                       "2026-01-01T00:00:00.Z",
                                       "2026-01-01T00:00:00+24:00",
                                       "2026-01-01T00:00:00+01:60",
                                       "2026-01-01T00:00:00Zx",
                                       "2026-01-01_00:00:00Z",
                                       " 2026-01-01T00:00:00Z",
                                       "+026-01-01T00:00:00Z"};
    struct civil_time t;
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (civil_read(none[i], &t))
            fail_msg("%s", none[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_day_is_libc_s),
        cmocka_unit_test(a_time_is_taken_apart),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
