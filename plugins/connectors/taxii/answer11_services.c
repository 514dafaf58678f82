#include <string.h>

#include "answer11.h"

/* --- of a service --- */

static struct answer11_service *service_of(struct answer *a)
{
    return a->root->id == E_DISCOVERY ? &a->discovery.service : &a->collection.service;
}

static int begin_instance(struct answer *a, const struct xml_element *element)
{
    struct answer11_service *service = service_of(a);
    *service = (struct answer11_service){0};
    a->bindings.count = a->others.count = 0;
    a->message[0] = 0;
    int error = answer11_required(a, element, "service_type", service->type);
    if (!error)
        error = answer11_required(a, element, "service_version", service->version);
    /* Not said: as if it were (1.1 services specification, 5.2). */
    return error ? error : answer11_boolean(a, element, "available", true, &service->available);
}

static int end_instance(struct answer *a)
{
    const struct answer11_service *service = service_of(a);
    const struct answer_instance instance = {
        .service = service->type,
        .version = service->version,
        .protocol = service->protocol,
        .address = service->address,
        .message = a->message,
        .available = service->available,
        .message_bindings = a->others.items,
        .message_binding_count = a->others.count,
        .bindings = a->bindings.items,
        .binding_count = a->bindings.count,
    };
    return a->events.instance ? a->events.instance(a->arg, &instance) : 0;
}

static int take_message_binding(struct answer *a)
{
    char *to = a->root->id == E_DISCOVERY ? answer11_item(a, &a->others, "Message_Binding") : a->message;
    int error = to ? answer11_text(a, "Message_Binding", to) : ACCORD_ELIMIT;
    if (!error && !strcmp(to, ANSWER11_MESSAGE_BINDING))
        service_of(a)->speaks = true;
    return error;
}

static int take_binding(struct answer *a, const struct xml_element *element)
{
    char *to = answer11_item(a, &a->bindings, "Content_Binding");
    return to ? answer11_required(a, element, "binding_id", to) : ACCORD_ELIMIT;
}

/* --- of a collection --- */

static int begin_collection(struct answer *a, const struct xml_element *element)
{
    memset(&a->collection, 0, sizeof a->collection);
    a->bindings.count = 0;
    a->collection.feed = true; /* the schema's default */
    int error = answer11_required(a, element, "collection_name", a->collection.name);
    if (!error)
        error = answer11_boolean(a, element, "available", true, &a->collection.available);
    const char *type = answer11_attribute(element, "collection_type");
    if (error || !type || !strcmp(type, "DATA_FEED"))
        return error;
    a->collection.feed = false;
    if (strcmp(type, "DATA_SET"))
        return xml_refuse(a->reader, ACCORD_EPROTO,
                          "collection_type \"%.60s\" is neither DATA_FEED nor DATA_SET", type);
    return 0;
}

/* The first address over HTTPS, or the first at all, of those that speak as we do. */
static void take_service(struct answer *a, char to[ANSWER_TEXT], bool *is_https)
{
    const struct answer11_service *service = service_of(a);
    bool https = !strcmp(service->protocol, ANSWER11_HTTPS);
    if (!service->speaks || (*to && (*is_https || !https)))
        return;
    memcpy(to, service->address, ANSWER_TEXT);
    *is_https = https;
}

static int end_collection(struct answer *a)
{
    const struct answer_collection collection = {
        .name = a->collection.name,
        .feed = a->collection.feed,
        .available = a->collection.available,
        .bindings = a->bindings.items,
        .binding_count = a->bindings.count,
        .poll_address = a->collection.poll,
        .inbox_address = a->collection.inbox,
        .subscription_address = a->collection.subscription,
    };
    return a->events.collection ? a->events.collection(a->arg, &collection) : 0;
}

/* --- elements --- */

int answer11_services_start(struct answer *a, const struct grammar11_rule *rule,
                            const struct xml_element *element)
{
    switch (rule->id) {
    case E_INSTANCE:
        return begin_instance(a, element);
    case E_COLLECTION:
        return begin_collection(a, element);
    case E_POLLING:
    case E_SUBSCRIBING:
    case E_INBOX:
        *service_of(a) = (struct answer11_service){0};
        return 0;
    case E_BINDING:
        return take_binding(a, element);
    default:
        return 0;
    }
}

int answer11_services_end(struct answer *a, const struct grammar11_rule *rule)
{
    switch (rule->id) {
    case E_PROTOCOL:
        return answer11_text(a, rule->name, service_of(a)->protocol);
    case E_ADDRESS:
        return answer11_text(a, rule->name, service_of(a)->address);
    case E_MESSAGE_BINDING:
        return take_message_binding(a);
    case E_MESSAGE:
        answer11_message(a, a->message, sizeof a->message);
        return 0;
    case E_INSTANCE:
        return end_instance(a);
    case E_POLLING:
        take_service(a, a->collection.poll, &a->collection.poll_https);
        return 0;
    case E_SUBSCRIBING:
        take_service(a, a->collection.subscription, &a->collection.subscription_https);
        return 0;
    case E_INBOX:
        take_service(a, a->collection.inbox, &a->collection.inbox_https);
        return 0;
    case E_COLLECTION:
        return end_collection(a);
    default:
        return 0;
    }
}
