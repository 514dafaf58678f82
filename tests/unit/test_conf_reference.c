/* The core's tables are sound, and the reference says what stands in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "conf/reference.h"
#include "conf/schema.h"
#include "util/text.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

static void every_default_is_allowed_and_every_key_explained(void **state)
{
    (void)state;
    for (const struct schema *schema = schemas; schema->kind; schema++)
        for (const struct accord_option *option = schema->table; option->name; option++) {
            struct conf_value value;
            struct reason why = {""};
            if (!text_is_name(option->name, 63) || !option->help)
                fail_msg("[%s] %s has no name or help", schema->kind, option->name);
            if (option->fallback && conf_value_parse(option, option->fallback, &value, &why))
                fail_msg("[%s] %s: %s", schema->kind, option->name, why.text);
            if (option->fallback)
                conf_value_fini(&value);
        }
}

/* No two keys of a section share a field: a wrong offset would let one overwrite the other. */
static void no_two_keys_share_a_field(void **state)
{
    (void)state;
    for (const struct schema *schema = schemas; schema->kind; schema++)
        for (const struct accord_option *a = schema->table; a->name; a++)
            for (const struct accord_option *b = a + 1; b->name; b++)
                if (a->offset < b->offset + options_field_size(b->kind) &&
                    b->offset < a->offset + options_field_size(a->kind))
                    fail_msg("[%s] %s and %s", schema->kind, a->name, b->name);
}

static struct accord_option link_table[] = {
    {.name = "mode", .kind = ACCORD_TEXT, .fallback = "a|b", .help = "Either | or."},
    {.name = NULL},
};

static char *reference(void)
{
    struct conf_plugin items[] = {
        {.kind = ACCORD_POLICY, .name = "window"},
        {.kind = ACCORD_CONNECTOR, .name = "sftp", .flags = ACCORD_CAN_SEND | ACCORD_DIALS},
        {.kind = ACCORD_CONNECTOR, .name = "dir", .summary = "Folders.", .options = link_table},
    };
    struct conf_plugins plugins = {items, 3};
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    assert_int_equal(conf_reference_write(to, &plugins), 0);
    fclose(to);
    return text;
}

static void the_reference_has_every_key(void **state)
{
    (void)state;
    char *text = reference(), row[128];
    for (const struct schema *schema = schemas; schema->kind; schema++) {
        snprintf(row, sizeof row, "\n### [%s%s]\n", schema->kind,
                 schema->flags & SCHEMA_NAMED ? " NAME" : "");
        char *section = strstr(text, row);
        assert_non_null(section);
        for (const struct accord_option *option = schema->table; option->name; option++) {
            snprintf(row, sizeof row, "\n| `%s` | %s | ", option->name, conf_kind_name(option->kind));
            if (!strstr(section, row))
                fail_msg("[%s] %s is missing", schema->kind, option->name);
        }
    }
    assert_non_null(strstr(text,
                           "| `connect-timeout` | duration | `30 s` | a duration such as 10 s, 5 min or 90 "
                           "days, 1 s to 10 min |"));
    assert_non_null(strstr(text, "| `stow-plan` | application/edifact | 10 MB |"));
    free(text);
}

static void plugins_come_in_order_and_cells_stay_whole(void **state)
{
    (void)state;
    char *text = reference();
    char *dir = strstr(text, "## Connector `dir`"), *sftp = strstr(text, "## Connector `sftp`"),
         *window = strstr(text, "## Policy `window`");
    assert_true(dir && sftp && window && dir < sftp && sftp < window);
    assert_non_null(strstr(dir, "| `mode` | text | `a\\|b` | one line of text | Either \\| or. |\n"));
    assert_non_null(strstr(sftp, "It sends. Its links name an endpoint."));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_allowed_and_every_key_explained),
        cmocka_unit_test(no_two_keys_share_a_field),
        cmocka_unit_test(the_reference_has_every_key),
        cmocka_unit_test(plugins_come_in_order_and_cells_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
