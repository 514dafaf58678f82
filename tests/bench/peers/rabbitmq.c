/* Messages through a durable quorum queue of a RabbitMQ broker: published with confirms, a window in flight; consumed
 * and acknowledged on a second connection. Both ends do what `pulse` and `sink` do (sdk/testkit/load): the content follows
 * from the message's id, every byte is checked on arrival, and each confirm and each arrival is written down. Prints
 * messages a second, from the first confirm to the last acknowledgement.
 *
 *     rabbitmq-bench PORT MESSAGES WINDOW FOLDER ACKNOWLEDGED
 *
 * ACKNOWLEDGED: for how many messages one acknowledgement of the consumer speaks.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testkit/load/content.h"
#include "testkit/load/tally.h"

#define QUEUE    "bench"
#define SIZE     1024
#define PREFETCH 1000
#define LINES    64 /* that are written at once */

static int port;
static uint64_t messages, window, acknowledged;
static const char *folder;
static double first_confirm, last_acknowledged;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "rabbitmq-bench: %s failed\n", what);
    exit(1);
}

/* ---- what both ends write down ---- */

static void open_tally(struct tally *tally, const char *name)
{
    char why[256];
    need(!tally_open(tally, folder, name, "rabbitmq", why, sizeof why), "opening what is written down");
}

static void write_down(struct tally *tally, uint64_t count, const char *id)
{
    tally_begin(tally);
    tally_number(tally, (int64_t)(now() * 1e6));
    tally_word(tally, id);
    tally_end(tally);
    need(count % LINES || tally_write(tally), "writing down");
}

static void close_tally(struct tally *tally)
{
    need(tally_write(tally), "writing down");
    tally_close(tally);
}

/* ---- the connections ---- */

static amqp_connection_state_t log_in(void)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = connection ? amqp_tcp_socket_new(connection) : NULL;
    need(socket && !amqp_socket_open(socket, "127.0.0.1", port), "the connection");
    need(amqp_login(connection, "/", 0, 131072, 60, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
             AMQP_RESPONSE_NORMAL,
         "the login");
    need(amqp_channel_open(connection, 1) != NULL, "the channel");
    return connection;
}

static void declare(amqp_connection_state_t connection)
{
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    amqp_table_t arguments = {1, &entry};
    need(amqp_queue_declare(connection, 1, amqp_cstring_bytes(QUEUE), 0, 1, 0, 0, arguments) != NULL,
         "declaring the queue");
}

/* ---- out ---- */

static void check(const amqp_message_t *message, char *id, size_t room)
{
    uint8_t expected[SIZE];
    const amqp_bytes_t *text = &message->properties.message_id;
    need(text->len < room && message->body.len == SIZE, "a message as it was sent");
    memcpy(id, text->bytes, text->len);
    id[text->len] = 0;
    content_fill(content_key(id, SIZE), 0, expected, SIZE);
    need(!memcmp(message->body.bytes, expected, SIZE), "a message as it was sent");
}

static void *consume(void *nothing)
{
    struct tally tally;
    char id[64];
    amqp_connection_state_t connection = log_in();
    open_tally(&tally, "arrivals");
    need(amqp_basic_qos(connection, 1, 0, PREFETCH, 0) != NULL, "the prefetch");
    need(amqp_basic_consume(connection, 1, amqp_cstring_bytes(QUEUE), amqp_empty_bytes, 0, 0, 0,
                            amqp_empty_table) != NULL,
         "consuming");
    for (uint64_t count = 1; count <= messages; count++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(connection);
        need(amqp_consume_message(connection, &envelope, NULL, 0).reply_type == AMQP_RESPONSE_NORMAL,
             "a message");
        uint64_t tag = envelope.delivery_tag;
        check(&envelope.message, id, sizeof id);
        write_down(&tally, count, id);
        amqp_destroy_envelope(&envelope);
        if (count % acknowledged == 0 || count == messages)
            need(!amqp_basic_ack(connection, 1, tag, acknowledged > 1), "acknowledging");
    }
    last_acknowledged = now();
    close_tally(&tally);
    return nothing;
}

/* ---- in ---- */

static void id_of(uint64_t number, char *id, size_t room)
{
    static const char head[] = "pulse-0-";
    need(room > sizeof head + 20, "an id that fits");
    memcpy(id, head, sizeof head - 1);
    *content_number(id + sizeof head - 1, (int64_t)number, 9) = 0;
}

static void publish_one(amqp_connection_state_t connection, uint64_t number)
{
    char id[64];
    uint8_t payload[SIZE];
    id_of(number, id, sizeof id);
    content_fill(content_key(id, SIZE), 0, payload, SIZE);
    amqp_basic_properties_t durable = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
                                       .delivery_mode = 2,
                                       .message_id = amqp_cstring_bytes(id)};
    need(!amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(QUEUE), 1, 0, &durable,
                             (amqp_bytes_t){SIZE, payload}),
         "publishing");
}

/* Waits for one confirm, which may speak for all messages up to its own. */
static void await_confirm(amqp_connection_state_t connection, bool *is_confirmed, uint64_t *least,
                          uint64_t *count, struct tally *tally)
{
    char id[64];
    amqp_frame_t frame;
    need(!amqp_simple_wait_frame(connection, &frame), "waiting for a confirm");
    need(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
         "a confirm");
    const amqp_basic_ack_t *ack = frame.payload.method.decoded;
    need(ack->delivery_tag <= messages, "a confirm of what was sent");
    for (uint64_t tag = ack->multiple ? *least : ack->delivery_tag; tag <= ack->delivery_tag; tag++) {
        if (is_confirmed[tag])
            continue;
        is_confirmed[tag] = true;
        id_of(tag, id, sizeof id);
        write_down(tally, ++*count, id);
    }
    while (*least <= messages && is_confirmed[*least])
        ++*least;
}

static void publish(amqp_connection_state_t connection)
{
    struct tally tally;
    uint64_t sent = 0, confirmed = 0, least = 1;
    bool *is_confirmed = calloc(messages + 1, sizeof *is_confirmed);
    need(is_confirmed != NULL, "allocating");
    open_tally(&tally, "confirms");
    need(amqp_confirm_select(connection, 1) != NULL, "asking for confirms");
    while (confirmed < messages) {
        while (sent < messages && sent - confirmed < window)
            publish_one(connection, ++sent);
        amqp_maybe_release_buffers(connection);
        await_confirm(connection, is_confirmed, &least, &confirmed, &tally);
        if (!first_confirm)
            first_confirm = now();
    }
    close_tally(&tally);
    free(is_confirmed);
}

int main(int count, char **words)
{
    need(count == 6, "reading PORT MESSAGES WINDOW FOLDER ACKNOWLEDGED");
    port = atoi(words[1]);
    messages = strtoull(words[2], NULL, 10);
    window = strtoull(words[3], NULL, 10);
    folder = words[4];
    acknowledged = strtoull(words[5], NULL, 10);
    need(window > 0 && acknowledged > 0, "reading WINDOW and ACKNOWLEDGED");
    amqp_connection_state_t connection = log_in();
    declare(connection);
    pthread_t consumer;
    need(!pthread_create(&consumer, NULL, consume, NULL), "a thread");
    publish(connection);
    pthread_join(consumer, NULL);
    printf("%.0f\n", (double)messages / (last_acknowledged - first_confirm));
    return 0;
}
