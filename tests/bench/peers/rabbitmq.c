/* Messages through a durable quorum queue of a RabbitMQ broker: published with confirms, a window in flight; consumed
 * and acknowledged on a second connection. Prints messages a second, from the first confirm to the last acknowledgement.
 *
 *     rabbitmq-bench PORT MESSAGES WINDOW
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE    "bench"
#define SIZE     1024
#define PREFETCH 1000

static int port;
static uint64_t messages, window;
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

static void *consume(void *nothing)
{
    amqp_connection_state_t connection = log_in();
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
        amqp_destroy_envelope(&envelope);
        if (count % 100 == 0 || count == messages)
            need(!amqp_basic_ack(connection, 1, tag, 1), "acknowledging");
    }
    last_acknowledged = now();
    return nothing;
}

/* Waits for one confirm, which may speak for all messages up to its own. */
static void await_confirm(amqp_connection_state_t connection, bool *is_confirmed, uint64_t *least,
                          uint64_t *count)
{
    amqp_frame_t frame;
    need(!amqp_simple_wait_frame(connection, &frame), "waiting for a confirm");
    need(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
         "a confirm");
    const amqp_basic_ack_t *ack = frame.payload.method.decoded;
    need(ack->delivery_tag <= messages, "a confirm of what was sent");
    for (uint64_t tag = ack->multiple ? *least : ack->delivery_tag; tag <= ack->delivery_tag; tag++) {
        *count += !is_confirmed[tag];
        is_confirmed[tag] = true;
    }
    while (*least <= messages && is_confirmed[*least])
        ++*least;
}

static void publish(amqp_connection_state_t connection)
{
    static uint8_t payload[SIZE];
    amqp_basic_properties_t durable = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    uint64_t sent = 0, confirmed = 0, least = 1;
    bool *is_confirmed = calloc(messages + 1, sizeof *is_confirmed);
    need(is_confirmed != NULL, "allocating");
    need(amqp_confirm_select(connection, 1) != NULL, "asking for confirms");
    while (confirmed < messages) {
        for (; sent < messages && sent - confirmed < window; sent++)
            need(!amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(QUEUE), 1, 0,
                                     &durable, (amqp_bytes_t){SIZE, payload}),
                 "publishing");
        amqp_maybe_release_buffers(connection);
        await_confirm(connection, is_confirmed, &least, &confirmed);
        if (!first_confirm)
            first_confirm = now();
    }
    free(is_confirmed);
}

int main(int count, char **words)
{
    need(count == 4, "reading PORT MESSAGES WINDOW");
    port = atoi(words[1]);
    messages = strtoull(words[2], NULL, 10);
    window = strtoull(words[3], NULL, 10);
    amqp_connection_state_t connection = log_in();
    declare(connection);
    pthread_t consumer;
    need(!pthread_create(&consumer, NULL, consume, NULL), "a thread");
    publish(connection);
    pthread_join(consumer, NULL);
    printf("%.0f\n", (double)messages / (last_acknowledged - first_confirm));
    return 0;
}
