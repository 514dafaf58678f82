#include "exchange.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "phrase.h"
#include "taxii.h"

#define SMALL (16 << 20) /* of any answer but a poll's */

/* RFC 9562, version 4. */
static void make_id(char id[EXCHANGE_ID])
{
    unsigned char r[16] = {0};
    RAND_bytes(r, sizeof r);
    snprintf(id, EXCHANGE_ID, "urn:uuid:%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x",
             r[0], r[1], r[2], r[3], r[4], r[5], r[6] & 15, r[7], 8 + (r[8] >> 6), r[8] & 15, r[9], r[10],
             r[11], r[12], r[13], r[14], r[15]);
}

/* ---- the answer ---- */

static int on_status(void *arg, const struct answer_status *status)
{
    struct exchange *exchange = arg;
    status_means(&exchange->outcome, exchange->asked, status);
    exchange->judged = true;
    return ACCORD_OK;
}

void exchange_init(struct exchange *exchange, struct link *link, enum asked asked,
                   const struct answer_events *events, exchange_fn *done)
{
    *exchange = (struct exchange){.link = link, .asked = asked, .done = done, .events = *events};
    exchange->events.status = on_status;
    exchange->limit = asked == ASKED_POLL || asked == ASKED_PART ? link->options->answer_limit : SMALL;
    if (asked != ASKED_INBOX) /* whose id is that of what it carries */
        make_id(exchange->id);
}

/* X-TAXII-Content-Type alone says enough. */
static bool may_be_xml(const char *type)
{
    return !type || http_is_type(type, "application/xml") || http_is_type(type, "text/xml");
}

/* What has no X-TAXII-Content-Type is no TAXII message (HTTP binding 1.0, 3.2). */
static bool is_taxii(const struct exchange *exchange, const struct http_call *call)
{
    const char *type = http_header(call, "X-TAXII-Content-Type");
    return type && strcmp(type, exchange->link->dialect->answer_type) == 0 &&
           may_be_xml(http_header(call, "Content-Type"));
}

static int on_head(void *arg, struct http_call *call, long status)
{
    struct exchange *exchange = arg;
    exchange->code = status;
    if (!is_taxii(exchange, call))
        return 0;
    exchange->answer = answer_new(exchange->id, exchange->limit, &exchange->events, exchange);
    if (exchange->answer)
        return 0;
    outcome_set(&exchange->outcome, MEANS_RETRY, "", "out of memory");
    exchange->judged = true;
    return ACCORD_ENOMEM;
}

static void keep_page(struct exchange *exchange, const uint8_t *bytes, size_t size)
{
    while (size-- && exchange->page_size + 1 < sizeof exchange->page) {
        uint8_t c = *bytes++;
        exchange->page[exchange->page_size++] = c < 0x20 || c >= 0x7f ? ' ' : (char)c;
    }
}

static int on_answer(void *arg, const uint8_t *bytes, size_t size)
{
    struct exchange *exchange = arg;
    if (!exchange->answer) {
        keep_page(exchange, bytes, size);
        return 0;
    }
    if (exchange->room && !exchange->room(exchange))
        return HTTP_PAUSE;
    if (answer_feed(exchange->answer, bytes, size) >= 0)
        return 0;
    if (!exchange->judged ||
        exchange->outcome.means == MEANS_DONE) /* what follows a status must be right as well */
        status_broken(&exchange->outcome, exchange->asked, answer_why(exchange->answer));
    exchange->judged = true;
    return ACCORD_EFORMAT;
}

/* ---- the end ---- */

static enum answer_kind expected(const struct exchange *exchange)
{
    return exchange->asked == ASKED_POLL || exchange->asked == ASKED_PART ? ANSWER_POLL : ANSWER_NONE;
}

static void judge_answer(struct exchange *exchange, const struct http_result *result)
{
    if (!exchange->answer) {
        status_of_http(&exchange->outcome, exchange->asked, result->status, exchange->page, result->wait);
        return;
    }
    if (answer_finish(exchange->answer) < 0) {
        status_broken(&exchange->outcome, exchange->asked, answer_why(exchange->answer));
        return;
    }
    enum answer_kind kind = answer_kind(exchange->answer), wanted = expected(exchange);
    if (exchange->judged) {
        if (result->wait > exchange->outcome.wait)
            exchange->outcome.wait = result->wait;
    } else if (result->status < 200 || result->status > 299) {
        status_of_http(&exchange->outcome, exchange->asked, result->status, "", result->wait);
    } else if (exchange->asked == ASKED_INBOX || (wanted != ANSWER_NONE && kind != wanted) ||
               (wanted == ANSWER_NONE && kind != ANSWER_DISCOVERY && kind != ANSWER_COLLECTIONS)) {
        status_broken(&exchange->outcome, exchange->asked, "it is another kind of message");
    }
}

static void judge(struct exchange *exchange, const struct http_result *result)
{
    struct outcome *outcome = &exchange->outcome;
    if (exchange->canceled) {
        outcome_set(outcome, MEANS_CANCELED, "", "%s", result->reason);
        return;
    }
    switch (result->end) {
    case HTTP_ANSWERED:
        judge_answer(exchange, result);
        break;
    case HTTP_REFUSED:
        outcome_set(outcome, MEANS_PARK, result->rule, "%s", result->reason);
        break;
    case HTTP_UNCERTAIN:
        if (exchange->judged && outcome->means != MEANS_DONE)
            break;
        outcome_set(outcome, exchange->asked == ASKED_INBOX ? MEANS_UNCERTAIN : MEANS_RETRY, "", "%s",
                    result->reason);
        outcome->broken = exchange->answer != NULL;
        break;
    case HTTP_LOST:
        outcome_set(outcome, MEANS_RETRY, "", "%s", result->reason);
        outcome->wait = result->wait;
        break;
    case HTTP_CANCELED:
        if (!exchange->judged) /* by a callback of ours */
            outcome_set(outcome, MEANS_CANCELED, "", "%s", result->reason);
        break;
    }
}

static void on_done(void *arg, const struct http_result *result)
{
    struct exchange *exchange = arg;
    exchange->call = NULL;
    judge(exchange, result);
    answer_free(exchange->answer);
    exchange->answer = NULL;
    exchange->done(exchange, &exchange->outcome);
}

/* ---- the question ---- */

static void on_ready(void *arg, struct accord_session *session)
{
    struct exchange *exchange = arg;
    exchange->sent = 0;
    if (exchange->ready)
        exchange->ready(exchange, session);
}

static ptrdiff_t on_body(void *arg, uint8_t *to, size_t size)
{
    struct exchange *exchange = arg;
    if (exchange->body)
        return exchange->body(exchange, to, size);
    size_t left = exchange->draft.size - exchange->sent;
    if (!left)
        return HTTP_END;
    if (size > left)
        size = left;
    memcpy(to, exchange->draft.bytes + exchange->sent, size);
    exchange->sent += size;
    return (ptrdiff_t)size;
}

static const uint8_t *on_whole(void *arg)
{
    struct exchange *exchange = arg;
    if (exchange->body)
        return exchange->whole(exchange);
    return exchange->sent ? NULL : (const uint8_t *)exchange->draft.bytes;
}

static void on_leaves(void *arg)
{
    struct exchange *exchange = arg;
    if (exchange->body)
        exchange->leaves(exchange);
    else
        exchange->sent = exchange->draft.size;
}

bool exchange_begin(struct exchange *exchange, const char *path)
{
    const struct dialect *dialect = exchange->link->dialect;
    if (exchange->draft.failed)
        return false;
    phrase_put(exchange->path, exchange->path + sizeof exchange->path, path, SIZE_MAX);
    exchange->outcome = (struct outcome){.parts = -1};
    exchange->request =
        (struct http_request){.path = exchange->path,
                              .headers = dialect->headers,
                              .header_count = dialect->header_count,
                              .size = exchange->body ? exchange->size : (int64_t)exchange->draft.size,
                              .ready = on_ready,
                              .body = on_body,
                              .whole = on_whole,
                              .leaves = on_leaves,
                              .head = on_head,
                              .answer = on_answer,
                              .done = on_done,
                              .arg = exchange,
                              /* content can be asked of the host only once, and must not go twice */
                              .again = exchange->asked != ASKED_INBOX};
    exchange->call = http_begin(exchange->link->http, &exchange->request);
    return exchange->call != NULL;
}

bool exchange_runs(const struct exchange *exchange)
{
    return exchange->call != NULL;
}

void exchange_cancel(struct exchange *exchange, const char *reason)
{
    if (!exchange->call || exchange->canceled)
        return;
    exchange->canceled = true;
    http_cancel(exchange->call, reason);
}

void exchange_go_on(struct exchange *exchange)
{
    if (exchange->call)
        http_go_on(exchange->call);
}

void exchange_fini(struct exchange *exchange)
{
    answer_free(exchange->answer);
    exchange->answer = NULL;
    exchange->call = NULL;
    draft_fini(&exchange->draft);
}
