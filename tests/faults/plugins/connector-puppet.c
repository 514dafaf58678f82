/* A connector that does with a message what its name says: "poison" ends the process; "refused", "retry" and
 * "uncertain" end the delivery so, the first time; anything else is delivered. */
#define FAULT_NAME    "puppet"
#define FAULT_DELIVER puppet_deliver
#define FAULT_OPEN    puppet_open
#include <accord/plugin.h>

struct accord_outgoing;
static void puppet_deliver(void *state, const struct accord_outgoing *out);
static int puppet_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t why_size);
#include "good.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct puppet {
    const struct accord_host *host;
};

static int puppet_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t why_size)
{
    (void)instance, (void)setup, (void)why, (void)why_size;
    ((struct puppet *)state)->host = host;
    return 0;
}

static bool says(const struct accord_outgoing *out, const char *word)
{
    return strstr(out->envelope.name, word) != NULL;
}

static void puppet_deliver(void *state, const struct accord_outgoing *out)
{
    const struct puppet *puppet = state;
    char receipt[300];
    struct accord_result result = {.outcome = ACCORD_DELIVERED, .reason = "", .receipt = receipt};
    if (says(out, "poison")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (out->attempt == 1 && says(out, "refused"))
        result = (struct accord_result){ACCORD_REFUSED, "its name says so", "", 0};
    else if (out->attempt == 1 && says(out, "retry"))
        result = (struct accord_result){ACCORD_RETRY, "its name says so", "", 0};
    else if (out->attempt == 1 && says(out, "uncertain"))
        result = (struct accord_result){ACCORD_UNCERTAIN, "its name says so", "", 0};
    snprintf(receipt, sizeof receipt, "attempt=%lld deadline=%s", (long long)out->attempt,
             out->not_after ? "yes" : "no");
    puppet->host->finish(out->handle, &result);
}
