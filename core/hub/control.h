/* The control socket: STATE/control.sock, SEQPACKET, frames of wire/messages.h, peers known by their
 * credentials. */
#ifndef HUB_CONTROL_H
#define HUB_CONTROL_H

#include "bus/bus.h"
#include "hub/hub.h"
#include "util/error.h"
#include "util/table.h"
#include "wire/channel.h"

struct control_client {
    struct control *control;
    struct control_client *next;
    struct channel *channel; /* NULL: it hung up */
    char user[64];
    struct table intakes;
    size_t intakes_held; /* see intake_host */
    struct probe *probe; /* that is under way for it (verbs_probe.c); NULL */
    int pending; /* answers that are being made */
};

int control_open(struct hub *, struct reason *why);
void control_close(struct hub *);
void control_tick(struct hub *, int64_t ticks);
/* Offers to this party that are not whole are deferred: it must be idle. */
void control_drop_offers(struct hub *, const struct bus_party *);

/* An answer in the making: rows, then one end. */
struct answer {
    struct hub *hub;
    struct control_client *client;
};
struct answer *answer_new(struct control_client *);
void answer_row(struct answer *, const char *table, const struct accord_pair *cells, size_t count);
/* Frees the answer. */
void answer_end(struct answer *, int exit, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Exit codes of the accord command. */
enum { ANSWER_OK = 0, ANSWER_NO = 1, ANSWER_USAGE = 2, ANSWER_CONF = 4 };

#endif
