/* One connection of a link: made when somebody wants it, closed when nobody has for a while, and left alone for longer and
 * longer after it failed. What its channel tells is handed to the attachments on it. */
#ifndef MQ_CONNECTION_H
#define MQ_CONNECTION_H

#include <accord/connector.h>

#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>

#include "channel.h"
#include "meaning.h"

struct attachment;
struct link;
struct sender;

enum connection_state { CONNECTION_CLOSED, CONNECTION_OPENING, CONNECTION_OPEN, CONNECTION_CLOSING };

struct connection {
    struct link *link;
    size_t index;
    struct channel *channel;
    struct channel_settings settings;
    struct channel_owner owner;
    char container[300];
    enum connection_state state;
    struct attachment *attachments;
    pn_session_t *session;      /* of all of them, where the broker allows only one; NULL: each has its own */
    unsigned major;             /* the broker's version; 0: not told */
    char broker[100];           /* "RabbitMQ 3.10.8"; "" */
    struct accord_timer *idle;  /* until it is closed */
    int64_t rested;             /* ticks since which nobody has anything to do */
    struct accord_timer *again; /* until it may be made again */
    struct accord_timer *breaks;
    char broken[ACCORD_REASON_MAX]; /* why it is to be cut */
    int64_t pause;              /* ms that the next failure is followed by */
    int64_t opened;             /* ticks */
    unsigned inside;            /* calls from the channel: it lets out what is written afterwards */

    struct sender **senders; /* for each service; NULL: it has none here */
    struct probe *probe;     /* whose own it is; NULL: the link's */
};

/* NULL: out of memory. */
struct connection *connection_new(struct link *, size_t index);
void connection_free(struct connection *); /* at once and silently; NULL is fine */
/* Somebody has something to do: makes it, at once or when the pause is over. */
void connection_want(struct connection *);
/* An attachment has nothing to do any more: closed after a while, unless others have. */
void connection_rest(struct connection *);
/* Something was written to proton's objects. */
void connection_wake(struct connection *);
/* The broker does not do what it must: cut, and everybody told. Later, never in this call. */
void connection_break(struct connection *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes another one, unless a message is on its way: certificates are read for a new one only. */
void connection_renew(struct connection *);

#endif
