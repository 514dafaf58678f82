/* The guard and inspect roles without their sandbox: the test is the hub, and each module a puppet that
 * does what its options say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_hub.h"
#include "guard/guard.h"
#include "util/log.h"

#include <cmocka.h> /* last: it defines fail() */

/* ---- the puppet, in the child ---- */

/* What a module does with a question: option `does`.
 *   allow, deny, defer   at once
 *   later                allows, on a timer
 *   keys                 allows with two unique keys; bad-keys: with one that is too long
 *   read                 pulls `pull` bytes at a time, allows after the last
 *   read-deny            the same, and denies when it sees an 'x'
 *   hold                 answers when cancelled; deaf: never; twice: too often; pull: where it may not */
struct puppet_options {
    const char *does;
    int64_t pull;
    struct accord_list profile; /* names */
};

struct puppet {
    struct accord_instance *self;
    const struct accord_policy_host *host;
    const struct puppet_options *options;
    struct accord_case *held;
    bool closed;
};

static void say(struct puppet *p, const char *event, const char *text)
{
    if (p->closed)
        log_event(ACCORD_ERROR, "called-after-close", NULL, "%s %s", event, text);
    else
        p->host->base->log(p->self, ACCORD_INFO, event, text);
}

static void answer(struct puppet *p, struct accord_case *handle, enum accord_answer given)
{
    p->held = p->held == handle ? NULL : p->held;
    p->host->answer(handle,
                    &(struct accord_verdict){.answer = given, .rule = "puppet.rule", .reason = "said so"});
}

static void on_timer(void *arg)
{
    struct puppet *p = arg;
    answer(p, p->held, ACCORD_ALLOW);
}

static void answer_keys(struct puppet *p, struct accord_case *handle, bool sound)
{
    char control[200];
    memset(control, '7', sizeof control);
    control[sound ? 9 : sizeof control - 1] = 0;
    const char *keys[] = {control, "second"};
    p->held = NULL;
    p->host->answer(handle, &(struct accord_verdict){.answer = ACCORD_ALLOW, .keys = keys, .key_count = 2});
}

static void judge(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    const char *does = p->options->does;
    char text[256];
    snprintf(text, sizeof text, "%d %s %s %s %s", (int)asked->question, asked->link->name,
             asked->service ? asked->service->name : "-", asked->envelope ? asked->envelope->name : "-",
             asked->fact_count ? asked->facts[0].value : "-");
    say(p, "judge", text);
    *asked->state = p;
    p->held = asked->handle;
    if (!strcmp(does, "allow") || !strcmp(does, "twice"))
        answer(p, asked->handle, ACCORD_ALLOW);
    else if (!strcmp(does, "deny"))
        answer(p, asked->handle, ACCORD_DENY);
    else if (!strcmp(does, "defer"))
        answer(p, asked->handle, ACCORD_DEFER);
    else if (!strcmp(does, "later"))
        p->host->base->timer(p->self, 0, on_timer, p);
    else if (!strcmp(does, "keys") || !strcmp(does, "bad-keys"))
        answer_keys(p, asked->handle, !strcmp(does, "keys"));
    else if (!strncmp(does, "read", 4) || !strcmp(does, "pull"))
        p->host->pull(asked->handle, p->options->pull);
}

static void judge_twice(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    struct accord_case *handle = asked->handle;
    judge(state, asked);
    if (!strcmp(p->options->does, "twice"))
        answer(p, handle, ACCORD_ALLOW);
}

static void payload(void *state, const struct accord_inquiry *asked, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct puppet *p = state;
    char text[256];
    snprintf(text, sizeof text, "%.*s%s", (int)size, (const char *)bytes, last ? " last" : "");
    say(p, "payload", text);
    if (*asked->state != p)
        say(p, "state", "is not mine");
    if (!strcmp(p->options->does, "read-deny") && memchr(bytes, 'x', size))
        answer(p, asked->handle, ACCORD_DENY);
    else if (last)
        answer(p, asked->handle, ACCORD_ALLOW);
    else if (!strncmp(p->options->does, "read", 4))
        p->host->pull(asked->handle, p->options->pull);
}

static void cancel(void *state, const struct accord_inquiry *asked)
{
    struct puppet *p = state;
    say(p, "cancel", "never mind");
    if (strcmp(p->options->does, "deaf"))
        answer(p, asked->handle, ACCORD_DEFER);
}

static int open_puppet(void *state, struct accord_instance *self, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    struct puppet *p = state;
    *p = (struct puppet){.self = self, .host = host, .options = setup->options};
    if (!strcmp(p->options->does, "fail")) {
        snprintf(why, why_size, "cannot be");
        return ACCORD_EINVAL;
    }
    return setup->link_count == 2 && setup->service_count == 2 && setup->in_force_until == 2000
               ? 0
               : ACCORD_EINVAL;
}

static void close_puppet(void *state)
{
    struct puppet *p = state;
    if (p->held && strcmp(p->options->does, "deaf"))
        answer(p, p->held, ACCORD_DEFER);
    p->closed = true;
}

static int profile(void *state, const struct accord_policy_link *link, const struct accord_profile_sink *sink,
                   char *why, size_t why_size)
{
    struct puppet *p = state;
    for (size_t i = 0; i < p->options->profile.count; i++) {
        if (!strcmp(p->options->profile.items[i], "fail")) {
            snprintf(why, why_size, "no profile for %s", link->name);
            return ACCORD_EINVAL;
        }
        sink->put(sink->arg, p->options->profile.items[i], link->connector);
    }
    return 0;
}

static const struct accord_option option_table[] = {
    {.name = "does",
     .kind = ACCORD_TEXT,
     .offset = offsetof(struct puppet_options, does),
     .fallback = "allow"},
    {.name = "pull", .kind = ACCORD_SIZE, .offset = offsetof(struct puppet_options, pull), .fallback = "10"},
    {.name = "profile", .kind = ACCORD_LIST, .offset = offsetof(struct puppet_options, profile)},
    {0},
};

#define PUPPET(which, asked)                                                                                 \
    static const struct accord_policy which = {                                                              \
        .size = sizeof which,                                                                                \
        .asks = asked,                                                                                       \
        .options = {option_table, sizeof(struct puppet_options)},                                            \
        .state_size = sizeof(struct puppet),                                                                 \
        .open = open_puppet,                                                                                 \
        .close = close_puppet,                                                                               \
        .judge = judge_twice,                                                                                \
        .cancel = cancel,                                                                                    \
        .profile = profile,                                                                                  \
    }
PUPPET(first_policy,
       ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT));
PUPPET(second_policy, ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_OUT));

/* Those of the inspect process; the second is older and lacks `profile`. */
#define READER(which, bytes)                                                                                 \
    static const struct accord_policy which = {                                                              \
        .size = bytes,                                                                                       \
        .flags = ACCORD_READS_PAYLOAD,                                                                       \
        .asks = ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),                                    \
        .options = {option_table, sizeof(struct puppet_options)},                                            \
        .state_size = sizeof(struct puppet),                                                                 \
        .open = open_puppet,                                                                                 \
        .close = close_puppet,                                                                               \
        .judge = judge_twice,                                                                                \
        .payload = payload,                                                                                  \
        .cancel = cancel,                                                                                    \
        .profile = profile,                                                                                  \
    }
READER(first_reader, sizeof(struct accord_policy));
READER(second_reader, offsetof(struct accord_policy, profile));

#define PLUGIN(which)                                                                                        \
    {                                                                                                        \
        .size = sizeof(struct accord_plugin), .kind = ACCORD_POLICY, .name = #which, .policy = &which        \
    }
static const struct accord_plugin plugins[] = {PLUGIN(first_policy), PLUGIN(second_policy),
                                               PLUGIN(first_reader), PLUGIN(second_reader)};

static int load(void *arg, const char *name, const char *sha256, const struct accord_plugin **out,
                char rule[ACCORD_RULE_MAX], struct reason *why)
{
    (void)arg, (void)sha256, (void)rule, (void)why;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(plugins[i].name, name) == 0)
            *out = &plugins[i];
    return 0;
}

/* ---- the hub's side ---- */

static int run_guard(const struct process_setup *setup)
{
    return guard_run(setup, false);
}

static int run_inspect(const struct process_setup *setup)
{
    return guard_run(setup, true);
}

struct part {
    const char *does, *pull, *profile;
};

static void configure(struct fake_hub *hub, bool inspect, const struct part *parts)
{
    hub_open(hub, WIRE_P, inspect ? run_inspect : run_guard, load, 50);
    for (size_t i = 0; i < 4; i++)
        wire_put_LOAD(&hub->out, &(struct wire_LOAD){plugins[i].name, ""});
    wire_put_LINK(&hub->out, &(struct wire_LINK){0, "sftp", "sftp", "peer.example", 22, "ipsec", {0}});
    wire_put_LINK(&hub->out, &(struct wire_LINK){1, "mail", "smtp", "mx.example", 25, "none", {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){0, 0, "stow", "stow-plan", ACCORD_SEND, 1000, "*", 0, {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){1, 1, "post", "opaque", ACCORD_SEND, 1000, "", 0, {0}});
    for (uint32_t i = 0; i < 2 && parts[i].does; i++) {
        struct accord_pair options[] = {
            {"does", parts[i].does},
            {"pull", parts[i].pull ? parts[i].pull : "10"},
            {"profile", parts[i].profile},
        };
        wire_put_MODULE(&hub->out, &(struct wire_MODULE){i, plugins[i + 2 * inspect].name, 1000, 2000,
                                                         WIRE_PAIRS(options, parts[i].profile ? 3 : 2)});
    }
    wire_put_START(&hub->out, &(struct wire_START){0});
    hub_send(hub, -1);
}

static void begin(struct fake_hub *hub, bool inspect, struct part first, struct part second)
{
    configure(hub, inspect, (struct part[]){first, second});
    hub_expect(hub, WIRE_READY);
}

static void end(struct fake_hub *hub)
{
    hub_expect_nothing(hub);
    assert_int_equal(hub_close(hub), 0);
    assert_null(strstr(hub->text, "called-after-close"));
    assert_null(strstr(hub->text, "plugin.leaks"));
}

static void put_judge(struct fake_hub *hub, uint64_t stream, enum accord_question question, int64_t size)
{
    bool message = question >= ACCORD_ASK_IN;
    struct accord_pair fact = {"ssh.kex", "curve25519-sha256"};
    wire_put_JUDGE(&hub->out, &(struct wire_JUDGE){.stream = stream,
                                                   .question = (uint8_t)question,
                                                   .link = 0,
                                                   .service = message ? 1 : WIRE_NONE,
                                                   .name = "plan.edi",
                                                   .size = size,
                                                   .facts = WIRE_PAIRS(&fact, message ? 0 : 1)});
    hub_send(hub, -1);
}

static void expect_judge(struct fake_hub *hub, const char *which, enum accord_question question)
{
    char line[128];
    bool message = question >= ACCORD_ASK_IN;
    snprintf(line, sizeof line, "%d %s", (int)question,
             message ? "mail post plan.edi -" : "sftp - - curve25519-sha256");
    hub_expect_log(hub, "judge", line);
    assert_string_equal(hub->m.LOG.instance, which);
}

static const struct wire_VERDICT *expect_verdict(struct fake_hub *hub, uint64_t stream,
                                                 enum accord_answer given, const char *module)
{
    const struct wire_VERDICT *verdict = &hub_expect(hub, WIRE_VERDICT)->VERDICT;
    assert_int_equal(verdict->stream, stream);
    assert_int_equal(verdict->answer, given);
    assert_string_equal(verdict->module, module);
    if (given != ACCORD_ALLOW && strcmp(verdict->rule, "hub.keys")) {
        assert_string_equal(verdict->rule, "puppet.rule");
        assert_string_equal(verdict->reason, "said so");
    }
    return verdict;
}

static void modules_are_asked_in_order_and_all_must_allow(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "later"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_HANDSHAKE, 0);
    expect_judge(&hub, "first_policy", ACCORD_ASK_HANDSHAKE);
    expect_judge(&hub, "second_policy", ACCORD_ASK_HANDSHAKE);
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    end(&hub);
}

static void the_first_that_does_not_allow_decides(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "defer"}, (struct part){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_verdict(&hub, 7, ACCORD_DEFER, "first_policy"); /* the second was never asked */
    end(&hub);
}

static void the_last_may_deny(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "allow"}, (struct part){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    expect_verdict(&hub, 7, ACCORD_DENY, "second_policy");
    end(&hub);
}

static void a_module_is_not_asked_what_it_does_not_answer(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "allow"}, (struct part){.does = "deny"});
    put_judge(&hub, 7, ACCORD_ASK_IN, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_IN);
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    put_judge(&hub, 8, ACCORD_ASK_AUTHENTICATED, 0); /* nobody's */
    expect_verdict(&hub, 8, ACCORD_ALLOW, "");
    end(&hub);
}

static void keys_of_all_modules_come_with_the_allow(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "keys"}, (struct part){.does = "keys"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    const struct wire_VERDICT *verdict = expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    struct accord_pair keys[WIRE_PAIRS_MAX];
    assert_int_equal(wire_pairs_copy(&verdict->keys, keys), 4);
    assert_string_equal(keys[0].name, "777777777");
    assert_string_equal(keys[0].value, "first_policy");
    assert_string_equal(keys[3].name, "second");
    assert_string_equal(keys[3].value, "second_policy");
    end(&hub);
}

static void keys_that_cannot_be_kept_defer(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "bad-keys"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_IN, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_IN);
    assert_string_equal(expect_verdict(&hub, 7, ACCORD_DEFER, "first_policy")->rule, "hub.keys");
    end(&hub);
}

static void a_cancelled_question_has_no_verdict(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "hold"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    for (int i = 0; i < 2; i++)
        wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){7});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "never mind");
    put_judge(&hub, 8, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT); /* still open when the hub goes: close answers */
    end(&hub);
}

static void a_module_deaf_to_cancel_ends_the_process(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "deaf"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    wire_put_CANCEL(&hub.out, &(struct wire_CANCEL){7});
    hub_send(&hub, -1);
    hub_expect_log(&hub, "cancel", "never mind");
    hub_expect_failure(&hub, "plugin.hangs");
    assert_non_null(strstr(hub.text, "first_policy"));
}

static void a_second_answer_is_fatal(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "allow"}, (struct part){.does = "twice"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_policy", ACCORD_ASK_OUT);
    hub_expect_failure(&hub, "plugin.double-answer");
    assert_non_null(strstr(hub.text, "second_policy"));
}

static void a_question_left_open_by_close_is_said(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "deaf"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    assert_int_equal(hub_close(&hub), 0);
    assert_non_null(strstr(hub.text, "unanswered"));
}

static void a_guard_module_may_not_read_payloads(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "pull"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    hub_expect_failure(&hub, "plugin.payload");
}

static void expect_pull(struct fake_hub *hub, uint64_t stream, int64_t bytes)
{
    const struct wire_PULL *pull = &hub_expect(hub, WIRE_PULL)->PULL;
    assert_int_equal(pull->stream, stream);
    assert_int_equal(pull->bytes, bytes);
}

static void put_piece(struct fake_hub *hub, uint64_t stream, const char *text, bool last)
{
    wire_put_PIECE(&hub->out, &(struct wire_PIECE){stream, last, {(const uint8_t *)text, strlen(text)}});
    hub_send(hub, -1);
}

/* Both get every piece; the hub is asked for what the slower wants. */
static void readers_share_one_stream_at_the_pace_of_the_slowest(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, true, (struct part){.does = "read", .pull = "15"},
          (struct part){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 22);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "0123456789", false);
    hub_expect_log(&hub, "payload", "0123456789");
    hub_expect_log(&hub, "payload", "0123456789");
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "abcdefghij", false);
    hub_expect_log(&hub, "payload", "abcdefghij");
    hub_expect_log(&hub, "payload", "abcdefghij");
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "kl", true);
    hub_expect_log(&hub, "payload", "kl last");
    hub_expect_log(&hub, "payload", "kl last");
    expect_verdict(&hub, 7, ACCORD_ALLOW, "");
    end(&hub);
}

/* The second knows first, but the first in order decides when it does not allow: its answer is awaited. */
static void a_later_deny_waits_for_its_predecessor(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, true, (struct part){.does = "read", .pull = "10"},
          (struct part){.does = "read-deny", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 12);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "01x3456789", false);
    hub_expect_log(&hub, "payload", "01x3456789");
    hub_expect_log(&hub, "payload", "01x3456789");
    expect_pull(&hub, 7, 10); /* for the first alone */
    put_piece(&hub, 7, "ab", true);
    hub_expect_log(&hub, "payload", "ab last");
    expect_verdict(&hub, 7, ACCORD_DENY, "second_reader");
    end(&hub);
}

static void an_earlier_deny_cancels_the_rest(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, true, (struct part){.does = "read-deny", .pull = "10"},
          (struct part){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 1000);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "01x3456789", false);
    hub_expect_log(&hub, "payload", "01x3456789");
    hub_expect_log(&hub, "payload", "01x3456789");
    expect_verdict(&hub, 7, ACCORD_DENY, "first_reader");
    hub_expect_log(&hub, "cancel", "never mind");
    put_piece(&hub, 7, "late", false); /* was on its way: dropped */
    end(&hub);
}

static void pieces_that_nobody_asked_for_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, true, (struct part){.does = "read", .pull = "10"},
          (struct part){.does = "read", .pull = "10"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 1000);
    expect_judge(&hub, "first_reader", ACCORD_ASK_OUT);
    expect_judge(&hub, "second_reader", ACCORD_ASK_OUT);
    expect_pull(&hub, 7, 10);
    put_piece(&hub, 7, "0123456789a", false);
    hub_expect_failure(&hub, "hub.protocol");
}

static void the_profile_is_what_all_modules_give(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){"allow", NULL, "ssh.kex, ssh.macs"},
          (struct part){"allow", NULL, "tls.min"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){1});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, 0);
    assert_int_equal(given->link, 1);
    assert_int_equal(given->profile.count, 3);
    assert_string_equal(wire_pairs_get(&given->profile, "tls.min"), "smtp");
    end(&hub);
}

static void a_profile_that_fails_is_empty(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){"allow", NULL, "ssh.kex"}, (struct part){"allow", NULL, "fail"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, ACCORD_EINVAL);
    assert_int_equal(given->profile.count, 0);
    assert_string_equal(given->reason, "second_policy: no profile for sftp");
    end(&hub);
}

static void two_modules_may_not_give_one_name(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){"allow", NULL, "ssh.kex"}, (struct part){"allow", NULL, "ssh.kex"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    const struct wire_PROFILE *given = &hub_expect(&hub, WIRE_PROFILE)->PROFILE;
    assert_int_equal(given->result, ACCORD_EINVAL);
    assert_non_null(strstr(given->reason, "first_policy"));
    end(&hub);
}

/* Its table is older and ends before `profile`: the missing slot counts as not supported. */
static void a_shorter_table_lacks_its_last_slots(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, true, (struct part){"allow", NULL, "ssh.kex"}, (struct part){"allow", NULL, "fail"});
    wire_put_COMPILE(&hub.out, &(struct wire_COMPILE){0});
    hub_send(&hub, -1);
    assert_int_equal(hub_expect(&hub, WIRE_PROFILE)->PROFILE.result, 0);
    end(&hub);
}

static void a_module_that_does_not_open_fails_with_its_reason(void **state)
{
    (void)state;
    struct fake_hub hub;
    configure(&hub, false, (struct part[]){{.does = "fail"}, {.does = "allow"}});
    hub_expect_failure(&hub, "plugin.open");
    assert_non_null(strstr(hub.text, "cannot be"));
}

static void questions_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct fake_hub hub;
    struct wire_JUDGE bad[] = {
        {.stream = 0, .question = ACCORD_ASK_OUT},
        {.stream = 1, .question = 5},
        {.stream = 1, .question = ACCORD_ASK_OUT, .service = 2},
        {.stream = 1, .question = ACCORD_ASK_HANDSHAKE, .service = WIRE_NONE, .link = 2},
        {.stream = 1, .question = ACCORD_ASK_HANDSHAKE, .service = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(&hub, false, (struct part){.does = "allow"}, (struct part){.does = "allow"});
        wire_put_JUDGE(&hub.out, &bad[i]);
        hub_send(&hub, -1);
        hub_expect_failure(&hub, "hub.protocol");
    }
}

static void a_stream_may_not_be_judged_twice_at_a_time(void **state)
{
    (void)state;
    struct fake_hub hub;
    begin(&hub, false, (struct part){.does = "hold"}, (struct part){.does = "allow"});
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    expect_judge(&hub, "first_policy", ACCORD_ASK_OUT);
    put_judge(&hub, 7, ACCORD_ASK_OUT, 25);
    hub_expect_failure(&hub, "hub.protocol");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_are_asked_in_order_and_all_must_allow),
        cmocka_unit_test(the_first_that_does_not_allow_decides),
        cmocka_unit_test(the_last_may_deny),
        cmocka_unit_test(a_module_is_not_asked_what_it_does_not_answer),
        cmocka_unit_test(keys_of_all_modules_come_with_the_allow),
        cmocka_unit_test(keys_that_cannot_be_kept_defer),
        cmocka_unit_test(a_cancelled_question_has_no_verdict),
        cmocka_unit_test(a_module_deaf_to_cancel_ends_the_process),
        cmocka_unit_test(a_second_answer_is_fatal),
        cmocka_unit_test(a_question_left_open_by_close_is_said),
        cmocka_unit_test(a_guard_module_may_not_read_payloads),
        cmocka_unit_test(readers_share_one_stream_at_the_pace_of_the_slowest),
        cmocka_unit_test(a_later_deny_waits_for_its_predecessor),
        cmocka_unit_test(an_earlier_deny_cancels_the_rest),
        cmocka_unit_test(pieces_that_nobody_asked_for_are_refused),
        cmocka_unit_test(the_profile_is_what_all_modules_give),
        cmocka_unit_test(a_profile_that_fails_is_empty),
        cmocka_unit_test(two_modules_may_not_give_one_name),
        cmocka_unit_test(a_shorter_table_lacks_its_last_slots),
        cmocka_unit_test(a_module_that_does_not_open_fails_with_its_reason),
        cmocka_unit_test(questions_that_cannot_be_are_refused),
        cmocka_unit_test(a_stream_may_not_be_judged_twice_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
