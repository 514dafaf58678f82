#include "guard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guard/guard.h"
#include "guard_modules.h"

#include <cmocka.h> /* last: it defines fail() */

static const char *const names[] = {"first_policy", "second_policy", "first_reader", "second_reader"};

static int run_guard(const struct process_setup *setup)
{
    return guard_run(setup, false);
}

static int run_inspect(const struct process_setup *setup)
{
    return guard_run(setup, true);
}

void put_modules(struct fake_hub *hub, bool inspect, const struct module *modules)
{
    hub_open(hub, WIRE_P, inspect ? run_inspect : run_guard, module_load, 50);
    for (size_t i = 0; i < 4; i++)
        wire_put_LOAD(&hub->out, &(struct wire_LOAD){names[i], ""});
    wire_put_LINK(&hub->out, &(struct wire_LINK){0, "sftp", "sftp", "peer.example", 22, "ipsec", {0}});
    wire_put_LINK(&hub->out, &(struct wire_LINK){1, "mail", "smtp", "mx.example", 25, "none", {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){0, 0, "stow", "stow-plan", ACCORD_SEND, 1000, "*", 0, {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){1, 1, "post", "opaque", ACCORD_SEND, 1000, "", 0, {0}});
    for (uint32_t i = 0; i < 2 && modules[i].does; i++) {
        struct accord_pair options[] = {
            {"does", modules[i].does},
            {"pull", modules[i].pull ? modules[i].pull : "10"},
            {"profile", modules[i].profile},
        };
        wire_put_MODULE(&hub->out, &(struct wire_MODULE){i, names[i + 2 * inspect], 1000, 2000,
                                                         WIRE_PAIRS(options, modules[i].profile ? 3 : 2)});
    }
    wire_put_START(&hub->out, &(struct wire_START){0});
    hub_send(hub, -1);
}

void hub_begin(struct fake_hub *hub, bool inspect, struct module first, struct module second)
{
    put_modules(hub, inspect, (struct module[]){first, second});
    hub_expect(hub, WIRE_READY);
}

void hub_end(struct fake_hub *hub)
{
    hub_expect_nothing(hub);
    assert_int_equal(hub_close(hub), 0);
    assert_null(strstr(hub->text, "called-after-close"));
    assert_null(strstr(hub->text, "plugin.leaks"));
}

void put_judge(struct fake_hub *hub, uint64_t stream, enum accord_question question, int64_t size)
{
    bool message = question >= ACCORD_ASK_IN;
    struct accord_pair fact = {"ssh.kex", "curve25519-sha256"};
    wire_put_JUDGE(&hub->out, &(struct wire_JUDGE){.stream = stream,
                                                   .question = (uint8_t)question,
                                                   .link = 0,
                                                   .service = message ? 1 : WIRE_NONE,
                                                   .envelope = {.name = "plan.edi", .size = size},
                                                   .facts = WIRE_PAIRS(&fact, message ? 0 : 1)});
    hub_send(hub, -1);
}

void expect_judge(struct fake_hub *hub, const char *which, enum accord_question question)
{
    char line[128];
    bool message = question >= ACCORD_ASK_IN;
    snprintf(line, sizeof line, "%d %s", (int)question,
             message ? "mail post plan.edi -" : "sftp - - curve25519-sha256");
    hub_expect_log(hub, "judge", line);
    assert_string_equal(hub->m.LOG.instance, which);
}

const struct wire_VERDICT *expect_verdict(struct fake_hub *hub, uint64_t stream, enum accord_answer given,
                                          const char *module)
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
