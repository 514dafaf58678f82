/* The table of metrics, the text that is made of it, and what plugins may count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hub/plugin_metrics.h"
#include "wire/metrics.h"

#include <cmocka.h>

static void expect_line(const char *expected, const struct accord_pair *cells, size_t count)
{
    struct buf text = {0};
    struct wire_pairs pairs = WIRE_PAIRS(cells, count);
    metric_line(&text, &pairs);
    assert_string_equal(buf_string(&text), expected);
    buf_fini(&text);
}

static void names_are_prometheus_names_and_one_of_a_kind(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_END; i++) {
        const struct metric_row *row = metric_row((enum metric)i);
        size_t size = strlen(row->name);
        bool total = size > 6 && strcmp(row->name + size - 6, "_total") == 0;
        assert_int_equal(strncmp(row->name, "accord_", 7), 0);
        assert_true(metric_own_name(row->name));
        assert_int_equal(total, strcmp(row->type, "counter") == 0);
        assert_int_equal(metric_find(row->name), i);
        assert_true(*row->help);
    }
    assert_int_equal(metric_find("accord_nothing"), METRIC_END);
}

static void what_a_plugin_counts_is_found_by_instance_and_name(void **state)
{
    struct plugin_metrics metrics = {0};
    (void)state;
    plugin_metric_put(&metrics, "taxii", PLUGIN_METRIC_CERTIFICATE, true, -1);
    plugin_metric_put(&metrics, "taxii", "polls", false, 7);
    assert_int_equal(*plugin_metric_of(&metrics, "taxii", PLUGIN_METRIC_CERTIFICATE), -1);
    assert_int_equal(*plugin_metric_of(&metrics, "taxii", "polls"), 7);
    assert_null(plugin_metric_of(&metrics, "other", "polls"));
    assert_null(plugin_metric_of(&metrics, "taxii", "poll"));
    plugin_metrics_free(&metrics);
}

static void labels_are_escaped(void **state)
{
    (void)state;
    const struct accord_pair cells[] = {
        {"metric", "accord_x"}, {"value", "-3"}, {"a", "say \"hi\"\\\n"}, {"b", ""}};
    expect_line("accord_x{a=\"say \\\"hi\\\"\\\\\\n\",b=\"\"} -3\n", cells, 4);
    expect_line("accord_x -3\n", cells, 2);
}

static void head_has_help_and_type(void **state)
{
    (void)state;
    struct buf text = {0};
    metric_head(&text, METRIC_INCIDENTS);
    assert_string_equal(buf_string(&text), "# HELP accord_incidents_total incidents opened\n"
                                           "# TYPE accord_incidents_total counter\n");
    buf_fini(&text);
}

static void plugins_counts_add_up(void **state)
{
    (void)state;
    struct plugin_metrics metrics = {0};
    plugin_metric_put(&metrics, "sftp", "files", false, 2);
    plugin_metric_put(&metrics, "sftp", "files", false, -5);
    plugin_metric_put(&metrics, "other", "files", false, 1);
    plugin_metric_put(&metrics, "sftp", "waiting", true, 7);
    plugin_metric_put(&metrics, "sftp", "waiting", true, 4);
    assert_int_equal(metrics.count, 3);
    assert_int_equal(metrics.items[0].value, -3);
    assert_int_equal(metrics.items[2].value, 4);
    assert_int_equal(metrics.left_out, 0);
    plugin_metrics_free(&metrics);
}

static void plugins_cannot_make_names_without_end(void **state)
{
    (void)state;
    struct plugin_metrics metrics = {0};
    char name[80], instance[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%d", i);
        plugin_metric_put(&metrics, "one", name, false, 1);
    }
    assert_int_equal(metrics.count, PLUGIN_METRICS_EACH);
    assert_int_equal(metrics.left_out, 100 - PLUGIN_METRICS_EACH);
    for (int i = 0; i < 1000; i++) {
        snprintf(instance, sizeof instance, "i%d", i);
        plugin_metric_put(&metrics, instance, "n", false, 1);
    }
    assert_int_equal(metrics.count, PLUGIN_METRICS_ALL);
    plugin_metrics_free(&metrics);
}

static void plugins_names_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "A", "1a", "_a", "a b", "a\"b", "a\n# TYPE", "a-b", "\xc3\xa4"};
    struct plugin_metrics metrics = {0};
    char longest[METRIC_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        plugin_metric_put(&metrics, "one", bad[i], false, 1);
    memset(longest, 'a', METRIC_NAME_MAX);
    longest[METRIC_NAME_MAX] = 0;
    plugin_metric_put(&metrics, "one", longest, false, 1);
    plugin_metric_put(&metrics, "", "name", false, 1);
    plugin_metric_put(&metrics, "bad\xff", "name", false, 1);
    assert_int_equal(metrics.count, 0);
    assert_int_equal(metrics.left_out, sizeof bad / sizeof *bad + 3);
    plugin_metric_put(&metrics, "one", "most", false, INT64_MAX);
    plugin_metric_put(&metrics, "one", "most", false, 1);
    assert_int_equal(metrics.left_out, sizeof bad / sizeof *bad + 4);
    plugin_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_prometheus_names_and_one_of_a_kind),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(what_a_plugin_counts_is_found_by_instance_and_name),
        cmocka_unit_test(head_has_help_and_type),
        cmocka_unit_test(plugins_counts_add_up),
        cmocka_unit_test(plugins_cannot_make_names_without_end),
        cmocka_unit_test(plugins_names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
