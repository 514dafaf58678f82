/* The mq connector's options, and the rules that no single one can state. */
#include <stdio.h>
#include <string.h>

#include "mq.h"

#define FIELD(type, name) offsetof(struct type, name)
#define TEXT_MOST         400 /* bytes of a name that travels in a message */
#define CONTAINER_MOST    256
#define QUEUE_MOST        160 /* each byte may become three in an address */

static const char *const sasl_choices[] = {"auto", "plain", "external", "anonymous", NULL};
static const char *const check_choices[] = {"held", "once", "no", NULL};
static const char *const id_choices[] = {"string", "binary", NULL};
static const char *const rejected_choices[] = {"hold", "dead-letter", NULL};

const struct accord_option mq_link_table[] = {
    {.name = "profile",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, profile),
     .choices = profile_names,
     .help = "The kind of broker: how queues are addressed and checked, what it takes and what it answers "
             "(docs/MQ.md)."},
    {.name = "user",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, user),
     .max = TEXT_MOST,
     .help = "The name for SASL PLAIN (RFC 4616)."},
    {.name = "password",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, password),
     .help =
         "The password for SASL PLAIN. It leaves only inside TLS, and only when the session was allowed."},
    {.name = "sasl",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(link_options, sasl),
     .fallback = "auto",
     .choices = sasl_choices,
     .help =
         "How we say who we are. auto: with the password, with the certificate, or, when there are both, as "
         "sasl-mechanisms of [policy encryption] prefers. anonymous only in site.conf, never to a partner."},
    TLS_OPTIONS(FIELD(link_options, tls), 0, "the broker", ""),
    {.name = "hostname",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, hostname),
     .max = TEXT_MOST,
     .help = "What our open frame calls the broker (AMQP 1.0, 2.7.1), as in vhost:NAME for RabbitMQ. Not "
             "set: the "
             "endpoint's host."},
    {.name = "container",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, container),
     .max = CONTAINER_MOST,
     .help = "Our container id (AMQP 1.0, 2.7.1), which the broker's operator sees. Not set: "
             "accord.AGREEMENT.LINK."},
    {.name = "connections",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, connections),
     .fallback = "1",
     .min = 1,
     .max = MQ_CONNECTIONS,
     .help = "How many connections may be open at the same time; a further one is made when the window of "
             "the others "
             "is in use."},
    {.name = "connect-timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, connect_timeout),
     .fallback = "30 s",
     .min = 100,
     .max = 600000,
     .help = "Longest that each step to an open connection may take: TLS, SASL, the broker's open frame."},
    {.name = "heartbeat",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, heartbeat),
     .fallback = "30 s",
     .min = 0,
     .max = 3600000,
     .help = "A broker that sends nothing for so long, not even an empty frame, counts as gone; half of it "
             "is announced "
             "(AMQP 1.0, 2.4.5). 0: never."},
    {.name = "answer-timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, answer_timeout),
     .fallback = "60 s",
     .min = 100,
     .max = 3600000,
     .help = "Longest wait for the broker's answer: to an attach, for credit while a message waits, for the "
             "disposition "
             "of a message that is with it."},
    {.name = "idle-close",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, idle_close),
     .fallback = "10 s",
     .min = 0,
     .max = 86400000,
     .help = "How long a connection stays open when nothing is sent and no service receives over it."},
    {.name = "max-frame",
     .kind = ACCORD_SIZE,
     .offset = FIELD(link_options, max_frame),
     .fallback = "64 KiB",
     .min = 512,
     .max = 1 << 20,
     .help = "Largest frame that we take (AMQP 1.0, 2.7.1). Larger messages come in several."},
    {0},
};

const struct accord_option mq_service_table[] = {
    {.name = "address",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, address),
     .max = TEXT_MOST,
     .help = "The queue, by its own name (RabbitMQ too: without /queue/ or /amq/queue/). It must exist; the "
             "agent never "
             "creates one."},
    {.name = "name-property",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, name_property),
     .max = 100,
     .help = "The application property that carries a message's name. Not set: none is sent, and what comes "
             "is called "
             "by its subject or message-id."},
    {.name = "properties",
     .kind = ACCORD_LIST,
     .offset = FIELD(service_options, properties),
     .help =
         "Where the service sends: headers of the message that go along as application properties. Where it "
         "receives: application properties that become headers. Not set: none. (IBM MQ gives a message with "
         "properties an MQRFH2 header unless PROPCTL forbids it.)"},
    {.name = "window",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, window),
     .fallback = "256",
     .min = 1,
     .max = 4096,
     .help = "Most messages that wait for the broker's disposition at once. After a cut each of them is "
             "uncertain."},
    {.name = "reply-to",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, reply_to),
     .max = TEXT_MOST,
     .help = "The queue for answers, as reply-to of each message that has no such header."},
    {.name = "subject",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, subject),
     .max = TEXT_MOST,
     .help = "Subject of each message that has no such header."},
    {.name = "content-type",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, content_type),
     .max = 100,
     .help = "Content type (RFC 2046) of each message that has no such header."},
    {.name = "id-form",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, id_form),
     .fallback = "string",
     .choices = id_choices,
     .help = "How message-id (24 characters) and correlation-id are written: as string, or as binary of the "
             "same bytes. "
             "uuid and ulong are never sent: IBM MQ refuses them."},
    {.name = "check",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, check),
     .fallback = "held",
     .choices = check_choices,
     .help =
         "With RabbitMQ before 4.0, which takes and drops what goes to a queue that is not there: a receiver "
         "without "
         "credit stands beside the sender as long as it is there (held), or until it is attached (once), as "
         "the "
         "witness that the queue exists. no: nobody looks; then only the broker's operator can promise it."},
    {.name = "credit",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, credit),
     .fallback = "256",
     .min = 1,
     .max = 1000,
     .help = "Most messages that the broker may have given us without our having accepted them."},
    {.name = "rejected",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, rejected),
     .fallback = "hold",
     .choices = rejected_choices,
     .help = "What becomes of a message that is never taken (too large, not readable). hold: it stays in the "
             "queue, "
             "before all others, and people are told. dead-letter: the outcome rejected; RabbitMQ drops it "
             "then unless "
             "the queue has a dead-letter exchange."},
    {0},
};

/* ---- rules ---- */

static bool is_set(const char *text)
{
    return text && text[0];
}

static int check_session(const struct link_options *options, char *why, size_t why_size)
{
    if (options->password && !is_set(options->user))
        snprintf(why, why_size, "password is set, and user is missing: whose password it is");
    else if (is_set(options->user) && !options->password)
        snprintf(why, why_size, "user is set, and password is missing");
    else if (is_set(options->container) && options->container[0] == ' ')
        snprintf(why, why_size, "container must not begin with a blank");
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_sasl(const struct accord_link_setup *setup, const struct link_options *options, char *why,
                      size_t why_size)
{
    const struct profile *profile = profile_at((size_t)options->profile);
    if (options->sasl == SASL_ANONYMOUS && strcmp(setup->agreement, "site") != 0)
        snprintf(why, why_size,
                 "sasl = anonymous lets anybody be us: it is possible in site.conf only, never to a "
                 "partner's endpoint");
    else if (options->sasl == SASL_PLAIN && !options->password)
        snprintf(why, why_size, "sasl = plain needs user and password");
    else if (options->sasl == SASL_EXTERNAL && !options->tls.certificate)
        snprintf(why, why_size, "sasl = external needs certificate: it is what says who we are");
    else if (options->sasl == SASL_AUTO && !options->password && !options->tls.certificate)
        snprintf(why, why_size,
                 "how do we say who we are? The link needs user and password, or a certificate");
    else if (!profile->external &&
             (options->sasl == SASL_EXTERNAL || (options->sasl == SASL_AUTO && !options->password)))
        snprintf(why, why_size,
                 "profile = %s has no SASL EXTERNAL: set user and password; a certificate may stand beside",
                 profile->name);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_container(const struct link_options *options, char *why, size_t why_size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%/._";
    if (!is_set(options->container) || !profile_at((size_t)options->profile)->plain_container ||
        strspn(options->container, plain) == strlen(options->container))
        return ACCORD_OK;
    snprintf(why, why_size, "container = %.80s: IBM MQ takes letters, digits and %% / . _ only",
             options->container);
    return ACCORD_EINVAL;
}

static bool has_blank(const char *text)
{
    return text[strcspn(text, " \t")] != '\0';
}

static int check_address(const struct profile *profile, const struct accord_service *service, char *why,
                         size_t why_size)
{
    const char *address = ((const struct service_options *)service->options)->address;
    if (!address[0] || has_blank(address))
        snprintf(why, why_size, "service %s: address must name a queue, without blanks", service->name);
    else if (profile->paths && address[0] == '/')
        snprintf(why, why_size,
                 "service %s: address = %.80s is a path; with profile = rabbitmq write the queue's own name, "
                 "so that no "
                 "form of address is used that creates queues or drops messages",
                 service->name, address);
    else if (profile->paths && strlen(address) > QUEUE_MOST)
        snprintf(why, why_size, "service %s: address is longer than %d bytes", service->name, QUEUE_MOST);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static bool is_property(const char *name)
{
    return name[0] && strlen(name) <= 100 && !has_blank(name);
}

static int check_properties(const struct accord_service *service, char *why, size_t why_size)
{
    const struct service_options *options = service->options;
    if (options->properties.count > 16) {
        snprintf(why, why_size, "service %s: properties: at most 16", service->name);
        return ACCORD_EINVAL;
    }
    for (size_t i = 0; i < options->properties.count; i++)
        if (!is_property(options->properties.items[i])) {
            snprintf(why, why_size, "service %s: properties: \"%.40s\" is no name of a property",
                     service->name, options->properties.items[i]);
            return ACCORD_EINVAL;
        }
    if (!options->name_property || is_property(options->name_property))
        return ACCORD_OK;
    snprintf(why, why_size, "service %s: name-property is no name of a property", service->name);
    return ACCORD_EINVAL;
}

static int check_service(const struct link_options *link, const struct accord_service *service, char *why,
                         size_t why_size)
{
    const struct profile *profile = profile_at((size_t)link->profile);
    const struct service_options *options = service->options;
    int result = check_address(profile, service, why, why_size);
    if (result == ACCORD_OK)
        result = check_properties(service, why, why_size);
    if (result == ACCORD_OK && options->rejected == REJECTED_DEAD_LETTER && !profile->reject) {
        snprintf(why, why_size,
                 "service %s: rejected = dead-letter is not possible with profile = %s, which takes no "
                 "outcome but accepted",
                 service->name, profile->name);
        result = ACCORD_EINVAL;
    }
    return result;
}

int mq_check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct link_options *options = setup->options;
    int result = tls_check_options(&options->tls, why, why_size);
    if (result == ACCORD_OK)
        result = check_session(options, why, why_size);
    if (result == ACCORD_OK)
        result = check_sasl(setup, options, why, why_size);
    if (result == ACCORD_OK)
        result = check_container(options, why, why_size);
    for (size_t i = 0; result == ACCORD_OK && i < setup->service_count; i++)
        result = check_service(options, setup->services[i], why, why_size);
    return result;
}
