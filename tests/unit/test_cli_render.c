/* What the accord command prints: nothing that a partner wrote may act on a terminal, nothing may be lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/render.h"

#include <cmocka.h>

#define ROW(render, table, ...)                                                                              \
    do {                                                                                                     \
        const struct accord_pair cells_[] = {__VA_ARGS__};                                                   \
        struct wire_pairs pairs_ = WIRE_PAIRS(cells_, sizeof cells_ / sizeof *cells_);                       \
        render_row(render, table, &pairs_);                                                                  \
    } while (0)

static void expect_people(const struct render *render, size_t width, const char *expected)
{
    struct buf out = {0};
    render_people(render, width, &out);
    assert_string_equal(buf_string(&out), expected);
    buf_fini(&out);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "links", {"link", "sftp"}, {"state", "up"});
    ROW(&render, "links", {"link", "a-long-name"}, {"state", "parked"});
    expect_people(&render, 0,
                  "LINK         STATE\n"
                  "sftp         up\n"
                  "a-long-name  parked\n");
    render_fini(&render);
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"name", "Zürich"}, {"n", "1"});
    ROW(&render, "t", {"name", "Berlin"}, {"n", "2"});
    expect_people(&render, 0, "NAME    N\nZürich  1\nBerlin  2\n");
    render_fini(&render);
}

static void a_list_is_cut_to_the_terminal(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"id", "1"}, {"reason", "the partner refused the message for a long reason"});
    ROW(&render, "t", {"id", "2"}, {"reason", "short"});
    expect_people(&render, 20, "ID  REASON\n1   the partner ref…\n2   short\n");
    render_fini(&render);
}

static void a_single_row_that_does_not_fit_is_shown_whole(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "message", {"id", "1"}, {"reason", "longer than the terminal is wide"}, {"empty", ""});
    expect_people(&render, 20, "id      1\nreason  longer than the terminal is wide\n");
    render_fini(&render);
}

static void several_tables_have_names_and_empty_ones_are_left_out(void **state)
{
    (void)state;
    struct render render = {0};
    render_table(&render, "empty");
    ROW(&render, "a", {"x", "1"});
    ROW(&render, "b", {"y", "2"});
    expect_people(&render, 0, "a:\nX\n1\n\nb:\nY\n2\n");
    render_fini(&render);
}

static void a_cell_that_a_row_lacks_is_empty(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"a", "1"});
    ROW(&render, "t", {"b", "2"}, {"a", "3"});
    expect_people(&render, 0, "A  B\n1\n3  2\n");
    render_fini(&render);
}

/* ESC sequences, CSI as C1, backspace, newline, right-to-left override, zero-width space. */
#define HOSTILE                                                                                              \
    "a\x1b[2J\xc2\x9b"                                                                                       \
    "b\b\nc\xe2\x80\xae"                                                                                     \
    "d\xe2\x80\x8b"

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"name", HOSTILE});
    expect_people(&render, 0, "NAME\na?[2J?b??c?d?\n");
    render_fini(&render);
}

static void expect_json(const struct render *render, const char *line, const char *expected)
{
    struct buf out = {0};
    render_json(render, line, &out);
    assert_string_equal(buf_string(&out), expected);
    buf_fini(&out);
}

static void json_keeps_what_it_escapes(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"name", HOSTILE "\xf3\xa0\x80\x81\""});
    expect_json(
        &render, "done",
        "{\n  \"t\": [\n    {\"name\": \"a\\u001b[2J\\u009bb\\u0008\\nc\\u202ed\\u200b\\udb40\\udc01\\\"\"}\n"
        "  ],\n  \"line\": \"done\"\n}\n");
    render_fini(&render);
}

static void an_empty_table_is_an_empty_list_in_json(void **state)
{
    (void)state;
    struct render render = {0};
    render_table(&render, "messages");
    expect_json(&render, "", "{\n  \"messages\": [],\n  \"line\": \"\"\n}\n");
    render_fini(&render);
}

static void every_cell_is_text_in_json(void **state)
{
    (void)state;
    struct render render = {0};
    ROW(&render, "t", {"size", "12"}, {"in-force", "yes"});
    ROW(&render, "t", {"size", "13"});
    expect_json(&render, "",
                "{\n  \"t\": [\n    {\"size\": \"12\", \"in-force\": \"yes\"},\n    {\"size\": \"13\"}\n"
                "  ],\n  \"line\": \"\"\n}\n");
    render_fini(&render);
}

static void more_columns_than_fit_a_table_are_dropped_not_written_past_it(void **state)
{
    (void)state;
    struct render render = {0};
    char names[40][8];
    struct accord_pair cells[40];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "c%02d", i);
        cells[i] = (struct accord_pair){names[i], "v"};
    }
    struct wire_pairs pairs = WIRE_PAIRS(cells, 40);
    render_row(&render, "t", &pairs);
    struct buf out = {0};
    render_people(&render, 0, &out);
    assert_non_null(strstr(buf_string(&out), "C31"));
    assert_null(strstr(buf_string(&out), "C32"));
    buf_fini(&out);
    render_fini(&render);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(a_list_is_cut_to_the_terminal),
        cmocka_unit_test(a_single_row_that_does_not_fit_is_shown_whole),
        cmocka_unit_test(several_tables_have_names_and_empty_ones_are_left_out),
        cmocka_unit_test(a_cell_that_a_row_lacks_is_empty),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(json_keeps_what_it_escapes),
        cmocka_unit_test(an_empty_table_is_an_empty_list_in_json),
        cmocka_unit_test(every_cell_is_text_in_json),
        cmocka_unit_test(more_columns_than_fit_a_table_are_dropped_not_written_past_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
