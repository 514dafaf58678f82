/* What the parts of the connector share. Everything runs on the one loop thread of the link process. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <accord/plugin.h>

/* Filled by the host from a [link] section, as the table in sample.c says. */
struct link_options {
    int64_t timeout, poll; /* ms */
};

/* Filled by the host from a [service] section. */
struct service_options {
    const char *box;
};

/* One open link: accord_connector.state_size bytes of the host's. */
struct self {
    struct accord_instance *instance; /* to be named in every call to the host */
    const struct accord_host *host;   /* what the host does for us */
    const struct accord_link_setup *setup;
    bool started;
    struct sender *sender;
    struct receiver *receiver;
    struct prober *prober;
};

static inline const struct link_options *link_options(const struct self *self)
{
    return self->setup->options;
}

static inline const char *box_of(const struct self *self, size_t service)
{
    const struct service_options *options = self->setup->services[service]->options;
    return options->box;
}

#endif
