#include "hub/policy_side.h"

#include <stdlib.h>
#include <string.h>

#include "hub/stream.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/pool.h"
#include "util/text.h"

#define CASE_TIME    30000  /* ms without an answer or a pull; then the process counts as hung */
#define CASE_MOST    600000 /* ms for an answer in all */
#define PROFILE_SIZE 32768  /* bytes of one session profile on the wire */

struct inquiry {
    struct stream stream;      /* first */
    struct bus_case *bus_case; /* or: */
    policy_answered answered;
    void *arg;
    int64_t deadline, give_up; /* ticks */
    bool crashed, alone;       /* its process died, and had nothing else */
    struct bus_verdict verdict;
};

static struct pool inquiries = {.size = sizeof(struct inquiry), .head = sizeof(void *), .most = 512};

static void answer(const struct inquiry *inquiry, struct bus_verdict *verdict)
{
    if (inquiry->bus_case && inquiry->crashed) {
        bus_verdict_fini(verdict);
        bus_case_crashed(inquiry->bus_case, inquiry->alone);
        return;
    }
    if (inquiry->bus_case) {
        bus_case_answer(inquiry->bus_case, verdict);
        return;
    }
    inquiry->answered(inquiry->arg, verdict);
    bus_verdict_fini(verdict);
}

static void concluded(struct stream *stream)
{
    struct inquiry *inquiry = (struct inquiry *)stream;
    answer(inquiry, &inquiry->verdict);
    pool_give(&inquiries, inquiry);
}

/* Answers once no read of the payload is under way: whoever asked frees it then. */
static void conclude(struct inquiry *inquiry, const struct bus_verdict *verdict)
{
    table_take(&inquiry->stream.child->cases, inquiry->stream.id);
    inquiry->verdict = *verdict;
    stream_close(&inquiry->stream, concluded);
}

static struct bus_verdict deferral(const char *rule, const char *reason)
{
    struct bus_verdict verdict = {.answer = ACCORD_DEFER};
    bus_verdict_say(&verdict, "hub", rule, reason);
    return verdict;
}

static void unreadable(struct stream *stream)
{
    struct bus_verdict verdict = deferral("store.damaged", "the payload cannot be read back from the store");
    if (stream->child->channel)
        wire_put_CANCEL(channel_out(stream->child->channel), &(struct wire_CANCEL){.stream = stream->id});
    conclude((struct inquiry *)stream, &verdict);
}

/* NULL: the process is not there; the question was deferred. */
static struct inquiry *inquiry_new(struct child *child, const struct inquiry *first)
{
    struct inquiry *inquiry = child_ready(child) ? pool_take(&inquiries) : NULL;
    if (inquiry) {
        int64_t now = clock_ticks();
        *inquiry = *first;
        inquiry->stream.child = child;
        inquiry->stream.id = ++child->next_case;
        inquiry->stream.unreadable = unreadable;
        inquiry->deadline = now + CASE_TIME;
        inquiry->give_up = now + CASE_MOST;
        if (table_put(&child->cases, inquiry->stream.id, inquiry) == 0)
            return inquiry;
        pool_give(&inquiries, inquiry);
    }
    struct bus_verdict verdict = deferral("hub.not-ready", "the process that must judge this is not ready");
    answer(first, &verdict);
    return NULL;
}

static uint32_t index_of_link(const struct child *child, const struct conf_link *link)
{
    for (size_t i = 0; i < child->link_count; i++)
        if (child->links[i] == link || strcmp(child->links[i]->name, link->name) == 0)
            return (uint32_t)i;
    return WIRE_NONE;
}

void policy_side_ask(struct child *child, struct bus_case *bus_case)
{
    const struct bus_case_view *view = bus_case_view(bus_case);
    struct inquiry *inquiry =
        inquiry_new(child, &(struct inquiry){.bus_case = bus_case, .stream.source = view->source});
    if (!inquiry)
        return;
    wire_put_JUDGE(channel_out(child->channel),
                   &(struct wire_JUDGE){.stream = inquiry->stream.id,
                                        .question = (uint8_t)view->question,
                                        .link = index_of_link(child, view->service->link),
                                        .service = child_service_index(child, view->service),
                                        .envelope = wire_envelope_of(view->envelope, view->encoded)});
}

void policy_side_ask_session(struct child *child, enum accord_question question, const struct conf_link *link,
                             const struct wire_pairs *facts, policy_answered answered, void *arg)
{
    struct inquiry *inquiry = inquiry_new(child, &(struct inquiry){.answered = answered, .arg = arg});
    if (!inquiry)
        return;
    wire_put_JUDGE(channel_out(child->channel), &(struct wire_JUDGE){.stream = inquiry->stream.id,
                                                                     .question = (uint8_t)question,
                                                                     .link = index_of_link(child, link),
                                                                     .service = WIRE_NONE,
                                                                     .facts = *facts});
}

/* ---- answers ---- */

static bool copy_keys(struct bus_verdict *verdict, const struct wire_pairs *keys)
{
    if (!keys->count || verdict->answer != ACCORD_ALLOW)
        return true;
    if (keys->count > ACCORD_KEYS_MAX)
        return false;
    verdict->keys = calloc(keys->count, sizeof *verdict->keys);
    struct accord_pair key;
    for (size_t at = 0; verdict->keys && wire_pairs_next(keys, &at, &key);) {
        if (!key.name[0] || strlen(key.name) >= ACCORD_KEY_MAX)
            return false;
        text_copy(verdict->keys[verdict->key_count++].text, ACCORD_KEY_MAX, key.name);
    }
    return verdict->keys != NULL;
}

/* Ticks in so many milliseconds; 0 stays 0. What lies beyond a year is as good as for ever. */
static int64_t later(int64_t ms)
{
    return ms > 0 && ms < 365 * 86400000LL ? clock_ticks() + ms : 0;
}

static void verdict_came(struct child *child, const struct wire_VERDICT *m)
{
    struct inquiry *inquiry = table_get(&child->cases, m->stream);
    struct bus_verdict verdict = {
        .answer = (enum accord_answer)m->answer, .wait = m->wait, .good_until = later(m->good_for)};
    if (!inquiry && m->stream && m->stream <= child->next_case)
        return; /* it was cancelled while this was on its way */
    if (!inquiry || m->answer > ACCORD_DEFER || !copy_keys(&verdict, &m->keys) ||
        (m->answer != ACCORD_ALLOW && !m->rule[0])) {
        bus_verdict_fini(&verdict);
        child_fail(child, "hub.protocol", "it gave a verdict that nobody asked for, or an incomplete one");
        return;
    }
    if (m->module[0] || m->rule[0] || m->reason[0])
        bus_verdict_say(&verdict, m->module, m->rule, m->reason);
    conclude(inquiry, &verdict);
}

static void pulled(struct child *child, const struct wire_PULL *m)
{
    struct inquiry *inquiry = table_get(&child->cases, m->stream);
    if (!inquiry)
        return;
    inquiry->deadline = clock_ticks() + CASE_TIME;
    if (m->bytes <= 0 || !inquiry->stream.source)
        child_fail(child, "hub.protocol", "it asked for payload that is not for it");
    else
        stream_pull(&inquiry->stream, m->bytes);
}

static bool keep_profile(struct profile *profile, const struct wire_pairs *pairs)
{
    struct accord_pair pair;
    profile->items = calloc(pairs->count + 1, sizeof *profile->items);
    for (size_t at = 0; profile->items && wire_pairs_next(pairs, &at, &pair);) {
        struct accord_pair *copy = &profile->items[profile->count++];
        *copy = (struct accord_pair){strdup(pair.name), strdup(pair.value)};
        if (!copy->name || !copy->value)
            return false;
    }
    return profile->items;
}

static void profile_came(struct child *child, const struct wire_PROFILE *m)
{
    struct unit *unit = child->unit;
    struct profile *profile = m->link < child->link_count ? unit_profile(unit, child->links[m->link]) : NULL;
    if (!profile || !profile->asked || profile->compiled || m->profile.raw.size > PROFILE_SIZE) {
        child_fail(child, "hub.protocol", "it gave a session profile that nobody asked for, or a huge one");
    } else if (m->result) {
        child_fail(child, "hub.profile", "no session profile for link %s: %s", child->links[m->link]->name,
                   m->reason);
    } else if (!keep_profile(profile, &m->profile)) {
        child_fail(child, "hub.no-memory", "out of memory for a session profile");
    } else {
        profile->compiled = true;
        unit_update(unit);
    }
}

void policy_side_message(struct child *child, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_VERDICT:
        verdict_came(child, &m->VERDICT);
        break;
    case WIRE_PULL:
        pulled(child, &m->PULL);
        break;
    case WIRE_PROFILE:
        profile_came(child, &m->PROFILE);
        break;
    default:
        child_fail(child, "hub.protocol", "%s is not for now", wire_type_name(m->type));
    }
}

/* ---- time and ends ---- */

void policy_side_gone(struct child *child)
{
    struct inquiry *inquiry;
    bool alone = child->cases.count == 1;
    while ((inquiry = table_any(&child->cases, NULL))) {
        inquiry->crashed = !child->life.stopping;
        inquiry->alone = alone;
        struct bus_verdict verdict = deferral("hub.judge-gone", "the process that judges ended in mid-case");
        conclude(inquiry, &verdict);
    }
    table_fini(&child->cases);
}

static bool profile_is_late(const struct child *child, int64_t ticks)
{
    for (size_t i = 0; child->role == CHILD_GUARD && i < child->link_count; i++) {
        const struct profile *profile = unit_profile(child->unit, child->links[i]);
        if (profile->asked && !profile->compiled && ticks >= profile->deadline)
            return true;
    }
    return false;
}

void policy_side_tick(struct child *child, int64_t ticks)
{
    const struct inquiry *inquiry;
    bool late = profile_is_late(child, ticks);
    for (size_t at = 0; !late && (inquiry = table_next(&child->cases, &at));)
        late = ticks >= inquiry->deadline || ticks >= inquiry->give_up;
    if (late)
        child_fail(child, "hub.hung", "a policy gave no answer in time");
}
