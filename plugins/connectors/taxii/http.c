/* Requests, and their order: which one waits, which session carries it, and what is told when it is over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_private.h"

struct accord_timer *http_timer(struct http *http, int64_t ms, accord_timer_fn run, void *arg)
{
    const struct accord_host *host = http->set.host;
    struct accord_timer *timer = host->timer(http->set.instance, ms, run, arg);
    return timer ? timer : host->timer(http->set.instance, ms, run, arg);
}

/* ---- life ---- */

struct http *http_new(const struct http_settings *settings)
{
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return NULL;
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        curl_global_cleanup();
        return NULL;
    }
    http->set = *settings;
    http->waiting_end = &http->waiting;
    return http;
}

static void drop_call(struct http_call *call)
{
    http_call_rest(call);
    curl_slist_free_all(call->headers);
    free(call);
}

static void destroy(struct http *http)
{
    struct http_call *call;
    while (http->sessions) {
        struct http_session *session = http->sessions;
        call = session->call;
        session->call = NULL;
        http_session_destroy(session, "the link is closed");
        if (call)
            drop_call(call);
    }
    while ((call = http_next(http)))
        drop_call(call);
    if (http->soon)
        http->set.host->timer_stop(http->soon);
    free(http);
    curl_global_cleanup();
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http->freed = true;
    if (http->depth == 0)
        destroy(http);
}

void http_enter(struct http *http)
{
    http->depth++;
}

void http_leave(struct http *http)
{
    if (http->owed) /* a timer that the host did not have then */
        http_soon(http);
    if (--http->depth == 0 && http->freed)
        destroy(http);
}

/* ---- the line ---- */

static void put_last(struct http_call *call)
{
    struct http *http = call->http;
    call->next = NULL;
    *http->waiting_end = call;
    http->waiting_end = &call->next;
}

void http_requeue(struct http_call *call)
{
    struct http *http = call->http;
    call->session = NULL;
    call->next = http->waiting;
    http->waiting = call;
    if (!call->next)
        http->waiting_end = &call->next;
    http_soon(http);
}

static void take(struct http_call *call)
{
    struct http *http = call->http;
    struct http_call **at = &http->waiting;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    if (!call->next)
        http->waiting_end = at;
    call->next = NULL;
}

struct http_call *http_next(struct http *http)
{
    struct http_call *call = http->waiting;
    if (call)
        take(call);
    return call;
}

void http_finish(struct http_call *call, enum http_end end, const char *rule, const char *reason, long status,
                 int64_t wait)
{
    const struct http_result result = {
        .end = end, .status = status, .rule = rule, .reason = reason, .wait = wait};
    struct http *http = call->http;
    http_call_rest(call);
    if (!http->freed)
        call->request->done(call->request->arg, &result);
    drop_call(call);
}

/* ---- what is done a moment later, outside of the caller's calls ---- */

/* One that waits and was cancelled, if there is one. */
static bool end_cancelled(struct http *http)
{
    struct http_call *call = http->waiting;
    while (call && !call->stopped)
        call = call->next;
    if (!call)
        return false;
    take(call);
    http_finish(call, HTTP_CANCELED, "", call->reason, 0, 0);
    return true;
}

static bool move_one(struct http *http)
{
    for (struct http_session *session = http->sessions; session; session = session->next) {
        struct http_call *call = session->call;
        if (call && call->stopped) {
            http_session_fail(session, HTTP_CANCELED, "", call->reason);
            return true;
        }
        if (call && call->goes_on && call->turn != http->turn) {
            call->turn = http->turn;
            call->goes_on = false;
            http_wire_go_on(session);
            return true;
        }
    }
    return false;
}

static struct http_session *find(const struct http *http, enum http_stage first, enum http_stage last)
{
    struct http_session *session = http->sessions;
    while (session && (session->call || session->retired || session->stage < first || session->stage > last))
        session = session->next;
    return session;
}

static int64_t count(const struct http *http)
{
    int64_t sessions = 0;
    for (const struct http_session *session = http->sessions; session; session = session->next)
        sessions++;
    return sessions;
}

/* Gives the first in line a session: an idle one, one whose own request was cancelled, or a new one. */
static bool place_one(struct http *http)
{
    struct http_call *call = http->waiting;
    struct http_session *idle = find(http, HTTP_IDLE, HTTP_IDLE);
    struct http_session *spare = find(http, HTTP_DIALLING, HTTP_SECRETS);
    if (!call)
        return false;
    if (idle && !call->fresh_only) {
        http_session_carry(idle, http_next(http));
        return true;
    }
    if (spare) {
        call = http_next(http);
        spare->call = call;
        call->session = spare;
        http_call_attend(call);
        return true;
    }
    if (idle && count(http) >= http->set.connections)
        http_session_close(idle, "makes room for a fresh connection");
    if (count(http) >= http->set.connections)
        return false;
    call = http_next(http);
    if (!http_session_open(http, call))
        http_finish(call, HTTP_LOST, "", "the host does not dial now", 0, 0);
    return true;
}

static bool goes_on_later(const struct http *http)
{
    for (const struct http_session *session = http->sessions; session; session = session->next)
        if (session->call && session->call->goes_on)
            return true;
    return false;
}

static void on_soon(void *arg)
{
    struct http *http = arg;
    http->soon = NULL;
    http->turn++;
    http_enter(http);
    while (!http->freed && (end_cancelled(http) || move_one(http) || place_one(http)))
        ;
    if (!http->freed && goes_on_later(http))
        http_soon(http);
    http_leave(http);
}

void http_soon(struct http *http)
{
    if (!http->soon && !http->freed)
        http->soon = http_timer(http, 0, on_soon, http);
    http->owed = !http->soon && !http->freed;
}

/* ---- what the caller asks for ---- */

struct http_call *http_begin(struct http *http, const struct http_request *request)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->http = http;
    call->request = request;
    put_last(call);
    http_soon(http);
    if (http->soon || http->depth)
        return call;
    take(call); /* nothing would ever begin it */
    free(call);
    return NULL;
}

void http_cancel(struct http_call *call, const char *reason)
{
    if (call->stopped)
        return;
    call->stopped = true;
    call->goes_on = false;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
    http_soon(call->http);
}

void http_go_on(struct http_call *call)
{
    if (call->stopped)
        return;
    call->goes_on = true;
    http_soon(call->http);
}

void http_tell_steps(struct http_call *call, http_step_fn step, void *arg)
{
    call->step = step;
    call->step_arg = arg;
}

const char *http_header(const struct http_call *call, const char *name)
{
    struct curl_header *header;
    CURL *easy = call->session ? call->session->easy : NULL;
    if (!easy || curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    if (header->amount > 1 &&
        curl_easy_header(easy, name, header->amount - 1, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

void http_drop_idle(struct http *http)
{
    struct http_session *next;
    for (struct http_session *session = http->sessions; session; session = next) {
        next = session->next;
        session->retired = session->stage > HTTP_DIALLING;
        if (session->stage == HTTP_IDLE)
            http_session_close(session, "not needed any more");
    }
}
