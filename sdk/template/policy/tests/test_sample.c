/* The policy as its host asks it: questions, payload in pieces of every size, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <accord/plugin.h>

#include "../search.h"

extern const struct accord_plugin accord_plugin;

/* ---- the host: one question at a time ---- */

struct accord_case {
    struct accord_inquiry inquiry;
    void *state;
    int64_t asked; /* bytes of payload */
    unsigned answers;
    enum accord_answer answer;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
};

static void answered(struct accord_case *one, const struct accord_verdict *verdict)
{
    one->answers++;
    one->answer = verdict->answer;
    strncpy(one->rule, verdict->rule, sizeof one->rule - 1);
    strncpy(one->reason, verdict->reason, sizeof one->reason - 1);
}

static void pulled(struct accord_case *one, int64_t bytes)
{
    one->asked += bytes;
}

static const struct accord_policy_host host = {.size = sizeof host, .answer = answered, .pull = pulled};

static const char *words[] = {"SECRET", "do not send"}, *headers[] = {"subject"};
static struct {
    struct accord_list headers, words;
} options;
static const struct accord_policy_setup setup = {
    .agreement = "test", .module = "sample", .options = &options};
static void *module;

static int set_up(void **state)
{
    (void)state;
    const struct accord_policy *policy = accord_plugin.policy;
    options.words = (struct accord_list){words, 2};
    options.headers = (struct accord_list){NULL, 0};
    module = calloc(1, policy->state_size);
    return policy->open(module, NULL, &host, &setup, (char[ACCORD_REASON_MAX]){0}, ACCORD_REASON_MAX);
}

static int tear_down(void **state)
{
    (void)state;
    accord_plugin.policy->close(module);
    free(module);
    return 0;
}

static void ask(struct accord_case *one, const struct accord_envelope *envelope)
{
    *one = (struct accord_case){.inquiry = {.handle = one, .question = ACCORD_ASK_OUT, .envelope = envelope}};
    one->inquiry.state = &one->state;
    accord_plugin.policy->judge(module, &one->inquiry);
}

static struct accord_case ask_about(const char *text, size_t piece)
{
    const struct accord_envelope envelope = {.id = "id1", .size = (int64_t)strlen(text)};
    struct accord_case one;
    size_t size = strlen(text), at = 0;
    for (ask(&one, &envelope); !one.answers;) {
        size_t next = size - at < piece ? size - at : piece;
        assert_true(one.asked >= (int64_t)(at + next));
        accord_plugin.policy->payload(module, &one.inquiry, (const uint8_t *)text + at, next,
                                      at + next == size);
        at += next;
    }
    assert_int_equal(one.answers, 1);
    assert_null(one.state);
    return one;
}

/* ---- the rules ---- */

static void a_word_is_found_wherever_the_pieces_are_cut(void **state)
{
    (void)state;
    const char *text = "This is no SECRET; but some would say: do not send it.";
    for (size_t piece = 1; piece < 60; piece++) {
        struct accord_case one = ask_about(text, piece);
        assert_int_equal(one.answer, ACCORD_DENY);
        assert_string_equal(one.rule, "sample.word");
        assert_string_equal(one.reason, "the word \"SECRET\" stands at byte 11");
    }
}

static void other_text_is_allowed(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 60; piece++)
        assert_int_equal(ask_about("Secret, SECRE, S E C R E T", piece).answer, ACCORD_ALLOW);
    assert_int_equal(ask_about("", 1).answer, ACCORD_ALLOW);
}

static void a_missing_header_is_denied_before_any_payload_is_read(void **state)
{
    (void)state;
    const struct accord_pair pairs[] = {{"content-type", "text/plain"}, {"subject", "orders"}};
    const struct accord_envelope without = {.headers = pairs, .header_count = 1};
    const struct accord_envelope with = {.headers = pairs, .header_count = 2};
    struct accord_case one;
    options.headers = (struct accord_list){headers, 1};
    ask(&one, &without);
    assert_int_equal(one.answer, ACCORD_DENY);
    assert_string_equal(one.rule, "sample.header");
    assert_string_equal(one.reason, "the message has no header subject");
    assert_int_equal(one.asked, 0);
    ask(&one, &with);
    assert_int_equal(one.answers, 0);
    accord_plugin.policy->cancel(module, &one.inquiry);
    assert_int_equal(one.answer, ACCORD_DEFER);
}

static void closing_defers_what_is_open(void **state)
{
    (void)state;
    const struct accord_envelope envelope = {.id = "id1"};
    struct accord_case one, other;
    ask(&one, &envelope);
    ask(&other, &envelope);
    accord_plugin.policy->close(module);
    assert_int_equal(one.answers + other.answers, 2);
    assert_int_equal(one.answer, ACCORD_DEFER);
}

static void a_word_that_is_too_long_is_a_mistake_in_the_file(void **state)
{
    (void)state;
    char why[ACCORD_REASON_MAX], word[WORD_MAX + 2];
    memset(word, 'x', WORD_MAX + 1);
    word[WORD_MAX + 1] = 0;
    assert_int_equal(accord_plugin.policy->check(&setup, why, sizeof why), ACCORD_OK);
    words[1] = word;
    assert_int_equal(accord_plugin.policy->check(&setup, why, sizeof why), ACCORD_EINVAL);
    assert_string_equal(why, "words: a word has 1 to 64 bytes, this one has 65");
    words[1] = "do not send";
}

#define opened(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        opened(a_word_is_found_wherever_the_pieces_are_cut),           opened(other_text_is_allowed),
        opened(a_missing_header_is_denied_before_any_payload_is_read), opened(closing_defers_what_is_open),
        opened(a_word_that_is_too_long_is_a_mistake_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
