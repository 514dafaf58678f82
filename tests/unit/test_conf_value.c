/* Values as people write them, and option structs filled from their table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "conf/calendar.h"
#include "conf/value.h"
#include "util/text.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

static const char *const colours[] = {"red", "green", "blue", NULL};

static int64_t good(struct accord_option option, const char *text)
{
    struct conf_value value;
    struct reason why = {""};
    if (conf_value_parse(&option, text, &value, &why))
        fail_msg("`%s`: %s", text, why.text);
    int64_t number = value.number;
    conf_value_fini(&value);
    return number;
}

static void bad(struct accord_option option, const char *text, const char *part)
{
    struct conf_value value;
    struct reason why = {""};
    if (conf_value_parse(&option, text, &value, &why) != ACCORD_EINVAL || !strstr(why.text, part))
        fail_msg("`%s`: %s", text, why.text);
    conf_value_fini(&value);
}

#define KIND(k, ...) ((struct accord_option){.name = "x", .kind = ACCORD_##k, ##__VA_ARGS__})

static void durations(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(DURATION), "250 ms"), 250);
    assert_int_equal(good(KIND(DURATION), "10s"), 10000);
    assert_int_equal(good(KIND(DURATION), "10 s"), 10000);
    assert_int_equal(good(KIND(DURATION), "1 h 30 min"), 5400000);
    assert_int_equal(good(KIND(DURATION), "90 days"), 90 * CALENDAR_DAY_MS);
    assert_int_equal(good(KIND(DURATION), "2 Weeks"), 14 * CALENDAR_DAY_MS);
    assert_int_equal(good(KIND(DURATION), "3 years"), 3 * 365 * CALENDAR_DAY_MS);
    assert_int_equal(good(KIND(DURATION), "1 year 1 day"), 366 * CALENDAR_DAY_MS);
    assert_int_equal(good(KIND(DURATION), "0"), 0);
    bad(KIND(DURATION), "10", "a duration such as");
    bad(KIND(DURATION), "10 m", "a duration such as");
    bad(KIND(DURATION), "1.5 h", "a duration such as");
    bad(KIND(DURATION), "-1 s", "a duration such as");
    bad(KIND(DURATION), "30 min 1 h", "a duration such as");
    bad(KIND(DURATION), "1 h 2 h", "a duration such as");
    bad(KIND(DURATION), "1 years 2 year", "a duration such as");
    bad(KIND(DURATION), "", "there is no value");
    bad(KIND(DURATION), "9223372036854775807 days", "out of range");
    bad(KIND(DURATION), "99999999999999999999 s", "out of range");
    bad(KIND(DURATION, .min = 1000, .max = 86400000), "2 days", "1 s to 1 day");
    bad(KIND(DURATION, .min = 1000, .max = 86400000), "999 ms", "`999 ms` is out of range");
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(SIZE), "512"), 512);
    assert_int_equal(good(KIND(SIZE), "64 KiB"), 65536);
    assert_int_equal(good(KIND(SIZE), "64KiB"), 65536);
    assert_int_equal(good(KIND(SIZE), "10 MB"), 10000000);
    assert_int_equal(good(KIND(SIZE), "1 kB"), 1000);
    assert_int_equal(good(KIND(SIZE), "2 GiB"), INT64_C(2) << 30);
    assert_int_equal(good(KIND(SIZE), "3 B"), 3);
    bad(KIND(SIZE), "10 mb", "`10 mb` is not a size");
    bad(KIND(SIZE), "ten", "is not a size");
    bad(KIND(SIZE), "-5", "is not a size");
    bad(KIND(SIZE), "1.5 GB", "is not a size");
    bad(KIND(SIZE), "10000000000 GB", "out of range");
    bad(KIND(SIZE), "99999999999999999999999999", "out of range");
    bad(KIND(SIZE, .min = 1, .max = 1024), "2 KiB", "1 B to 1.0 KiB");
}

static void integers_and_ports(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(INTEGER), "42"), 42);
    assert_int_equal(good(KIND(INTEGER, .min = -5, .max = 5), "-5"), -5);
    assert_int_equal(good(KIND(INTEGER), "9223372036854775807"), INT64_MAX);
    bad(KIND(INTEGER), "9223372036854775808", "out of range");
    bad(KIND(INTEGER), "-1", "out of range");
    bad(KIND(INTEGER), "4 2", "a whole number");
    bad(KIND(INTEGER), "0x10", "a whole number");
    bad(KIND(INTEGER), "-", "a whole number");
    bad(KIND(INTEGER, .min = 1, .max = 9), "10", "1 to 9");
    assert_int_equal(good(KIND(PORT), "65535"), 65535);
    bad(KIND(PORT), "0", "1 to 65535");
    bad(KIND(PORT), "65536", "`65536` is out of range; write a port, 1 to 65535");
    bad(KIND(PORT), "ssh", "a port");
}

static void yes_and_no(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(BOOL), "yes"), 1);
    assert_int_equal(good(KIND(BOOL), "no"), 0);
    bad(KIND(BOOL), "true", "`true` is not yes or no");
    bad(KIND(BOOL), "Yes", "yes or no");
    bad(KIND(BOOL), "yes # really", "yes or no");
}

static void dates(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(DATE), "1970-01-02"), CALENDAR_DAY_MS * 1000);
    assert_int_equal(good(KIND(DATE), "2025-03-14"), INT64_C(1741910400) * 1000000);
    good(KIND(DATE), "2024-02-29");
    good(KIND(DATE), "2000-02-29");
    bad(KIND(DATE), "2025-02-29", "`2025-02-29` is not a day of the calendar");
    bad(KIND(DATE), "2100-02-29", "a day of the calendar");
    bad(KIND(DATE), "2025-13-01", "a day of the calendar");
    bad(KIND(DATE), "2025-04-31", "a day of the calendar");
    bad(KIND(DATE), "2025-00-10", "a day of the calendar");
    bad(KIND(DATE), "14.03.2025", "a day of the calendar");
    bad(KIND(DATE), "2025-3-14", "a day of the calendar");
    bad(KIND(DATE), "2025-03-14 ", "a day of the calendar");
    bad(KIND(DATE), "1969-12-31", "a day of the calendar");
}

static void hosts(void **state)
{
    (void)state;
    good(KIND(HOST), "sftp.cbp.example");
    good(KIND(HOST), "localhost");
    good(KIND(HOST), "xn--bcher-kva.example");
    good(KIND(HOST), "10.0.0.1");
    good(KIND(HOST), "2001:db8::1");
    good(KIND(HOST), "1host.example");
    bad(KIND(HOST), "10.0.0.256", "a host name or an IP address");
    bad(KIND(HOST), "10.0.0", "a host name or an IP address");
    bad(KIND(HOST), "[::1]", "a host name or an IP address");
    bad(KIND(HOST), "a..b", "a host name or an IP address");
    bad(KIND(HOST), "-a.example", "a host name or an IP address");
    bad(KIND(HOST), "a_b.example", "a host name or an IP address");
    bad(KIND(HOST), "https://a.example", "a host name or an IP address");
    bad(KIND(HOST), "a.example:22", "a host name or an IP address");
    bad(KIND(HOST), "a.example.", "a host name or an IP address");
    char label[80] = {0}, name[260] = {0};
    memset(label, 'a', 64);
    bad(KIND(HOST), label, "a host name or an IP address");
    for (int i = 0; i < 127; i++)
        strcat(name, "a.");
    strcat(name, "b");
    bad(KIND(HOST), name, "out of range");
}

static void paths(void **state)
{
    (void)state;
    good(KIND(PATH), "/");
    good(KIND(PATH), "/var/lib/accord");
    good(KIND(PATH), "/a/.hidden/..b/");
    bad(KIND(PATH), "var/lib", "an absolute path");
    bad(KIND(PATH), "/var/../etc", "an absolute path");
    bad(KIND(PATH), "/var/./x", "an absolute path");
    bad(KIND(PATH), "/var/..", "an absolute path");
    bad(KIND(PATH), "~/x", "an absolute path");
}

static void secrets_are_names_and_never_shown(void **state)
{
    (void)state;
    struct conf_value value;
    struct reason why;
    struct accord_option option = KIND(SECRET);
    good(KIND(SECRET), "id_ecdsa");
    assert_int_equal(conf_value_parse(&option, "../hunter2", &value, &why), ACCORD_EINVAL);
    assert_null(strstr(why.text, "hunter2"));
    assert_non_null(strstr(why.text, "credentials/AGREEMENT"));
    bad(KIND(SECRET), "/etc/shadow", "not shown");
    bad(KIND(SECRET), ".", "not shown");
    bad(KIND(SECRET), "..", "not shown");
    bad(KIND(SECRET), ".hidden", "not shown");
}

static void choices_name_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(good(KIND(CHOICE, .choices = colours), "blue"), 2);
    bad(KIND(CHOICE, .choices = colours), "gren",
        "`gren` is not one of red, green, blue; did you mean `green`?");
    bad(KIND(CHOICE, .choices = colours), "Blue", "did you mean `blue`?");
    bad(KIND(CHOICE, .choices = colours), "mauve", "one of red, green, blue");
    bad(KIND(LIST, .choices = colours), "red, geen", "did you mean `green`?");
    bad(KIND(CHOICE), "x", "one of");
}

static void lists(void **state)
{
    (void)state;
    struct conf_value value;
    struct accord_option option = KIND(LIST);
    assert_int_equal(conf_value_parse(&option, "a@b.c ,  b;c,d e", &value, NULL), 0);
    assert_int_equal(value.list.count, 3);
    assert_string_equal(value.list.items[0], "a@b.c");
    assert_string_equal(value.list.items[1], "b;c");
    assert_string_equal(value.list.items[2], "d e");
    conf_value_fini(&value);
    bad(KIND(LIST), "a,,b", "nothing empty");
    bad(KIND(LIST), "a,", "nothing empty");
    bad(KIND(LIST), "a, b, a", "nothing empty or twice");
    char many[600] = "a0";
    for (int i = 0; i < 256; i++)
        strcat(many, ",b");
    bad(KIND(LIST), many, "out of range");
}

static void texts(void **state)
{
    (void)state;
    good(KIND(TEXT), "anything \xc3\xa9");
    bad(KIND(TEXT), "tab\there", "one line of text");
    bad(KIND(TEXT, .max = 3), "four", "of at most 3 bytes");
    good(KIND(TEXT, .max = 4), "four");
}

static int64_t end_of(const char *from, const char *valid)
{
    int64_t us, end;
    struct duration duration;
    assert_int_equal(date_parse(from, &us), 0);
    assert_int_equal(duration_parse(valid, &duration), 0);
    assert_int_equal(date_add(us, &duration, &end), 0);
    return end;
}

static void validity_goes_by_the_calendar(void **state)
{
    (void)state;
    char day[16];
    date_text(day, end_of("2025-03-14", "3 years")); /* over the leap day of 2028 */
    assert_string_equal(day, "2028-03-14");
    date_text(day, end_of("2023-03-01", "1 year"));
    assert_string_equal(day, "2024-03-01");
    date_text(day, end_of("2024-02-29", "3 years")); /* exclusive: 28 February 2027 is inside */
    assert_string_equal(day, "2027-03-01");
    date_text(day, end_of("2024-02-29", "4 years"));
    assert_string_equal(day, "2028-02-29");
    date_text(day, end_of("2025-03-14", "1 year 30 days"));
    assert_string_equal(day, "2026-04-13");
}

static void seven_years_of_records_hold_their_leap_days(void **state)
{
    (void)state;
    struct duration duration;
    int64_t ms;
    assert_int_equal(duration_parse("7 years", &duration), 0);
    assert_int_equal(duration_keep_ms(&duration, &ms), 0);
    assert_int_equal(ms, 2557 * CALENDAR_DAY_MS);
    assert_int_equal(duration_ms(&duration, &ms), 0);
    assert_int_equal(ms, 2555 * CALENDAR_DAY_MS);
}

/* ---- option structs ---- */

struct sample {
    const char *name;
    int64_t count, wait, colour;
    bool on;
    struct accord_list items;
    const char *key;
};
#define AT(field) .offset = offsetof(struct sample, field)
static const struct accord_option sample_table[] = {
    {.name = "name", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED, AT(name)},
    {.name = "count", .kind = ACCORD_INTEGER, .fallback = "7", AT(count)},
    {.name = "wait", .kind = ACCORD_DURATION, .fallback = "10 s", AT(wait)},
    {.name = "colour", .kind = ACCORD_CHOICE, .fallback = "green", .choices = colours, AT(colour)},
    {.name = "on", .kind = ACCORD_BOOL, AT(on)},
    {.name = "items", .kind = ACCORD_LIST, AT(items)},
    {.name = "key", .kind = ACCORD_SECRET, AT(key)},
    {.name = NULL},
};
static const struct accord_options sample_options = {.table = sample_table, .size = sizeof(struct sample)};

static void a_struct_is_filled_from_its_table(void **state)
{
    (void)state;
    struct conf_options *options;
    char name[] = "n";
    struct accord_pair pairs[] = {{"items", "a, b"}, {"name", name}, {"on", "yes"}, {"wait", "2 min"}};
    assert_int_equal(conf_options_fill(&sample_options, pairs, 4, &options, NULL), 0);
    name[0] = 'z'; /* the texts are copies */
    const struct sample *sample = conf_options_struct(options);
    assert_string_equal(sample->name, "n");
    assert_int_equal(sample->count, 7);
    assert_int_equal(sample->wait, 120000);
    assert_int_equal(sample->colour, 1);
    assert_true(sample->on);
    assert_int_equal(sample->items.count, 2);
    assert_string_equal(sample->items.items[1], "b");
    assert_null(sample->key);
    conf_options_free(options);
}

static void refuse(const struct accord_options *table, const struct accord_pair *pairs, size_t count,
                   const char *part)
{
    struct conf_options *options;
    struct reason why = {""};
    if (conf_options_fill(table, pairs, count, &options, &why) != ACCORD_EINVAL || !strstr(why.text, part))
        fail_msg("%s", why.text);
    assert_null(options);
}

static void a_struct_is_not_filled_from_mistakes(void **state)
{
    (void)state;
    refuse(&sample_options, NULL, 0, "`name` is missing");
    refuse(&sample_options, (struct accord_pair[]){{"name", "n"}, {"colur", "red"}}, 2,
           "did you mean `colour`?");
    refuse(&sample_options, (struct accord_pair[]){{"name", "n"}, {"name", "n"}}, 2, "twice");
    refuse(&sample_options, (struct accord_pair[]){{"name", "n"}, {"count", "x"}}, 2, "`count`: `x` is not");
    struct accord_option outside[] = {{.name = "a", .kind = ACCORD_LIST, .offset = 8}, {.name = NULL}};
    refuse(&(struct accord_options){outside, 16}, NULL, 0, "does not fit");
    outside[0].offset = SIZE_MAX - 7;
    refuse(&(struct accord_options){outside, 16}, NULL, 0, "does not fit");
    outside[0] = (struct accord_option){.name = "a", .kind = ACCORD_INTEGER, .offset = 4};
    refuse(&(struct accord_options){outside, 16}, NULL, 0, "does not fit");
    outside[0] = (struct accord_option){.name = "a", .kind = (enum accord_kind)99};
    refuse(&(struct accord_options){outside, 16}, NULL, 0, "does not fit");
}

static void no_table_means_no_options(void **state)
{
    (void)state;
    struct conf_options *options;
    assert_int_equal(conf_options_fill(&(struct accord_options){0}, NULL, 0, &options, NULL), 0);
    assert_non_null(conf_options_struct(options));
    conf_options_free(options);
    refuse(&(struct accord_options){0}, (struct accord_pair[]){{"x", "y"}}, 1, "unknown option `x`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(integers_and_ports),
        cmocka_unit_test(yes_and_no),
        cmocka_unit_test(dates),
        cmocka_unit_test(hosts),
        cmocka_unit_test(paths),
        cmocka_unit_test(secrets_are_names_and_never_shown),
        cmocka_unit_test(choices_name_the_nearest),
        cmocka_unit_test(lists),
        cmocka_unit_test(texts),
        cmocka_unit_test(validity_goes_by_the_calendar),
        cmocka_unit_test(seven_years_of_records_hold_their_leap_days),
        cmocka_unit_test(a_struct_is_filled_from_its_table),
        cmocka_unit_test(a_struct_is_not_filled_from_mistakes),
        cmocka_unit_test(no_table_means_no_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
