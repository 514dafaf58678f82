#include "answer11.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xml/lexer.h"

/* --- texts --- */

static const char *trim(const char *text, size_t *size)
{
    *size = strlen(text);
    while (*size && lexer_is_space((uint8_t)*text))
        text++, --*size;
    while (*size && lexer_is_space((uint8_t)text[*size - 1]))
        --*size;
    return text;
}

const char *answer11_attribute(const struct xml_element *element, const char *name)
{
    for (size_t i = 0; i < element->attribute_count; i++)
        if (!strcmp(element->attributes[i].name.local, name) && !*element->attributes[i].name.space)
            return element->attributes[i].value;
    return NULL;
}

/* An id, name, address or time. */
static int keep(struct answer *a, const char *what, const char *text, bool over, char to[ANSWER_TEXT])
{
    size_t size;
    text = trim(text, &size);
    if (over || size >= ANSWER_TEXT)
        return xml_refuse(a->reader, ACCORD_ELIMIT, "%s is longer than %d bytes", what, ANSWER_TEXT - 1);
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return xml_refuse(a->reader, ACCORD_EPROTO, "%s holds a control character or a line break", what);
    memcpy(to, text, size);
    to[size] = 0;
    return 0;
}

int answer11_optional(struct answer *a, const struct xml_element *element, const char *name,
                      char to[ANSWER_TEXT])
{
    const char *value = answer11_attribute(element, name);
    to[0] = 0;
    return value ? keep(a, name, value, false, to) : 0;
}

int answer11_required(struct answer *a, const struct xml_element *element, const char *name,
                      char to[ANSWER_TEXT])
{
    int error = answer11_optional(a, element, name, to);
    if (!error && !*to)
        return xml_refuse(a->reader, ACCORD_EPROTO, "%s has no %s", element->name.local, name);
    return error;
}

int answer11_boolean(struct answer *a, const struct xml_element *element, const char *name, bool missing,
                     bool *to)
{
    char value[ANSWER_TEXT];
    int error = answer11_optional(a, element, name, value);
    if (error)
        return error;
    *to = *value ? !strcmp(value, "true") || !strcmp(value, "1") : missing;
    if (*value && !*to && strcmp(value, "false") && strcmp(value, "0"))
        return xml_refuse(a->reader, ACCORD_EPROTO, "%s=\"%.20s\" of %s is neither true nor false", name,
                          value, element->name.local);
    return 0;
}

static int number(struct answer *a, const char *what, const char *text, int64_t least, int64_t *to)
{
    const char *digit = text + (*text == '+');
    int64_t value = 0;
    bool good = *digit;
    for (; good && *digit; digit++) {
        good = *digit >= '0' && *digit <= '9' && value <= (INT64_MAX - 9) / 10;
        value = good ? value * 10 + (*digit - '0') : 0;
    }
    if (!good || value < least)
        return xml_refuse(a->reader, ACCORD_EPROTO, "%s \"%.20s\" is no number from %d up", what, text,
                          (int)least);
    *to = value;
    return 0;
}

int answer11_text(struct answer *a, const char *element, char to[ANSWER_TEXT])
{
    return keep(a, element, a->text, a->text_over, to);
}

/* Without the character at the end of which bytes are missing. */
static size_t whole_characters(const char *text, size_t size)
{
    size_t lead = size;
    while (lead && ((uint8_t)text[lead - 1] & 0xC0) == 0x80)
        lead--;
    uint8_t first = lead ? (uint8_t)text[lead - 1] : 0;
    size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return lead && size - lead + 1 < need ? lead - 1 : size;
}

void answer11_message(struct answer *a, char *to, size_t room)
{
    size_t size;
    const char *text = trim(a->text, &size);
    size = whole_characters(text, size < room ? size : room - 1);
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    to[size] = 0;
}

char *answer11_item(struct answer *a, struct answer11_list *list, const char *element)
{
    if (list->count == ANSWER_ITEMS) {
        xml_refuse(a->reader, ACCORD_ELIMIT, "there are more than %d %s elements", ANSWER_ITEMS, element);
        return NULL;
    }
    if (!list->text && !(list->text = malloc(ANSWER_ITEMS * sizeof *list->text))) {
        xml_refuse(a->reader, ACCORD_ENOMEM, "out of memory");
        return NULL;
    }
    list->text[list->count][0] = 0;
    list->items[list->count] = list->text[list->count];
    return list->text[list->count++];
}

/* --- the root --- */

static int refuse_root(struct answer *a, const struct xml_element *element)
{
    const char *space = element->name.space, *version = "";
    if (!strcmp(space, TAXII10_SPACE))
        version = "TAXII 1.0";
    if (!strcmp(space, TAXII111_SPACE))
        version = "TAXII 1.1.1 (OASIS)";
    if (*version)
        return xml_refuse(a->reader, ACCORD_EPROTO, "the server answers in %s, this link speaks TAXII 1.1",
                          version);
    if (!strcmp(space, TAXII11_SPACE))
        return xml_refuse(a->reader, ACCORD_EPROTO, "%.60s is no answer to what was asked",
                          element->name.local);
    return xml_refuse(a->reader, ACCORD_EPROTO, "<%.60s> of namespace \"%.80s\" is no TAXII 1.1 message",
                      element->name.local, space);
}

static int check_ids(struct answer *a, const struct xml_element *element)
{
    char id[ANSWER_TEXT];
    int error = answer11_required(a, element, "message_id", id);
    if (!error)
        error = answer11_required(a, element, "in_response_to", id);
    if (error || !strcmp(id, a->message_id))
        return error;
    /* What a server says that could not read the request (1.1 services specification, 4.2). */
    if (a->root->id == E_STATUS && !strcmp(id, "0"))
        return 0;
    return xml_refuse(a->reader, ACCORD_EPROTO, "it answers message \"%.80s\", not ours, which was \"%.80s\"",
                      id, a->message_id);
}

static int begin_poll(struct answer *a, const struct xml_element *element)
{
    char part[ANSWER_TEXT];
    memset(&a->poll, 0, sizeof a->poll);
    a->poll.part = 1;
    a->poll.count = -1;
    int error = answer11_required(a, element, "collection_name", a->poll.collection);
    if (!error)
        error = answer11_optional(a, element, "result_id", a->poll.result_id);
    if (!error)
        error = answer11_boolean(a, element, "more", false, &a->poll.more);
    if (!error)
        error = answer11_optional(a, element, "result_part_number", part);
    if (!error && *part)
        error = number(a, "result_part_number", part, 1, &a->poll.part);
    if (!error && a->poll.more && !*a->poll.result_id)
        return xml_refuse(a->reader, ACCORD_EPROTO,
                          "more=\"true\" without a result_id: the further parts cannot be asked for");
    return error;
}

static int begin_root(struct answer *a, const struct xml_element *element)
{
    const struct grammar11_rule *rule;
    a->begun = true;
    a->root = grammar11_root(element->name.local);
    if (!a->root || strcmp(element->name.space, TAXII11_SPACE)) {
        a->root = NULL;
        return refuse_root(a, element);
    }
    int error = check_ids(a, element);
    if (!error)
        error = grammar11_start(&a->grammar, a->reader, &element->name, &rule);
    if (!error && a->root->id == E_POLL)
        error = begin_poll(a, element);
    if (!error && a->root->id == E_STATUS)
        error = answer11_required(a, element, "status_type", a->status.type);
    return error;
}

/* --- Poll_Response --- */

static int tell_poll(struct answer *a)
{
    const struct answer_poll poll = {
        .collection = a->poll.collection,
        .result_id = a->poll.result_id,
        .subscription = a->poll.subscription,
        .more = a->poll.more,
        .part = a->poll.part,
        .begin = a->poll.begin,
        .end = a->poll.end,
        .count = a->poll.count,
        .partial_count = a->poll.partial_count,
        .message = a->message,
    };
    if (a->told)
        return 0;
    a->told = true;
    return a->events.poll ? a->events.poll(a->arg, &poll) : 0;
}

static int on_raw(void *arg, struct xml_reader *reader, const uint8_t *bytes, size_t size)
{
    struct answer *a = arg;
    return content11_piece(&a->content, reader, bytes, size);
}

static int begin_content(struct answer *a)
{
    const struct answer_block block = {a->poll.binding, a->poll.subtype, ++a->poll.blocks};
    int error = content11_begin(&a->content, a->reader);
    if (!error && a->events.block)
        error = a->events.block(a->arg, &block);
    xml_take_raw(a->reader, on_raw);
    return error;
}

static int add_subtype(struct answer *a, const struct xml_element *element)
{
    char subtype[ANSWER_TEXT];
    int error = answer11_required(a, element, "subtype_id", subtype);
    size_t used = strlen(a->poll.subtype);
    if (!error && used + 1 + strlen(subtype) >= ANSWER_TEXT)
        return xml_refuse(a->reader, ACCORD_ELIMIT, "the subtypes of a block are longer than %d bytes",
                          ANSWER_TEXT - 1);
    if (!error)
        sprintf(a->poll.subtype + used, "%s%s", used ? "," : "", subtype);
    return error;
}

static int poll_start(struct answer *a, const struct grammar11_rule *rule, const struct xml_element *element)
{
    switch (rule->id) {
    case E_COUNT:
        return answer11_boolean(a, element, "partial_count", false, &a->poll.partial_count);
    case E_BLOCK:
        a->poll.subtype[0] = a->poll.label[0] = 0;
        return tell_poll(a);
    case E_BINDING:
        return answer11_required(a, element, "binding_id", a->poll.binding);
    case E_SUBTYPE:
        return add_subtype(a, element);
    case E_CONTENT:
        return begin_content(a);
    default:
        return 0;
    }
}

static int poll_end(struct answer *a, const struct grammar11_rule *rule)
{
    char count[ANSWER_TEXT];
    int error;
    switch (rule->id) {
    case E_SUBSCRIPTION_ID:
        return answer11_text(a, rule->name, a->poll.subscription);
    case E_BEGIN:
        return answer11_text(a, rule->name, a->poll.begin);
    case E_END:
        return answer11_text(a, rule->name, a->poll.end);
    case E_COUNT:
        error = answer11_text(a, rule->name, count);
        return error ? error : number(a, rule->name, count, 0, &a->poll.count);
    case E_MESSAGE:
        answer11_message(a, a->message, sizeof a->message);
        return 0;
    case E_CONTENT:
        return content11_end(&a->content, a->reader);
    case E_LABEL:
        return answer11_text(a, rule->name, a->poll.label);
    case E_BLOCK:
        return a->events.block_end ? a->events.block_end(a->arg, a->poll.label) : 0;
    case E_POLL:
        return tell_poll(a);
    default:
        return 0;
    }
}

/* --- Status_Message --- */

static int begin_detail(struct answer *a, const struct xml_element *element)
{
    char *name = answer11_item(a, &a->bindings, "Detail");
    return name ? answer11_required(a, element, "name", name) : ACCORD_ELIMIT;
}

static int end_detail(struct answer *a)
{
    char *text = answer11_item(a, &a->others, "Detail");
    const char *name = a->bindings.items[a->others.count - 1];
    /* What is asked for with must be exact; all else is for people to read. */
    if (!strcmp(name, "RESULT_ID"))
        return answer11_text(a, name, text);
    answer11_message(a, text, ANSWER_TEXT);
    return 0;
}

static int status_end(struct answer *a, const struct grammar11_rule *rule)
{
    if (rule->id == E_DETAIL)
        return end_detail(a);
    if (rule->id == E_MESSAGE)
        answer11_message(a, a->message, sizeof a->message);
    return 0;
}

/* Only when the answer is whole: somebody may count a delivery by it. */
static int tell_status(struct answer *a)
{
    for (size_t i = 0; i < a->others.count; i++)
        a->status.details[i] = (struct accord_pair){a->bindings.items[i], a->others.items[i]};
    const struct answer_status status = {a->status.type, a->message, a->status.details, a->others.count};
    return a->events.status ? a->events.status(a->arg, &status) : 0;
}

/* --- XML --- */

static int on_start(void *arg, struct xml_reader *reader, const struct xml_element *element)
{
    struct answer *a = arg;
    const struct grammar11_rule *rule;
    if (element->depth == 1)
        return begin_root(a, element);
    int error = grammar11_start(&a->grammar, reader, &element->name, &rule);
    if (error || !rule)
        return error;
    a->text_size = 0;
    a->text[0] = 0;
    a->text_over = false;
    if (a->root->id == E_POLL)
        return poll_start(a, rule, element);
    if (a->root->id == E_STATUS)
        return rule->id == E_DETAIL ? begin_detail(a, element) : 0;
    return answer11_services_start(a, rule, element);
}

static int on_end(void *arg, struct xml_reader *reader, const struct xml_name *name, size_t depth)
{
    struct answer *a = arg;
    const struct grammar11_rule *rule;
    (void)name, (void)depth;
    int error = grammar11_end(&a->grammar, reader, &rule);
    if (error || !rule)
        return error;
    if (a->root->id == E_POLL)
        return poll_end(a, rule);
    if (a->root->id == E_STATUS)
        return status_end(a, rule);
    return answer11_services_end(a, rule);
}

static int on_text(void *arg, struct xml_reader *reader, const char *bytes, size_t size)
{
    struct answer *a = arg;
    const struct grammar11_rule *here = grammar11_here(&a->grammar);
    while (size && (!here || here->holds == HOLDS_ELEMENTS || !a->text_size) &&
           lexer_is_space((uint8_t)*bytes))
        bytes++, size--;
    if (!here || !size)
        return 0;
    if (here->holds == HOLDS_ELEMENTS && !a->grammar.passing)
        return xml_refuse(reader, ACCORD_EPROTO, "%s holds text where only elements may stand: \"%.*s\"",
                          here->name, (int)(size < 24 ? size : 24), bytes);
    size_t room = sizeof a->text - 1 - a->text_size;
    a->text_over = a->text_over || size > room;
    if (size > room)
        size = room;
    memcpy(a->text + a->text_size, bytes, size);
    a->text_size += size;
    a->text[a->text_size] = 0;
    return 0;
}

/* --- an answer --- */

static struct answer *make(void)
{
    struct answer *a = malloc(sizeof *a);
    if (!a)
        return NULL;
    memset(a, 0, offsetof(struct answer, bindings));
    a->bindings.count = a->others.count = 0;
    a->bindings.text = a->others.text = NULL;
    a->text[0] = a->message[0] = 0;
    return a;
}

struct answer *answer_new(const char *message_id, int64_t size, const struct answer_events *events, void *arg)
{
    static const struct xml_events calls = {on_start, on_end, on_text};
    struct xml_limits limits = XML_LIMITS;
    limits.size = size;
    limits.depth = 192;
    limits.elements = size / 4 + 1; /* the least element has four bytes; raw ones cost little */
    struct answer *a = make();
    if (!a || strlen(message_id) >= sizeof a->message_id ||
        !(a->reader = xml_reader_new(&limits, &calls, a))) {
        free(a);
        return NULL;
    }
    strcpy(a->message_id, message_id);
    a->events = *events;
    a->arg = arg;
    a->content.take = events->content;
    a->content.arg = arg;
    return a;
}

void answer_free(struct answer *a)
{
    if (!a)
        return;
    xml_reader_free(a->reader);
    free(a->bindings.text);
    free(a->others.text);
    free(a);
}

int answer_feed(struct answer *a, const uint8_t *bytes, size_t size)
{
    return xml_feed(a->reader, bytes, size);
}

int answer_finish(struct answer *a)
{
    int error = xml_finish(a->reader);
    if (error || a->whole)
        return error;
    a->whole = true;
    return a->root->id == E_STATUS ? tell_status(a) : 0;
}

enum answer_kind answer_kind(const struct answer *a)
{
    static const enum answer_kind kinds[] = {[E_DISCOVERY] = ANSWER_DISCOVERY,
                                             [E_COLLECTIONS] = ANSWER_COLLECTIONS,
                                             [E_POLL] = ANSWER_POLL,
                                             [E_STATUS] = ANSWER_STATUS};
    return a->root ? kinds[a->root->id] : ANSWER_NONE;
}

const char *answer_why(const struct answer *a)
{
    struct answer *mine = (struct answer *)a;
    const char *why = xml_why(a->reader);
    if (a->begun || !*why)
        return why;
    snprintf(mine->why, sizeof mine->why, "this is no TAXII message: %s", why);
    return a->why;
}
