#include "amqp_broker.h"

#include <string.h>

static const uint8_t sasl[8] = {'A', 'M', 'Q', 'P', 3, 1, 0, 0};
static const uint8_t amqp[8] = {'A', 'M', 'Q', 'P', 0, 1, 0, 0};

/* ---- reading ---- */

bool broker_read(struct web_connection *c, void *to, size_t size)
{
    for (size_t at = 0; at < size;) {
        int got = SSL_read(c->ssl, (uint8_t *)to + at, (int)(size - at));
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

int broker_next(struct web_connection *c, struct broker_frame *frame)
{
    uint8_t *at = frame->bytes;
    frame->code = -1;
    if (!broker_read(c, at, 8))
        return -1;
    frame->size = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    if (frame->size < 8 || frame->size > sizeof frame->bytes || !broker_read(c, at + 8, frame->size - 8))
        return -1;
    return frame->code = frame->size < 11 ? BROKER_EMPTY : at[10];
}

bool broker_until(struct web_connection *c, int code, struct broker_frame *frame)
{
    while (broker_next(c, frame) >= 0)
        if (frame->code == code)
            return true;
    return false;
}

bool broker_has(const struct broker_frame *frame, const char *text)
{
    return memmem(frame->bytes, frame->size, text, strlen(text)) != NULL;
}

/* ---- writing ---- */

bool broker_send(struct web_connection *c, int type, int channel, const void *body, size_t size)
{
    uint8_t frame[2048] = {
        0, 0, (uint8_t)((size + 8) >> 8), (uint8_t)(size + 8), 2, (uint8_t)type, 0, (uint8_t)channel};
    if (size)
        memcpy(frame + 8, body, size);
    return web_write(c, frame, size + 8);
}

struct body {
    uint8_t bytes[1024];
    size_t size;
};

static void add(struct body *to, const void *bytes, size_t size)
{
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void octet(struct body *to, unsigned value)
{
    add(to, &(uint8_t){(uint8_t)value}, 1);
}

static void number(struct body *to, unsigned kind, unsigned value)
{
    const uint8_t four[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
    octet(to, kind);
    add(to, four, 4);
}

static void text(struct body *to, unsigned kind, const char *value)
{
    octet(to, kind);
    octet(to, (unsigned)strlen(value));
    add(to, value, strlen(value));
}

/* A list with one size octet, of the code. */
static struct body list(unsigned code, unsigned count)
{
    struct body body = {{0, 0x53, (uint8_t)code, 0xc0, 0, (uint8_t)count}, 6};
    return body;
}

static bool send_list(struct web_connection *c, int type, int channel, struct body *body)
{
    body->bytes[4] = (uint8_t)(body->size - 5);
    return broker_send(c, type, channel, body->bytes, body->size);
}

/* ---- SASL ---- */

static bool offer(struct web_connection *c, const char *names)
{
    struct body body = list(0x40, 1);
    size_t at = body.size + 1, count = 0;
    add(&body, "\xe0\0\0\xa3", 4);
    for (const char *name = names; *name; count++) {
        size_t size = strcspn(name, ",");
        octet(&body, (unsigned)size);
        add(&body, name, size);
        name += size + (name[size] == ',');
    }
    body.bytes[at] = (uint8_t)(body.size - at - 1);
    body.bytes[at + 1] = (uint8_t)count;
    return send_list(c, 1, 0, &body);
}

bool broker_mechanisms(struct web_connection *c, const char *names, struct broker_frame *init)
{
    uint8_t header[8];
    return broker_read(c, header, 8) && memcmp(header, sasl, 8) == 0 && web_write(c, sasl, 8) &&
           offer(c, names) && broker_next(c, init) == BROKER_INIT;
}

bool broker_outcome(struct web_connection *c, int code)
{
    struct body body = list(0x44, 1);
    octet(&body, 0x50);
    octet(&body, (unsigned)code);
    return send_list(c, 1, 0, &body);
}

bool broker_login(struct web_connection *c, const char *names)
{
    struct broker_frame init;
    return broker_mechanisms(c, names, &init) && broker_outcome(c, 0);
}

/* ---- AMQP ---- */

bool broker_header(struct web_connection *c, struct broker_frame *open)
{
    uint8_t header[8];
    return broker_read(c, header, 8) && memcmp(header, amqp, 8) == 0 && web_write(c, amqp, 8) &&
           broker_next(c, open) == BROKER_OPEN;
}

bool broker_open(struct web_connection *c, unsigned max_frame, unsigned idle_ms)
{
    struct body body = list(0x10, 5);
    text(&body, 0xa1, "broker \"\x1b[1m");
    octet(&body, 0x40);
    if (max_frame)
        number(&body, 0x70, max_frame);
    else
        octet(&body, 0x40);
    octet(&body, 0x40);
    if (idle_ms)
        number(&body, 0x70, idle_ms);
    else
        octet(&body, 0x40);
    return send_list(c, 0, 0, &body);
}

bool broker_welcome(struct web_connection *c, const char *names)
{
    struct broker_frame open;
    return broker_login(c, names) && broker_header(c, &open) && broker_open(c, 0, 0);
}

bool broker_begin(struct web_connection *c, int remote_channel)
{
    struct body body = list(0x11, 4);
    if (remote_channel < 0) {
        octet(&body, 0x40);
    } else {
        octet(&body, 0x60);
        octet(&body, (unsigned)remote_channel >> 8);
        octet(&body, (unsigned)remote_channel & 0xff);
    }
    number(&body, 0x70, 0);
    number(&body, 0x70, 2048);
    number(&body, 0x70, 2048);
    return send_list(c, 0, 0, &body);
}

bool broker_close(struct web_connection *c, const char *condition, const char *words)
{
    struct body body = list(0x18, condition ? 1 : 0);
    if (condition) {
        struct body error = list(0x1d, 2);
        text(&error, 0xa3, condition);
        text(&error, 0xa1, words);
        error.bytes[4] = (uint8_t)(error.size - 5);
        add(&body, error.bytes, error.size);
    }
    return send_list(c, 0, 0, &body);
}

/* ---- whole brokers ---- */

void broker_takes_us(struct web_connection *c)
{
    struct broker_frame frame;
    if (!broker_welcome(c, BROKER_OFFERS))
        return;
    if (broker_until(c, BROKER_CLOSE, &frame))
        broker_close(c, NULL, NULL);
    web_linger(c);
}

void broker_hangs_up(struct web_connection *c)
{
    broker_welcome(c, BROKER_OFFERS);
}
