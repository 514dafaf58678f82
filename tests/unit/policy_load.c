#include "policy_load.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct testpolicy *policy_of(const char *module)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/lib/accord/plugins/policy-%s.so", getenv("ACCORD_BUILD"), module);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct accord_plugin *plugin = library ? dlsym(library, ACCORD_PLUGIN_SYMBOL) : NULL;
    if (!plugin)
        fail_msg("%s", dlerror());
    assert_string_equal(plugin->name, module);
    struct testpolicy *h = testpolicy_new(plugin);
    h->setup.agreement = "cbp-isa";
    return h;
}

struct testpolicy *policy_opened(const char *module, const struct accord_pair *options)
{
    struct testpolicy *h = policy_of(module);
    if (testpolicy_open(h, options))
        fail_msg("%s", h->why);
    return h;
}

void policy_end(struct testpolicy *h)
{
    testpolicy_close(h);
    assert_int_equal(testhost_complaints(h->host), 0);
    testpolicy_free(h);
}

void expect_answer(const struct accord_case *c, enum accord_answer answer, const char *rule, const char *part)
{
    assert_int_equal(c->answers, 1);
    if (c->answer != answer || strcmp(c->rule, rule) || !strstr(c->reason, part))
        fail_msg("expected %d %s ... %s, got %d %s: %s", answer, rule, part, c->answer, c->rule, c->reason);
}

struct accord_case policy_session(struct testpolicy *h, enum accord_question question,
                                  const struct accord_policy_link *link, const struct accord_pair *facts,
                                  const struct accord_pair *changes)
{
    struct accord_pair told[24] = {{0}};
    size_t count = 0, changed = 0;
    for (; facts->name; facts++) {
        const struct accord_pair *as = facts;
        for (const struct accord_pair *change = changes; change->name; change++)
            if (!strcmp(change->name, facts->name)) {
                as = change;
                changed++;
            }
        if (as->value)
            told[count++] = *as;
        assert_true(count < sizeof told / sizeof *told);
    }
    for (; changes->name; changes++)
        assert_true(changed-- > 0); /* each changes something */
    struct accord_case c;
    testpolicy_ask_session(h, &c, question, link, told);
    return c;
}

void policy_refuses(struct testpolicy *h, const struct accord_pair *options, const char *part)
{
    if (testpolicy_check(h, options) != ACCORD_EINVAL || !strstr(h->why, part))
        fail_msg("expected ... %s, got \"%s\"", part, h->why);
}

void policy_checks(const char *module, const struct accord_policy_link *link,
                   const struct accord_pair *options, const char *part)
{
    struct testpolicy *h = policy_of(module);
    h->setup.links = &link, h->setup.link_count = 1;
    if (part)
        policy_refuses(h, options, part);
    else if (testpolicy_check(h, options))
        fail_msg("%s = %s: %s", options->name, options->value, h->why);
    policy_end(h);
}
