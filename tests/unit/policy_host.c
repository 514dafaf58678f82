#include "policy_host.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct policy_host *host_of(struct accord_instance *instance)
{
    return (struct policy_host *)(void *)instance;
}

static int64_t wall(struct accord_instance *instance)
{
    return host_of(instance)->wall;
}

static int64_t ticks(struct accord_instance *instance)
{
    return host_of(instance)->ticks;
}

static void answer(struct accord_case *c, const struct accord_verdict *verdict)
{
    c->answers++;
    c->answer = verdict->answer;
    c->wait = verdict->wait;
    c->good_for = verdict->good_for;
    snprintf(c->rule, sizeof c->rule, "%s", verdict->rule ? verdict->rule : "");
    snprintf(c->reason, sizeof c->reason, "%s", verdict->reason ? verdict->reason : "");
    snprintf(c->key, sizeof c->key, "%s", verdict->key_count ? verdict->keys[0] : "");
    assert_int_equal(c->answers, 1);
    if (verdict->answer != ACCORD_ALLOW) /* the contract of accord/policy.h */
        assert_true(*c->rule && *c->reason);
}

static void pull(struct accord_case *c, int64_t bytes)
{
    assert_int_equal(c->answers, 0);
    c->credit += bytes;
}

void policy_host_init(struct policy_host *h, const char *module)
{
    char path[1024];
    memset(h, 0, sizeof *h);
    snprintf(path, sizeof path, "%s/lib/accord/plugins/policy-%s.so", getenv("ACCORD_BUILD"), module);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    h->plugin = dlsym(library, ACCORD_PLUGIN_SYMBOL);
    assert_non_null(h->plugin);
    assert_string_equal(h->plugin->name, module);
    h->base = (struct accord_host){.size = sizeof h->base, .wall = wall, .ticks = ticks};
    h->policy = (struct accord_policy_host){
        .size = sizeof h->policy, .base = &h->base, .answer = answer, .pull = pull};
    h->setup =
        (struct accord_policy_setup){.agreement = "cbp-isa", .module = module, .in_force_until = INT64_MAX};
}

/* ---- options: only what the four tables use ---- */

static int64_t duration(const char *text)
{
    char *unit;
    int64_t number = strtoll(text, &unit, 10);
    return number * 86400000 * (strstr(unit, "year") ? 365 : 1);
}

static void fill_list(struct policy_host *h, size_t i, const char *text, struct accord_list *list)
{
    const char **items = calloc(32, sizeof *items);
    h->texts[i] = strdup(text);
    list->items = items;
    for (char *rest, *item = strtok_r(h->texts[i], ",", &rest); item; item = strtok_r(NULL, ",", &rest))
        items[list->count++] = item + strspn(item, " ");
    h->lists[i] = *list;
}

static void fill(struct policy_host *h, size_t i, const struct accord_option *option, const char *text)
{
    char *to = (char *)h->options + option->offset;
    int64_t number = 0;
    if (option->kind == ACCORD_TEXT) {
        *(const char **)(void *)to = h->texts[i] = strdup(text);
        return;
    }
    if (option->kind == ACCORD_LIST)
        fill_list(h, i, text, (struct accord_list *)(void *)to);
    else if (option->kind == ACCORD_BOOL)
        *(bool *)(void *)to = !strcmp(text, "yes");
    else if (option->kind == ACCORD_CHOICE)
        while (strcmp(option->choices[number], text))
            number++;
    else
        number = option->kind == ACCORD_DURATION ? duration(text) : strtoll(text, NULL, 10);
    if (option->kind != ACCORD_LIST && option->kind != ACCORD_BOOL)
        *(int64_t *)(void *)to = number;
}

static void free_options(struct policy_host *h)
{
    for (size_t i = 0; i < POLICY_HOST_OPTIONS; i++) {
        free((void *)(uintptr_t)h->lists[i].items);
        free(h->texts[i]);
        h->lists[i] = (struct accord_list){0};
        h->texts[i] = NULL;
    }
    free(h->options);
    h->options = NULL;
}

static void fill_options(struct policy_host *h, const struct accord_pair *written)
{
    const struct accord_option *table = h->plugin->policy->options.table;
    free_options(h);
    h->options = calloc(1, h->plugin->policy->options.size + 1);
    for (size_t i = 0; table && table[i].name; i++) {
        assert_true(i < POLICY_HOST_OPTIONS);
        const char *text = table[i].fallback;
        for (const struct accord_pair *pair = written; pair && pair->name; pair++)
            text = strcmp(pair->name, table[i].name) ? text : pair->value;
        if (text)
            fill(h, i, &table[i], text);
    }
    h->setup.options = h->options;
}

/* ---- calls ---- */

int policy_host_check(struct policy_host *h, const struct accord_pair *options)
{
    fill_options(h, options);
    h->why[0] = 0;
    return h->plugin->policy->check ? h->plugin->policy->check(&h->setup, h->why, sizeof h->why) : 0;
}

int policy_host_open(struct policy_host *h, const struct accord_pair *options)
{
    fill_options(h, options);
    h->why[0] = 0;
    h->state = calloc(1, h->plugin->policy->state_size);
    int result = h->plugin->policy->open(h->state, (struct accord_instance *)(void *)h, &h->policy, &h->setup,
                                         h->why, sizeof h->why);
    if (result) {
        free(h->state);
        h->state = NULL;
    }
    return result;
}

void policy_host_close(struct policy_host *h)
{
    if (h->state)
        h->plugin->policy->close(h->state);
    free(h->state);
    h->state = NULL;
    free_options(h);
}

static void judge(struct policy_host *h, struct accord_case *c)
{
    c->host = h;
    c->inquiry.handle = c;
    c->inquiry.state = &c->state;
    assert_true(h->plugin->policy->asks & ACCORD_ASKS(c->inquiry.question));
    h->plugin->policy->judge(h->state, &c->inquiry);
}

void policy_host_ask(struct policy_host *h, struct accord_case *c, enum accord_question question,
                     const struct accord_policy_service *service, const struct accord_envelope *envelope)
{
    *c = (struct accord_case){.inquiry = {.question = question,
                                          .service = service,
                                          .envelope = envelope,
                                          .link = h->setup.links ? h->setup.links[0] : NULL}};
    judge(h, c);
}

void policy_host_ask_session(struct policy_host *h, struct accord_case *c, enum accord_question question,
                             const struct accord_policy_link *link, const struct accord_pair *facts)
{
    size_t count = 0;
    while (facts[count].name)
        count++;
    *c = (struct accord_case){
        .inquiry = {.question = question, .link = link, .facts = facts, .fact_count = count}};
    judge(h, c);
}

bool policy_host_payload(struct accord_case *c, const void *bytes, size_t size, bool last)
{
    if ((int64_t)size > c->credit)
        return false;
    c->credit -= (int64_t)size;
    c->host->plugin->policy->payload(c->host->state, &c->inquiry, bytes, size, last);
    return true;
}

static int put(void *arg, const char *name, const char *value)
{
    struct policy_host *h = arg;
    size_t used = strlen(h->profile);
    snprintf(h->profile + used, sizeof h->profile - used, "%s=%s\n", name, value);
    return 0;
}

int policy_host_profile(struct policy_host *h, const struct accord_policy_link *link)
{
    struct accord_profile_sink sink = {.arg = h, .put = put};
    h->profile[0] = 0;
    return h->plugin->policy->profile(h->state, link, &sink, h->why, sizeof h->why);
}
