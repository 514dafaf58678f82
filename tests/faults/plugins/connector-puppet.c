/* A connector that does with a message what its name says: "poison" ends the process; "refused", "retry" and
 * "uncertain" end the delivery so, the first time; anything else is delivered. What says "ask" is answered by the
 * link's receiving service, with its name as the payload, and always the same source id. */
#define FAULT_NAME       "puppet"
#define FAULT_DELIVER    puppet_deliver
#define FAULT_OPEN       puppet_open
#define FAULT_OFFER_PULL puppet_offer_pull
#define FAULT_OFFER_DONE puppet_offer_done
#include <accord/plugin.h>

struct accord_outgoing;
static void puppet_deliver(void *state, const struct accord_outgoing *out);
static int puppet_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t why_size);
static void puppet_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes);
static void puppet_offer_done(void *state, struct accord_offer *offer, void *arg,
                              const struct accord_admitted *admitted);
#include "good.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct puppet {
    const struct accord_host *host;
    struct accord_instance *instance;
    const struct accord_link_setup *setup;
};

static int puppet_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                       const struct accord_link_setup *setup, char *why, size_t why_size)
{
    (void)why, (void)why_size;
    *(struct puppet *)state = (struct puppet){host, instance, setup};
    return 0;
}

/* WORD, or WORD@SERVICE for one service alone. */
static bool says(const struct puppet *puppet, const struct accord_outgoing *out, const char *word)
{
    const char *service = puppet->setup->services[out->service]->name;
    const char *at = strstr(out->envelope->name, word);
    if (!at || at[strlen(word)] != '@')
        return at != NULL;
    return strncmp(at + strlen(word) + 1, service, strlen(service)) == 0;
}

/* ---- answers ---- */

static void answer(const struct puppet *puppet, const struct accord_outgoing *out)
{
    struct accord_pair header = {ACCORD_HEADER_CORRELATION, out->envelope->id};
    const struct accord_incoming answer = {.name = "answer",
                                           .source_id = "answer",
                                           .size = (int64_t)strlen(out->envelope->name),
                                           .headers = &header,
                                           .header_count = 1};
    char *text = strdup(out->envelope->name);
    for (size_t i = 0; i < puppet->setup->service_count && text; i++)
        if (puppet->setup->services[i]->direction == ACCORD_RECEIVE &&
            puppet->host->offer(puppet->instance, i, &answer, text))
            return;
    free(text);
}

static void puppet_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)bytes; /* it is short */
    ((struct puppet *)state)->host->offer_write(offer, arg, strlen(arg), true);
}

static void puppet_offer_done(void *state, struct accord_offer *offer, void *arg,
                              const struct accord_admitted *admitted)
{
    (void)state, (void)offer, (void)admitted;
    free(arg);
}

/* ---- deliveries ---- */

static void puppet_deliver(void *state, const struct accord_outgoing *out)
{
    const struct puppet *puppet = state;
    char receipt[300];
    struct accord_result result = {.outcome = ACCORD_DELIVERED, .reason = "", .receipt = receipt};
    if (says(puppet, out, "poison")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (out->attempt == 1 && says(puppet, out, "refused"))
        result = (struct accord_result){ACCORD_REFUSED, "its name says so", "", 0};
    else if (out->attempt == 1 && says(puppet, out, "retry"))
        result = (struct accord_result){ACCORD_RETRY, "its name says so", "", 0};
    else if (out->attempt == 1 && says(puppet, out, "uncertain"))
        result = (struct accord_result){ACCORD_UNCERTAIN, "its name says so", "", 0};
    if (says(puppet, out, "ask"))
        answer(puppet, out);
    snprintf(receipt, sizeof receipt, "attempt=%lld deadline=%s", (long long)out->attempt,
             out->not_after ? "yes" : "no");
    puppet->host->finish(out->handle, &result);
}
