/* libcurl, driven by the host's watches and timers. One multi handle and one easy handle for each session. */
#include "client.h"

#include <unistd.h>

#define RUNS 16 /* of libcurl over what was read from the socket at once, before others get their turn */

/* Never resolved nor connected to: the socket is there already. RFC 5737. */
#define NOWHERE "::192.0.2.1:"

static const struct accord_host *host_of(const struct client_session *session)
{
    return session->client->set.host;
}

static const struct client_protocol *protocol_of(const struct client_session *session)
{
    return session->client->set.protocol;
}

/* ---- sockets ---- */

/* A head leaves with what follows it. */
static bool head_waits(const struct client_session *session)
{
    const struct client_call *call = session->call;
    return session->stage == CLIENT_BUSY && call && call->body_waits && session->hold.wrote == call->wrote;
}

static void flush(struct client_session *session)
{
    if (!head_waits(session))
        hold_flush(&session->hold);
}

void client_wire_watch(struct client_session *session)
{
    uint32_t events = session->wanted;
    if (session->call && session->call->body_waits)
        events &= ~(uint32_t)ACCORD_WRITABLE; /* it waits for us, not for the partner */
    if (session->hold.kept_size && !session->hold.held && !head_waits(session))
        events |= ACCORD_WRITABLE;
    if (session->hold.broken || session->stage == CLIENT_IDLE)
        events = ACCORD_READABLE; /* it could be written to at once, which is no use */
    if (session->watch && events != session->watched)
        host_of(session)->watch_set(session->watch, events);
    session->watched = events;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct client_session *session = arg;
    (void)easy, (void)unused;
    if (fd != session->fd || session->greeted)
        return 0;
    session->wanted = what == CURL_POLL_IN      ? ACCORD_READABLE
                      : what == CURL_POLL_OUT   ? ACCORD_WRITABLE
                      : what == CURL_POLL_INOUT ? ACCORD_READABLE | ACCORD_WRITABLE
                                                : 0;
    if (!session->inside) /* it changes its mind before it returns */
        client_wire_watch(session);
    return 0;
}

/* Hands out the one connection that there is. A second time: libcurl has found it dead and would begin anew by itself; it
 * has forgotten how much had left. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct client_session *session = arg;
    (void)purpose, (void)address;
    if (session->given) {
        session->call->left |= session->call->body_ended && !session->hold.kept_size;
        return CURL_SOCKET_BAD;
    }
    session->given = true;
    return session->fd;
}

static int on_opened(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    (void)arg, (void)fd, (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct client_session *session = arg;
    if (fd != session->fd)
        return close(fd);
    hold_flush(&session->hold);
    if (session->watch)
        host_of(session)->watch_end(session->watch);
    session->watch = NULL;
    session->ssl = NULL;
    session->fd = -1;
    return close(fd);
}

/* ---- timers ---- */

static void on_timer(void *arg)
{
    struct client_session *session = arg;
    struct client *client = session->client;
    session->timer = NULL;
    client_enter(client);
    client_wire_run(session, CURL_SOCKET_TIMEOUT, 0);
    client_leave(client);
}

/* One that is early enough stays, from one call to the next, and may find nothing to do: each call has a long one. */
static bool serves(const struct client_session *session, long ms)
{
    return session->timer && (ms < 0 ? !protocol_of(session)->talk : ms >= session->timer_ms);
}

static void set_timer(struct client_session *session, long ms)
{
    if (!serves(session, ms)) {
        if (session->timer)
            host_of(session)->timer_stop(session->timer);
        session->timer = ms < 0 ? NULL : client_timer(session->client, ms, on_timer, session);
        session->timer_ms = ms;
    }
    session->starved = ms >= 0 && !session->timer;
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
    struct client_session *session = arg;
    (void)multi;
    if (!session->inside) /* it is asked before it is left alone */
        set_timer(session, ms);
    return 0;
}

static void keep_timer(struct client_session *session)
{
    long ms = -1;
    if (curl_multi_timeout(session->multi, &ms) == CURLM_OK)
        set_timer(session, ms);
}

/* ---- TLS ---- */

/* Nothing but the handshake itself has left when its end is told here. */
static void on_progress(const SSL *ssl, int where, int value)
{
    struct client_session *session = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    (void)value;
    if (where != SSL_CB_HANDSHAKE_DONE || session->stage != CLIENT_SHAKING)
        return;
    session->ssl = (SSL *)ssl;
    client_session_shaken(session);
}

static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    struct client_session *session = arg;
    (void)easy;
    SSL_CTX_set_app_data((SSL_CTX *)context, session);
    SSL_CTX_set_info_callback(context, on_progress);
    SSL_CTX_clear_mode(context,
                       SSL_MODE_RELEASE_BUFFERS); /* libcurl's wish; ours are few, and in use all the time */
    return tls_configure(session->tls, context, &session->problem) < 0 ? CURLE_ABORTED_BY_CALLBACK : CURLE_OK;
}

/* The connection stands and a call is about to leave. */
static int on_connected(void *arg, char *remote, char *local, int remote_port, int local_port)
{
    struct client_session *session = arg;
    struct client_call *call = session->call;
    (void)remote, (void)local, (void)remote_port, (void)local_port;
    if (session->stage == CLIENT_BUSY && !client_call_is_off(call))
        client_call_ready(call);
    return client_call_is_off(call) || session->stage < CLIENT_JUDGED ? CURL_PREREQFUNC_ABORT
                                                                      : CURL_PREREQFUNC_OK;
}

/* ---- handles ---- */

static bool set_multi(struct client_session *session)
{
    CURLM *multi = session->multi;
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, session) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, session) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

/* Nothing of the environment, nothing beyond this connection. */
static bool close_doors(CURL *easy, const char *schemes)
{
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, schemes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 0L) == CURLE_OK && /* the host's */
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK;
}

static bool set_tls(struct client_session *session)
{
    CURL *easy = session->easy;
    return curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK && /* what tls_configure() gives it */
           curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK && /* each is judged whole */
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, session) == CURLE_OK;
}

static bool set_connection(struct client_session *session)
{
    static struct curl_slist nowhere = {.data = (char *)NOWHERE};
    const struct client_settings *set = &session->client->set;
    CURL *easy = session->easy;
    /* The deadlines are ours, by the host's clock; libcurl's own must not come before. */
    return curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(2 * set->connect + 60000)) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 30L * 86400) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_TO, &nowhere) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, session) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_opened) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, session) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, session) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, session->said) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, protocol_of(session)->talk ? 1L : 0L) == CURLE_OK;
}

bool client_wire_open(struct client_session *session)
{
    session->multi = curl_multi_init();
    session->easy = curl_easy_init();
    if (!session->multi || !session->easy)
        return false;
    return set_multi(session) && close_doors(session->easy, protocol_of(session)->schemes) &&
           set_tls(session) && set_connection(session) && protocol_of(session)->open(session);
}

void client_wire_close(struct client_session *session)
{
    if (session->easy && session->multi)
        curl_multi_remove_handle(session->multi, session->easy);
    if (session->easy)
        curl_easy_cleanup(session->easy);
    if (session->multi)
        curl_multi_cleanup(session->multi);
    hold_fini(&session->hold);
    session->easy = NULL;
    session->multi = NULL;
}

/* ---- running ---- */

bool client_wire_begin(struct client_session *session)
{
    session->said[0] = 0;
    session->hold.keeps = true; /* the head */
    session->inside = true;
    bool begun = protocol_of(session)->setup(session) &&
                 curl_multi_add_handle(session->multi, session->easy) == CURLM_OK;
    session->inside = false;
    return begun;
}

static bool is_over(struct client_session *session, CURLcode *code)
{
    int more;
    for (CURLMsg *message; (message = curl_multi_info_read(session->multi, &more));)
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return true;
        }
    return false;
}

/* The call is over: nothing of libcurl's is left of it but its numbers, and an answer's head. */
static void detach(struct client_session *session, CURLcode code)
{
    session->inside = true;
    curl_multi_remove_handle(session->multi, session->easy);
    session->inside = false;
    client_call_over(session, code);
}

/* Through with connecting: the connection stays, and is found by its easy handle as long as that is not removed. */
static bool is_greeted(struct client_session *session, CURLcode code)
{
    session->greeted = code == CURLE_OK && protocol_of(session)->talk && session->stage == CLIENT_LOGIN;
    session->hold.keeps = session->hold.keeps && !session->greeted;
    session->wanted = session->greeted ? 0 : session->wanted;
    return session->greeted;
}

static void see(struct client_session *session, CURLMcode result)
{
    CURLcode code = CURLE_OK;
    if (session->mute)
        client_session_fail(session, CLIENT_LOST, "", "the host takes no facts of the session now");
    else if (session->call && is_over(session, &code)) {
        if (is_greeted(session, code))
            protocol_of(session)->greeted(session);
        else
            detach(session, code);
    } else if (session->call && (session->starved || result != CURLM_OK))
        detach(session, CURLE_OUT_OF_MEMORY);
}

/* The pieces of a call leave together. What comes behind its last one (an alert) does not wait: what is kept then would be
 * taken for a part of the call. */
static bool gathers(const struct client_session *session)
{
    return session->stage == CLIENT_BUSY && session->call && !session->call->body_ended;
}

static CURLMcode act(struct client_session *session, curl_socket_t fd, int events)
{
    int running;
    session->inside = true;
    session->hold.gathers = gathers(session);
    CURLMcode result = curl_multi_socket_action(session->multi, fd, events, &running);
    session->inside = session->hold.gathers = false;
    flush(session);
    return result;
}

/* Something has been read from the socket that libcurl has not seen: no event will tell. */
static bool has_more(const struct client_session *session)
{
    return !session->client->freed && session->call && !session->call->stopped && session->ssl &&
           session->wanted & ACCORD_READABLE && hold_has_more(&session->hold);
}

void client_wire_run(struct client_session *session, curl_socket_t fd, int events)
{
    if (session->call && session->call->stopped)
        return; /* and ended soon */
    flush(session);
    CURLMcode result = act(session, fd, events);
    for (int i = 0; i < RUNS && result == CURLM_OK && has_more(session); i++)
        result = act(session, session->fd, CURL_CSELECT_IN);
    if (session->client->freed)
        return;
    keep_timer(session);
    if (has_more(session))
        set_timer(session, 0);
    client_wire_watch(session);
    see(session, result);
}

void client_wire_go_on(struct client_session *session)
{
    struct client_call *call = session->call;
    CURLcode code = CURLE_OK;
    if (session->stage != CLIENT_BUSY)
        return;
    if (session->greeted) {
        protocol_of(session)->talk(session, 0);
        return;
    }
    if (call->body_waits || call->answer_waits) {
        call->body_waits = call->answer_waits = false;
        call->moved = true; /* it was us who waited */
        session->inside = true;
        code = curl_easy_pause(session->easy, CURLPAUSE_CONT);
        session->inside = false;
    }
    if (session->client->freed)
        return;
    if (code != CURLE_OK)
        detach(session, code);
    else
        client_wire_run(session, CURL_SOCKET_TIMEOUT, 0);
}
