#include "exchange_verdict.h"

#include "conf/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct validator_options *verdict_written(const struct accord_pair *pairs, size_t count)
{
    static const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    static struct conf_options *made;
    struct reason why = {""};
    conf_options_free(made);
    made = NULL;
    if (conf_options_fill(&table, pairs, count, &made, &why))
        fail_msg("%s", why.text);
    return conf_options_struct(made);
}

struct validator_options verdict_options(void)
{
    static const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    static struct conf_options *defaults;
    struct reason why = {""};
    if (!defaults && conf_options_fill(&table, NULL, 0, &defaults, &why))
        fail_msg("%s", why.text);
    return *(const struct validator_options *)conf_options_struct(defaults);
}

static struct verdict feed(const struct validator_case *the_case, const uint8_t *bytes, size_t size,
                           const struct validator_options *options, size_t piece)
{
    struct validator *v = validator_new(the_case, options);
    assert_non_null(v);
    int result = 0;
    for (size_t at = 0; !result && at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        uint8_t *exact = malloc(length); /* so that the address sanitizer sees one byte too far */
        memcpy(exact, bytes + at, length);
        result = validator_feed(v, exact, length);
        free(exact);
    }
    if (!result)
        result = validator_finish(v);
    const struct accord_verdict *said = validator_verdict(v);
    struct verdict verdict = {.allowed = said->answer == ACCORD_ALLOW, .result = result};
    assert_int_not_equal(said->answer, ACCORD_DEFER);
    assert_int_equal(result == 0, verdict.allowed);
    snprintf(verdict.rule, sizeof verdict.rule, "%s", said->rule ? said->rule : "");
    snprintf(verdict.reason, sizeof verdict.reason, "%s", said->reason ? said->reason : "");
    snprintf(verdict.key, sizeof verdict.key, "%s", said->key_count ? said->keys[0] : "");
    validator_free(v);
    return verdict;
}

struct verdict verdict_in_pieces(const struct validator_case *the_case, const void *bytes, size_t size,
                                 const struct validator_options *options, size_t least)
{
    static const size_t pieces[] = {1, 7, 4096};
    struct validator_options defaults = verdict_options();
    options = options ? options : &defaults;
    struct verdict whole = feed(the_case, bytes, size, options, size ? size : 1);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (pieces[i] < least)
            continue;
        struct verdict cut = feed(the_case, bytes, size, options, pieces[i]);
        assert_string_equal(cut.rule, whole.rule);
        assert_string_equal(cut.reason, whole.reason);
        assert_string_equal(cut.key, whole.key);
        assert_int_equal(cut.result, whole.result);
    }
    return whole;
}

struct verdict verdict_of_case(const struct validator_case *the_case, const void *bytes, size_t size,
                               const struct validator_options *options)
{
    struct verdict verdict = verdict_in_pieces(the_case, bytes, size, options, 1);
    assert_int_equal(verdict.result, verdict.allowed ? 0 : ACCORD_EFORMAT);
    return verdict;
}

struct verdict verdict_of(const void *bytes, size_t size, const struct validator_options *options)
{
    return verdict_of_case(&(struct validator_case){.type = "stow-plan"}, bytes, size, options);
}

struct verdict verdict_of_text(const char *text, const struct validator_options *options)
{
    return verdict_of(text, strlen(text), options);
}

struct verdict verdict_as(const char *type, const char *text, const struct validator_options *options)
{
    return verdict_of_case(&(struct validator_case){.type = type}, text, strlen(text), options);
}

void expect_allowed_as(const char *type, const char *text)
{
    struct verdict verdict = verdict_as(type, text, NULL);
    if (!verdict.allowed)
        fail_msg("%s: %s\nin: %s", verdict.rule, verdict.reason, text);
}

void expect_allowed(const char *text)
{
    expect_allowed_as("stow-plan", text);
}

void expect_denied_with(const struct validator_options *options, const char *rule, const char *reason_part,
                        const char *text)
{
    char type[ACCORD_RULE_MAX];
    snprintf(type, sizeof type, "%.*s", (int)strcspn(rule, "."), rule);
    struct verdict verdict = verdict_as(type, text, options);
    if (verdict.allowed || strcmp(verdict.rule, rule) || !strstr(verdict.reason, reason_part))
        fail_msg("expected %s ... %s, got %s: %s\nin: %.300s", rule, reason_part,
                 verdict.allowed ? "allow" : verdict.rule, verdict.reason, text);
}

void expect_denied(const char *rule, const char *reason_part, const char *text)
{
    expect_denied_with(NULL, rule, reason_part, text);
}

char *verdict_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = file ? malloc(1 << 20) : NULL;
    *size = bytes ? fread(bytes, 1, 1 << 20, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}
