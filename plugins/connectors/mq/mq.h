/* The mq connector: AMQP 1.0 to one broker. One link, the connections that carry it, what it sends and receives.
 *
 *   mq.c          vtable; options.c tables and rules; profile.c how brokers differ
 *   channel.c     the connection's bytes: TLS, SASL, frames (channel.h: its other files)
 *   connection.c  one connection: when it is made, how long it is left alone after a failure, who hears its events
 *   attachment.c  one AMQP link on it: session, attach, the check that its queue is there, the end
 *   sender.c      deliveries of one service on one connection: window, credit, dispositions (parcel.c: one of them)
 *   receiver.c    one service that receives; arrival.c one message on its way to the bus
 *   head.c        the sections before a payload as we write them; sections.c as they are read
 *   meaning.c     what a broker's error condition means for us
 *   probe.c       the steps of `accord probe`
 *
 * Everything runs on the loop thread.
 */
#ifndef MQ_MQ_H
#define MQ_MQ_H

#include <accord/connector.h>

#include "common/tls/expiry.h"
#include "common/tls/options.h"
#include "profile.h"

#define MQ_ADDRESS     512         /* of a queue as it is attached, with NUL */
#define MQ_CONNECTIONS 16          /* most of one link */

enum sasl_choice { SASL_AUTO, SASL_PLAIN, SASL_EXTERNAL, SASL_ANONYMOUS };
enum check_choice { CHECK_HELD, CHECK_ONCE, CHECK_NO };
enum id_form { ID_STRING, ID_BINARY };
enum rejected_rule { REJECTED_HOLD, REJECTED_DEAD_LETTER };

struct link_options {
    int64_t profile; /* index of a profile */
    const char *user, *password;
    struct tls_options tls;
    int64_t sasl; /* enum sasl_choice */
    const char *hostname, *container;
    int64_t connections;
    int64_t connect_timeout, heartbeat, idle_close;
    int64_t answer_timeout; /* attach, credit, disposition */
    int64_t max_frame;
};

struct service_options {
    const char *address;
    const char *name_property; /* the application property that carries a message's name; NULL: none */
    struct accord_list properties;
    /* sending */
    int64_t window;
    const char *reply_to, *subject, *content_type;
    int64_t id_form; /* enum id_form */
    int64_t check;   /* enum check_choice */
    /* receiving */
    int64_t credit;
    int64_t rejected; /* enum rejected_rule */
};

struct connection;
struct parcel;
struct probe;
struct receiver;

/* The state of one link. */
struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    const struct profile *profile;
    struct connection *connections[MQ_CONNECTIONS]; /* NULL: never needed */
    struct receiver **receivers;                    /* for each service; NULL: it sends */
    struct parcel *table[1024];                     /* deliveries by their handles */
    struct probe *probes;
    struct tls_expiry expiry;
    struct connection *spent; /* of the last probe that ended; NULL: none */
    bool started;
};

/* options.c */
extern const struct accord_option mq_link_table[], mq_service_table[];
int mq_check(const struct accord_link_setup *, char *why, size_t why_size);

/* mq.c */
const struct service_options *link_service(const struct link *, size_t service);
void link_log(struct link *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
