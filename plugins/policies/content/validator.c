#include "validator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "format.h"

struct validator {
    const struct format *format;
    struct accord_verdict verdict;
    char rule[ACCORD_RULE_MAX];
    char key[ACCORD_KEY_MAX];
    const char *keys[1];
    _Alignas(max_align_t) unsigned char state[]; /* the format's */
};

static const struct format *const formats[] = {&stow_plan_format,       &container_status_format,
                                               &ace_transaction_format, &aes_commodity_format,
                                               &cbp_response_format,    &stix_format};

static const struct format *format_of(const char *type)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(type, formats[i]->type))
            return formats[i];
    return NULL;
}

enum validator_kind validator_kind(const char *type, const struct validator_options *options)
{
    const struct exchange_options *exchange = exchange_options(options, type);
    if ((exchange && exchange->opaque) || !strcmp(type, "opaque"))
        return VALIDATOR_OPAQUE;
    return format_of(type) ? VALIDATOR_CHECKS : VALIDATOR_NONE;
}

int validator_check(const struct validator_options *options, char *why, size_t why_size)
{
    return exchange_check(options, why, why_size);
}

struct validator *validator_new(const struct validator_case *the_case,
                                const struct validator_options *options)
{
    const struct format *format = format_of(the_case->type);
    struct validator *v = format ? calloc(1, sizeof *v + format->size) : NULL;
    if (!v)
        return NULL;
    v->format = format;
    if (!format->init(v->state, the_case, options))
        return v;
    validator_free(v);
    return NULL;
}

static int judge(struct validator *v, int result)
{
    const char *rule, *reason;
    if (!result)
        return 0;
    if (result == ACCORD_ENOMEM) {
        v->verdict = (struct accord_verdict){.answer = ACCORD_DEFER,
                                             .rule = "content.no-memory",
                                             .reason = "out of memory; the message is tried again"};
        return result;
    }
    v->format->fault(v->state, &rule, &reason);
    snprintf(v->rule, sizeof v->rule, "%s.%s", v->format->type, rule);
    v->verdict = (struct accord_verdict){.answer = ACCORD_DENY, .rule = v->rule, .reason = reason};
    return result;
}

int validator_feed(struct validator *v, const uint8_t *bytes, size_t size)
{
    return judge(v, v->format->feed(v->state, bytes, size));
}

int validator_finish(struct validator *v)
{
    int result = v->format->finish(v->state);
    if (result)
        return judge(v, result);
    v->verdict = (struct accord_verdict){.answer = ACCORD_ALLOW};
    if (v->format->key) {
        v->format->key(v->state, v->key, sizeof v->key);
        v->keys[0] = v->key;
        v->verdict.keys = v->keys;
        v->verdict.key_count = *v->key ? 1 : 0;
    }
    return 0;
}

const struct accord_verdict *validator_verdict(const struct validator *v)
{
    return &v->verdict;
}

void validator_free(struct validator *v)
{
    if (v && v->format->fini)
        v->format->fini(v->state);
    free(v);
}
