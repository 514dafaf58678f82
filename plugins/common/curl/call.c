/* Deadlines of a call, its end, and whether it is begun anew. */
#include "client.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static int64_t ticks(const struct client *client)
{
    return client->set.host->ticks(client->set.instance);
}

void client_call_step(struct client_call *call, const char *step, int result, const char *text)
{
    if (call && call->step && !call->stopped)
        call->step(call->step_arg, step, result, text);
}

/* ---- deadlines ---- */

/* What it waits for; NULL: for its own side. */
static const char *awaited(const struct client_call *call)
{
    static const char *const waits[] = {
        [CLIENT_DIALLING] = "a connection",
        [CLIENT_SECRETS] = "the secrets",
        [CLIENT_SHAKING] = "the TLS handshake",
        [CLIENT_JUDGED] = "the verdict on the handshake",
        [CLIENT_LOGIN] = "the server to greet us and to let us in",
        [CLIENT_KNOWN] = "the verdict on the authenticated session",
    };
    enum client_stage stage = call->session->stage;
    if (stage < CLIENT_BUSY)
        return waits[stage];
    if (call->answer_waits || call->body_waits)
        return NULL;
    return call->answered ? "the rest of the answer" : "an answer";
}

/* Milliseconds until something is overdue: not above 0 when it is. `limit`: which. */
static int64_t time_left(struct client_call *call, int64_t *limit)
{
    const struct client_settings *set = &call->client->set;
    int64_t now = ticks(call->client), left;
    bool busy = call->session->stage >= CLIENT_BUSY;
    if (call->moved || !awaited(call))
        call->heard = now;
    call->moved = false;
    *limit = busy ? set->silence : set->connect;
    left = (busy ? call->heard : call->began) + *limit - now;
    if (set->whole > 0 && call->began + set->whole - now < left) {
        left = call->began + set->whole - now;
        *limit = set->whole;
    }
    return left;
}

static void overdue(struct client_call *call, int64_t limit)
{
    char text[ACCORD_REASON_MAX];
    const char *what = awaited(call);
    struct client_session *session = call->session;
    snprintf(text, sizeof text, "%s: waited %" PRId64 " s in vain for %s", call->client->set.name,
             (limit + 999) / 1000, what ? what : "the request to be over");
    if (session->stage < CLIENT_BUSY)
        client_call_step(call, session->stage == CLIENT_DIALLING ? "connect" : "tls", ACCORD_ETIMEOUT, text);
    else if (!call->answered)
        client_call_step(call, "authenticate", ACCORD_ETIMEOUT, text);
    client_session_fail(session, client_call_left(call) ? CLIENT_UNCERTAIN : CLIENT_LOST, "", text);
}

static void on_deadline(void *arg)
{
    struct client_call *call = arg;
    struct client *client = call->client;
    int64_t limit, left = time_left(call, &limit);
    call->deadline = NULL;
    client_enter(client);
    if (left > 0)
        call->deadline = client_timer(client, left, on_deadline, call);
    if (!call->deadline && !call->stopped)
        overdue(call, limit);
    client_leave(client);
}

void client_call_attend(struct client_call *call)
{
    int64_t limit;
    if (!call->began)
        call->began = ticks(call->client);
    call->heard = ticks(call->client);
    if (!call->deadline)
        call->deadline = client_timer(call->client, time_left(call, &limit), on_deadline, call);
}

void client_call_rest(struct client_call *call)
{
    if (call->deadline)
        call->client->set.host->timer_stop(call->deadline);
    call->deadline = NULL;
}

/* ---- on its way ---- */

void client_call_ready(struct client_call *call)
{
    call->readied = true;
    call->moved = true;
    if (!call->stopped)
        call->client->set.protocol->ready(call);
}

bool client_call_left(const struct client_call *call)
{
    return call->left || call->client->set.protocol->left(call);
}

bool client_call_is_off(const struct client_call *call)
{
    return call->stopped || call->client->freed;
}

void client_call_stop(struct client_call *call, const char *reason)
{
    call->stopped = true;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
}

void client_call_give_up(struct client_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(call->reason, sizeof call->reason, format, args);
    va_end(args);
    call->over = true;
}

/* ---- its end ---- */

/* A reused connection that was dead all the time: nobody has seen the call, or it does not matter. */
static bool begins_anew(const struct client_session *session, const struct client_call *call)
{
    return session->used && !call->answered && !call->stopped && !call->over &&
           (!call->readied || call->client->set.protocol->again(call)) && !tls_refused_us(session->tls);
}

static void reset(struct client_call *call)
{
    *call = (struct client_call){.client = call->client,
                                 .began = call->began,
                                 .fresh_only = true,
                                 .step = call->step,
                                 .step_arg = call->step_arg};
    call->client->set.protocol->reset(call);
}

static void begin_anew(struct client_session *session, struct client_call *call)
{
    client_call_rest(call);
    session->call = NULL;
    reset(call);
    client_session_close(session, "closed by the partner");
    client_requeue(call);
}

void client_explain(const struct client_session *session, const char *text, struct tls_problem *problem)
{
    if (session->problem.reason[0])
        *problem = session->problem;
    else if (session->stage < CLIENT_BUSY || tls_refused_us(session->tls))
        tls_explain(session->tls, text, problem);
    else
        snprintf(problem->reason, sizeof problem->reason, "%s", text);
}

void client_call_over(struct client_session *session, CURLcode code)
{
    struct client *client = session->client;
    struct client_call *call = session->call;
    if (code != CURLE_OK && begins_anew(session, call)) {
        begin_anew(session, call);
        return;
    }
    session->call = NULL;
    if (code != CURLE_OK || call->stopped)
        session->retired = true;
    if (call->stopped)
        client_finish(call, CLIENT_CANCELED, "", call->reason);
    else
        client->set.protocol->over(session, call, code);
    if (client->freed)
        return;
    if (session->stage >= CLIENT_BUSY)
        session->stage = CLIENT_OVER;
    client_session_rest(session);
}
