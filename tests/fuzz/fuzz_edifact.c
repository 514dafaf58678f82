/* The stow plan validator over any bytes: whole, and cut where the last byte says; both must agree. */
#include <stdlib.h>
#include <string.h>

#include "policies/content/validator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct validator *run(const struct validator_options *options, const uint8_t *data, size_t size,
                             size_t cut)
{
    struct validator *v = validator_new(&(struct validator_case){.type = "stow-plan"}, options);
    if (v && !validator_feed(v, data, cut) && !validator_feed(v, data + cut, size - cut))
        validator_finish(v);
    return v;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const versions[] = {"1:911", "D:95B", "D:13B"};
    struct validator_options options = {
        .stow_plan.versions = {versions, 3}, .max_segments = 1000, .allow_bom = true};
    struct validator *whole = run(&options, data, size, size);
    struct validator *cut = run(&options, data, size, size ? data[size - 1] % size : 0);
    if (!whole || !cut)
        abort();
    const struct accord_verdict *a = validator_verdict(whole), *b = validator_verdict(cut);
    if (a->answer != b->answer || !same(a->rule, b->rule) || !same(a->reason, b->reason))
        abort();
    if (a->answer == ACCORD_DENY &&
        (!a->rule || !*a->rule || !*a->reason || strlen(a->rule) >= ACCORD_RULE_MAX))
        abort();
    validator_free(whole);
    validator_free(cut);
    return 0;
}
