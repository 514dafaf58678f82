/* The policy in the test kit's fake host, with options as they stand in conf.d. The host complains about
 * every breach of the contract in <accord/policy.h>; each test ends with none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <accord/plugin.h>
#include <accord/testkit/policy.h>

static const struct accord_policy_service service = {.name = "orders",
                                                     .type = "opaque",
                                                     .link = "line",
                                                     .direction = ACCORD_SEND,
                                                     .max_size = 1 << 20,
                                                     .names = ""};
static struct testpolicy *module;

static int set_up(void **state)
{
    (void)state;
    module = testpolicy_new(&accord_plugin);
    return module ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    testpolicy_close(module);
    size_t complaints = testhost_complaints(module->host);
    testpolicy_free(module);
    return (int)complaints;
}

static void begin(const char *words, const char *headers)
{
    const struct accord_pair options[] = {{"words", words}, {"headers", headers}, {0}};
    assert_int_equal(testpolicy_open(module, options), ACCORD_OK);
}

static struct accord_case ask_about(const char *text, size_t piece)
{
    const struct accord_envelope envelope = {.id = "id1", .size = (int64_t)strlen(text)};
    struct accord_case one;
    testpolicy_ask(module, &one, ACCORD_ASK_OUT, &service, &envelope);
    assert_true(testpolicy_feed(&one, text, strlen(text), piece));
    return one;
}

/* ---- the rules ---- */

static void a_word_is_found_wherever_the_pieces_are_cut(void **state)
{
    (void)state;
    begin("SECRET, do not send", "");
    for (size_t piece = 1; piece < 60; piece++) {
        struct accord_case one = ask_about("This is no SECRET; but some would say: do not send it.", piece);
        assert_int_equal(one.answer, ACCORD_DENY);
        assert_string_equal(one.rule, "sample.word");
        assert_string_equal(one.reason, "the word \"SECRET\" stands at byte 11");
    }
}

static void other_text_is_allowed(void **state)
{
    (void)state;
    begin("SECRET", "");
    for (size_t piece = 1; piece < 60; piece++)
        assert_int_equal(ask_about("Secret, SECRE, S E C R E T", piece).answer, ACCORD_ALLOW);
    assert_int_equal(ask_about("", 1).answer, ACCORD_ALLOW);
}

static void a_missing_header_is_denied_before_any_payload_is_read(void **state)
{
    (void)state;
    const struct accord_pair pairs[] = {{"content-type", "text/plain"}, {"subject", "orders"}};
    const struct accord_envelope without = {.id = "id1", .headers = pairs, .header_count = 1};
    const struct accord_envelope with = {.id = "id2", .headers = pairs, .header_count = 2};
    struct accord_case one;
    begin("SECRET", "subject");
    testpolicy_ask(module, &one, ACCORD_ASK_OUT, &service, &without);
    assert_int_equal(one.answer, ACCORD_DENY);
    assert_string_equal(one.rule, "sample.header");
    assert_string_equal(one.reason, "the message has no header subject");
    assert_int_equal(one.credit, 0);
    testpolicy_ask(module, &one, ACCORD_ASK_OUT, &service, &with);
    assert_int_equal(one.answers, 0);
    testpolicy_cancel(&one);
    assert_int_equal(one.answer, ACCORD_DEFER);
}

static void closing_defers_what_is_open(void **state)
{
    (void)state;
    const struct accord_envelope envelope = {.id = "id1", .size = 100};
    struct accord_case one, other;
    begin("SECRET", "");
    testpolicy_ask(module, &one, ACCORD_ASK_IN, &service, &envelope);
    testpolicy_ask(module, &other, ACCORD_ASK_OUT, &service, &envelope);
    testpolicy_close(module);
    assert_int_equal(one.answers + other.answers, 2);
    assert_int_equal(one.answer, ACCORD_DEFER);
}

static void a_word_that_is_too_long_is_a_mistake_in_the_file(void **state)
{
    (void)state;
    const struct accord_pair longest[] = {
        {"words", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}, {0}};
    const struct accord_pair longer[] = {
        {"words", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}, {0}};
    assert_int_equal(testpolicy_check(module, longest), ACCORD_OK);
    assert_int_equal(testpolicy_check(module, longer), ACCORD_EINVAL);
    assert_string_equal(module->why, "words: a word has 1 to 64 bytes, this one has 65");
    begin("SECRET", "");
}

#define hosted(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        hosted(a_word_is_found_wherever_the_pieces_are_cut),           hosted(other_text_is_allowed),
        hosted(a_missing_header_is_denied_before_any_payload_is_read), hosted(closing_defers_what_is_open),
        hosted(a_word_that_is_too_long_is_a_mistake_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
