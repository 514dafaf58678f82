/* Calls, and their order: which one waits, and which session carries it. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>

#define EARLY 4 /* calls for each connection that are made ready while they wait */

struct accord_timer *client_timer(struct client *client, int64_t ms, accord_timer_fn run, void *arg)
{
    const struct accord_host *host = client->set.host;
    struct accord_timer *timer = host->timer(client->set.instance, ms, run, arg);
    return timer ? timer : host->timer(client->set.instance, ms, run, arg);
}

/* ---- life ---- */

bool client_init(struct client *client, const struct client_settings *settings)
{
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return false;
    client->set = *settings;
    client->waiting_end = &client->waiting;
    return true;
}

/* When the client goes: nobody is told. */
static void drop_call(struct client_call *call)
{
    client_finish(call, CLIENT_CANCELED, "", "the link is closed");
}

static void destroy(struct client *client)
{
    struct client_call *call;
    while (client->sessions) {
        struct client_session *session = client->sessions;
        call = session->call;
        session->call = NULL;
        if (call)
            call->session = NULL;
        client_session_destroy(session, "the link is closed");
        if (call)
            drop_call(call);
    }
    while ((call = client_next(client)))
        drop_call(call);
    if (client->soon)
        client->set.host->timer_stop(client->soon);
    free(client); /* and what it is the head of */
    curl_global_cleanup();
}

void client_free(struct client *client)
{
    client->freed = true;
    if (client->depth == 0)
        destroy(client);
}

void client_enter(struct client *client)
{
    client->depth++;
}

void client_leave(struct client *client)
{
    if (client->owed) /* a timer that the host did not have then */
        client_soon(client);
    if (--client->depth == 0 && client->freed)
        destroy(client);
}

/* ---- the line ---- */

static void put_last(struct client_call *call)
{
    struct client *client = call->client;
    call->next = NULL;
    *client->waiting_end = call;
    client->waiting_end = &call->next;
}

void client_requeue(struct client_call *call)
{
    struct client *client = call->client;
    call->session = NULL;
    call->next = client->waiting;
    client->waiting = call;
    if (!call->next)
        client->waiting_end = &call->next;
    client_soon(client);
}

static void take(struct client_call *call)
{
    struct client *client = call->client;
    struct client_call **at = &client->waiting;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    if (!call->next)
        client->waiting_end = at;
    call->next = NULL;
}

struct client_call *client_next(struct client *client)
{
    struct client_call *call = client->waiting;
    if (call)
        take(call);
    return call;
}

struct client_call *client_next_for_used(struct client *client)
{
    const struct client_call *first = client->waiting;
    return first && !first->fresh_only && !first->stopped ? client_next(client) : NULL;
}

void client_finish(struct client_call *call, enum client_end end, const char *rule, const char *reason)
{
    client_call_rest(call);
    call->client->set.protocol->finished(call, end, rule, reason);
}

/* ---- what is done a moment later, outside of the caller's calls ---- */

/* One that waits and was cancelled, if there is one. */
static bool end_cancelled(struct client *client)
{
    struct client_call *call = client->waiting;
    while (call && !call->stopped)
        call = call->next;
    if (!call)
        return false;
    take(call);
    client_finish(call, CLIENT_CANCELED, "", call->reason);
    return true;
}

static bool move_one(struct client *client)
{
    for (struct client_session *session = client->sessions; session; session = session->next) {
        struct client_call *call = session->call;
        if (call && call->stopped) {
            client_session_fail(session, CLIENT_CANCELED, "", call->reason);
            return true;
        }
        if (call && call->goes_on && call->turn != client->turn) {
            call->turn = client->turn;
            call->goes_on = false;
            client_wire_go_on(session);
            return true;
        }
    }
    return false;
}

static struct client_session *find(const struct client *client, enum client_stage first,
                                   enum client_stage last)
{
    struct client_session *session = client->sessions;
    while (session && (session->call || session->retired || session->stage < first || session->stage > last))
        session = session->next;
    return session;
}

static int64_t count(const struct client *client)
{
    int64_t sessions = 0;
    for (const struct client_session *session = client->sessions; session; session = session->next)
        sessions++;
    return sessions;
}

/* Gives the first in line a session: an idle one, one whose own call was cancelled, or a new one. */
static bool place_one(struct client *client)
{
    struct client_call *call = client->waiting;
    struct client_session *idle = find(client, CLIENT_IDLE, CLIENT_IDLE);
    struct client_session *spare = find(client, CLIENT_DIALLING, CLIENT_SECRETS);
    if (!call)
        return false;
    if (idle && !call->fresh_only) {
        client_session_carry(idle, client_next(client));
        return true;
    }
    if (spare) {
        call = client_next(client);
        spare->call = call;
        call->session = spare;
        client_call_attend(call);
        return true;
    }
    if (idle && count(client) >= client->set.connections)
        client_session_close(idle, "makes room for a fresh connection");
    if (count(client) >= client->set.connections)
        return false;
    call = client_next(client);
    if (!client_session_open(client, call))
        client_finish(call, CLIENT_LOST, "", "the host does not dial now");
    return true;
}

/* A session that has shown that it stays open, and that may carry payload. */
static struct client_session *find_lasting(const struct client *client)
{
    struct client_session *session = client->sessions;
    while (session && (!session->used || session->retired || session->stage != CLIENT_BUSY))
        session = session->next;
    return session;
}

static int64_t count_early(const struct client *client)
{
    int64_t early = 0;
    for (const struct client_call *call = client->waiting; call; call = call->next)
        early += call->early;
    return early;
}

/* While all sessions are in use, those first in line ask for their payload: together, when half of those that had asked
 * have been begun, so that the host is asked less often. */
static void ready_early(struct client *client)
{
    struct client_session *session = client->set.protocol->talk ? NULL : find_lasting(client);
    int64_t most = EARLY * client->set.connections;
    if (session && count_early(client) > most / 2)
        return;
    for (struct client_call *call = client->waiting; call && session && most-- && !client->freed;
         call = call->next) {
        if (call->early || call->stopped || call->fresh_only)
            continue;
        call->early = true;
        call->session = session;
        client->set.protocol->ready(call);
        call->session = NULL;
    }
}

static bool goes_on_later(const struct client *client)
{
    for (const struct client_session *session = client->sessions; session; session = session->next)
        if (session->call && session->call->goes_on)
            return true;
    return false;
}

static void on_soon(void *arg)
{
    struct client *client = arg;
    client->soon = NULL;
    client->turn++;
    client_enter(client);
    while (!client->freed && (end_cancelled(client) || move_one(client) || place_one(client)))
        ;
    if (!client->freed)
        ready_early(client);
    if (!client->freed && goes_on_later(client))
        client_soon(client);
    client_leave(client);
}

void client_soon(struct client *client)
{
    if (!client->soon && !client->freed)
        client->soon = client_timer(client, 0, on_soon, client);
    client->owed = !client->soon && !client->freed;
}

/* ---- what the caller asks for ---- */

bool client_begin(struct client *client, struct client_call *call)
{
    call->client = client;
    put_last(call);
    client_soon(client);
    if (client->soon || client->depth)
        return true;
    take(call); /* nothing would ever begin it */
    return false;
}

void client_cancel(struct client_call *call, const char *reason)
{
    if (call->stopped)
        return;
    call->stopped = true;
    call->goes_on = false;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
    client_soon(call->client);
}

void client_go_on(struct client_call *call)
{
    if (call->stopped || !call->session) /* what waits is not held up by its own side */
        return;
    call->goes_on = true;
    client_soon(call->client);
}

void client_tell_steps(struct client_call *call, client_step_fn step, void *arg)
{
    call->step = step;
    call->step_arg = arg;
}

void client_drop_idle(struct client *client)
{
    struct client_session *next;
    for (struct client_session *session = client->sessions; session; session = next) {
        next = session->next;
        session->retired = session->stage > CLIENT_DIALLING;
        if (session->stage == CLIENT_IDLE)
            client_session_close(session, "not needed any more");
    }
}
