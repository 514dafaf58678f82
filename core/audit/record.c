#include "audit/record.h"

#include <stdio.h>
#include <string.h>

#include "audit/chain.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

/* The largest record that audit_render() makes; the seal needs less than the rest of AUDIT_LINE_MAX. */
#define RECORD_MAX (AUDIT_LINE_MAX - 1024)
/* With its seal; made room for at once. */
#define RECORD_USUAL 1024
/* Longest text of one field, with NUL; receipts, which are evidence, may be longer. JSON makes at most six bytes
 * of one, so that the fixed fields together always fit. */
#define TEXT_MAX        512
#define RECEIPT_MAX     1024
#define DETAIL_NAME_MAX 128
#define TIME_FIELD      "{\"@timestamp\":\""
/* Heads of records that are kept for ever, of names that are not longer, their room, and where one is looked for first. */
#define HEADS_SHARED  256
#define HEAD_NAME_MAX 64
#define HEAD_ROOM     768
#define HINTS         64
/* Of a record without its head. */
#define REST_USUAL 256

/* What follows the time in every record of an action, commas and quotes included. */
#define FACTS(name, category)                                                                                \
    "\",\"event.action\":\"" name "\",\"event.category\":\"" category "\",\"event.outcome\":\""

static const struct {
    const char *name, *category, *help, *facts;
} actions[AUDIT_ACTION_END] = {
#define A(ID, name, category, help) [AUDIT_##ID] = {name, category, help, FACTS(name, category)},
    AUDIT_ACTIONS(A)
#undef A
};

static const char *const outcomes[] = {"success", "failure", "unknown"};

static struct {
    char name[256];
    char fields[1024]; /* ,"host.name":"...","host.ip":"..." */
    unsigned version;
} host = {.version = 1};

const char *audit_action_name(enum audit_action action)
{
    return (unsigned)action < AUDIT_ACTION_END ? actions[action].name : "unknown";
}

/* Host names and addresses are ASCII; anything else would not read back byte for byte. */
static void put_ascii(char *to, size_t room, const char *from)
{
    text_copy(to, room, from ? from : "");
    for (; *to; to++)
        if (*to <= 0x20 || *to >= 0x7f || *to == '"' || *to == '\\')
            *to = '?';
}

void audit_host_set(const char *name, const char *address)
{
    char ip[128];
    put_ascii(host.name, sizeof host.name, name);
    put_ascii(ip, sizeof ip, address);
    host.version++;
    int used = snprintf(host.fields, sizeof host.fields, ",\"host.name\":\"%s\"", host.name);
    if (*ip)
        snprintf(host.fields + used, sizeof host.fields - (size_t)used, ",\"host.ip\":\"%s\"", ip);
}

const char *audit_host_name(void)
{
    return host.name;
}

/* A second's text is made once: thousands of records share it. */
static void put_time(struct buf *buf, int64_t us)
{
    static _Thread_local int64_t second = INT64_MIN;
    static _Thread_local char text[32];
    if (us / 1000000 != second || us < 0) {
        text_time(text, sizeof text, us);
        second = us / 1000000;
    }
    int fraction = (int)(us % 1000000);
    for (size_t at = 25; us >= 0 && at >= 20; at--, fraction /= 10)
        text[at] = (char)('0' + fraction % 10);
    buf_text(buf, text);
}

/* `begin` is the text up to the value, with its quote. */
static void put_field(struct buf *buf, const char *begin, size_t begin_size, const char *value, size_t room)
{
    char cut[RECEIPT_MAX];
    if (!value || !*value)
        return;
    if (strnlen(value, room) == room) {
        text_copy(cut, room, value);
        value = cut;
    }
    buf_put(buf, begin, begin_size);
    json_quote(buf, value);
}

#define PUT_CUT(name, value, room) put_field(buf, ",\"" name "\":", sizeof name + 3, value, room)
#define PUT(name, value)           PUT_CUT(name, value, TEXT_MAX)

#define DETAIL "accord.details."

/* Most are short and need no escapes. */
static bool put_short_detail(struct buf *buf, const char *name, const char *value)
{
    size_t size = strlen(name);
    if (size >= DETAIL_NAME_MAX - sizeof DETAIL || strnlen(value, TEXT_MAX) == TEXT_MAX ||
        !json_is_plain(name, size))
        return false;
    buf_put(buf, ",\"" DETAIL, sizeof DETAIL + 1);
    buf_put(buf, name, size);
    buf_put(buf, "\":", 2);
    json_quote(buf, value);
    return true;
}

static void put_detail(struct json *json, const struct accord_pair *detail)
{
    char name[DETAIL_NAME_MAX], value[TEXT_MAX];
    if (!detail->value || !*detail->value || put_short_detail(json->buf, detail->name, detail->value))
        return;
    text_join(name, sizeof name, DETAIL, detail->name, "");
    text_copy(value, sizeof value, detail->value);
    json_text(json, name, value);
}

/* `most`: the size of the buffer that must not be exceeded. */
static void put_details(struct json *json, const struct audit_event *event, size_t most)
{
    for (size_t i = 0; i < event->detail_count; i++) {
        size_t before = json->buf->size;
        put_detail(json, &event->details[i]);
        if (json->buf->size <= most)
            continue;
        json->buf->size = before;
        json_number(json, "accord.details-left-out", (int64_t)(event->detail_count - i));
        return;
    }
}

static void render_message(struct buf *buf, const struct audit_event *event)
{
    PUT("accord.message", event->message);
    PUT("accord.name", event->name);
    PUT("accord.type", event->type);
    if (event->sha256 && *event->sha256) {
        struct json json = {.buf = buf, .more = true};
        PUT("accord.sha256", event->sha256);
        json_number(&json, "accord.size", event->size);
    }
}

/* NULL: it cannot be kept. */
static const struct buf *keep_message(const struct audit_event *event)
{
    if (!event->kept || event->kept->size)
        return event->kept;
    render_message(event->kept, event);
    if (!event->kept->failed)
        return event->kept;
    buf_clear(event->kept);
    return NULL;
}

/* What every record of a message says of it. */
static void put_message(struct buf *buf, const struct audit_event *event)
{
    const struct buf *kept = keep_message(event);
    if (kept)
        buf_put(buf, kept->data, kept->size);
    else
        render_message(buf, event);
}

static void put_head(struct buf *buf, const struct audit_event *event)
{
    buf_text(buf, actions[event->action].facts);
    buf_text(buf, outcomes[event->outcome]);
    buf_byte(buf, '"');
    buf_text(buf, host.fields);
    PUT("event.reason", event->reason);
    PUT("user.name", event->user);
    PUT("source.address", event->source_address);
    PUT("destination.address", event->destination_address);
    PUT("rule.name", event->rule);
    PUT("accord.module", event->module);
    PUT("accord.agreement", event->agreement);
    PUT("accord.link", event->link);
    PUT("accord.service", event->service);
}

/* The head of the records that say no more in it than what was done where: of most, and the same each time. */
struct head {
    enum audit_action action;
    enum audit_outcome outcome;
    unsigned version; /* of the host's fields; 0: nothing is kept here */
    char agreement[HEAD_NAME_MAX], link[HEAD_NAME_MAX], service[HEAD_NAME_MAX];
    size_t size;
    char text[HEAD_ROOM];
};

static bool says(const char *text)
{
    return text && *text;
}

static bool is_usual(const struct audit_event *event)
{
    return !says(event->reason) && !says(event->user) && !says(event->source_address) &&
           !says(event->destination_address) && !says(event->rule) && !says(event->module) &&
           event->agreement && event->link && event->service;
}

static bool is_head_of(const struct head *head, const struct audit_event *event)
{
    return head->version == host.version && head->action == event->action &&
           head->outcome == event->outcome && !strcmp(head->service, event->service) &&
           !strcmp(head->link, event->link) && !strcmp(head->agreement, event->agreement);
}

static void put_beginning(struct buf *buf, const struct audit_event *event)
{
    buf_put(buf, TIME_FIELD, sizeof TIME_FIELD - 1);
    put_time(buf, event->time ? event->time : clock_wall());
}

static void put_end(struct buf *buf, const struct audit_event *event, size_t most)
{
    PUT_CUT("accord.receipt", event->receipt, RECEIPT_MAX);
    struct json json = {.buf = buf, .more = true};
    put_details(&json, event, most);
}

void audit_render(struct buf *buf, const struct audit_event *event)
{
    size_t begin = buf->size;
    buf_reserve(buf, RECORD_USUAL);
    put_beginning(buf, event);
    put_head(buf, event);
    put_message(buf, event);
    put_end(buf, event, begin + RECORD_MAX);
}

/* ---- without what is shared ---- */

static struct head shared_heads[HEADS_SHARED]; /* the first shared_count are never changed again */
static size_t shared_count;

static const struct head *find_shared(const struct audit_event *event)
{
    for (size_t i = 0; i < shared_count; i++)
        if (is_head_of(&shared_heads[i], event))
            return &shared_heads[i];
    return NULL;
}

static bool fits_head(const struct audit_event *event, const struct buf *text)
{
    return !text->failed && text->size <= HEAD_ROOM && strlen(event->agreement) < HEAD_NAME_MAX &&
           strlen(event->link) < HEAD_NAME_MAX && strlen(event->service) < HEAD_NAME_MAX;
}

static const struct head *add_shared(const struct audit_event *event)
{
    struct buf text = {0};
    struct head *head = NULL;
    if (shared_count == HEADS_SHARED)
        return NULL;
    put_head(&text, event);
    if (fits_head(event, &text)) {
        head = &shared_heads[shared_count++];
        *head = (struct head){
            .action = event->action, .outcome = event->outcome, .version = host.version, .size = text.size};
        text_copy(head->agreement, HEAD_NAME_MAX, event->agreement);
        text_copy(head->link, HEAD_NAME_MAX, event->link);
        text_copy(head->service, HEAD_NAME_MAX, event->service);
        memcpy(head->text, text.data, text.size);
    }
    buf_fini(&text);
    return head;
}

/* NULL: this event has none. */
static const struct head *shared_head(const struct audit_event *event)
{
    static const struct head *hints[HINTS];
    if (!is_usual(event))
        return NULL;
    const struct head **hint = &hints[((uintptr_t)event->service / 8 + event->action) % HINTS];
    if (*hint && is_head_of(*hint, event))
        return *hint;
    const struct head *head = find_shared(event);
    if (!head)
        head = add_shared(event);
    if (head)
        *hint = head;
    return head;
}

void audit_render_apart(struct buf *buf, const struct audit_event *event, struct audit_shared *shared)
{
    size_t begin = buf->size;
    const struct head *head = shared_head(event);
    const struct buf *message = keep_message(event);
    *shared = (struct audit_shared){0};
    buf_reserve(buf, REST_USUAL);
    put_beginning(buf, event);
    if (head)
        shared->parts[0] = (struct audit_part){head->text, head->size};
    else
        put_head(buf, event);
    shared->at = buf->size - begin;
    if (message)
        shared->parts[1] = (struct audit_part){message->data, message->size};
    else
        render_message(buf, event);
    put_end(buf, event, begin + RECORD_MAX - shared->parts[0].size - shared->parts[1].size);
}

void audit_events_page(struct buf *buf)
{
    buf_text(buf, "# Audit events\n\n"
                  "Generated from `AUDIT_ACTIONS` in `core/audit/record.h`. Each record is one line of JSON "
                  "with Elastic\n"
                  "Common Schema names; `event.outcome` is `success`, `failure` or `unknown`.\n\n"
                  "| `event.action` | `event.category` | when |\n|---|---|---|\n");
    for (size_t i = 0; i < AUDIT_ACTION_END; i++)
        buf_format(buf, "| `%s` | `%s` | %s |\n", actions[i].name, actions[i].category, actions[i].help);
}
