/* A link's process that misbehaves in the way that its link's option `how` names, from its first delivery on, or
 * from its start. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <accord/plugin.h>

#define HUB     3   /* the channel to the hub */
#define PAUSE   100 /* ms */
#define LINES   200 /* at a time */
#define GARBAGE 4096

struct options {
    int64_t how; /* one of the ways */
};

struct rogue {
    struct accord_instance *instance;
    const struct accord_host *host;
    const char *how;
    struct accord_delivery *last;
};

static const char *const ways[] = {"crash",       "crash-on-delivery", "hang",    "never",
                                   "flood-lines", "flood-channel",     "garbage", NULL};

static const struct accord_option table[] = {
    {.name = "how",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_REQUIRED,
     .choices = ways,
     .help = "What it does wrong."},
    {0},
};

static int rogue_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct rogue *rogue = state;
    (void)why, (void)why_size;
    *rogue = (struct rogue){
        .instance = instance, .host = host, .how = ways[((const struct options *)setup->options)->how]};
    return 0;
}

static bool is(const struct rogue *rogue, const char *how)
{
    return strcmp(rogue->how, how) == 0;
}

static void die(int number)
{
    signal(number, SIG_DFL); /* also when a sanitizer would like to explain it */
    raise(number);
}

/* What the hub cannot decode, or never asked for. */
static void send_garbage(void)
{
    uint8_t bytes[GARBAGE];
    memset(bytes, 0xa5, sizeof bytes);
    send(HUB, bytes, sizeof bytes, 0);
}

static void act(void *arg)
{
    struct rogue *rogue = arg;
    if (is(rogue, "crash"))
        die(SIGSEGV);
    for (int i = 0; i < LINES && is(rogue, "flood-lines"); i++)
        rogue->host->log(rogue->instance, ACCORD_WARNING, "rogue.flood", "there is always something to say");
    if (is(rogue, "garbage"))
        send_garbage();
    rogue->host->timer(rogue->instance, is(rogue, "flood-lines") ? 1 : PAUSE, act, rogue);
}

static void rogue_start(void *state)
{
    struct rogue *rogue = state;
    rogue->host->timer(rogue->instance, PAUSE, act, rogue);
}

static void nothing(void *state)
{
    (void)state;
}

static void deliver(void *state, const struct accord_outgoing *out)
{
    struct rogue *rogue = state;
    rogue->last = out->handle;
    if (is(rogue, "crash-on-delivery"))
        die(SIGSEGV);
    while (is(rogue, "hang"))
        ;
    while (is(rogue, "flood-channel")) /* more than anyone grants */
        rogue->host->pull(out->handle, NULL, 1);
}

static void payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                    bool last)
{
    (void)state, (void)delivery, (void)bytes, (void)size, (void)last;
}

static void cancel(void *state, struct accord_delivery *delivery)
{
    (void)state, (void)delivery;
}

static const struct accord_connector rogue = {
    .size = sizeof rogue,
    .flags = ACCORD_CAN_SEND,
    .link_options = {table, sizeof(struct options)},
    .state_size = sizeof(struct rogue),
    .open = rogue_open,
    .start = rogue_start,
    .stop = nothing,
    .close = nothing,
    .deliver = deliver,
    .payload = payload,
    .cancel = cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "rogue",
    .version = "0.1",
    .summary = "Misbehaves as it is told.",
    .connector = &rogue,
};
