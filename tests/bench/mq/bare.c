/* mq-bench-bare send|receive PORT QUEUE COUNT SIZE WINDOW TRUST.pem USER PASSWORD
 *
 * What qpid-proton alone does: sends COUNT durable messages to a queue with WINDOW of them unanswered at most, or receives
 * them with that credit and accepts each; over its own TLS and SASL PLAIN, one connection, one thread. Prints the seconds
 * from the open connection to the last acknowledgement. */
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/ssl.h>
#include <proton/transport.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct run {
    pn_connection_driver_t driver;
    bool sends, over;
    const char *queue;
    int count, size, window, sent, done;
    char *encoded; /* one message */
    size_t encoded_size, id_at;
    double began;
};

static void die(const char *what)
{
    fprintf(stderr, "mq-bench-bare: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int dial(const char *port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo("127.0.0.1", port, &hints, &found) != 0)
        die("no such port");
    int fd = socket(found->ai_family, found->ai_socktype, 0), yes = 1;
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
        die("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    freeaddrinfo(found);
    return fd;
}

/* Durable, with a message-id of 24 characters, of which each message has another. */
static void make_message(struct run *run)
{
    static const char id[] = "bench-000000000000000000";
    pn_message_t *message = pn_message();
    char *body = calloc(1, (size_t)run->size + 1);
    pn_message_set_durable(message, true);
    pn_message_set_inferred(message, true);
    pn_data_put_string(pn_message_id(message), pn_bytes(strlen(id), id));
    pn_data_put_binary(pn_message_body(message), pn_bytes((size_t)run->size, body));
    run->encoded_size = (size_t)run->size + 256;
    run->encoded = malloc(run->encoded_size);
    if (!run->encoded || pn_message_encode(message, run->encoded, &run->encoded_size))
        die("cannot encode");
    run->id_at = (size_t)((char *)memmem(run->encoded, run->encoded_size, id, strlen(id)) - run->encoded);
    pn_message_free(message);
    free(body);
}

static void send_some(struct run *run, pn_link_t *link)
{
    while (run->sent < run->count && run->sent - run->done < run->window && pn_link_credit(link) > 0) {
        char number[20];
        snprintf(number, sizeof number, "%018d", run->sent++);
        memcpy(run->encoded + run->id_at + 6, number, 18);
        pn_delivery(link, pn_dtag((const char *)&run->sent, sizeof run->sent));
        pn_link_send(link, run->encoded, run->encoded_size);
        pn_link_advance(link);
    }
}

static void acknowledged(struct run *run, pn_link_t *link)
{
    if (++run->done < run->count)
        return;
    printf("%.4f\n", now() - run->began);
    run->over = true;
    pn_connection_close(pn_session_connection(pn_link_session(link)));
}

static void take(struct run *run, pn_delivery_t *delivery)
{
    static char room[1 << 20];
    pn_link_t *link = pn_delivery_link(delivery);
    if (pn_delivery_partial(delivery) || !pn_delivery_readable(delivery))
        return;
    while (pn_link_recv(link, room, sizeof room) > 0)
        ;
    pn_link_advance(link);
    pn_delivery_update(delivery, PN_ACCEPTED);
    pn_delivery_settle(delivery);
    if (pn_link_credit(link) < run->window / 2)
        pn_link_flow(link, run->window - pn_link_credit(link));
    acknowledged(run, link);
}

static void answered(struct run *run, pn_delivery_t *delivery)
{
    pn_link_t *link = pn_delivery_link(delivery);
    if (pn_delivery_remote_state(delivery) != PN_ACCEPTED)
        die("a message was not accepted");
    pn_delivery_settle(delivery);
    acknowledged(run, link);
    send_some(run, link);
}

static void attach(struct run *run, pn_connection_t *connection)
{
    pn_session_t *session = pn_session(connection);
    pn_session_open(session);
    pn_link_t *link = run->sends ? pn_sender(session, "bare") : pn_receiver(session, "bare");
    pn_terminus_set_address(run->sends ? pn_link_target(link) : pn_link_source(link), run->queue);
    pn_link_open(link);
    if (!run->sends)
        pn_link_flow(link, run->window);
}

static void handle(struct run *run, pn_event_t *event)
{
    switch (pn_event_type(event)) {
    case PN_CONNECTION_REMOTE_OPEN:
        run->began = now();
        attach(run, pn_event_connection(event));
        break;
    case PN_LINK_FLOW:
        if (run->sends)
            send_some(run, pn_event_link(event));
        break;
    case PN_DELIVERY:
        if (!run->sends)
            take(run, pn_event_delivery(event));
        else if (pn_delivery_updated(pn_event_delivery(event)))
            answered(run, pn_event_delivery(event));
        break;
    case PN_TRANSPORT_ERROR:
    case PN_CONNECTION_REMOTE_CLOSE:
    case PN_LINK_REMOTE_CLOSE:
        if (!run->over)
            die("the broker has ended it");
        break;
    default:
        break;
    }
}

/* One turn of reading and writing. */
static void turn(struct run *run, int fd)
{
    pn_connection_driver_t *driver = &run->driver;
    pn_event_t *event;
    while ((event = pn_connection_driver_next_event(driver)))
        handle(run, event);
    pn_rwbytes_t in = pn_connection_driver_read_buffer(driver);
    pn_bytes_t out = pn_connection_driver_write_buffer(driver);
    struct pollfd ready = {.fd = fd, .events = (short)((in.size ? POLLIN : 0) | (out.size ? POLLOUT : 0))};
    if (poll(&ready, 1, 30000) <= 0)
        die("nothing happens");
    if (ready.revents & POLLOUT) {
        ssize_t n = write(fd, out.start, out.size);
        if (n <= 0)
            die("cannot write");
        pn_connection_driver_write_done(driver, (size_t)n);
    }
    if (ready.revents & (POLLIN | POLLHUP)) {
        ssize_t n = read(fd, in.start, in.size);
        if (n > 0)
            pn_connection_driver_read_done(driver, (size_t)n);
        else
            pn_connection_driver_read_close(driver);
    }
}

int main(int argc, char **argv)
{
    if (argc != 10)
        die("arguments: send|receive PORT QUEUE COUNT SIZE WINDOW TRUST USER PASSWORD");
    struct run run = {.sends = !strcmp(argv[1], "send"),
                      .queue = argv[3],
                      .count = atoi(argv[4]),
                      .size = atoi(argv[5]),
                      .window = atoi(argv[6])};
    int fd = dial(argv[2]);
    if (run.sends)
        make_message(&run);
    pn_connection_driver_init(&run.driver, NULL, NULL);
    pn_connection_set_container(run.driver.connection, "bare");
    pn_connection_set_hostname(run.driver.connection, "localhost");
    pn_connection_set_user(run.driver.connection, argv[8]);
    pn_connection_set_password(run.driver.connection, argv[9]);
    pn_connection_open(run.driver.connection);
    pn_sasl_allowed_mechs(pn_sasl(run.driver.transport), "PLAIN");
    pn_ssl_domain_t *domain = pn_ssl_domain(PN_SSL_MODE_CLIENT);
    if (pn_ssl_domain_set_trusted_ca_db(domain, argv[7]) ||
        pn_ssl_domain_set_peer_authentication(domain, PN_SSL_VERIFY_PEER_NAME, NULL) ||
        pn_ssl_init(pn_ssl(run.driver.transport), domain, NULL))
        die("no TLS");
    pn_ssl_domain_free(domain);
    while (!pn_connection_driver_finished(&run.driver) && !run.over)
        turn(&run, fd);
    pn_connection_driver_destroy(&run.driver);
    free(run.encoded);
    close(fd);
    return 0;
}
