#include "plugin/check.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/memory.h"
#include "plugin/talk.h"
#include "util/digest.h"
#include "util/text.h"

enum { SUBJECT_LINK, SUBJECT_MODULE };

struct question {
    uint8_t subject;
    uint32_t number;
    const struct conf_link *link;
    const struct conf_policy *policy;
    char *objection; /* heap; NULL: none */
};

struct asking {
    struct plugin_checker *checker;
    const struct conf_agreement *agreement;
    struct question *questions;
    size_t count, next; /* the first that is not answered */
    bool certain;       /* every answer is the slots' own: asking again would give the same */
};

/* ---- what is configured ---- */

static struct wire_pairs pairs_of(const struct accord_pair *items, size_t count)
{
    static const struct accord_pair none;
    return WIRE_PAIRS(items ? items : &none, count);
}

void check_put_link(struct buf *out, uint32_t number, const struct conf_link *link)
{
    const struct conf_endpoint *endpoint = link->endpoint;
    wire_put_LINK(out, &(struct wire_LINK){
                           .link = number,
                           .name = link->name,
                           .connector = link->connector->name,
                           .host = endpoint ? endpoint->host : "",
                           .port = endpoint ? (uint32_t)endpoint->port : 0,
                           .tunnel = endpoint && endpoint->tunnel == CONF_TUNNEL_IPSEC ? "ipsec" : "none",
                           .options = pairs_of(link->options, link->option_count)});
}

void check_put_service(struct buf *out, uint32_t number, uint32_t link, const struct conf_service *service)
{
    wire_put_SERVICE(out,
                     &(struct wire_SERVICE){.service = number,
                                            .link = link,
                                            .name = service->name,
                                            .type = service->type->name,
                                            .direction = (uint8_t)service->direction,
                                            .max_size = service->max_size,
                                            .names = service->names,
                                            .rate = service->rate,
                                            .options = pairs_of(service->options, service->option_count)});
}

void check_put_module(struct buf *out, uint32_t number, const struct conf_agreement *agreement,
                      const struct conf_policy *policy)
{
    wire_put_MODULE(out, &(struct wire_MODULE){.module = number,
                                               .name = policy->module->name,
                                               .from = agreement->in_force_from,
                                               .until = agreement->in_force_until,
                                               .options = pairs_of(policy->options, policy->option_count)});
}

static const struct conf_plugin *plugin_of(const struct question *q)
{
    return q->link ? q->link->connector : q->policy->module;
}

static void put_setup(const struct asking *a, struct buf *out)
{
    char folder[512];
    text_copy(folder, sizeof folder, plugin_of(&a->questions[0])->path);
    wire_put_SETUP(out, &(struct wire_SETUP){.version = WIRE_VERSION,
                                             .role = "describe",
                                             .agreement = a->agreement->name,
                                             .plugins = dirname(folder)});
}

/* Each plugin once, the first time that a question from `from` on needs it. */
static void put_loads(const struct asking *a, size_t from, struct buf *out)
{
    for (size_t i = from; i < a->count; i++) {
        const struct conf_plugin *plugin = plugin_of(&a->questions[i]);
        bool again = false;
        for (size_t j = from; j < i; j++)
            again = again || plugin_of(&a->questions[j]) == plugin;
        if (!again)
            wire_put_LOAD(out, &(struct wire_LOAD){.plugin = plugin->path, .sha256 = plugin->sha256});
    }
}

static void put_all(const struct asking *a, size_t from, struct buf *out)
{
    const struct conf_agreement *agreement = a->agreement;
    put_setup(a, out);
    put_loads(a, from, out);
    for (size_t i = 0; i < agreement->link_count; i++)
        check_put_link(out, (uint32_t)i, &agreement->links[i]);
    for (size_t i = 0; i < agreement->service_count; i++)
        check_put_service(out, (uint32_t)i, (uint32_t)(agreement->services[i].link - agreement->links),
                          &agreement->services[i]);
    for (size_t i = 0; i < agreement->policy_count; i++)
        check_put_module(out, (uint32_t)i, agreement, &agreement->policies[i]);
    for (size_t i = from; i < a->count; i++)
        wire_put_CHECK(out, &(struct wire_CHECK){a->questions[i].subject, a->questions[i].number});
}

/* ---- answers ---- */

static bool is_line(const char *text)
{
    size_t size = strlen(text);
    return size && size < ACCORD_REASON_MAX && text_utf8(text, size, false);
}

static int answer(struct question *q, const char *text)
{
    free(q->objection);
    q->objection = strdup(text);
    return q->objection ? 0 : ACCORD_ENOMEM;
}

static int take_one(struct asking *a, const struct wire_message *m, struct reason *why)
{
    struct question *q = &a->questions[a->next];
    if (m->type == WIRE_SANDBOXED) {
        const char *seccomp = wire_pairs_get(&m->SANDBOXED.walls, "seccomp");
        return seccomp && !strcmp(seccomp, "yes")
                   ? 0
                   : fail(why, ACCORD_EPROTO, "the child's sandbox is not closed");
    }
    if (m->type == WIRE_FAILED)
        return fail(why, ACCORD_EFORMAT, "%s",
                    is_line(m->FAILED.reason) ? m->FAILED.reason : "it failed without a reason");
    if (m->type != WIRE_CHECKED || m->CHECKED.subject != q->subject || m->CHECKED.number != q->number ||
        m->CHECKED.sound > 1)
        return fail(why, ACCORD_EPROTO, "it answers something else than it was asked");
    a->next++;
    if (m->CHECKED.sound)
        return 0;
    bool line = is_line(m->CHECKED.reason);
    return answer(q, line ? m->CHECKED.reason : "it objects, and does not say to what") < 0
               ? fail(why, ACCORD_ENOMEM, "out of memory")
               : 0;
}

static int take(struct asking *a, struct wire_bytes datagram, struct reason *why)
{
    int result = 0;
    while (!result && datagram.size && a->next < a->count) {
        struct wire_message message;
        result = wire_decode(&datagram, WIRE_D, &message, why);
        if (!result)
            result = take_one(a, &message, why);
    }
    return result;
}

/* One child answers as far as it comes. An error: it is the next question's. */
static int ask_child(struct asking *a, struct reason *why)
{
    struct plugin_checker *checker = a->checker;
    struct talk talk;
    struct buf out = {0}, datagram = {0};
    int result = talk_open(&talk, checker->executable, a->agreement->name, checker->cancel, why);
    if (result)
        return result;
    checker->children++;
    put_all(a, a->next, &out);
    result = talk_send(&talk, &out, talk_now() + checker->deadline_ms, why);
    while (!result && a->next < a->count) {
        int more = talk_receive(&talk, talk_now() + checker->deadline_ms, &datagram, why);
        result = more > 0 ? take(a, (struct wire_bytes){datagram.data, datagram.size}, why)
                 : more   ? more
                          : ACCORD_EPROTO;
    }
    buf_fini(&out);
    buf_fini(&datagram);
    talk_close(&talk, "its `check` was asked", why);
    return result;
}

static int blame(struct asking *a, int result, const struct reason *why)
{
    struct question *q = &a->questions[a->next++];
    char text[ACCORD_REASON_MAX + 128];
    a->certain = false;
    snprintf(text, sizeof text, "the %s `%s` could not check this: %s", q->link ? "connector" : "policy",
             plugin_of(q)->name,
             result == ACCORD_ETIMEOUT
                 ? "its `check` does not come to an end; report this to whoever wrote it"
                 : why->text);
    return answer(q, text);
}

static int ask_all(struct asking *a)
{
    a->certain = true;
    while (a->next < a->count) {
        struct reason why = {"the child hung up"};
        int result = ask_child(a, &why);
        if (result == ACCORD_ENOMEM || result == ACCORD_ECANCELED)
            return result;
        if (result && a->next < a->count && blame(a, result, &why) < 0)
            return ACCORD_ENOMEM;
    }
    return 0;
}

/* ---- what was answered before ---- */

static bool key_of(const struct asking *a, char key[DIGEST_HEX])
{
    struct buf all = {0};
    uint8_t digest[DIGEST_SIZE];
    put_all(a, 0, &all);
    bool good = !all.failed && digest_of(all.data, all.size, digest) == 0;
    if (good)
        hex_encode(key, digest, sizeof digest);
    buf_fini(&all);
    return good;
}

static int ask_or_remember(struct asking *a)
{
    struct check_memory *memory = a->checker->memory;
    char key[DIGEST_HEX];
    bool keyed = memory && key_of(a, key);
    char **known = keyed ? check_memory_get(memory, key, a->count) : NULL;
    int result = known ? 0 : ask_all(a);
    for (size_t i = 0; known && i < a->count && !result; i++)
        result = known[i] ? answer(&a->questions[i], known[i]) : 0;
    if (result || known || !keyed || !a->certain)
        return result;
    char **texts = calloc(a->count, sizeof *texts);
    for (size_t i = 0; texts && i < a->count; i++)
        texts[i] = a->questions[i].objection ? strdup(a->questions[i].objection) : NULL;
    if (texts)
        check_memory_put(memory, key, texts, a->count);
    return 0;
}

/* ---- one agreement ---- */

static int collect(struct asking *a)
{
    const struct conf_agreement *agreement = a->agreement;
    a->questions = calloc(agreement->link_count + agreement->policy_count + 1, sizeof *a->questions);
    if (!a->questions)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < agreement->link_count; i++)
        if (agreement->links[i].connector->has_check)
            a->questions[a->count++] =
                (struct question){SUBJECT_LINK, (uint32_t)i, &agreement->links[i], NULL, NULL};
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (agreement->policies[i].module->has_check)
            a->questions[a->count++] =
                (struct question){SUBJECT_MODULE, (uint32_t)i, NULL, &agreement->policies[i], NULL};
    return 0;
}

int plugin_check(void *arg, const struct conf_agreement *agreement, conf_object_fn object, void *to)
{
    struct asking asking = {.checker = arg, .agreement = agreement};
    int result = collect(&asking);
    if (!result && asking.count)
        result = ask_or_remember(&asking);
    for (size_t i = 0; i < asking.count; i++) {
        const struct question *q = &asking.questions[i];
        if (!result && q->objection)
            object(to, q->link, q->policy, q->objection);
        free(q->objection);
    }
    free(asking.questions);
    return result;
}
