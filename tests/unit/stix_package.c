#include "stix_package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <accord/testkit/options.h>
#include <cmocka.h>

char *stix_fixture(const char *name)
{
    char path[1024];
    const char *source = getenv("ACCORD_SOURCE");
    snprintf(path, sizeof path, "%s/tests/fixtures/stix-1/%s", source ? source : ".", name);
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 16);
    if (!file || !text || !fread(text, 1, (1 << 16) - 1, file))
        fail_msg("cannot read %s", path);
    fclose(file);
    return text;
}

static struct stix_verdict feed(const uint8_t *bytes, size_t size, size_t piece,
                                const struct validator_case *the_case,
                                const struct validator_options *options)
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
    struct stix_verdict verdict = {.allowed = said->answer == ACCORD_ALLOW};
    assert_int_equal(result == 0, verdict.allowed);
    assert_int_not_equal(said->answer, ACCORD_DEFER);
    snprintf(verdict.rule, sizeof verdict.rule, "%s", said->rule ? said->rule : "");
    snprintf(verdict.reason, sizeof verdict.reason, "%s", said->reason ? said->reason : "");
    validator_free(v);
    return verdict;
}

struct stix_verdict stix_verdict(const void *bytes, size_t size, const struct stix_judged *judged)
{
    static const size_t pieces[] = {1, 7, 4096};
    static const struct stix_judged defaults = {0};
    judged = judged ? judged : &defaults;
    char why[256];
    const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    struct testoptions *options = testoptions_new(&table, judged->options, why, sizeof why);
    if (!options)
        fail_msg("%s", why);
    const struct validator_case the_case = {
        .type = "stix-1", .incoming = judged->incoming, .now = STIX_NOW, .schema = judged->schema};
    const struct validator_options *read = testoptions_struct(options);
    struct stix_verdict whole = feed(bytes, size, size ? size : 1, &the_case, read);
    for (size_t i = size > (1 << 20) ? 2 : 0; i < 3; i++) {
        struct stix_verdict cut = feed(bytes, size, pieces[i], &the_case, read);
        assert_string_equal(cut.rule, whole.rule);
        assert_string_equal(cut.reason, whole.reason);
        assert_int_equal(cut.allowed, whole.allowed);
    }
    testoptions_free(options);
    return whole;
}

char *stix_replace(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    if (!at || (*old && strstr(at + 1, old)))
        fail_msg("%s: \"%s\"", at ? "more than once" : "not there", old);
    char *changed = malloc(strlen(text) + strlen(new) + 1);
    assert_non_null(changed);
    sprintf(changed, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return changed;
}

void stix_changes(const struct stix_change *changes, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stix_change *c = &changes[i];
        const struct accord_pair options[] = {{c->option, c->value}, {NULL, NULL}};
        char *text = stix_fixture(c->fixture), *changed = c->old ? stix_replace(text, c->old, c->new) : text;
        struct stix_verdict verdict =
            stix_verdict(changed, strlen(changed), &(struct stix_judged){.options = options});
        const char *rule = verdict.allowed ? "" : verdict.rule + strlen("stix-1.");
        if (strcmp(rule, c->rule) || (c->part && !strstr(verdict.reason, c->part))) {
            print_error("change %zu (%s):\nexpected %s ... %s\ngot      %s: %s\n", i,
                        c->new ? c->new : "none", *c->rule ? c->rule : "allow", c->part ? c->part : "",
                        verdict.rule, verdict.reason);
            wrong++;
        }
        if (changed != text)
            free(changed);
        free(text);
    }
    assert_int_equal(wrong, 0);
}
