/* The content policy: is the payload what its type says? Reads it as it streams by and answers at the first
 * fault, with rule and place. Runs in the inspect process, which can reach nothing (design: Processes).
 */
#include <accord/plugin.h>

#include <stdlib.h>

#include "stix_schema.h"
#include "validator.h"

#define CREDIT (4 * ACCORD_PIECE_MAX) /* payload asked for ahead, for each case */

struct content {
    struct accord_instance *instance;
    const struct accord_policy_host *host;
    const struct validator_options *options;
    struct stix_schema *schema; /* NULL: none is set */
    struct open_case *cases;
};

/* A question whose payload is being read; *inquiry->state. */
struct open_case {
    struct open_case *next, **back;
    struct accord_case *handle;
    struct validator *validator;
};

static void forget(struct open_case *open)
{
    *open->back = open->next;
    if (open->next)
        open->next->back = open->back;
    validator_free(open->validator);
    free(open);
}

static void answer(const struct content *c, struct accord_case *handle, enum accord_answer answer,
                   const char *rule, const char *reason)
{
    c->host->answer(handle, &(struct accord_verdict){.answer = answer, .rule = rule, .reason = reason});
}

static void examine(struct content *c, const struct accord_inquiry *inquiry)
{
    struct open_case *open = calloc(1, sizeof *open);
    const struct validator_case the_case = {.type = inquiry->envelope->type,
                                            .incoming = inquiry->question == ACCORD_ASK_IN,
                                            .now = c->host->base->wall(c->instance),
                                            .schema = c->schema};
    struct validator *validator = open ? validator_new(&the_case, c->options) : NULL;
    if (!validator) {
        free(open);
        answer(c, inquiry->handle, ACCORD_DEFER, "content.no-memory",
               "out of memory; the message is tried again");
        return;
    }
    *open = (struct open_case){
        .next = c->cases, .back = &c->cases, .handle = inquiry->handle, .validator = validator};
    if (open->next)
        open->next->back = &open->next;
    c->cases = open;
    *inquiry->state = open;
    c->host->pull(inquiry->handle, CREDIT);
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct content *c = state;
    const char *type = inquiry->envelope->type;
    enum validator_kind kind = validator_kind(type, c->options);
    if (kind == VALIDATOR_CHECKS)
        examine(c, inquiry);
    else if (kind == VALIDATOR_OPAQUE || c->options->unvalidated == VALIDATOR_ALLOW)
        answer(c, inquiry->handle, ACCORD_ALLOW, "", "");
    else
        answer(c, inquiry->handle, ACCORD_DENY, "content.no-validator",
               "no validator for this type, so nobody can say what is in it; [policy content] unvalidated = "
               "allow "
               "lets such types pass unexamined");
}

static void payload(void *state, const struct accord_inquiry *inquiry, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct content *c = state;
    struct open_case *open = *inquiry->state;
    if (!open)
        return;
    int result = validator_feed(open->validator, bytes, size);
    if (!result && !last) {
        c->host->pull(inquiry->handle, (int64_t)size);
        return;
    }
    if (!result)
        validator_finish(open->validator);
    *inquiry->state = NULL;
    c->host->answer(open->handle, validator_verdict(open->validator));
    forget(open);
}

static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    struct open_case *open = *inquiry->state;
    if (!open)
        return;
    *inquiry->state = NULL;
    answer(state, open->handle, ACCORD_DEFER, "content.canceled", "given up before the payload was read");
    forget(open);
}

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    return validator_check(setup->options, why, why_size);
}

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    struct content *c = state;
    *c = (struct content){.instance = instance, .host = host, .options = setup->options};
    if (validator_check(c->options, why, why_size))
        return ACCORD_EINVAL;
    const struct stix_options *stix = &c->options->stix;
    if (!stix->schemas || !*stix->schemas)
        return 0;
    return stix_schema_open(stix->schemas, stix->schema_driver, &c->schema, why, why_size);
}

static void close_module(void *state)
{
    struct content *c = state;
    while (c->cases) {
        answer(c, c->cases->handle, ACCORD_DEFER, "content.stopped", "the content policy was stopped");
        forget(c->cases);
    }
    stix_schema_close(c->schema);
    c->schema = NULL;
}

static const struct accord_policy content = {
    .size = sizeof content,
    .flags = ACCORD_READS_PAYLOAD,
    .asks = ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {validator_option_table, sizeof(struct validator_options)},
    .check = check,
    .state_size = sizeof(struct content),
    .open = open_module,
    .close = close_module,
    .judge = judge,
    .payload = payload,
    .cancel = cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "content",
    .version = "0.1",
    .summary = "Refuses payloads that are not what their type says: EDIFACT, X12 and 80-column records must "
               "be whole and "
               "well-counted, STIX 1 packages marked for AIS.",
    .policy = &content,
};
