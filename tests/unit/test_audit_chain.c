#include "audit/chain.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct buf sealed(const char *body, const char *chain, struct audit_head *head)
{
    struct buf line = {0};
    buf_text(&line, body);
    assert_int_equal(audit_seal(&line, 0, chain, head), 0);
    return line;
}

static void a_sealed_line_is_one_object_that_unseals(void **state)
{
    struct audit_head head = {0};
    struct audit_seal_facts facts;
    struct reason why = {""};
    uint8_t hash[DIGEST_SIZE], zeros[DIGEST_SIZE] = {0};
    (void)state;
    struct buf line = sealed("{\"event.action\":\"agent-start\"", "cbp-isa", &head);
    const char *text = buf_string(&line);
    const char *end = strstr(text, ",\"accord.hash\"");
    assert_non_null(end);
    assert_int_equal(
        strncmp(text,
                "{\"event.action\":\"agent-start\",\"accord.chain\":\"cbp-isa\",\"accord.sequence\":1,"
                "\"accord.previous\":\"0000",
                97),
        0);
    assert_string_equal(text + line.size - 2, "\"}");
    digest_of(text, (size_t)(end - text), hash);
    assert_int_equal(audit_unseal(text, line.size, &facts, &why), 0);
    assert_string_equal(facts.chain, "cbp-isa");
    assert_int_equal(facts.sequence, 1);
    assert_memory_equal(facts.previous, zeros, DIGEST_SIZE);
    assert_memory_equal(facts.hash, hash, DIGEST_SIZE);
    assert_memory_equal(head.hash, hash, DIGEST_SIZE);
    assert_int_equal(head.sequence, 1);
    buf_fini(&line);
}

static void each_line_names_the_one_before(void **state)
{
    struct audit_head head = {0}, before;
    struct audit_seal_facts facts;
    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        before = head;
        struct buf line = sealed("{\"a\":1", "host", &head);
        assert_int_equal(audit_unseal((char *)line.data, line.size, &facts, NULL), 0);
        assert_int_equal(facts.sequence, i);
        assert_memory_equal(facts.previous, before.hash, DIGEST_SIZE);
        buf_fini(&line);
    }
}

static void any_changed_byte_and_any_cut_is_noticed(void **state)
{
    struct audit_head head = {.sequence = 41, .hash = {1, 2, 3}};
    struct audit_seal_facts facts;
    (void)state;
    struct buf line = sealed("{\"event.reason\":\"x\"", "host", &head);
    for (size_t i = 0; i < line.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct reason why = {""};
            line.data[i] ^= (uint8_t)(1u << bit);
            assert_int_equal(audit_unseal((char *)line.data, line.size, &facts, &why), ACCORD_EFORMAT);
            assert_true(why.text[0]);
            line.data[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t size = 0; size < line.size; size++) {
        char *exact = malloc(size ? size : 1); /* the sanitizer sees a byte too far */
        memcpy(exact, line.data, size);
        assert_int_equal(audit_unseal(exact, size, &facts, NULL), ACCORD_EFORMAT);
        free(exact);
    }
    assert_int_equal(audit_unseal((char *)line.data, line.size, &facts, NULL), 0);
    buf_fini(&line);
}

static void a_body_that_talks_like_a_seal_is_only_a_body(void **state)
{
    struct audit_head head = {0};
    struct audit_seal_facts facts;
    (void)state;
    struct buf line =
        sealed("{\"x\":\"y\",\"accord.chain\":\"other\",\"accord.sequence\":9,\"accord.previous\":\"00\"",
               "host", &head);
    assert_int_equal(audit_unseal((char *)line.data, line.size, &facts, NULL), 0);
    assert_string_equal(facts.chain, "host");
    assert_int_equal(facts.sequence, 1);
    buf_fini(&line);
}

/* The hash fits the line, but the seal is not written as we write it. */
static void a_seal_in_other_words_is_refused(void **state)
{
    static const char *const seals[] = {
        ",\"accord.chain\":\"host\",\"accord.sequence\":01,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"host\",\"accord.sequence\":0,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"host\",\"accord.sequence\": 1,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"host\",\"accord.sequence\":+1,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"host\",\"accord.sequence\":99999999999999999999,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"HOST\",\"accord.sequence\":1,\"accord.previous\":\"%s\"",
        ",\"accord.chain\":\"host\",\"accord.sequence\":1,\"accord.previous\":\"%s\",\"more\":1",
        ",\"accord.chain\":\"host\",\"accord.sequence\":1,\"accord.previous\":\"00%s\"",
    };
    struct audit_seal_facts facts;
    (void)state;
    for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
        uint8_t hash[DIGEST_SIZE] = {0};
        char hex[DIGEST_HEX];
        struct buf line = {0};
        hex_encode(hex, hash, DIGEST_SIZE);
        buf_text(&line, "{\"a\":1");
        const char *at = strchr(seals[i], '%');
        buf_put(&line, seals[i], (size_t)(at - seals[i]));
        buf_text(&line, hex);
        buf_text(&line, at + 2);
        digest_of(line.data, line.size, hash);
        hex_encode(hex, hash, DIGEST_SIZE);
        buf_format(&line, ",\"accord.hash\":\"%s\"}", hex);
        assert_int_equal(audit_unseal((char *)line.data, line.size, &facts, NULL), ACCORD_EFORMAT);
        buf_fini(&line);
    }
}

static void what_cannot_be_sealed_is_left_as_it_was(void **state)
{
    static const char *const names[] = {"", "UPPER", "a/b", "a\"b",
                                        "a-name-of-sixty-four-characters-which-is-one-more-than-fits-here"};
    struct audit_head head = {.sequence = 7, .hash = {9}}, before = head;
    struct buf line = {0};
    (void)state;
    buf_text(&line, "{\"a\":1");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(audit_seal(&line, 0, names[i], &head), ACCORD_EINVAL);
    assert_int_equal(line.size, 6);
    while (line.size < AUDIT_LINE_MAX)
        buf_byte(&line, ' ');
    assert_int_equal(audit_seal(&line, 0, "host", &head), ACCORD_ELIMIT);
    assert_int_equal(line.size, AUDIT_LINE_MAX);
    assert_memory_equal(&head, &before, sizeof head);
    buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_line_is_one_object_that_unseals),
        cmocka_unit_test(each_line_names_the_one_before),
        cmocka_unit_test(any_changed_byte_and_any_cut_is_noticed),
        cmocka_unit_test(a_body_that_talks_like_a_seal_is_only_a_body),
        cmocka_unit_test(a_seal_in_other_words_is_refused),
        cmocka_unit_test(what_cannot_be_sealed_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
