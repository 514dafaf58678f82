/* The broker's side of AMQP 1.0, right or wrong, for the `serve` function of a web_server.h: SASL and frames as bytes. */
#ifndef TESTS_AMQP_BROKER_H
#define TESTS_AMQP_BROKER_H

#include "web_server.h"

enum {
    BROKER_EMPTY = 0, /* a heartbeat */
    BROKER_OPEN = 0x10,
    BROKER_BEGIN = 0x11,
    BROKER_ATTACH = 0x12,
    BROKER_TRANSFER = 0x14,
    BROKER_DETACH = 0x16,
    BROKER_END = 0x17,
    BROKER_CLOSE = 0x18,
    BROKER_INIT = 0x41, /* of SASL */
};

struct broker_frame {
    int code; /* -1: the client is gone */
    size_t size;
    uint8_t bytes[70000]; /* with its head */
};

/* Reads so many bytes; false: the client is gone. */
bool broker_read(struct web_connection *, void *, size_t);
int broker_next(struct web_connection *, struct broker_frame *);
/* Reads frames until one of this kind; false: the client is gone. */
bool broker_until(struct web_connection *, int code, struct broker_frame *);
bool broker_has(const struct broker_frame *, const char *text);

/* A frame of `type` (0: AMQP, 1: SASL) around the body. */
bool broker_send(struct web_connection *, int type, int channel, const void *body, size_t size);

/* Both headers of SASL and our mechanisms ("PLAIN,EXTERNAL"), and the client's answer. */
bool broker_mechanisms(struct web_connection *, const char *list, struct broker_frame *init);
bool broker_outcome(struct web_connection *, int code);
/* All of SASL, which ends well. */
bool broker_login(struct web_connection *, const char *list);
/* Both headers of AMQP and the client's open frame. */
bool broker_header(struct web_connection *, struct broker_frame *open);
/* Our open frame; 0: says nothing of it. */
bool broker_open(struct web_connection *, unsigned max_frame, unsigned idle_ms);
/* All of that. */
bool broker_welcome(struct web_connection *, const char *list);
/* What a web_server.h serves: a broker that takes us and answers our close, one that hangs up when we are in. */
#define BROKER_OFFERS "PLAIN"
void broker_takes_us(struct web_connection *);
void broker_hangs_up(struct web_connection *);
bool broker_begin(struct web_connection *, int remote_channel); /* -1: nobody asked */
bool broker_close(struct web_connection *, const char *condition, const char *words); /* NULL: without */

#endif
