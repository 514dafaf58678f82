/* One connection: the dial, the secrets, the verdicts on its handshake, and its end. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct accord_host *host_of(const struct client_session *session)
{
    return session->client->set.host;
}

/* ---- the end ---- */

static void forget_secrets(struct client_session *session)
{
    for (int i = 0; i < SECRETS; i++) {
        if (session->secrets[i])
            explicit_bzero(session->secrets[i], session->secret_sizes[i]);
        free(session->secrets[i]);
        session->secrets[i] = NULL;
    }
}

static void stop_timer(const struct client_session *session, struct accord_timer **timer)
{
    if (*timer)
        host_of(session)->timer_stop(*timer);
    *timer = NULL;
}

void client_session_destroy(struct client_session *session, const char *reason)
{
    const struct accord_host *host = host_of(session);
    struct client_session **at = &session->client->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    session->stage = CLIENT_OVER; /* libcurl may bring a handshake to its end while it closes */
    client_wire_close(session);
    if (session->client->set.protocol->closed)
        session->client->set.protocol->closed(session);
    stop_timer(session, &session->timer);
    stop_timer(session, &session->idle);
    if (session->watch)
        host->watch_end(session->watch);
    if (session->fd >= 0)
        close(session->fd);
    if (session->handle)
        host->end(session->handle, reason);
    tls_free(session->tls);
    forget_secrets(session);
    free(session);
}

void client_session_close(struct client_session *session, const char *reason)
{
    const struct client_protocol *protocol = session->client->set.protocol;
    if (session->stage == CLIENT_DIALLING)
        return; /* the host's answer would find nobody */
    if (session->stage == CLIENT_IDLE && protocol->parting)
        protocol->parting(session);
    client_session_destroy(session, reason);
}

void client_session_fail(struct client_session *session, enum client_end end, const char *rule,
                         const char *reason)
{
    struct client_call *call = session->call;
    char kept_rule[ACCORD_RULE_MAX], kept[ACCORD_REASON_MAX];
    snprintf(kept_rule, sizeof kept_rule, "%s", rule);
    snprintf(kept, sizeof kept, "%s", reason);
    session->call = NULL;
    session->retired = session->stage != CLIENT_DIALLING;
    if (call)
        call->session = NULL;
    client_session_close(session, kept[0] ? kept : "ended");
    if (call)
        client_finish(call, end, kept_rule, kept);
}

static void on_idle(void *arg)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    session->idle = NULL;
    client_enter(client);
    client_session_close(session, "idle");
    client_leave(client);
}

/* At once: the connection need not wait for the next turn. */
static bool carry_next(struct client_session *session)
{
    struct client *client = session->client;
    struct client_call *call = client_next_for_used(client);
    if (!call)
        return false;
    if (client->waiting)
        client_soon(client);
    client_session_carry(session, call);
    return true;
}

void client_session_rest(struct client_session *session)
{
    struct client *client = session->client;
    bool clean = !session->hold.kept_size && !hold_has_more(&session->hold);
    bool keeps = session->fd >= 0 && clean && !session->retired && client->set.idle_close > 0;
    if (keeps) {
        session->stage = CLIENT_IDLE;
        session->used = true;
        if (carry_next(session))
            return;
        client_wire_watch(session);
        session->idle = client_timer(client, client->set.idle_close, on_idle, session);
    }
    if (!keeps || !session->idle)
        client_session_close(session, session->fd < 0 ? "closed by the partner" : "done");
    if (client->waiting)
        client_soon(client);
}

static void begin(struct client_session *session)
{
    if (session->greeted) {
        client_call_ready(session->call);
        client_wire_go_on(session);
    } else if (client_wire_begin(session))
        client_wire_run(session, CURL_SOCKET_TIMEOUT, 0);
    else
        client_session_fail(
            session, CLIENT_LOST, "",
            "the request cannot be sent: its path or a header has what does not belong there, or "
            "memory is short");
}

void client_session_carry(struct client_session *session, struct client_call *call)
{
    stop_timer(session, &session->idle);
    session->call = call;
    call->session = session;
    session->stage = CLIENT_BUSY;
    call->wrote = session->hold.wrote;
    client_call_attend(call);
    begin(session);
}

/* ---- the dial ---- */

static void next_secret(struct client_session *session);

static void tell_connected(struct client_session *session)
{
    const struct client_settings *set = &session->client->set;
    char text[320];
    snprintf(text, sizeof text, "%s:%lld", set->name, (long long)set->port);
    client_call_step(session->call, "connect", ACCORD_OK, text);
}

static void not_dialed(struct client_session *session, const char *reason)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "%s: %s", session->client->set.name, reason);
    if (session->call)
        client_call_step(session->call, "connect", ACCORD_ENET, text);
    session->stage = CLIENT_OVER; /* the host has answered */
    client_session_fail(session, CLIENT_LOST, "", text);
}

static void on_event(void *arg, uint32_t events)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    client_enter(client);
    if (session->stage == CLIENT_IDLE) /* it closes, or says what nobody asked for */
        client_session_close(session, "closed by the partner while idle");
    else if (session->greeted)
        client->set.protocol->talk(session, events);
    else
        client_wire_run(session, session->fd,
                        (events & ACCORD_READABLE ? CURL_CSELECT_IN : 0) |
                            (events & ACCORD_WRITABLE ? CURL_CSELECT_OUT : 0));
    client_leave(client);
}

static void dialed(struct client_session *session, struct accord_session *handle, int fd, const char *reason)
{
    struct client *client = session->client;
    if (!handle) {
        not_dialed(session, reason);
        return;
    }
    session->handle = handle;
    session->fd = fd;
    session->stage = CLIENT_SECRETS;
    if (!session->call && (session->call = client_next(client))) { /* its own was cancelled */
        session->call->session = session;
        client_call_attend(session->call);
    }
    session->watch = host_of(session)->watch(client->set.instance, fd, on_event, session);
    if (!session->call)
        client_session_close(session, "nobody needs it any more");
    else if (!session->watch)
        client_session_fail(session, CLIENT_LOST, "", "the host does not watch the connection");
    else {
        tell_connected(session);
        next_secret(session);
    }
}

static void on_dialed(void *arg, struct accord_session *handle, int fd, const char *reason)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    client_enter(client);
    dialed(session, handle, fd, reason);
    client_leave(client);
}

bool client_session_open(struct client *client, struct client_call *call)
{
    size_t size = client->set.protocol->session_size;
    struct client_session *session = calloc(1, size ? size : sizeof *session);
    if (!session)
        return false;
    session->client = client;
    session->fd = -1;
    session->secret = -1;
    if (client->set.host->dial(client->set.instance, on_dialed, session) < 0) {
        free(session);
        return false;
    }
    session->next = client->sessions;
    client->sessions = session;
    session->call = call;
    call->session = session;
    client_call_attend(call);
    return true;
}

/* ---- secrets, and with them TLS ---- */

static const char *profile(void *arg, const char *name)
{
    const struct client_session *session = arg;
    return host_of(session)->profile(session->handle, name);
}

static struct tls_bytes secret(const struct client_session *session, int which)
{
    return (struct tls_bytes){session->secrets[which], session->secret_sizes[which]};
}

static bool make_tls(struct client_session *session)
{
    const struct client_settings *set = &session->client->set;
    const struct tls_setup setup = {
        .host = set->name,
        .pins = set->pins ? set->pins->items : NULL,
        .pin_count = set->pins ? set->pins->count : 0,
        .trust = secret(session, SECRET_TRUST),
        .certificate = secret(session, SECRET_CERTIFICATE),
        .key = secret(session, SECRET_KEY),
        .passphrase = secret(session, SECRET_PASSPHRASE),
        .now = set->host->wall(set->instance),
        .profile = profile,
        .profile_arg = session,
    };
    session->tls = tls_new(&setup, &session->problem);
    forget_secrets(session);
    return session->tls != NULL;
}

static void shake(struct client_session *session)
{
    struct client *client = session->client;
    if (!make_tls(session)) {
        client_call_step(session->call, "tls", ACCORD_EINVAL, session->problem.reason);
        client_session_fail(session, session->problem.park ? CLIENT_REFUSED : CLIENT_LOST,
                            session->problem.rule, session->problem.reason);
        return;
    }
    if (client->set.certificate_until && tls_until(session->tls))
        client->set.certificate_until(client->set.arg, tls_until(session->tls));
    session->stage = CLIENT_SHAKING;
    if (client->freed || session->call->stopped)
        return;
    if (client_wire_open(session))
        begin(session);
    else
        client_session_fail(session, CLIENT_LOST, "", "out of memory");
}

static void no_secret(struct client_session *session, const char *option, const char *why)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "the link's `%s` cannot be read: %s", option, why);
    client_call_step(session->call, "tls", ACCORD_ENET, text);
    client_session_fail(session, CLIENT_LOST, "", text);
}

static const char *secret_option(const struct client_session *session, int which)
{
    const struct client_settings *set = &session->client->set;
    const char *const names[SECRETS] = {set->trust, set->certificate, set->key, set->passphrase};
    return names[which];
}

static void on_secret(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    int which = session->secret;
    uint8_t *copy = result < 0 ? NULL : malloc(size ? size : 1);
    client_enter(client);
    if (copy) {
        if (size)
            memcpy(copy, bytes, size);
        session->secrets[which] = copy;
        session->secret_sizes[which] = size;
        next_secret(session);
    } else {
        no_secret(session, secret_option(session, which), result < 0 ? reason : "out of memory");
    }
    client_leave(client);
}

static void next_secret(struct client_session *session)
{
    const char *option = NULL;
    while (!option && ++session->secret < SECRETS)
        option = secret_option(session, session->secret);
    if (!option)
        shake(session);
    else if (host_of(session)->secret(session->handle, option, on_secret, session) < 0)
        no_secret(session, option, "the host gives none now");
}

/* ---- verdicts ---- */

static void judged_badly(struct client_session *session, enum accord_answer answer, const char *step,
                         const char *rule, const char *reason)
{
    client_call_step(session->call, step, ACCORD_EDENIED, reason);
    client_session_fail(session, answer == ACCORD_DENY ? CLIENT_REFUSED : CLIENT_LOST, rule, reason);
}

static void on_known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    client_enter(client);
    if (answer == ACCORD_ALLOW) {
        session->stage = CLIENT_BUSY;
        session->hold.held = false;
        client_call_ready(session->call);
        if (!client->freed && !session->call->stopped)
            client_wire_go_on(session);
    } else {
        judged_badly(session, answer, "authenticate", rule, reason);
    }
    client_leave(client);
}

void client_session_report(struct client_session *session, const struct accord_pair *pairs, size_t count)
{
    struct tls_facts facts = {.count = 0};
    session->stage = CLIENT_KNOWN;
    tls_authenticated_facts(session->tls, session->ssl, &facts);
    for (size_t i = 0; i < count && facts.count < TLS_FACTS_MAX; i++)
        facts.pairs[facts.count++] = pairs[i];
    if (host_of(session)->report(session->handle, ACCORD_AUTHENTICATED, facts.pairs, facts.count, on_known,
                                 session) < 0)
        client_session_fail(session, CLIENT_LOST, "", "the host takes no facts of the session now");
}

static void on_judged(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    client_enter(client);
    if (answer != ACCORD_ALLOW) {
        judged_badly(session, answer, "tls", rule, reason);
    } else if (client->set.protocol->talk) {
        session->stage = CLIENT_LOGIN;
        session->hold.held = false;
        client_wire_run(session, CURL_SOCKET_TIMEOUT, 0);
    } else {
        client_session_report(session, NULL, 0);
    }
    client_leave(client);
}

static const char *fact(const struct tls_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->pairs[i].name, name) == 0)
            return facts->pairs[i].value;
    return "";
}

static void tell_shaken(struct client_session *session, const struct tls_facts *facts)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "%s, %s; the partner is %s", fact(facts, "tls.version"),
             fact(facts, "tls.cipher"), fact(facts, "tls.peer.subject"));
    client_call_step(session->call, "tls", ACCORD_OK, text);
}

void client_session_shaken(struct client_session *session)
{
    struct tls_facts facts = {.count = 0};
    session->hold.held = true;
    session->hold.keeps = true;                                       /* a head, or a greeting */
    session->hold.reads_ahead = !session->client->set.protocol->talk; /* which would wait for the socket */
    tls_handshake_facts(session->tls, session->ssl, &facts);
    tell_shaken(session, &facts);
    session->stage = CLIENT_JUDGED;
    session->mute = !hold_install(&session->hold, session->ssl, session->fd) ||
                    host_of(session)->report(session->handle, ACCORD_HANDSHAKE, facts.pairs, facts.count,
                                             on_judged, session) < 0;
}
