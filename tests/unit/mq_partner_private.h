/* What the files of mq_partner.h share. */
#ifndef MQ_PARTNER_PRIVATE_H
#define MQ_PARTNER_PRIVATE_H

#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include "connectors/mq/channel.h"
#include "mq_partner.h"

#define PARTNER_GOT      4096
#define PARTNER_QUEUED   2048
#define PARTNER_CHANNELS 20

struct got {
    char address[200];
    uint8_t *bytes;
    size_t size;
    pn_delivery_t *delivery; /* that is not answered yet */
};

struct queued {
    char queue[200];
    const uint8_t *bytes;
    size_t size, given;
    pn_delivery_t *delivery; /* NULL: waits */
    bool settled;
};

/* One connection, both ends of it. */
struct channel {
    const struct channel_settings *settings;
    const struct channel_owner *owner;
    pn_connection_driver_t client, server;
    bool opened;
    bool has_end;
    struct channel_closed end;
    char rule[64], reason[200];
};

extern struct partner {
    struct channel *channels[PARTNER_CHANNELS];
    size_t channel_count;
    struct got got[PARTNER_GOT];
    size_t got_count;
    struct queued queued[PARTNER_QUEUED];
    size_t queued_count;
    unsigned opened, outcomes[6];
    bool fails_open, holds_open;
} partner;

void partner_end(struct channel *, enum channel_end, const char *rule, const char *reason);
/* What was given over the link, or, without one, over the connection, and not settled is in its queue again. */
void partner_requeue(pn_connection_t *, pn_link_t *);
void partner_answer(struct got *);
void partner_condition(pn_condition_t *, const char *name, const char *words);
void partner_reset(void);

#endif
