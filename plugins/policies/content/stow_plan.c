/* The format of type `stow-plan`: a BAPLIE message in an EDIFACT interchange. */
#include "baplie.h"
#include "format.h"

struct stow_plan {
    struct interchange_rules rules;
    struct interchange interchange;
    struct baplie baplie;
};

static int init(void *state, const struct validator_case *the_case, const struct validator_options *options)
{
    struct stow_plan *plan = state;
    (void)the_case;
    plan->rules = (struct interchange_rules){
        .versions = options->stow_plan_versions,
        .senders = options->stow_plan_senders,
        .recipients = options->stow_plan_recipients,
        .allow_test = options->allow_test_indicator,
        .allow_bom = options->allow_bom,
        .max_segments = options->max_segments,
    };
    interchange_init(&plan->interchange, &plan->rules, &baplie_body, &plan->baplie);
    return 0;
}

static int feed(void *state, const uint8_t *bytes, size_t size)
{
    struct stow_plan *plan = state;
    return interchange_feed(&plan->interchange, bytes, size);
}

static int finish(void *state)
{
    struct stow_plan *plan = state;
    return interchange_finish(&plan->interchange);
}

static void fault(const void *state, const char **rule, const char **reason)
{
    const struct stow_plan *plan = state;
    *rule = plan->interchange.fault.rule;
    *reason = plan->interchange.fault.reason;
}

static void key(const void *state, char *to, size_t room)
{
    const struct stow_plan *plan = state;
    interchange_key(&plan->interchange, to, room);
}

const struct format stow_plan_format = {
    .type = "stow-plan",
    .size = sizeof(struct stow_plan),
    .init = init,
    .feed = feed,
    .finish = finish,
    .fault = fault,
    .key = key,
};
