#include "amqp_queues.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include "amqp_broker.h"

#define CREDIT 100

struct message {
    struct message *next;
    char *queue, *id;
    uint8_t *bytes; /* whole; of one that came, all of it too */
    size_t size;
    pn_connection_t *with; /* whose client has it, and has not settled it; NULL: nobody's */
    pn_delivery_t *delivery;
    bool accepted;
    bool dead; /* rejected: kept, and not given again */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct message *sent, *waiting; /* by clients; for clients */

static void append(struct message **list, struct message *message)
{
    while (*list)
        list = &(*list)->next;
    *list = message;
}

/* ---- what clients send ---- */

static void take(pn_delivery_t *delivery)
{
    pn_link_t *link = pn_delivery_link(delivery);
    struct message *message;
    if (!pn_delivery_readable(delivery) || pn_delivery_partial(delivery))
        return;
    message = calloc(1, sizeof *message);
    message->size = pn_delivery_pending(delivery);
    message->bytes = malloc(message->size + 1);
    message->queue = strdup(pn_terminus_get_address(pn_link_remote_target(link)));
    pn_link_recv(link, (char *)message->bytes, message->size);
    append(&sent, message);
    pn_link_advance(link);
    pn_delivery_update(delivery, PN_ACCEPTED);
    pn_delivery_settle(delivery);
    pn_link_flow(link, 1);
}

/* ---- what they receive ---- */

static void give(pn_link_t *link)
{
    static uint64_t tags;
    const char *queue = pn_terminus_get_address(pn_link_source(link));
    for (struct message *message = waiting; message && pn_link_credit(link) > 0; message = message->next) {
        if (message->with || message->accepted || message->dead || strcmp(message->queue, queue) != 0)
            continue;
        tags++;
        message->with = pn_session_connection(pn_link_session(link));
        message->delivery = pn_delivery(link, pn_dtag((const char *)&tags, sizeof tags));
        pn_link_send(link, (const char *)message->bytes, message->size);
        pn_link_advance(link);
    }
}

static void give_all(pn_connection_t *connection)
{
    const pn_state_t open = PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE;
    for (pn_link_t *link = pn_link_head(connection, open); link; link = pn_link_next(link, open))
        if (pn_link_is_sender(link))
            give(link);
}

static void settled(pn_delivery_t *delivery)
{
    for (struct message *message = waiting; message; message = message->next)
        if (message->with && message->delivery == delivery && pn_delivery_settled(delivery)) {
            message->accepted = pn_delivery_remote_state(delivery) == PN_ACCEPTED;
            message->dead = pn_delivery_remote_state(delivery) == PN_REJECTED;
            message->with = NULL;
            pn_delivery_settle(delivery);
        }
}

/* Of a link that ended, or, without one, of all. */
static void take_back(pn_connection_t *connection, pn_link_t *link)
{
    for (struct message *message = waiting; message; message = message->next)
        if (message->with == connection && (!link || pn_delivery_link(message->delivery) == link))
            message->with = NULL;
}

/* ---- events ---- */

static void attach(pn_link_t *link)
{
    pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
    pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
    pn_link_open(link);
    if (pn_link_is_receiver(link))
        pn_link_flow(link, CREDIT);
}

static void on_event(pn_event_t *event)
{
    switch (pn_event_type(event)) {
    case PN_CONNECTION_REMOTE_OPEN:
        pn_connection_set_container(pn_event_connection(event), "queues");
        pn_connection_open(pn_event_connection(event));
        break;
    case PN_CONNECTION_REMOTE_CLOSE:
        pn_connection_close(pn_event_connection(event));
        break;
    case PN_SESSION_REMOTE_OPEN:
        pn_session_open(pn_event_session(event));
        break;
    case PN_SESSION_REMOTE_CLOSE:
        pn_session_close(pn_event_session(event));
        break;
    case PN_LINK_REMOTE_OPEN:
        attach(pn_event_link(event));
        break;
    case PN_LINK_REMOTE_CLOSE:
    case PN_LINK_REMOTE_DETACH:
        take_back(pn_event_connection(event), pn_event_link(event));
        pn_link_close(pn_event_link(event));
        break;
    case PN_DELIVERY:
        if (pn_link_is_receiver(pn_event_link(event)))
            take(pn_event_delivery(event));
        else
            settled(pn_event_delivery(event));
        break;
    default:
        break;
    }
}

static void run_events(pn_connection_driver_t *driver)
{
    pn_event_t *event;
    pthread_mutex_lock(&lock);
    give_all(driver->connection);
    while ((event = pn_connection_driver_next_event(driver)))
        on_event(event);
    pthread_mutex_unlock(&lock);
}

/* ---- bytes ---- */

static bool may_go_on(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* -1: the connection is over; 1: something moved. */
static int carry(struct web_connection *c, pn_connection_driver_t *driver)
{
    pn_bytes_t out = pn_connection_driver_write_buffer(driver);
    pn_rwbytes_t in = pn_connection_driver_read_buffer(driver);
    int put = out.size ? SSL_write(c->ssl, out.start, (int)out.size) : 0;
    if (put > 0)
        pn_connection_driver_write_done(driver, (size_t)put);
    else if (out.size && !may_go_on(c->ssl, put))
        return -1;
    int got = in.size ? SSL_read(c->ssl, in.start, (int)in.size) : 0;
    if (got > 0)
        pn_connection_driver_read_done(driver, (size_t)got);
    else if (in.size && !may_go_on(c->ssl, got))
        return -1;
    return put > 0 || got > 0;
}

void queues_serve(struct web_connection *c)
{
    pn_connection_driver_t driver;
    if (!broker_login(c, "PLAIN") || pn_connection_driver_init(&driver, NULL, NULL) != 0)
        return;
    pn_transport_set_server(driver.transport);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    SSL_set_mode(c->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    for (int moved = 1; moved >= 0 && !pn_connection_driver_finished(&driver);) {
        run_events(&driver);
        moved = carry(c, &driver);
        if (moved == 0) /* soon, for somebody else may have put something in */
            poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, 5);
    }
    pthread_mutex_lock(&lock);
    take_back(driver.connection, NULL);
    pthread_mutex_unlock(&lock);
    pn_connection_driver_destroy(&driver);
}

/* ---- looking and putting ---- */

static size_t write_data(uint8_t *to, size_t size)
{
    const uint8_t data[] = {
        0x00,         0x53, 0x75, 0xb0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
        (uint8_t)size};
    memcpy(to, data, sizeof data);
    return sizeof data;
}

static bool ends_with(const struct message *message, const void *bytes, size_t size)
{
    uint8_t data[8];
    size_t width = write_data(data, size);
    if (size < 256) {
        data[3] = 0xa0;
        data[4] = (uint8_t)size;
        width = 5;
    }
    return message->size >= size + width &&
           memcmp(message->bytes + message->size - size - width, data, width) == 0 &&
           (size == 0 || memcmp(message->bytes + message->size - size, bytes, size) == 0);
}

bool queues_got(const char *queue, const void *bytes, size_t size)
{
    bool got = false;
    pthread_mutex_lock(&lock);
    for (struct message *message = sent; message && !got; message = message->next)
        got = strcmp(message->queue, queue) == 0 && ends_with(message, bytes, size);
    pthread_mutex_unlock(&lock);
    return got;
}

bool queues_put(const char *queue, const char *id, const void *bytes, size_t size)
{
    struct message *message = calloc(1, sizeof *message);
    size_t length = strlen(id) < 200 ? strlen(id) : 200;
    uint8_t *at = message->bytes = malloc(size + 2 * length + 64);
    message->queue = strdup(queue);
    message->id = strdup(id);
    const uint8_t begin[] = {
        0x00, 0x53, 0x73, 0xd0, 0, 0, (uint8_t)((2 * length + 10) >> 8), (uint8_t)(2 * length + 10),
        0,    0,    0,    4};
    memcpy(at, begin, sizeof begin);
    at += sizeof begin;
    for (int i = 0; i < 2; i++) { /* message-id and subject */
        *at++ = 0xa1;
        *at++ = (uint8_t)length;
        memcpy(at, id, length);
        at += length;
        if (i == 0) {
            *at++ = 0x40;
            *at++ = 0x40;
        }
    }
    at += write_data(at, size);
    if (size)
        memcpy(at, bytes, size);
    message->size = (size_t)(at - message->bytes) + size;
    pthread_mutex_lock(&lock);
    append(&waiting, message);
    pthread_mutex_unlock(&lock);
    return true;
}

bool queues_hold(const char *queue, const char *id)
{
    bool holds = false;
    pthread_mutex_lock(&lock);
    for (struct message *message = waiting; message && !holds; message = message->next)
        holds = !message->accepted && strcmp(message->queue, queue) == 0 && strcmp(message->id, id) == 0;
    pthread_mutex_unlock(&lock);
    return holds;
}

static void free_all(struct message **list)
{
    for (struct message *message; (message = *list);) {
        *list = message->next;
        free(message->queue);
        free(message->id);
        free(message->bytes);
        free(message);
    }
}

void queues_empty(void)
{
    pthread_mutex_lock(&lock);
    free_all(&sent);
    free_all(&waiting);
    pthread_mutex_unlock(&lock);
}
