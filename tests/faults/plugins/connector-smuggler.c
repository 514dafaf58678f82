/* A connector with an endpoint that offers a message without ever having opened a session. */
#include <accord/plugin.h>

struct smuggler {
    struct accord_instance *instance;
    const struct accord_host *host;
};

static int smuggler_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                         const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct smuggler *smuggler = state;
    (void)setup, (void)why, (void)why_size;
    *smuggler = (struct smuggler){instance, host};
    return 0;
}

static void offer(void *state)
{
    struct smuggler *smuggler = state;
    const struct accord_incoming message = {.name = "contraband", .source_id = "contraband", .size = 1};
    smuggler->host->offer(smuggler->instance, 0, &message, NULL);
}

static void start(void *state)
{
    struct smuggler *smuggler = state;
    smuggler->host->timer(smuggler->instance, 100, offer, smuggler);
}

static void nothing(void *state)
{
    (void)state;
}

static void pull(void *state, struct accord_offer *handle, void *arg, int64_t bytes)
{
    struct smuggler *smuggler = state;
    (void)arg, (void)bytes;
    smuggler->host->offer_write(handle, (const uint8_t *)"x", 1, true);
}

static void done(void *state, struct accord_offer *handle, void *arg, const struct accord_admitted *admitted)
{
    (void)state, (void)handle, (void)arg, (void)admitted;
}

static const struct accord_connector smuggler = {
    .size = sizeof smuggler,
    .flags = ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .state_size = sizeof(struct smuggler),
    .open = smuggler_open,
    .start = start,
    .stop = nothing,
    .close = nothing,
    .offer_pull = pull,
    .offer_done = done,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "smuggler",
    .version = "0.1",
    .summary = "Offers what came over no session.",
    .connector = &smuggler,
};
