#include "link/host.h"

#include "link/role.h"

static void park(struct accord_instance *instance, const char *rule, const char *reason)
{
    wire_put_PARK(link_out(), &(struct wire_PARK){link_of(instance)->id, rule, reason});
}

static void window(struct accord_instance *instance, int64_t deliveries)
{
    wire_put_WINDOW(link_out(),
                    &(struct wire_WINDOW){link_of(instance)->id, deliveries > 0 ? deliveries : 1});
}

void link_host_services(struct accord_host *host)
{
    instance_base_services(host);
    host->size = sizeof *host;
    host->dial = session_dial;
    host->profile = session_profile;
    host->report = session_report;
    host->secret = session_secret;
    host->end = session_end;
    host->window = window;
    host->pull = delivery_pull;
    host->finish = delivery_finish;
    host->offer = offer_begin;
    host->offer_write = offer_write;
    host->offer_abort = offer_abort;
    host->advance = offer_advance;
    host->park = park;
    host->probed = probe_told;
}
