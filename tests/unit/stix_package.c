#include "stix_package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct verdict stix_verdict(const void *bytes, size_t size, const struct stix_judged *judged)
{
    static const struct stix_judged defaults = {0};
    size_t count = 0;
    judged = judged ? judged : &defaults;
    while (judged->options && judged->options[count].name)
        count++;
    const struct validator_case the_case = {
        .type = "stix-1", .incoming = judged->incoming, .now = STIX_NOW, .schema = judged->schema};
    size_t least = size > 1 << 20 ? 4096 : 1; /* byte by byte a large one takes too long */
    return verdict_in_pieces(&the_case, bytes, size, verdict_written(judged->options, count), least);
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
        struct verdict verdict =
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
