/* One judgement: the guard's answer, then the inspector's; the first that is not allow decides. */
#include "bus/judge.h"

#include <stdlib.h>
#include <string.h>

#include "bus/trail.h"
#include "util/pool.h"

struct bus_case {
    struct gate_item at_gate; /* first */
    unsigned score;           /* how sure it is that the process that is asked now dies of it */
    struct bus *bus;
    struct bus_case_view view;
    struct bus_source *source;
    enum bus_judge at;
    struct bus_verdict sum; /* keys of those that have allowed */
    bus_judged done;
    void *arg;
};

static struct pool cases = {.size = sizeof(struct bus_case), .head = sizeof(void *), .most = 512};

const struct bus_case_view *bus_case_view(const struct bus_case *c)
{
    return &c->view;
}

static void conclude(struct bus_case *c, const struct bus_verdict *verdict)
{
    struct bus_verdict last = *verdict;
    bus_judged done = c->done;
    void *arg = c->arg;
    c->bus->cases--;
    pool_give(&cases, c);
    done(arg, &last);
}

static struct gate *gate_of(const struct bus_case *c)
{
    return &c->view.party->judges[c->at];
}

static void give_back(struct bus_case *c);

static void ask(struct bus_case *c)
{
    c->view.source = c->at == BUS_INSPECT ? c->source : NULL;
    c->score = 0;
    c->at_gate.suspect = false;
    if (c->view.party->draining && gate_of(c)->shut)
        give_back(c);
    else
        gate_enter(gate_of(c), &c->at_gate);
}

static void entered(struct gate_item *item)
{
    struct bus_case *c = (struct bus_case *)item;
    c->bus->ports.ask(c->bus->arg, c->at, c);
}

/* Adds the keys of an allow to those before it. */
static bool keep_keys(struct bus_verdict *sum, struct bus_verdict *verdict)
{
    if (!verdict->key_count)
        return true;
    struct bus_key *keys = realloc(sum->keys, (sum->key_count + verdict->key_count) * sizeof *keys);
    if (!keys)
        return false;
    memcpy(keys + sum->key_count, verdict->keys, verdict->key_count * sizeof *keys);
    sum->keys = keys;
    sum->key_count += verdict->key_count;
    return true;
}

static void defer(struct bus_verdict *verdict, const char *reason)
{
    *verdict = (struct bus_verdict){.answer = ACCORD_DEFER};
    bus_verdict_say(verdict, "hub", "hub.not-ready", reason);
}

static void keep_until(struct bus_verdict *sum, int64_t good_until)
{
    if (good_until && (!sum->good_until || good_until < sum->good_until))
        sum->good_until = good_until;
}

/* The verdict of one process. */
static void answered(struct bus_case *c, struct bus_verdict *verdict)
{
    if (verdict->answer == ACCORD_ALLOW && !keep_keys(&c->sum, verdict)) {
        bus_verdict_fini(verdict);
        defer(verdict, "out of memory for unique keys");
    }
    if (verdict->answer != ACCORD_ALLOW) {
        bus_verdict_fini(&c->sum);
        conclude(c, verdict);
        return;
    }
    keep_until(&c->sum, verdict->good_until);
    bus_verdict_fini(verdict);
    if (c->at == BUS_GUARD && !c->view.without_payload && conf_reads_payload(c->view.party->conf)) {
        c->at = BUS_INSPECT;
        ask(c);
        return;
    }
    c->sum.answer = ACCORD_ALLOW;
    conclude(c, &c->sum);
}

void bus_case_answer(struct bus_case *c, struct bus_verdict *verdict)
{
    struct gate *gate = gate_of(c);
    answered(c, verdict);
    gate_leave(gate);
}

/* ---- the process has died ---- */

static void poison(struct bus_case *c)
{
    struct bus_verdict verdict = {.answer = ACCORD_DENY};
    bool inspects = c->at == BUS_INSPECT;
    const char *rule = inspects ? "hub.inspect-crashed" : "hub.guard-crashed";
    const char *reason =
        inspects ? "the process that inspects it has died of it twice, with nothing else to read"
                 : "the process that guards the agreement has died of it twice, with nothing else to judge";
    bus_verdict_say(&verdict, "hub", rule, reason);
    bus_incident(c->bus, c->view.party->conf->name, NULL, rule, "message %s from %s: %s",
                 c->view.envelope->id, c->view.envelope->origin, reason);
    answered(c, &verdict);
}

static void give_back(struct bus_case *c)
{
    struct bus_verdict verdict;
    defer(&verdict, "the process that judges has ended");
    answered(c, &verdict);
}

/* The gate is shut before the case leaves it: nothing may be asked until there is another process. */
void bus_case_crashed(struct bus_case *c, bool alone)
{
    struct gate *gate = gate_of(c);
    struct bus_party *party = c->view.party;
    gate->shut = true;
    party->ready = false;
    gate_leave(gate);
    if (alone)
        c->score += GATE_SURE;
    if (c->score >= GATE_GUILTY) {
        poison(c);
    } else if (party->draining || !party->enabled || c->bus->giving_up) {
        give_back(c);
    } else {
        c->at_gate.suspect = true;
        gate_enter(gate, &c->at_gate);
    }
}

void bus_judges_init(struct bus_party *party)
{
    for (size_t i = 0; i < 2; i++)
        party->judges[i].enter = entered;
}

void bus_judges_ready(struct bus_party *party, bool ready)
{
    for (size_t i = 0; ready && i < 2; i++)
        gate_shut(&party->judges[i], false);
}

void bus_judges_drain(struct bus_party *party)
{
    struct gate_item *item;
    for (size_t i = 0; i < 2; i++)
        while ((item = gate_take(&party->judges[i])))
            give_back((struct bus_case *)item);
}

void bus_judge(struct bus *bus, const struct bus_case_view *view, struct bus_source *source, bus_judged done,
               void *arg)
{
    struct bus_verdict verdict;
    if (view->party->conf->is_site) {
        verdict = (struct bus_verdict){.answer = ACCORD_ALLOW};
        done(arg, &verdict);
        return;
    }
    struct bus_case *c = view->party->ready ? pool_take(&cases) : NULL;
    if (!c) {
        defer(&verdict, view->party->ready ? "out of memory" : "the agreement's processes are not ready");
        done(arg, &verdict);
        return;
    }
    *c = (struct bus_case){.bus = bus, .view = *view, .source = source, .done = done, .arg = arg};
    bus->cases++;
    ask(c);
}
