/* One delivery on its way out: where it stands, what its message is headed with, how it ends. */
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists and table ---- */

static struct parcel **bucket(const struct link *link, const struct accord_delivery *handle)
{
    uint64_t hash = (uint64_t)(uintptr_t)handle * UINT64_C(0x9e3779b97f4a7c15);
    size_t count = sizeof link->table / sizeof *link->table;
    return (struct parcel **)&link->table[(hash >> 40) % count];
}

void parcel_list_init(struct parcel_list *list)
{
    *list = (struct parcel_list){.end = &list->first};
}

static void append(struct parcel_list *list, struct parcel *parcel)
{
    parcel->next = NULL;
    parcel->at = list->end;
    *list->end = parcel;
    list->end = &parcel->next;
    list->count++;
}

static void take(struct parcel_list *list, struct parcel *parcel)
{
    *parcel->at = parcel->next;
    if (parcel->next)
        parcel->next->at = parcel->at;
    else
        list->end = parcel->at;
    list->count--;
}

struct parcel *parcel_new(struct sender *sender, const struct accord_outgoing *out)
{
    struct parcel *parcel = calloc(1, sizeof *parcel);
    if (!parcel)
        return NULL;
    parcel->sender = sender;
    parcel->out = out;
    struct parcel **chain = bucket(sender->link, out->handle);
    parcel->chain = *chain;
    *chain = parcel;
    append(&sender->waiting, parcel);
    if (!sender->pulling)
        sender->pulling = parcel;
    return parcel;
}

struct parcel *parcel_find(const struct link *link, const struct accord_delivery *handle)
{
    struct parcel *parcel = *bucket(link, handle);
    while (parcel && parcel->out->handle != handle)
        parcel = parcel->chain;
    return parcel;
}

void parcel_sent(struct parcel *parcel)
{
    struct sender *sender = parcel->sender;
    take(&sender->waiting, parcel);
    sender->pulled--;
    append(&sender->sent, parcel);
    parcel->posted = true;
    if (!sender->unframed)
        sender->unframed = parcel;
}

bool parcel_keep(struct parcel *parcel, const uint8_t *bytes, size_t size)
{
    if (parcel->kept_size + size > parcel->kept_room) {
        size_t room = parcel->kept_size ? (parcel->kept_size + size) * 2 : size;
        uint8_t *kept = realloc(parcel->kept, room + 1);
        if (!kept)
            return false;
        parcel->kept = kept;
        parcel->kept_room = room;
    }
    if (size)
        memcpy(parcel->kept + parcel->kept_size, bytes, size);
    parcel->kept_size += size;
    return true;
}

static void leave(struct parcel *parcel)
{
    struct sender *sender = parcel->sender;
    struct parcel **chain = bucket(sender->link, parcel->out->handle);
    while (*chain != parcel)
        chain = &(*chain)->chain;
    *chain = parcel->chain;
    if (sender->unframed == parcel)
        sender->unframed = parcel->next;
    if (parcel->posted) {
        take(&sender->sent, parcel);
        return;
    }
    if (sender->pulling == parcel)
        sender->pulling = parcel->next;
    if (parcel->asked || parcel->pulled)
        sender->pulled--;
    /* what was asked for and is not written is nobody's any more */
    sender->ahead -= parcel->asked - parcel->written;
    take(&sender->waiting, parcel);
}

void parcel_finish(struct parcel *parcel, const struct accord_result *result)
{
    struct sender *sender = parcel->sender;
    const struct accord_host *host = sender->link->host;
    struct accord_delivery *handle = parcel->out->handle;
    leave(parcel);
    if (parcel->delivery) {
        pn_delivery_set_context(parcel->delivery, NULL);
        if (parcel->posted)
            pn_delivery_settle(parcel->delivery);
    }
    host->timer_stop(parcel->grace);
    free(parcel->kept);
    free(parcel);
    host->finish(handle, result);
}

void parcel_end(struct parcel *parcel, enum accord_outcome outcome, int64_t wait, const char *reason)
{
    const struct accord_result result = {.outcome = outcome, .reason = reason, .receipt = "", .wait = wait};
    parcel_finish(parcel, &result);
}

/* ---- its message ---- */

static const char *header_of(const struct accord_envelope *envelope, const char *name)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (strcasecmp(envelope->headers[i].name, name) == 0)
            return envelope->headers[i].value;
    return NULL;
}

static const char *header_or(const struct accord_envelope *envelope, const char *name, const char *otherwise)
{
    const char *value = header_of(envelope, name);
    return value && value[0] ? value : otherwise;
}

void parcel_head(struct parcel *parcel)
{
    struct sender *sender = parcel->sender;
    const struct service_options *options = sender->options;
    const struct accord_envelope *envelope = parcel->out->envelope;
    struct accord_pair properties[17];
    size_t count = 0;
    if (options->name_property)
        properties[count++] = (struct accord_pair){options->name_property, envelope->name};
    for (size_t i = 0; i < options->properties.count && count < 17; i++) {
        const char *value = header_of(envelope, options->properties.items[i]);
        if (value)
            properties[count++] = (struct accord_pair){options->properties.items[i], value};
    }
    head_write(&sender->head,
               &(struct head_fields){
                   .message_id = envelope->id,
                   .correlation_id = header_of(envelope, ACCORD_HEADER_CORRELATION),
                   .binary_ids = options->id_form == ID_BINARY,
                   .subject = header_or(envelope, ACCORD_HEADER_SUBJECT, options->subject),
                   .reply_to = header_or(envelope, ACCORD_HEADER_REPLY_TO, options->reply_to),
                   .content_type = header_or(envelope, ACCORD_HEADER_CONTENT_TYPE, options->content_type),
                   .properties = properties,
                   .property_count = count,
                   .payload = (size_t)envelope->size});
}

const char *parcel_objection(struct parcel *parcel, char *why, size_t why_size)
{
    struct sender *sender = parcel->sender;
    const struct profile *profile = sender->link->profile;
    const struct accord_envelope *envelope = parcel->out->envelope;
    const char *correlation = header_of(envelope, ACCORD_HEADER_CORRELATION);
    uint64_t most = pn_link_remote_max_message_size(sender->attachment.link);
    if (profile->id_most && correlation && strlen(correlation) > profile->id_most) {
        snprintf(why, why_size, "its correlation-id has %zu bytes, and the broker can hold %zu",
                 strlen(correlation), profile->id_most);
        return why;
    }
    if (envelope->size > UINT32_MAX) {
        snprintf(why, why_size, "it has %lld bytes: more than a data section of AMQP can",
                 (long long)envelope->size);
        return why;
    }
    if (!most)
        return NULL;
    parcel_head(parcel);
    uint64_t size = (uint64_t)envelope->size + sender->head.size;
    if (size <= most)
        return NULL;
    snprintf(why, why_size,
             "its message has %llu bytes, and %s takes at most %llu: have the limit raised, or send less",
             (unsigned long long)size, sender->attachment.what, (unsigned long long)most);
    return why;
}
