#include "validator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baplie.h"

/* More formats (X12, 80-column records, STIX) become rows here, each with its own feed and finish. */
struct validator {
    struct accord_verdict verdict;
    char rule[ACCORD_RULE_MAX];
    char key[ACCORD_KEY_MAX];
    const char *keys[1];
    const char *type;
    struct interchange_rules rules;
    struct interchange interchange;
    struct baplie baplie;
};

static const char *const checked[] = {"stow-plan"};

enum validator_kind validator_kind(const char *type)
{
    for (size_t i = 0; i < sizeof checked / sizeof *checked; i++)
        if (!strcmp(type, checked[i]))
            return VALIDATOR_CHECKS;
    return strcmp(type, "opaque") ? VALIDATOR_NONE : VALIDATOR_OPAQUE;
}

struct validator *validator_new(const char *type, const struct validator_options *options)
{
    struct validator *v = validator_kind(type) == VALIDATOR_CHECKS ? calloc(1, sizeof *v) : NULL;
    if (!v)
        return NULL;
    v->type = checked[0];
    v->rules = (struct interchange_rules){
        .versions = options->stow_plan_versions,
        .senders = options->stow_plan_senders,
        .recipients = options->stow_plan_recipients,
        .allow_test = options->allow_test_indicator,
        .allow_bom = options->allow_bom,
        .max_segments = options->max_segments,
    };
    interchange_init(&v->interchange, &v->rules, &baplie_body, &v->baplie);
    return v;
}

static int deny(struct validator *v, int result)
{
    if (!result)
        return 0;
    snprintf(v->rule, sizeof v->rule, "%s.%s", v->type, v->interchange.fault.rule);
    v->verdict = (struct accord_verdict){
        .answer = ACCORD_DENY, .rule = v->rule, .reason = v->interchange.fault.reason};
    return result;
}

int validator_feed(struct validator *v, const uint8_t *bytes, size_t size)
{
    return deny(v, interchange_feed(&v->interchange, bytes, size));
}

int validator_finish(struct validator *v)
{
    int result = interchange_finish(&v->interchange);
    if (result)
        return deny(v, result);
    interchange_key(&v->interchange, v->key, sizeof v->key);
    v->keys[0] = v->key;
    v->verdict = (struct accord_verdict){.answer = ACCORD_ALLOW, .keys = v->keys, .key_count = 1};
    return 0;
}

const struct accord_verdict *validator_verdict(const struct validator *v)
{
    return &v->verdict;
}

void validator_free(struct validator *v)
{
    free(v);
}
