/* One connection: the dial, the secrets, the verdicts on its handshake, and its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_private.h"

static const struct accord_host *host_of(const struct http_session *session)
{
    return session->http->set.host;
}

/* ---- the end ---- */

static void forget_secrets(struct http_session *session)
{
    for (int i = 0; i < SECRETS; i++) {
        if (session->secrets[i])
            explicit_bzero(session->secrets[i], session->secret_sizes[i]);
        free(session->secrets[i]);
        session->secrets[i] = NULL;
    }
}

static void stop_timer(const struct http_session *session, struct accord_timer **timer)
{
    if (*timer)
        host_of(session)->timer_stop(*timer);
    *timer = NULL;
}

void http_session_destroy(struct http_session *session, const char *reason)
{
    const struct accord_host *host = host_of(session);
    struct http_session **at = &session->http->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    http_wire_close(session);
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

void http_session_close(struct http_session *session, const char *reason)
{
    if (session->stage != HTTP_DIALLING) /* the host's answer would find nobody */
        http_session_destroy(session, reason);
}

void http_session_fail(struct http_session *session, enum http_end end, const char *rule, const char *reason)
{
    struct http_call *call = session->call;
    char kept_rule[ACCORD_RULE_MAX], kept[ACCORD_REASON_MAX];
    snprintf(kept_rule, sizeof kept_rule, "%s", rule);
    snprintf(kept, sizeof kept, "%s", reason);
    session->call = NULL;
    session->retired = session->stage != HTTP_DIALLING;
    if (call)
        call->session = NULL;
    http_session_close(session, kept[0] ? kept : "ended");
    if (call)
        http_finish(call, end, kept_rule, kept, 0, 0);
}

static void on_idle(void *arg)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    session->idle = NULL;
    http_enter(http);
    http_session_close(session, "idle");
    http_leave(http);
}

void http_session_rest(struct http_session *session)
{
    struct http *http = session->http;
    bool keeps = session->fd >= 0 && !session->retired && http->set.idle_close > 0;
    if (keeps) {
        session->stage = HTTP_IDLE;
        session->used = true;
        http_wire_watch(session);
        session->idle = http_timer(http, http->set.idle_close, on_idle, session);
    }
    if (!keeps || !session->idle)
        http_session_close(session, session->fd < 0 ? "closed by the partner" : "done");
    if (http->waiting)
        http_soon(http);
}

static void begin(struct http_session *session)
{
    if (http_wire_begin(session))
        http_wire_run(session, CURL_SOCKET_TIMEOUT, 0);
    else
        http_session_fail(
            session, HTTP_LOST, "",
            "the request cannot be sent: its path or a header has what does not belong there, or "
            "memory is short");
}

void http_session_carry(struct http_session *session, struct http_call *call)
{
    stop_timer(session, &session->idle);
    session->call = call;
    call->session = session;
    session->stage = HTTP_BUSY;
    call->wrote = session->hold.wrote;
    http_call_attend(call);
    begin(session);
}

/* ---- the dial ---- */

static void next_secret(struct http_session *session);

static void tell_connected(struct http_session *session)
{
    const struct http_settings *set = &session->http->set;
    char text[320];
    snprintf(text, sizeof text, "%s:%lld", set->name, (long long)set->port);
    http_call_step(session->call, "connect", ACCORD_OK, text);
}

static void not_dialed(struct http_session *session, const char *reason)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "%s: %s", session->http->set.name, reason);
    if (session->call)
        http_call_step(session->call, "connect", ACCORD_ENET, text);
    session->stage = HTTP_OVER; /* the host has answered */
    http_session_fail(session, HTTP_LOST, "", text);
}

static void on_event(void *arg, uint32_t events)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    http_enter(http);
    if (session->stage == HTTP_IDLE) /* it closes, or says what nobody asked for */
        http_session_close(session, "closed by the partner while idle");
    else
        http_wire_run(session, session->fd,
                      (events & ACCORD_READABLE ? CURL_CSELECT_IN : 0) |
                          (events & ACCORD_WRITABLE ? CURL_CSELECT_OUT : 0));
    http_leave(http);
}

static void dialed(struct http_session *session, struct accord_session *handle, int fd, const char *reason)
{
    struct http *http = session->http;
    if (!handle) {
        not_dialed(session, reason);
        return;
    }
    session->handle = handle;
    session->fd = fd;
    session->stage = HTTP_SECRETS;
    if (!session->call && (session->call = http_next(http))) { /* its own was cancelled */
        session->call->session = session;
        http_call_attend(session->call);
    }
    session->watch = host_of(session)->watch(http->set.instance, fd, on_event, session);
    if (!session->call)
        http_session_close(session, "nobody needs it any more");
    else if (!session->watch)
        http_session_fail(session, HTTP_LOST, "", "the host does not watch the connection");
    else {
        tell_connected(session);
        next_secret(session);
    }
}

static void on_dialed(void *arg, struct accord_session *handle, int fd, const char *reason)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    http_enter(http);
    dialed(session, handle, fd, reason);
    http_leave(http);
}

bool http_session_open(struct http *http, struct http_call *call)
{
    struct http_session *session = calloc(1, sizeof *session);
    if (!session)
        return false;
    session->http = http;
    session->fd = -1;
    session->secret = -1;
    if (http->set.host->dial(http->set.instance, on_dialed, session) < 0) {
        free(session);
        return false;
    }
    session->next = http->sessions;
    http->sessions = session;
    session->call = call;
    call->session = session;
    http_call_attend(call);
    return true;
}

/* ---- secrets, and with them TLS ---- */

static const char *profile(void *arg, const char *name)
{
    const struct http_session *session = arg;
    return host_of(session)->profile(session->handle, name);
}

static struct tls_bytes secret(const struct http_session *session, int which)
{
    return (struct tls_bytes){session->secrets[which], session->secret_sizes[which]};
}

static bool make_tls(struct http_session *session)
{
    const struct http_settings *set = &session->http->set;
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

static void shake(struct http_session *session)
{
    struct http *http = session->http;
    if (!make_tls(session)) {
        http_call_step(session->call, "tls", ACCORD_EINVAL, session->problem.reason);
        http_session_fail(session, session->problem.park ? HTTP_REFUSED : HTTP_LOST, session->problem.rule,
                          session->problem.reason);
        return;
    }
    if (http->set.certificate_until && tls_until(session->tls))
        http->set.certificate_until(http->set.arg, tls_until(session->tls));
    session->stage = HTTP_SHAKING;
    if (http->freed || session->call->stopped)
        return;
    if (http_wire_open(session))
        begin(session);
    else
        http_session_fail(session, HTTP_LOST, "", "out of memory");
}

static void no_secret(struct http_session *session, const char *option, const char *why)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "the link's `%s` cannot be read: %s", option, why);
    http_call_step(session->call, "tls", ACCORD_ENET, text);
    http_session_fail(session, HTTP_LOST, "", text);
}

static const char *secret_option(const struct http_session *session, int which)
{
    const struct http_settings *set = &session->http->set;
    const char *const names[SECRETS] = {set->trust, set->certificate, set->key, set->passphrase};
    return names[which];
}

static void on_secret(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    int which = session->secret;
    uint8_t *copy = result < 0 ? NULL : malloc(size ? size : 1);
    http_enter(http);
    if (copy) {
        if (size)
            memcpy(copy, bytes, size);
        session->secrets[which] = copy;
        session->secret_sizes[which] = size;
        next_secret(session);
    } else {
        no_secret(session, secret_option(session, which), result < 0 ? reason : "out of memory");
    }
    http_leave(http);
}

static void next_secret(struct http_session *session)
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

static void judged_badly(struct http_session *session, enum accord_answer answer, const char *step,
                         const char *rule, const char *reason)
{
    http_call_step(session->call, step, ACCORD_EDENIED, reason);
    http_session_fail(session, answer == ACCORD_DENY ? HTTP_REFUSED : HTTP_LOST, rule, reason);
}

static void on_known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    http_enter(http);
    if (answer == ACCORD_ALLOW) {
        session->stage = HTTP_BUSY;
        session->hold.held = false;
        http_call_ready(session->call);
        if (!http->freed && !session->call->stopped)
            http_wire_go_on(session);
    } else {
        judged_badly(session, answer, "authenticate", rule, reason);
    }
    http_leave(http);
}

static void on_judged(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct http_session *session = arg;
    struct http *http = session->http;
    struct tls_facts facts = {.count = 0};
    http_enter(http);
    if (answer == ACCORD_ALLOW) {
        session->stage = HTTP_KNOWN;
        tls_authenticated_facts(session->tls, session->ssl, &facts);
        if (host_of(session)->report(session->handle, ACCORD_AUTHENTICATED, facts.pairs, facts.count,
                                     on_known, session) < 0)
            http_session_fail(session, HTTP_LOST, "", "the host takes no facts of the session now");
    } else {
        judged_badly(session, answer, "tls", rule, reason);
    }
    http_leave(http);
}

static const char *fact(const struct tls_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->pairs[i].name, name) == 0)
            return facts->pairs[i].value;
    return "";
}

static void tell_shaken(struct http_session *session, const struct tls_facts *facts)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "%s, %s; the partner is %s", fact(facts, "tls.version"),
             fact(facts, "tls.cipher"), fact(facts, "tls.peer.subject"));
    http_call_step(session->call, "tls", ACCORD_OK, text);
}

bool http_session_shaken(struct http_session *session)
{
    struct tls_facts facts = {.count = 0};
    session->hold.held = true;
    tls_handshake_facts(session->tls, session->ssl, &facts);
    tell_shaken(session, &facts);
    session->stage = HTTP_JUDGED;
    if (http_hold_install(&session->hold, session->ssl, session->fd) &&
        host_of(session)->report(session->handle, ACCORD_HANDSHAKE, facts.pairs, facts.count, on_judged,
                                 session) >= 0)
        return true;
    snprintf(session->problem.reason, sizeof session->problem.reason,
             "the host takes no facts of the session now");
    return false;
}
