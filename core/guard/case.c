/* One question to the modules: who is asked when, the payload that they share, and whose answer decides.
 *
 * The first module in the order of the file that does not allow decides. The guard asks one after the
 * other, so that a module counts only what its predecessors let through. The inspect process asks all at
 * once: the same pieces go to all of them, at the pace of the slowest.
 */
#include <stdlib.h>
#include <string.h>

#include "guard/role.h"
#include "util/text.h"

/* One module that is asked one question. Its handle is its id in guard_role->asked. */
struct asked {
    uint64_t id; /* 0: not asked yet, or has answered */
    struct judgement *of;
    struct module *module;
    struct accord_inquiry inquiry;
    void *state; /* the module's pointer for this question */
    bool begun, answered;
    enum accord_answer answer;
    char *words;              /* rule and reason, each with its NUL, when it does not allow; may be NULL */
    struct accord_pair *keys; /* with their texts behind them; may be NULL */
    size_t key_count;
    int64_t wait, good_for; /* of its verdict */
    int64_t wanted;         /* payload bytes that it has pulled */
    struct grace grace;
};

struct judgement {
    uint64_t stream;
    bool silent;  /* no verdict is wanted any more */
    bool settled; /* silent, or the verdict was given */
    bool busy;    /* inside progress() or a call that ends with it */
    bool ended;   /* the last piece has come */
    int64_t granted, received;
    size_t next; /* all modules before it allow */
    struct accord_envelope envelope;
    size_t count;
    struct asked asked[];
    /* then envelope and facts with their texts */
};

static void progress(struct judgement *);

/* ---- making and freeing ---- */

static size_t count_asked(unsigned question)
{
    size_t count = 0;
    for (size_t i = 0; i < guard_role->module_count; i++)
        count += guard_role->modules[i]->policy.asks >> question & 1;
    return count;
}

static struct accord_inquiry inquiry_of(const struct wire_JUDGE *from, struct judgement *judgement,
                                        const struct accord_pair *facts)
{
    bool message = from->question >= ACCORD_ASK_IN;
    uint32_t link = message ? guard_role->service_links[from->service] : from->link;
    return (struct accord_inquiry){
        .question = from->question,
        .link = guard_role->links[link],
        .service = message ? guard_role->services[from->service] : NULL,
        .envelope = message ? &judgement->envelope : NULL,
        .facts = facts,
        .fact_count = from->facts.count,
    };
}

static struct judgement *judgement_new(const struct wire_JUDGE *from)
{
    size_t count = count_asked(from->question);
    size_t head = sizeof(struct judgement) + count * sizeof(struct asked);
    size_t facts_room = pairs_room(&from->facts);
    struct judgement *judgement = malloc(head + facts_room + envelope_room(&from->envelope));
    if (!judgement)
        return NULL;
    *judgement = (struct judgement){.stream = from->stream, .count = count}; /* those asked follow */
    char *room = (char *)judgement + head;
    const struct accord_pair *facts = pairs_copy(&from->facts, room);
    envelope_copy(&judgement->envelope, &from->envelope, room + facts_room);
    struct accord_inquiry inquiry = inquiry_of(from, judgement, facts);
    for (size_t i = 0, at = 0; i < guard_role->module_count; i++) {
        struct module *module = guard_role->modules[i];
        if (!(module->policy.asks >> from->question & 1))
            continue;
        judgement->asked[at++] = (struct asked){.of = judgement, .module = module, .inquiry = inquiry};
    }
    return judgement;
}

static void judgement_free(struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->count; i++) {
        free(judgement->asked[i].words);
        free(judgement->asked[i].keys);
    }
    free(judgement);
}

/* ---- settling ---- */

/* All have allowed: the one that is sure for the shortest time counts. */
static int64_t least_good_for(const struct judgement *judgement)
{
    int64_t least = 0;
    for (size_t i = 0; i < judgement->count; i++) {
        int64_t good_for = judgement->asked[i].good_for;
        if (good_for && (!least || good_for < least))
            least = good_for;
    }
    return least;
}

static void put_verdict(struct judgement *judgement, const struct asked *decider)
{
    struct accord_pair keys[WIRE_PAIRS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < judgement->count && !decider; i++) {
        const struct asked *asked = &judgement->asked[i];
        for (size_t k = 0; k < asked->key_count && count < WIRE_PAIRS_MAX; k++)
            keys[count++] = asked->keys[k];
    }
    const char *rule = decider && decider->words ? decider->words : "";
    wire_put_VERDICT(guard_out(),
                     &(struct wire_VERDICT){.stream = judgement->stream,
                                            .answer = decider ? (uint8_t)decider->answer : ACCORD_ALLOW,
                                            .module = decider ? decider->module->name : "",
                                            .rule = rule,
                                            .reason = rule[0] ? rule + strlen(rule) + 1 : "",
                                            .wait = decider ? decider->wait : 0,
                                            .good_for = decider ? 0 : least_good_for(judgement),
                                            .keys = WIRE_PAIRS(keys, count)});
}

/* Whoever has not answered yet is told that its answer is not wanted, and must give one all the same. */
static void cancel_rest(struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->count; i++) {
        struct asked *asked = &judgement->asked[i];
        if (!asked->begun || asked->answered)
            continue;
        grace_begin(&guard_role->process.grace, &asked->grace, &asked->module->base);
        instance_enter(&asked->module->base);
        if (asked->module->policy.cancel)
            asked->module->policy.cancel(asked->module->state, &asked->inquiry);
    }
}

static void settle(struct judgement *judgement, const struct asked *decider)
{
    judgement->settled = true;
    table_take(&guard_role->cases, judgement->stream);
    if (!judgement->silent)
        put_verdict(judgement, decider);
    cancel_rest(judgement);
}

static bool is_finished(const struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->count; i++)
        if (judgement->asked[i].begun && !judgement->asked[i].answered)
            return false;
    return judgement->settled;
}

/* ---- asking ---- */

static void begin(struct asked *asked)
{
    asked->id = ++guard_role->last_id;
    if (table_put(&guard_role->asked, asked->id, asked) < 0)
        process_die(&guard_role->process, "hub.memory", "out of memory for one more question");
    asked->begun = true;
    asked->inquiry.handle = HANDLE(accord_case, asked->id);
    asked->inquiry.state = &asked->state;
    instance_enter(&asked->module->base);
    asked->module->policy.judge(asked->module->state, &asked->inquiry);
}

/* What the slowest reader wants more than the hub was asked for. */
static void pull_more(struct judgement *judgement)
{
    int64_t least = INT64_MAX;
    if (judgement->ended)
        return;
    for (size_t i = 0; i < judgement->count; i++) {
        const struct asked *asked = &judgement->asked[i];
        if (asked->begun && !asked->answered && asked->wanted < least)
            least = asked->wanted;
    }
    if (least == INT64_MAX || least <= judgement->granted)
        return;
    wire_put_PULL(guard_out(), &(struct wire_PULL){judgement->stream, 0, least - judgement->granted});
    judgement->granted = least;
}

static void decide(struct judgement *judgement)
{
    while (!judgement->settled) {
        if (judgement->next == judgement->count) {
            settle(judgement, NULL);
            return;
        }
        struct asked *asked = &judgement->asked[judgement->next];
        if (!asked->begun)
            begin(asked);
        if (!asked->answered)
            return;
        if (asked->answer != ACCORD_ALLOW)
            settle(judgement, asked);
        else
            judgement->next++;
    }
}

static void progress(struct judgement *judgement)
{
    if (judgement->busy)
        return;
    judgement->busy = true;
    decide(judgement);
    judgement->busy = false;
    if (is_finished(judgement))
        judgement_free(judgement);
    else if (!judgement->settled)
        pull_more(judgement);
}

/* ---- the hub's messages ---- */

static void check_judge(const struct wire_message *m)
{
    const struct wire_JUDGE *from = &m->JUDGE;
    bool message = from->question >= ACCORD_ASK_IN;
    if (!from->stream || from->question < ACCORD_ASK_HANDSHAKE || from->question > ACCORD_ASK_OUT ||
        from->envelope.headers.count > ACCORD_HEADERS_MAX)
        process_refuse(&guard_role->process, m, "question %u cannot be", from->question);
    if (!message && (from->service != WIRE_NONE || from->link >= guard_role->link_count))
        process_refuse(&guard_role->process, m,
                       "a question about a session of link %u and service %u cannot be", from->link,
                       from->service);
    if (message && (from->service >= guard_role->service_count || from->envelope.size < -1))
        process_refuse(&guard_role->process, m, "a question about a message of service %u cannot be",
                       from->service);
}

void case_judge(const struct wire_message *m)
{
    check_judge(m);
    struct judgement *judgement = judgement_new(&m->JUDGE);
    int result = judgement ? table_put(&guard_role->cases, judgement->stream, judgement) : ACCORD_ENOMEM;
    if (result == ACCORD_EEXIST)
        process_refuse(&guard_role->process, m, "stream %llu is judged already",
                       (unsigned long long)m->JUDGE.stream);
    if (result < 0) {
        free(judgement);
        wire_put_VERDICT(guard_out(),
                         &(struct wire_VERDICT){.stream = m->JUDGE.stream,
                                                .answer = ACCORD_DEFER,
                                                .module = "",
                                                .rule = "hub.memory",
                                                .reason = "the policy process is out of memory"});
        return;
    }
    judgement->busy = true;
    for (size_t i = 0; i < judgement->count && guard_role->inspect; i++)
        begin(&judgement->asked[i]);
    judgement->busy = false;
    progress(judgement);
}

/* Is this much of the payload what the envelope announced? */
static bool fits(const struct judgement *judgement, int64_t received, bool last)
{
    int64_t whole = judgement->envelope.size;
    return whole < 0 || (last ? received == whole : received <= whole);
}

/* Pieces may still come for a while after the verdict. */
void case_piece(const struct wire_message *m)
{
    const struct wire_PIECE *piece = &m->PIECE;
    struct judgement *judgement = table_get(&guard_role->cases, piece->stream);
    if (!judgement)
        return;
    int64_t size = (int64_t)piece->data.size;
    if (judgement->ended || size > judgement->granted - judgement->received || piece->last > 1 ||
        !fits(judgement, judgement->received + size, piece->last))
        process_refuse(&guard_role->process, m,
                       "stream %llu: more than was asked for, or not the size announced",
                       (unsigned long long)piece->stream);
    judgement->received += size;
    judgement->ended = piece->last;
    judgement->busy = true;
    for (size_t i = 0; i < judgement->count; i++) {
        struct asked *asked = &judgement->asked[i];
        if (!asked->begun || asked->answered)
            continue;
        instance_enter(&asked->module->base);
        asked->module->policy.payload(asked->module->state, &asked->inquiry, piece->data.data,
                                      piece->data.size, piece->last);
    }
    judgement->busy = false;
    progress(judgement);
}

static void drop(struct judgement *judgement)
{
    judgement->silent = true;
    judgement->busy = true;
    settle(judgement, NULL);
    judgement->busy = false;
    progress(judgement);
}

void case_cancel(const struct wire_message *m)
{
    struct judgement *judgement = table_get(&guard_role->cases, m->CANCEL.stream);
    if (judgement)
        drop(judgement);
}

/* ---- the modules' calls ---- */

static void keep_words(struct asked *asked, const struct accord_verdict *verdict)
{
    char unnamed[ACCORD_RULE_MAX];
    const char *rule = verdict->rule;
    if (!rule || !rule[0]) {
        text_copy(unnamed, sizeof unnamed - sizeof ".unnamed", asked->module->name);
        rule = strcat(unnamed, ".unnamed");
    }
    const char *reason = verdict->reason ? verdict->reason : "";
    size_t rule_size = strnlen(rule, ACCORD_RULE_MAX - 1),
           reason_size = strnlen(reason, ACCORD_REASON_MAX - 1);
    asked->words = calloc(1, rule_size + reason_size + 2);
    if (!asked->words)
        return;
    memcpy(asked->words, rule, rule_size);
    memcpy(asked->words + rule_size + 1, reason, reason_size);
}

static bool keys_are_sound(const struct accord_verdict *verdict)
{
    if (verdict->key_count > ACCORD_KEYS_MAX)
        return false;
    for (size_t i = 0; i < verdict->key_count; i++)
        if (!verdict->keys[i] || !verdict->keys[i][0] || strlen(verdict->keys[i]) >= ACCORD_KEY_MAX ||
            !text_utf8(verdict->keys[i], strlen(verdict->keys[i]), false))
            return false;
    return true;
}

static bool keep_keys(struct asked *asked, const struct accord_verdict *verdict)
{
    size_t room = verdict->key_count * sizeof *asked->keys;
    for (size_t i = 0; i < verdict->key_count; i++)
        room += strlen(verdict->keys[i]) + 1;
    asked->keys = malloc(room);
    if (!asked->keys)
        return false;
    char *texts = (char *)(asked->keys + verdict->key_count);
    for (size_t i = 0; i < verdict->key_count; i++) {
        asked->keys[i] = (struct accord_pair){strcpy(texts, verdict->keys[i]), asked->module->name};
        texts += strlen(texts) + 1;
    }
    asked->key_count = verdict->key_count;
    return true;
}

/* How many keys the modules have given that allow so far: together they must fit one verdict. */
static size_t keys_so_far(const struct judgement *judgement)
{
    size_t count = 0;
    for (size_t i = 0; i < judgement->count; i++)
        count += judgement->asked[i].key_count;
    return count;
}

static void record(struct asked *asked, const struct accord_verdict *verdict)
{
    static const struct accord_verdict defer = {.answer = ACCORD_DEFER,
                                                .rule = "hub.keys",
                                                .reason =
                                                    "a policy module gave unique keys that cannot be kept"};
    if ((unsigned)verdict->answer > ACCORD_DEFER)
        process_blame(&guard_role->process, "plugin.answer", "it gave the answer %d", (int)verdict->answer);
    if (verdict->answer == ACCORD_ALLOW && verdict->key_count &&
        (!keys_are_sound(verdict) || keys_so_far(asked->of) + verdict->key_count > WIRE_PAIRS_MAX ||
         !keep_keys(asked, verdict)))
        verdict = &defer;
    asked->answer = verdict->answer;
    if (verdict->answer == ACCORD_ALLOW)
        asked->good_for = verdict->good_for > 0 ? verdict->good_for : 0;
    else
        keep_words(asked, verdict);
    if (verdict->answer == ACCORD_DEFER)
        asked->wait = verdict->wait > 0 ? verdict->wait : 0;
}

void case_answer(struct accord_case *handle, const struct accord_verdict *verdict)
{
    struct asked *asked = table_take(&guard_role->asked, HANDLE_ID(handle));
    if (!asked)
        process_blame(&guard_role->process, "plugin.double-answer", "it answered a question a second time");
    asked->answered = true;
    grace_end(&guard_role->process.grace, &asked->grace);
    record(asked, verdict);
    progress(asked->of);
}

void case_pull(struct accord_case *handle, int64_t bytes)
{
    struct asked *asked = table_get(&guard_role->asked, HANDLE_ID(handle));
    if (!asked)
        process_blame(&guard_role->process, "plugin.dead-case",
                      "it pulled the payload of a question it had answered");
    if (!guard_role->inspect || !asked->inquiry.envelope)
        process_blame(&guard_role->process, "plugin.payload", "it pulled a payload that it may not read");
    if (bytes <= 0)
        return;
    asked->wanted += bytes > INT64_MAX - asked->wanted ? INT64_MAX - asked->wanted : bytes;
    progress(asked->of);
}

/* ---- the end ---- */

void case_drop_all(void)
{
    struct judgement *judgement;
    for (size_t at = 0; (judgement = table_next(&guard_role->cases, &at)); at = 0) {
        judgement->silent = judgement->settled = true;
        table_take(&guard_role->cases, judgement->stream);
    }
}

void case_sweep(void)
{
    struct asked *asked;
    for (size_t at = 0; (asked = table_next(&guard_role->asked, &at)); at = 0) {
        instance_say(&asked->module->base, ACCORD_ERROR, "plugin.leaks",
                     "the plugin's close left a question unanswered");
        table_take(&guard_role->asked, asked->id);
        asked->answered = true;
        progress(asked->of);
    }
}
