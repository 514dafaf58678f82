#include "hub/probing.h"

#include <stdlib.h>

#include "util/text.h"

#define STEPS_MOST 1000 /* of one probe */

struct probing {
    struct child *child;
    uint64_t id;
    const struct conf_link *link;
    const struct probing_events *events;
    void *arg;
    unsigned steps;
};

struct probing *probing_start(struct child *child, const struct conf_link *link,
                              const struct probing_events *events, void *arg)
{
    struct probing *probing = malloc(sizeof *probing);
    if (!probing)
        return NULL;
    *probing = (struct probing){
        .child = child, .id = ++child->next_probe, .link = link, .events = events, .arg = arg};
    uint32_t number = 0;
    while (number < child->link_count && child->links[number] != link)
        number++;
    if (table_put(&child->probes, probing->id, probing) < 0) {
        free(probing);
        return NULL;
    }
    wire_put_PROBE(channel_out(child->channel), &(struct wire_PROBE){.probe = probing->id, .link = number});
    return probing;
}

void probing_stop(struct probing *probing)
{
    table_take(&probing->child->probes, probing->id);
    free(probing);
}

bool probing_allows(const struct child *child, const struct conf_link *link)
{
    const struct probing *probing;
    for (size_t at = 0; (probing = table_next(&child->probes, &at));)
        if (probing->link == link)
            return true;
    return false;
}

static void over(struct probing *probing, const char *why)
{
    struct probing ended = *probing;
    probing_stop(probing);
    ended.events->over(ended.arg, why);
}

void probing_said(struct child *child, const struct wire_PROBED *m)
{
    struct probing *probing = table_get(&child->probes, m->probe);
    char step[48], text[ACCORD_REASON_MAX];
    if (!probing)
        return; /* it was given up while this was on its way */
    if (++probing->steps > STEPS_MOST) {
        child_fail(child, "hub.protocol", "it makes more than %d steps of one probe", STEPS_MOST);
        return;
    }
    text_copy(step, sizeof step, m->step);
    text_copy(text, sizeof text, m->text);
    text_make_visible(step);
    text_make_visible(text);
    if (*step)
        probing->events->step(probing->arg, step, m->result < 0 ? (int)m->result : 0, text);
    if (m->last)
        over(probing, probing->steps == 1 && !*step ? "its connector has no steps of its own" : NULL);
}

void probing_gone(struct child *child)
{
    struct probing *probing;
    while ((probing = table_any(&child->probes, NULL)))
        over(probing, "the link's process has ended");
    table_fini(&child->probes);
}
