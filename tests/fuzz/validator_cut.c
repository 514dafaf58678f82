#include "validator_cut.h"

#include <stdlib.h>
#include <string.h>

#include "conf/value.h"

const struct validator_options *validator_cut_options(const struct accord_pair *pairs, size_t count)
{
    static const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    static struct conf_options *made;
    struct reason why = {""};
    if (!made && conf_options_fill(&table, pairs, count, &made, &why))
        abort();
    return conf_options_struct(made);
}

/* First a piece of `cut` bytes, then pieces of `step`. */
static struct validator *run(const struct validator_case *the_case, const struct validator_options *options,
                             const uint8_t *data, size_t size, size_t cut, size_t step)
{
    struct validator *v = validator_new(the_case, options);
    if (!v)
        abort();
    int result = validator_feed(v, data, cut);
    for (size_t at = cut; !result && at < size; at += step)
        result = validator_feed(v, data + at, size - at < step ? size - at : step);
    if (!result)
        validator_finish(v);
    return v;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static void compare(const struct accord_verdict *a, const struct accord_verdict *b)
{
    if (a->answer != b->answer || !same(a->rule, b->rule) || !same(a->reason, b->reason) ||
        a->key_count != b->key_count || (a->key_count && !same(a->keys[0], b->keys[0])))
        abort();
}

void validator_cut(const struct validator_case *the_case, const struct validator_options *options,
                   const uint8_t *data, size_t size, size_t cut)
{
    struct validator *whole = run(the_case, options, data, size, size, 1);
    struct validator *halves = run(the_case, options, data, size, cut, size);
    struct validator *pieces = run(the_case, options, data, size, 0, 7);
    const struct accord_verdict *verdict = validator_verdict(whole);
    compare(verdict, validator_verdict(halves));
    compare(verdict, validator_verdict(pieces));
    if (verdict->answer == ACCORD_DENY &&
        (!verdict->rule || !*verdict->rule || !*verdict->reason || strlen(verdict->rule) >= ACCORD_RULE_MAX))
        abort();
    validator_free(whole);
    validator_free(halves);
    validator_free(pieces);
}
