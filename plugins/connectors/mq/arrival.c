/* One message on its way to the bus: read from the broker, offered, handed over. */
#include "receiver.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH (64 << 10) /* read at once */

struct arrival *arrival_new(struct receiver *receiver, pn_delivery_t *delivery)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (!arrival)
        return NULL;
    arrival->receiver = receiver;
    arrival->delivery = delivery;
    arrival->at = receiver->end;
    *receiver->end = arrival;
    receiver->end = &arrival->next;
    receiver->count++;
    return arrival;
}

void arrival_free(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    *arrival->at = arrival->next;
    if (arrival->next)
        arrival->next->at = arrival->at;
    else
        receiver->end = arrival->at;
    receiver->count--;
    receiver->held -= arrival->bytes ? arrival->size : 0;
    if (receiver->current == arrival)
        receiver->current = NULL;
    if (receiver->stuck == arrival)
        receiver->stuck = NULL;
    free(arrival->bytes);
    free(arrival);
}

/* ---- offering ---- */

static size_t add(struct accord_pair *headers, size_t count, const char *name, const char *value)
{
    if (value[0])
        headers[count++] = (struct accord_pair){name, value};
    return count;
}

static bool is_taken(const struct accord_pair *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i].name, name) == 0)
            return true;
    return false;
}

static void lower(char *to, const char *from, size_t size)
{
    size_t at = 0;
    for (; from[at] && at + 1 < size; at++)
        to[at] = (char)tolower((unsigned char)from[at]);
    to[at] = '\0';
}

static const char *name_of(const struct receiver *receiver)
{
    const struct sections *sections = &receiver->sections;
    if (receiver->options->name_property && sections->properties[0].found && sections->properties[0].value[0])
        return sections->properties[0].value;
    if (sections->subject[0])
        return sections->subject;
    return sections->message_id[0] ? sections->message_id : "message";
}

bool arrival_offer(struct arrival *arrival, int64_t size)
{
    struct receiver *receiver = arrival->receiver;
    struct link *link = receiver->link;
    const struct sections *sections = &receiver->sections;
    struct accord_pair headers[4 + SECTIONS_PROPERTIES];
    char names[SECTIONS_PROPERTIES][104];
    size_t count = add(headers, 0, ACCORD_HEADER_CORRELATION, sections->correlation_id);
    count = add(headers, count, ACCORD_HEADER_REPLY_TO, sections->reply_to);
    count = add(headers, count, ACCORD_HEADER_CONTENT_TYPE, sections->content_type);
    count = add(headers, count, ACCORD_HEADER_SUBJECT, sections->subject);
    for (size_t i = receiver->options->name_property ? 1 : 0; i < sections->property_count; i++) {
        lower(names[i], sections->properties[i].name, sizeof names[i]);
        if (sections->properties[i].found && !is_taken(headers, count, names[i]))
            count = add(headers, count, names[i], sections->properties[i].value);
    }
    const struct accord_incoming incoming = {.name = name_of(receiver),
                                             .source_id = sections->message_id,
                                             .size = size,
                                             .headers = headers,
                                             .header_count = count,
                                             .session =
                                                 channel_session(receiver->attachment.connection->channel)};
    arrival->offer = link->host->offer(link->instance, receiver->attachment.service, &incoming, arrival);
    return arrival->offer != NULL;
}

/* ---- reading ---- */

static bool have_scratch(struct receiver *receiver)
{
    if (!receiver->scratch)
        receiver->scratch = malloc(SCRATCH);
    return receiver->scratch != NULL;
}

int arrival_read_whole(struct arrival *arrival, size_t pending)
{
    struct receiver *receiver = arrival->receiver;
    struct sections *sections = &receiver->sections;
    uint8_t *bytes = malloc(pending + 1);
    const uint8_t *body;
    size_t size, have = 0;
    if (!bytes)
        return ACCORD_ENOMEM;
    ssize_t got = pending ? pn_link_recv(receiver->attachment.link, (char *)bytes, pending) : 0;
    for (ssize_t at = 0; at < got && !sections->wrong[0];) {
        at += (ssize_t)sections_take(sections, bytes + at, (size_t)(got - at), &body, &size);
        memmove(bytes + have, body ? body : bytes, size); /* what is kept is never before what was read */
        have += size;
    }
    arrival->bytes = bytes;
    arrival->size = have;
    receiver->held += have;
    return got < 0 ? ACCORD_EFORMAT : sections_end(sections);
}

/* Hands over what is body of these bytes, which are no more than was asked for. */
static int pass_on(struct arrival *arrival, const uint8_t *bytes, size_t size)
{
    struct receiver *receiver = arrival->receiver;
    const uint8_t *body;
    size_t part;
    for (size_t at = 0; at < size;) {
        size_t taken = sections_take(&receiver->sections, bytes + at, size - at, &body, &part);
        if (!taken)
            return ACCORD_EFORMAT;
        at += taken;
        if (!part)
            continue;
        arrival->asked -= (int64_t)part;
        receiver->link->host->offer_write(arrival->offer, body, part, false);
    }
    return 0;
}

static int end_of_message(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    if (!arrival->outcome && sections_end(&receiver->sections) < 0)
        return ACCORD_EFORMAT;
    return 1;
}

/* How much may be read now; of what stands before the body a byte at a time would be enough, and it must not go into it. */
static size_t may_read(const struct arrival *arrival)
{
    if (arrival->outcome)
        return SCRATCH;
    if (!arrival->offer)
        return 1;
    return arrival->asked < SCRATCH ? (size_t)arrival->asked : SCRATCH;
}

static bool is_read(const struct arrival *arrival)
{
    return pn_delivery_pending(arrival->delivery) == 0 && !pn_delivery_partial(arrival->delivery);
}

int arrival_read_some(struct arrival *arrival)
{
    struct receiver *receiver = arrival->receiver;
    struct sections *sections = &receiver->sections;
    const uint8_t *body;
    size_t most, part;
    if (!have_scratch(receiver))
        return ACCORD_ENOMEM;
    while ((most = may_read(arrival)) > 0 || is_read(arrival)) {
        ssize_t got = is_read(arrival)
                          ? PN_EOS
                          : pn_link_recv(receiver->attachment.link, (char *)receiver->scratch, most);
        if (got == PN_EOS)
            return end_of_message(arrival);
        if (got < 0)
            return ACCORD_EFORMAT;
        if (got == 0)
            return 0;
        if (arrival->offer) {
            int result = pass_on(arrival, receiver->scratch, (size_t)got);
            if (result < 0)
                return result;
        } else if (!arrival->outcome) {
            if (!sections_take(sections, receiver->scratch, (size_t)got, &body, &part))
                return ACCORD_EFORMAT;
            if (sections->has_body)
                return 0;
        }
    }
    return 0;
}

void arrival_write_kept(struct arrival *arrival)
{
    const struct accord_host *host = arrival->receiver->link->host;
    while (!arrival->given && (arrival->asked > 0 || arrival->written == arrival->size)) {
        size_t part = arrival->size - arrival->written;
        if ((int64_t)part > arrival->asked)
            part = (size_t)arrival->asked;
        if (part > ACCORD_PIECE_MAX)
            part = ACCORD_PIECE_MAX;
        arrival->given = arrival->written + part == arrival->size;
        const uint8_t *from = arrival->bytes + arrival->written;
        arrival->written += part;
        arrival->asked -= (int64_t)part;
        host->offer_write(arrival->offer, from, part, arrival->given);
    }
}
