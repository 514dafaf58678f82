#include "bus/denials.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/lane.h"
#include "util/clock.h"
#include "util/text.h"

struct denial {
    uint64_t key;
    int64_t recorded; /* ticks */
    uint64_t count;   /* since then */
    enum audit_action action;
    char agreement[CONF_NAME_MAX], link[CONF_NAME_MAX], service[CONF_NAME_MAX], type[CONF_NAME_MAX];
    char name[ACCORD_NAME_MAX], rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
};

/* FNV-1a. A source that makes two of its own collide hides one of its own. */
static uint64_t add(uint64_t key, const char *text)
{
    for (; *text; text++)
        key = (key ^ (uint8_t)*text) * 0x100000001b3;
    return (key ^ 0xff) * 0x100000001b3;
}

static bool is_of_the_message(const struct audit_event *event)
{
    return event->action == AUDIT_REPEATED || strncmp(event->rule, "hub.", 4) != 0;
}

static uint64_t key_of(const struct audit_event *event, const char *source_id)
{
    uint64_t key = add(0xcbf29ce484222325 + (uint64_t)event->action, event->agreement);
    key = add(add(key, event->service), event->rule);
    if (!is_of_the_message(event))
        return key;
    return add(key, *source_id ? source_id : event->name);
}

static void record_count(struct bus *bus, struct denial *denial, int64_t ticks)
{
    char times[24];
    snprintf(times, sizeof times, "%" PRIu64, denial->count);
    struct accord_pair again = {"times-more", times};
    struct audit_event event = {.action = denial->action,
                                .outcome = denial->action == AUDIT_REPEATED ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .agreement = denial->agreement,
                                .link = denial->link,
                                .service = denial->service,
                                .name = denial->name,
                                .type = denial->type,
                                .rule = denial->rule,
                                .reason = denial->reason,
                                .details = &again,
                                .detail_count = 1};
    if (denial->count)
        bus->ports.record(bus->arg, &event);
    denial->count = 0;
    denial->recorded = ticks;
}

static void drop(struct bus *bus, size_t slot)
{
    struct denial *denial = bus->denials.slots[slot];
    if (!denial)
        return;
    record_count(bus, denial, 0);
    free(denial);
    bus->denials.slots[slot] = NULL;
    bus->denials.count--;
}

static void note(struct bus *bus, uint64_t key, const struct audit_event *event)
{
    size_t slot = key % DENIALS_MAX;
    drop(bus, slot);
    struct denial *denial = malloc(sizeof *denial);
    if (!denial)
        return; /* then it is recorded each time */
    *denial = (struct denial){.key = key, .recorded = clock_ticks(), .action = event->action};
    text_copy(denial->agreement, sizeof denial->agreement, event->agreement);
    text_copy(denial->link, sizeof denial->link, event->link);
    text_copy(denial->service, sizeof denial->service, event->service);
    text_copy(denial->type, sizeof denial->type, event->type);
    text_copy(denial->name, sizeof denial->name, event->name);
    text_copy(denial->rule, sizeof denial->rule, event->rule);
    text_copy(denial->reason, sizeof denial->reason, event->reason);
    bus->denials.slots[slot] = denial;
    bus->denials.count++;
    bus_chores_begin(bus);
}

void bus_denial(struct bus *bus, const struct audit_event *event, const char *source_id)
{
    uint64_t key = key_of(event, source_id);
    struct denial *denial = bus->denials.slots[key % DENIALS_MAX];
    if (denial && denial->key == key) {
        denial->count++;
        return;
    }
    bus->ports.record(bus->arg, event);
    note(bus, key, event);
}

void bus_denials_tick(struct bus *bus)
{
    int64_t ticks = clock_ticks();
    for (size_t i = 0; bus->denials.count && i < DENIALS_MAX; i++) {
        struct denial *denial = bus->denials.slots[i];
        if (!denial || ticks - denial->recorded < DENIALS_EVERY)
            continue;
        if (denial->count)
            record_count(bus, denial, ticks);
        else
            drop(bus, i);
    }
}

void bus_denials_flush(struct bus *bus)
{
    for (size_t i = 0; bus->denials.count && i < DENIALS_MAX; i++)
        drop(bus, i);
}

void bus_denials_forget(struct bus *bus)
{
    for (size_t i = 0; i < DENIALS_MAX; i++)
        free(bus->denials.slots[i]);
    bus->denials = (struct denials){0};
}
