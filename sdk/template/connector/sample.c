/* Connector `sample`: speaks a small line protocol with a partner, both ways. Here is what the host sees
 * of it: options, their rules, the table of functions, the descriptor. session.c has one connection,
 * send.c and receive.c the traffic.
 *
 *     store BOX ID SIZE NAME, then SIZE bytes   ->  ok TEXT | later TEXT | no TEXT
 *     next BOX                                  ->  none | message ID SIZE NAME, then SIZE bytes
 *     done BOX ID                               ->  ok        (the partner may forget it)
 *     reject BOX ID                             ->  ok        (the partner should look at it)
 */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "receive.h"
#include "send.h"

/* A table declares what may stand in conf.d: the host parses it, checks it, fills the struct, and `accord
 * reference` makes the documentation from it. See <accord/option.h>. */
static const struct accord_option link_table[] = {
    {.name = "timeout",
     .kind = ACCORD_DURATION,
     .offset = offsetof(struct link_options, timeout),
     .fallback = "30 s",
     .min = 100,
     .max = 600000,
     .help = "Longest silence of the partner while an answer is due."},
    {.name = "poll",
     .kind = ACCORD_DURATION,
     .offset = offsetof(struct link_options, poll),
     .fallback = "30 s",
     .min = 100,
     .max = 86400000,
     .help = "receive: how often the partner is asked for messages."},
    {0},
};

static const struct accord_option service_table[] = {
    {.name = "box",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = offsetof(struct service_options, box),
     .max = 64,
     .help = "The partner's name for the place that this service stores into or takes from."},
    {0},
};

/* Rules that no single option can state. `accord check` shows the sentence at the line of the first key
 * that it names. */
static int check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    for (size_t i = 0; i < setup->service_count; i++) {
        const struct service_options *options = setup->services[i]->options;
        if (!strchr(options->box, ' '))
            continue;
        snprintf(why, why_size, "service %s: box = %s has a blank in it, which the protocol cannot say",
                 setup->services[i]->name, options->box);
        return ACCORD_EINVAL;
    }
    return ACCORD_OK;
}

/* ---- life ---- */

static void close_link(void *state)
{
    struct self *self = state;
    sender_free(self->sender);
    receiver_free(self->receiver);
    prober_free(self->prober);
}

static int open_link(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct self *self = state;
    *self = (struct self){.instance = instance, .host = host, .setup = setup};
    self->sender = sender_new(self);
    self->receiver = receiver_new(self);
    self->prober = prober_new(self);
    if (self->sender && self->receiver && self->prober)
        return ACCORD_OK;
    close_link(self); /* failing leaves nothing behind */
    snprintf(why, why_size, "out of memory");
    return ACCORD_ENOMEM;
}

static void start(void *state)
{
    struct self *self = state;
    self->started = true;
    receiver_look(self->receiver);
}

/* Begins nothing new; what is under way may come to its end. */
static void stop(void *state)
{
    struct self *self = state;
    self->started = false;
    receiver_stop(self->receiver);
}

/* ---- messages ---- */

static void deliver(void *state, const struct accord_outgoing *out)
{
    sender_deliver(((struct self *)state)->sender, out);
}

static void payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                    bool last)
{
    (void)delivery; /* one at a time has been asked for */
    sender_payload(((struct self *)state)->sender, bytes, size, last);
}

static void cancel(void *state, struct accord_delivery *delivery)
{
    sender_cancel(((struct self *)state)->sender, delivery);
}

static void offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)offer, (void)arg;
    receiver_pull(((struct self *)state)->receiver, bytes);
}

static void offer_done(void *state, struct accord_offer *offer, void *arg,
                       const struct accord_admitted *admitted)
{
    (void)offer, (void)arg;
    receiver_admitted(((struct self *)state)->receiver, admitted);
}

static void offer_ready(void *state)
{
    receiver_look(((struct self *)state)->receiver);
}

static void probe(void *state, struct accord_probe *handle)
{
    prober_begin(((struct self *)state)->prober, handle);
}

static const struct accord_connector connector = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .check = check,
    .state_size = sizeof(struct self),
    .open = open_link,
    .start = start,
    .stop = stop,
    .close = close_link,
    .deliver = deliver,
    .payload = payload,
    .cancel = cancel,
    .offer_pull = offer_pull,
    .offer_done = offer_done,
    .offer_ready = offer_ready,
    .probe = probe,
};

/* The one symbol that this module exports. */
ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "sample",
    .version = "0.1",
    .summary = "A small line protocol, both ways.",
    .connector = &connector,
};
