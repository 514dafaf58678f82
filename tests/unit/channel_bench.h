/* A channel of the mq connector on the fake host, against a broker of the test's own (amqp_broker.h). */
#ifndef TESTS_CHANNEL_BENCH_H
#define TESTS_CHANNEL_BENCH_H

#include <accord/testkit/host.h>

#include "amqp_broker.h"
#include "connectors/mq/channel.h"

#define BENCH_NAME     "mq.example"
#define BENCH_PASSWORD "top secret"

struct bench_setting {
    enum testhost_clock clock;
    struct web_wish web;   /* certificate and key are made here */
    bool asks;             /* the broker asks for a certificate of ours */
    bool shows;            /* the link has one, which the broker takes */
    bool stranger;         /* ... or does not */
    const char *mechanism; /* of the link; NULL: none is named */
    const char *allowed;   /* sasl.mechanisms; NULL: "EXTERNAL,PLAIN"; "-": missing */
    bool nobody;           /* the link has no user */
    int64_t heartbeat;     /* 0: 60 s; -1: none */
    uint32_t max_frame;    /* 0: 64 KiB */
    const char *hostname;
};

struct bench {
    struct testhost *host;
    struct web *web;
    struct channel_settings set;
    struct channel_owner owner;
    struct channel *channel;
    struct accord_list pins;
    /* What the channel did. */
    unsigned opens, closes, events;
    struct channel_closed closed;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
    char steps[256]; /* "connect 0;tls 0;" */
    int64_t until;
    /* What the test does in its calls. */
    bool free_opened, close_opened, free_closed, free_step, close_step, free_event;
    const char *at_step;
    void (*opened)(struct bench *);
    void (*event)(struct bench *, pn_event_t *);
};

void bench_open(struct bench *, const struct bench_setting *);
/* Closes and expects no complaints. */
void bench_close(struct bench *);
/* Dials, and waits until it is open or closed. */
void bench_dial(struct bench *);
bool bench_settled(void *bench); /* a condition */
bool bench_closed(void *bench);
void bench_until(struct bench *, bool (*condition)(void *bench)); /* real time */
/* It has ended so, and `reason` is a part of what was said. */
void bench_expect(const struct bench *, enum channel_end, const char *rule, const char *reason);
void bench_drop(struct bench *); /* frees the channel */

#endif
