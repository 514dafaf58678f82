/* The control socket: STATE/control.sock, SEQPACKET, frames of wire/messages.h, peers known by their credentials. */
#ifndef HUB_CONTROL_H
#define HUB_CONTROL_H

#include "hub/internal.h"

struct control_client {
    struct control *control;
    struct control_client *next;
    struct channel *channel; /* NULL: it hung up */
    char user[64];
    struct table intakes;
    int pending; /* answers that are being made */
};

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

/* verbs.c: answers one command; the message's texts live during the call only. */
void verb_run(struct control_client *, const struct wire_COMMAND *);

#endif
