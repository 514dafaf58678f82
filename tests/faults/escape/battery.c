/* The battery as a plugin: a connector (-DBATTERY_CONNECTOR) or a policy, which reads payloads with
 * -DBATTERY_INSPECT. open() runs the probes and reports each to the log as event "battery.NAME"; a
 * connector goes on with the probes of a session when it was dialled; "battery.end" comes last.
 */
#include <accord/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define DIALS_MAX 100

struct options {
    const char *outside, *inside, *abstract, *address, *only;
    int64_t port;
};

#define OPTION(option, type, field_help)                                                                     \
    {                                                                                                        \
        .name = #option, .kind = type, .offset = offsetof(struct options, option), .help = field_help        \
    }

static const struct accord_option table[] = {
    OPTION(outside, ACCORD_TEXT, "A folder that the sandbox was not given."),
    OPTION(inside, ACCORD_TEXT, "A folder that a link was given to write in."),
    OPTION(abstract, ACCORD_TEXT, "An abstract Unix socket that listens."),
    OPTION(address, ACCORD_TEXT, "Where the parent keeps known bytes, in hexadecimal."),
    OPTION(only, ACCORD_TEXT, "The one probe to run; none: all that cannot end the process."),
    {.name = "port",
     .kind = ACCORD_INTEGER,
     .offset = offsetof(struct options, port),
     .max = 65535,
     .help = "A loopback TCP port that no agreement lists."},
    {0},
};

struct battery {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct options *options;
    struct ground ground;
    bool session; /* which half runs now */
    int refused;  /* dials */
};

static void say(struct battery *b, const char *name, const char *text)
{
    char event[80];
    snprintf(event, sizeof event, "battery.%s", name);
    b->host->log(b->instance, ACCORD_INFO, event, text);
}

static bool is_due(const struct battery *b, const struct probe *probe)
{
    if (probe->session != b->session)
        return false;
    return b->options->only ? strcmp(b->options->only, probe->name) == 0 : !probe->alone;
}

static void run(void *arg, const struct probe *probe)
{
    struct battery *b = arg;
    if (!is_due(b, probe))
        return;
    char text[128];
    errno = 0;
    const char *result = escape_name(probe->run(&b->ground));
    snprintf(text, sizeof text, "%s %s", result, errno ? strerrorname_np(errno) : "-");
    say(b, probe->name, text);
}

static int battery_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                        const void *options)
{
    struct battery *b = state;
    *b = (struct battery){.instance = instance, .host = host, .options = options};
    b->ground = (struct ground){.outside = b->options->outside,
                                .inside = b->options->inside,
                                .abstract = b->options->abstract,
                                .port = (uint16_t)b->options->port,
                                .address = b->options->address ? strtoull(b->options->address, NULL, 16) : 0,
                                .local = 3,
                                .connected = -1,
                                .reset = -1};
    if (!b->ground.outside || !b->ground.inside || !b->ground.abstract)
        return ACCORD_EINVAL;
    escape_each(run, b);
    return 0;
}

static void battery_close(void *state)
{
    (void)state;
}

#ifdef BATTERY_CONNECTOR

static int link_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    snprintf(why, why_size, "the battery needs its options");
    return battery_open(state, instance, host, setup->options);
}

/* The second descriptor, and the last. */
static void on_reset(void *arg, struct accord_session *session, int fd, const char *reason)
{
    struct battery *b = arg;
    b->ground.reset = fd;
    b->session = true;
    if (session)
        escape_each(run, b);
    say(b, "end", reason ? reason : "");
}

static void dial(void *arg);

static void on_connected(void *arg, struct accord_session *session, int fd, const char *reason)
{
    struct battery *b = arg;
    /* A hub does not dial before the agreement is up. */
    if (!session && b->refused++ < DIALS_MAX && b->host->timer(b->instance, 100, dial, b))
        return;
    b->ground.connected = fd;
    if (!session || b->host->dial(b->instance, on_reset, b) < 0)
        say(b, "end", reason ? reason : "cannot dial again");
}

static void dial(void *arg)
{
    struct battery *b = arg;
    if (b->host->dial(b->instance, on_connected, b) < 0)
        say(b, "end", "cannot dial");
}

static void link_start(void *state)
{
    dial(state);
}

static void link_deliver(void *state, const struct accord_outgoing *out)
{
    struct battery *b = state;
    b->host->finish(out->handle,
                    &(struct accord_result){.outcome = ACCORD_REFUSED, .reason = "a battery", .receipt = ""});
}

static void link_payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                         bool last)
{
    (void)state, (void)delivery, (void)bytes, (void)size, (void)last;
}

static void link_cancel(void *state, struct accord_delivery *delivery)
{
    (void)state, (void)delivery;
}

static const struct accord_connector connector = {
    .size = sizeof connector,
    .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
    .link_options = {table, sizeof(struct options)},
    .state_size = sizeof(struct battery),
    .open = link_open,
    .start = link_start,
    .stop = battery_close,
    .close = battery_close,
    .deliver = link_deliver,
    .payload = link_payload,
    .cancel = link_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "battery",
    .version = "0.1",
    .summary = "Tries every way out of its sandbox.",
    .connector = &connector,
};

#else

static int policy_open(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    snprintf(why, why_size, "the battery needs its options");
    int result = battery_open(state, instance, host->base, setup->options);
    if (!result)
        say(state, "end", "");
    return result;
}

#ifdef BATTERY_INSPECT
#define NAME  "battery-inspect"
#define FLAGS ACCORD_READS_PAYLOAD

static void policy_payload(void *state, const struct accord_inquiry *inquiry, const uint8_t *bytes,
                           size_t size, bool last)
{
    (void)state, (void)inquiry, (void)bytes, (void)size, (void)last;
}

static void policy_cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}
#else
#define NAME           "battery"
#define FLAGS          0
#define policy_payload NULL
#define policy_cancel  NULL
#endif

static void policy_judge(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static const struct accord_policy policy = {
    .size = sizeof policy,
    .flags = FLAGS,
    .asks = ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {table, sizeof(struct options)},
    .state_size = sizeof(struct battery),
    .open = policy_open,
    .close = battery_close,
    .judge = policy_judge,
    .payload = policy_payload,
    .cancel = policy_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = NAME,
    .version = "0.1",
    .summary = "Tries every way out of its sandbox.",
    .policy = &policy,
};

#endif
