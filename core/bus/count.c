#include "bus/count.h"

#include <stdlib.h>
#include <string.h>

#include "bus/party.h"
#include "util/text.h"

struct bus_counts {
    struct bus_counts *next;
    char service[CONF_NAME_MAX];
    struct bus_count count;
};

/* A service that a newer file does not have keeps its numbers. */
static struct bus_count *count_of(struct bus_party *party, const char *service)
{
    struct bus_counts *at = party->counts;
    while (at && strcmp(at->service, service) != 0)
        at = at->next;
    if (at || !(at = calloc(1, sizeof *at)))
        return at ? &at->count : NULL;
    text_copy(at->service, sizeof at->service, service);
    at->next = party->counts;
    party->counts = at;
    return &at->count;
}

void bus_count_offer(struct bus_party *party, const char *service, enum accord_admission admission,
                     int64_t bytes)
{
    struct bus_count *count = count_of(party, service);
    if (!count || (unsigned)admission >= sizeof count->offers / sizeof *count->offers)
        return;
    count->offers[admission]++;
    if (admission == ACCORD_ACCEPTED)
        count->bytes_in += (uint64_t)bytes;
}

void bus_count_delivery(struct bus_party *party, const char *service, enum store_state state, int64_t bytes)
{
    struct bus_count *count = count_of(party, service);
    if (!count)
        return;
    count->deliveries[state]++;
    if (state == STORE_DELIVERED)
        count->bytes_out += (uint64_t)bytes;
}

void bus_party_counts(const struct bus_party *party, bus_count_each each, void *arg)
{
    for (const struct bus_counts *at = party->counts; at; at = at->next)
        each(arg, party->conf->name, at->service, &at->count);
}

void bus_counts_free(struct bus_party *party)
{
    while (party->counts) {
        struct bus_counts *counts = party->counts;
        party->counts = counts->next;
        free(counts);
    }
}
