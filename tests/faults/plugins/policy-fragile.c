/* An inspector that dies of messages whose name says "fatal", and denies those that say "denied". */
#include <accord/plugin.h>

#include <signal.h>
#include <string.h>

struct fragile {
    const struct accord_policy_host *host;
};

static const struct accord_option table[] = {
    {.name = "mood", .kind = ACCORD_TEXT, .offset = 0, .fallback = "", .help = "Has no effect."}, {0}};

static int fragile_open(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                        const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    (void)instance, (void)setup, (void)why, (void)why_size;
    ((struct fragile *)state)->host = host;
    return 0;
}

static void fragile_close(void *state)
{
    (void)state;
}

static void fragile_judge(void *state, const struct accord_inquiry *inquiry)
{
    const struct fragile *fragile = state;
    struct accord_verdict verdict = {.answer = ACCORD_ALLOW, .rule = "", .reason = ""};
    if (strstr(inquiry->envelope->name, "fatal")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (strstr(inquiry->envelope->name, "denied"))
        verdict =
            (struct accord_verdict){.answer = ACCORD_DENY, .rule = "fragile.name", .reason = "as it says"};
    fragile->host->answer(inquiry->handle, &verdict);
}

static void fragile_payload(void *state, const struct accord_inquiry *inquiry, const uint8_t *bytes,
                            size_t size, bool last)
{
    (void)state, (void)inquiry, (void)bytes, (void)size, (void)last;
}

static void fragile_cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static const struct accord_policy policy = {
    .size = sizeof policy,
    .flags = ACCORD_READS_PAYLOAD,
    .asks = ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {table, sizeof(const char *)},
    .state_size = sizeof(struct fragile),
    .open = fragile_open,
    .close = fragile_close,
    .judge = fragile_judge,
    .payload = fragile_payload,
    .cancel = fragile_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "fragile",
    .version = "0.1",
    .summary = "Dies of what it should judge.",
    .policy = &policy,
};
