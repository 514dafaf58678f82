/* Samples from elsewhere of X12, EDIFACT and 80-column records, as the types that take them; kept outside of the
 * project, not run (77) where they are absent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange_verdict.h"

static char folder[512];

#define CSM      "container-status"
#define ACE      "ace-transaction"
#define RESPONSE "cbp-response"
#define PLAN     "stow-plan"

static const struct {
    const char *file, *type, *rule; /* "": passes */
} samples[] = {
    {"edifact/d95b-smdg20-oocl.edi", PLAN, ""},
    {"edifact/d15a-synthetic-blanklines.txt", PLAN, PLAN ".version"},
    {"edifact/iftsta-d00b.edi", PLAN, PLAN ".type"},
    {"edifact/coarri-d95b.edi", PLAN, PLAN ".type"},
    {"edifact/d04b-sample.edi", PLAN, PLAN ".unb-time"},
    {"edifact/SYNTHETIC-codeco-d95b.edi", PLAN, PLAN ".type"},
    {"edifact/edifact-not-authorised-type-multi.edi", PLAN, PLAN ".unb-syntax"},
    {"edifact/edifact-release-character.edi", PLAN, PLAN ".unb-syntax"},
    {"edifact/edifact-utf8.edi", PLAN, PLAN ".type"},
    {"edifact/edifact-wrapped.edi", PLAN, PLAN ".unb-syntax"},
    {"edifact/SYNTHETIC-codeco-d95b.edi", CSM, ""},
    {"edifact/coarri-d95b.edi", CSM, ""},
    {"edifact/iftsta-d00b.edi", CSM, CSM ".unz-reference"},
    {"edifact/d04b-sample.edi", CSM, CSM ".unb-time"},
    {"edifact/d15a-synthetic-blanklines.txt", CSM, CSM ".type"},
    {"edifact/d95b-smdg20-oocl.edi", CSM, CSM ".type"},
    {"edifact/edifact-not-authorised-type-multi.edi", CSM, CSM ".unb-syntax"},
    {"edifact/edifact-release-character.edi", CSM, CSM ".unb-syntax"},
    {"edifact/edifact-utf8.edi", CSM, CSM ".type"},
    {"edifact/edifact-wrapped.edi", CSM, CSM ".unb-syntax"},
    {"x12/315-004010.edi", CSM, ""},
    {"x12/322-larger.txt", CSM, ""},
    {"x12/322-status.txt", CSM, ""},
    {"x12/x12-999.txt", CSM, CSM ".bom"},
    {"x12/x12-999.txt", RESPONSE, RESPONSE ".bom"},
    {"x12/x12-ta1.txt", RESPONSE, RESPONSE ".bom"},
    {"x12/315-004010.edi", RESPONSE, RESPONSE ".type"},
    {"x12/322-status.txt", "aes-commodity", "aes-commodity.type"},
    {"records80/SYNTHETIC-abi-envelope-lf.txt", ACE, ""},
    {"records80/SYNTHETIC-abi-envelope-lf.txt", RESPONSE, ""},
    {"records80/SYNTHETIC-abi-envelope-lf.txt", "aes-commodity", "aes-commodity.application"},
    {"records80/NEG-abi-data-in-filler.txt", ACE, ACE ".filler"},
};

static struct verdict sample(const char *file, const char *type, const struct validator_options *options)
{
    char path[1024];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    char *bytes = verdict_read(path, &size);
    assert_non_null(bytes);
    struct verdict verdict = verdict_of_case(&(struct validator_case){.type = type}, bytes, size, options);
    free(bytes);
    return verdict;
}

static void samples_get_their_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct verdict verdict = sample(samples[i].file, samples[i].type, NULL);
        if (strcmp(verdict.rule, samples[i].rule))
            fail_msg("%s: %s: %s", samples[i].file, verdict.rule, verdict.reason);
        assert_null(strstr(verdict.reason, "PASSWD"));
    }
}

static void acknowledgements_with_a_byte_order_mark_pass_by_option(void **state)
{
    (void)state;
    struct validator_options options = verdict_options();
    options.allow_bom = true;
    assert_string_equal(sample("x12/x12-999.txt", RESPONSE, &options).reason, "");
    assert_string_equal(sample("x12/x12-ta1.txt", RESPONSE, &options).reason, "");
}

/* It says 24 segments and has 23, also for someone who accepts its version. */
static void a_miscounted_plan_is_refused_whatever_its_version(void **state)
{
    (void)state;
    static const char *const versions[] = {"D:15A"};
    struct validator_options options = verdict_options();
    options.stow_plan.versions = (struct accord_list){versions, 1};
    assert_false(sample("edifact/d15a-synthetic-blanklines.txt", PLAN, &options).allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_get_their_verdict),
        cmocka_unit_test(a_miscounted_plan_is_refused_whatever_its_version),
        cmocka_unit_test(acknowledgements_with_a_byte_order_mark_pass_by_option),
    };
    const char *shared = getenv("ACCORD_SHARED"), *source = getenv("ACCORD_SOURCE");
    if (shared)
        snprintf(folder, sizeof folder, "%s/data", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data", source ? source : ".");
    if (access(folder, R_OK)) {
        printf("not run: no samples in %s\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
