/* show: a message that answers another, and the other way round. */
#include <stdlib.h>
#include <string.h>

#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/id.h"
#include "util/text.h"

#define PAGE       64
#define PAGES_MOST 40 /* of the agreement's messages, newest first, that are looked through for answers */

struct related {
    struct answer *answer;
    char id[ACCORD_ID_MAX], answers[ACCORD_ID_MAX]; /* answers: what this one answers; "" */
    char agreement[STORE_NAME_MAX], before[ACCORD_ID_MAX];
    size_t pages;
    bool expects; /* answers may have come */
    struct store_get get;
    struct store_scan scan;
    struct store_message *found[PAGE];
};

static const char *correlation_of(const struct store_message *message)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (strcmp(message->headers[i].name, ACCORD_HEADER_CORRELATION) == 0)
            return message->headers[i].value;
    return "";
}

static void row(struct related *related, const char *is, const struct store_message *message)
{
    char time[32];
    text_time(time, sizeof time, message->time);
    answer_row(related->answer, "related",
               CELLS({"is", is}, {"id", message->id}, {"time", time}, {"type", message->type},
                     {"name", message->name}, {"origin", message->origin}));
}

static void end(struct related *related)
{
    answer_end(related->answer, ANSWER_OK, "%s", "");
    free(related);
}

/* ---- what answers it ---- */

static void next_page(struct related *related);

/* True: older than the message itself, or the last. */
static bool take_page(struct related *related)
{
    bool over = related->scan.count < PAGE || ++related->pages == PAGES_MOST;
    for (size_t i = 0; i < related->scan.count; i++) {
        struct store_message *message = related->found[i];
        if (strcmp(correlation_of(message), related->id) == 0)
            row(related, "answer", message);
        over = over || strcmp(message->id, related->id) <= 0;
        text_copy(related->before, sizeof related->before, message->id);
        store_message_free(message);
    }
    return over;
}

static void page_read(void *arg, int result)
{
    struct related *related = arg;
    if (take_page(related) || result)
        end(related);
    else
        next_page(related);
}

static void next_page(struct related *related)
{
    related->scan = (struct store_scan){.agreement = related->agreement,
                                        .before = related->before[0] ? related->before : NULL,
                                        .limit = PAGE,
                                        .found = related->found};
    store_scan(related->answer->hub->store, &related->scan, page_read, related);
}

static void look_for_answers(struct related *related)
{
    if (related->expects)
        next_page(related);
    else
        end(related);
}

/* ---- what it answers ---- */

static void request_read(void *arg, int result)
{
    struct related *related = arg;
    if (!result) {
        row(related, "request", related->get.found);
        store_message_free(related->get.found);
    }
    look_for_answers(related);
}

/* Some service of the agreement brings answers to this one in. */
static bool is_answered(const struct hub *hub, const struct store_delivery *delivery)
{
    const struct unit *unit = unit_find(hub, delivery->agreement);
    for (size_t i = 0; unit && unit->agreement && i < unit->agreement->service_count; i++) {
        const struct conf_service *correlates = unit->agreement->services[i].correlates;
        if (correlates && strcmp(correlates->name, delivery->service) == 0)
            return true;
    }
    return false;
}

void answer_related(struct answer *answer, const struct store_message *message)
{
    struct related *related = calloc(1, sizeof *related);
    if (!related) {
        answer_end(answer, ANSWER_OK, "%s", "");
        return;
    }
    related->answer = answer;
    text_copy(related->id, sizeof related->id, message->id);
    text_copy(related->answers, sizeof related->answers, correlation_of(message));
    for (size_t i = 0; i < message->delivery_count && !related->expects; i++) {
        related->expects = is_answered(answer->hub, &message->deliveries[i]);
        text_copy(related->agreement, sizeof related->agreement, message->deliveries[i].agreement);
    }
    if (!id_valid(related->answers)) {
        look_for_answers(related);
        return;
    }
    related->get.message = related->answers;
    store_get(answer->hub->store, &related->get, request_read, related);
}
