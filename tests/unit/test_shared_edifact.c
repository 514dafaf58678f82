/* Samples from elsewhere, kept outside of the project; not run (77) where they are absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange_verdict.h"

static char folder[512];

static const struct {
    const char *file, *rule; /* "": passes */
} samples[] = {
    {"d95b-smdg20-oocl.edi", ""},
    {"d15a-synthetic-blanklines.txt", "stow-plan.version"},
    {"iftsta-d00b.edi", "stow-plan.type"},
    {"coarri-d95b.edi", "stow-plan.type"},
    {"d04b-sample.edi", "stow-plan.unb-time"},
    {"SYNTHETIC-codeco-d95b.edi", "stow-plan.type"},
    {"edifact-not-authorised-type-multi.edi", "stow-plan.unb-syntax"},
    {"edifact-release-character.edi", "stow-plan.unb-syntax"},
    {"edifact-utf8.edi", "stow-plan.type"},
    {"edifact-wrapped.edi", "stow-plan.unb-syntax"},
};

static struct verdict sample(const char *file, const struct validator_options *options)
{
    char path[1024];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    char *bytes = verdict_read(path, &size);
    assert_non_null(bytes);
    struct verdict verdict = verdict_of(bytes, size, options);
    free(bytes);
    return verdict;
}

static void samples_get_their_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct verdict verdict = sample(samples[i].file, NULL);
        if (strcmp(verdict.rule, samples[i].rule))
            fail_msg("%s: %s: %s", samples[i].file, verdict.rule, verdict.reason);
    }
}

/* It says 24 segments and has 23, also for someone who accepts its version. */
static void a_miscounted_plan_is_refused_whatever_its_version(void **state)
{
    (void)state;
    static const char *const versions[] = {"D:15A"};
    struct validator_options options = verdict_options();
    options.stow_plan.versions = (struct accord_list){versions, 1};
    assert_false(sample("d15a-synthetic-blanklines.txt", &options).allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_get_their_verdict),
        cmocka_unit_test(a_miscounted_plan_is_refused_whatever_its_version),
    };
    const char *shared = getenv("ACCORD_SHARED"), *source = getenv("ACCORD_SOURCE");
    if (shared)
        snprintf(folder, sizeof folder, "%s/data/edifact", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data/edifact", source ? source : ".");
    if (access(folder, R_OK)) {
        printf("not run: no EDIFACT samples in %s\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
