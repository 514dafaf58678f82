/* The STIX 1 validator over any bytes: whole, and cut where the last byte says; both must agree. */
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "policies/content/validator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As an agreement for AIS has them, with everything asked for. */
static const struct validator_options *options(void)
{
    static const struct accord_pair written[] = {{"require-identity", "yes"}, {"stix-max-size", "64 KiB"}};
    static const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    static struct conf_options *made;
    struct reason why = {""};
    if (!made && conf_options_fill(&table, written, 2, &made, &why))
        abort();
    return conf_options_struct(made);
}

static struct validator *run(const uint8_t *data, size_t size, size_t cut)
{
    const struct validator_case the_case = {.type = "stix-1", .incoming = size % 2, .now = 1769947200000000};
    struct validator *v = validator_new(&the_case, options());
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
    struct validator *whole = run(data, size, size);
    struct validator *cut = run(data, size, size ? data[size - 1] * size / 256 : 0);
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
