/* A session's bytes: what libcurl hears while it connects, and what is said and heard after that. */
#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (64 * 1024)

struct link *smtp_link(const struct client_session *session)
{
    return session->client->set.arg;
}

static struct conversation *talk_of(const struct client_session *session)
{
    return (struct conversation *)session->call;
}

/* ---- what is heard ---- */

static void hear(struct smtp_session *smtp)
{
    smtp->code = smtp->replies.code;
    replies_say(&smtp->replies, smtp->said, sizeof smtp->said);
    if (smtp->session.call)
        smtp->session.call->moved = smtp->session.call->answered = true;
}

static void heard_nonsense(struct smtp_session *smtp)
{
    struct client_session *session = &smtp->session;
    session->retired = true;
    if (session->call && !session->call->over)
        client_call_give_up(session->call, "%s: what came is no reply of a mail server",
                            session->client->set.name);
}

/* While libcurl connects: line by line. What a server says that it can counts only from inside of TLS (response
 * injection, CVE-2021-22947). */
static size_t on_line(char *bytes, size_t size, size_t count, void *arg)
{
    struct smtp_session *smtp = arg;
    const char *at = bytes;
    size_t left = size * count;
    int result;
    if (client_call_is_off(smtp->session.call))
        return CURL_WRITEFUNC_ERROR;
    while ((result = replies_next(&smtp->replies, &at, &left)) > 0) {
        hear(smtp);
        smtp->session.call->answered = false; /* nothing was asked yet */
        smtp->greetings++;
        if (smtp->session.stage >= CLIENT_LOGIN && smtp->code == 250)
            capabilities_read(&smtp->can, &smtp->replies);
    }
    if (result < 0) {
        heard_nonsense(smtp);
        return CURL_WRITEFUNC_ERROR;
    }
    return size * count;
}

enum heard { HEARD_ALL, HEARD_LAST, HEARD_ENOUGH };

/* 421 as the first word to a call, on a session that had been idle: it was being closed meanwhile. */
static bool was_closing(const struct smtp_session *smtp, bool answered)
{
    return smtp->code == 421 && smtp->session.used && !answered;
}

static enum heard take(struct smtp_session *smtp, const char *at, size_t size)
{
    struct client_session *session = &smtp->session;
    int result;
    while ((result = replies_next(&smtp->replies, &at, &size)) > 0) {
        bool answered = session->call->answered;
        hear(smtp);
        if (session->stage == CLIENT_LOGIN) {
            if (!smtp_login_replied(smtp))
                return HEARD_ENOUGH;
            continue;
        }
        if (was_closing(smtp, answered)) {
            session->call->answered = false;
            return HEARD_LAST;
        }
        talk_of(session)->table->replied(talk_of(session), smtp);
        if (talk_of(session)->over) {
            talk_of(session)->broken |= size > 0; /* more than was asked for */
            return HEARD_ALL;
        }
    }
    if (result == 0)
        return HEARD_ALL;
    heard_nonsense(smtp);
    return HEARD_LAST;
}

/* HEARD_LAST: the connection is gone, or of no use. HEARD_ENOUGH: the session has gone on, or is gone itself. */
static enum heard listen_to(struct smtp_session *smtp)
{
    struct client_session *session = &smtp->session;
    char piece[16384];
    size_t got = 0;
    for (;;) {
        CURLcode code = curl_easy_recv(session->easy, piece, sizeof piece, &got);
        if (code == CURLE_AGAIN)
            return HEARD_ALL;
        if (code != CURLE_OK || got == 0)
            return HEARD_LAST;
        enum heard heard = take(smtp, piece, got);
        if (heard != HEARD_ALL || talk_of(session)->over)
            return heard;
    }
}

/* ---- what is said ---- */

void smtp_say(struct smtp_session *smtp, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_print_list(&smtp->out, format, args);
    va_end(args);
}

/* False: it cannot be. */
static bool send_out(struct smtp_session *smtp)
{
    struct text *out = &smtp->out;
    CURLcode code = out->failed ? CURLE_OUT_OF_MEMORY : CURLE_OK;
    while (code == CURLE_OK && smtp->sent < out->size) {
        size_t more = out->size - smtp->sent, sent = 0;
        code =
            curl_easy_send(smtp->session.easy, out->bytes + smtp->sent, more < PIECE ? more : PIECE, &sent);
        smtp->sent += sent;
        if (sent && smtp->session.call)
            smtp->session.call->moved = true;
    }
    if (smtp->sent == out->size && out->size) {
        explicit_bzero(out->bytes, out->size); /* it may have been a password */
        out->size = smtp->sent = 0;
    }
    return code == CURLE_OK || code == CURLE_AGAIN;
}

static bool send_all(struct smtp_session *smtp)
{
    struct conversation *talk = talk_of(&smtp->session);
    bool sent = send_out(smtp);
    while (sent && !smtp->out.size && talk && !talk->over && smtp->session.stage == CLIENT_BUSY) {
        talk->table->drained(talk, smtp);
        if (!smtp->out.size)
            break;
        sent = send_out(smtp);
    }
    return sent;
}

/* ---- both ---- */

void smtp_talk(struct client_session *session, uint32_t events)
{
    struct smtp_session *smtp = (struct smtp_session *)session;
    struct conversation *talk = talk_of(session);
    enum heard heard = HEARD_ALL;
    if (!talk || talk->call.stopped || session->stage == CLIENT_KNOWN)
        return; /* and ended soon; or there is nothing to say yet */
    /* A server that refuses and closes has said why: that is read first. */
    if (events & ACCORD_READABLE)
        heard = listen_to(smtp);
    if (heard == HEARD_ALL && !talk->over && !send_all(smtp))
        heard = listen_to(smtp) == HEARD_ENOUGH ? HEARD_ENOUGH : HEARD_LAST;
    if (heard == HEARD_ENOUGH)
        return;
    if (heard == HEARD_LAST || talk->over) {
        session->retired = session->retired || heard == HEARD_LAST || talk->broken;
        client_call_over(session, talk->over ? CURLE_OK : CURLE_RECV_ERROR);
        return;
    }
    session->wanted = ACCORD_READABLE | (smtp->out.size ? ACCORD_WRITABLE : 0);
    client_wire_watch(session);
}

/* ---- the connection ---- */

static const char *helo_of(const struct link *link)
{
    const struct service_options *first =
        link->setup->service_count ? link->setup->services[0]->options : NULL;
    return link->options->helo ? link->options->helo : first ? smtp_domain(first->from) : "localhost";
}

static bool set_url(struct client_session *session)
{
    const struct client_settings *set = &session->client->set;
    const struct link *link = smtp_link(session);
    bool literal = strchr(set->name, ':') != NULL; /* IPv6 */
    char *url = NULL;
    if (asprintf(&url, "%s://%s%s%s:%d/%s", link->options->tls_kind == TLS_IMPLICIT ? "smtps" : "smtp",
                 literal ? "[" : "", set->name, literal ? "]" : "", (int)set->port, helo_of(link)) < 0)
        return false;
    bool is_set = curl_easy_setopt(session->easy, CURLOPT_URL, url) == CURLE_OK;
    free(url);
    return is_set;
}

static bool open_session(struct client_session *session)
{
    CURL *easy = session->easy;
    return set_url(session) && curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, 7200L) == CURLE_OK && /* ours is earlier */
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, session) == CURLE_OK;
}

static bool setup(struct client_session *session)
{
    (void)session;
    return true;
}

/* Nobody waits for the answer. */
static void parting(struct client_session *session)
{
    struct smtp_session *smtp = (struct smtp_session *)session;
    if (!session->greeted || session->fd < 0 || smtp->out.size)
        return;
    smtp_say(smtp, "QUIT\r\n");
    send_out(smtp);
}

static void closed(struct client_session *session)
{
    struct smtp_session *smtp = (struct smtp_session *)session;
    smtp_forget(smtp);
    text_wipe(&smtp->out);
}

/* ---- a conversation, as a call of the client's ---- */

static void ready(struct client_call *call)
{
    struct conversation *talk = (struct conversation *)call;
    talk->table->begin(talk, (struct smtp_session *)call->session);
}

static bool left(const struct client_call *call)
{
    const struct conversation *talk = (const struct conversation *)call;
    return talk->table->left(talk);
}

/* Until a reply has come nothing has happened that matters. */
static bool again(const struct client_call *call)
{
    (void)call;
    return true;
}

static void reset(struct client_call *call)
{
    struct conversation *talk = (struct conversation *)call;
    talk->over = talk->broken = false;
    talk->table->reset(talk);
}

/* Why libcurl did not get as far as the login. */
static void explain_connecting(const struct smtp_session *smtp, CURLcode code, struct tls_problem *problem)
{
    const struct client_session *session = &smtp->session;
    const char *name = session->client->set.name;
    bool refused = smtp->code >= 400;
    char text[ACCORD_REASON_MAX];
    if (session->stage >= CLIENT_JUDGED && refused)
        snprintf(problem->reason, sizeof problem->reason, "%.200s answers EHLO with %.250s", name,
                 smtp->said);
    else if (session->stage < CLIENT_JUDGED && code == CURLE_USE_SSL_FAILED && smtp->code != 454) {
        problem->park = true;
        snprintf(problem->rule, sizeof problem->rule, "smtp.starttls");
        snprintf(
            problem->reason, sizeof problem->reason,
            "%.150s %s (%.180s): nothing was sent. Ask the partner, and whether something between removes it",
            name, refused ? "refuses STARTTLS" : "does not offer STARTTLS", smtp->said);
    } else if (session->stage < CLIENT_JUDGED && code == CURLE_WEIRD_SERVER_REPLY && smtp->greetings >= 3) {
        snprintf(problem->rule, sizeof problem->rule, "smtp.injected");
        snprintf(
            problem->reason, sizeof problem->reason,
            "%.200s: more came behind the answer to STARTTLS, in the clear: somebody between may have put it "
            "there. Nothing was sent",
            name);
    } else if (refused && session->stage < CLIENT_JUDGED)
        snprintf(problem->reason, sizeof problem->reason, "%.200s answers %.250s", name, smtp->said);
    else {
        snprintf(text, sizeof text, "%s: %s", name,
                 code == CURLE_COULDNT_CONNECT || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING
                     ? "the partner closed the connection before it let us in"
                 : *session->said ? session->said
                                  : curl_easy_strerror(code));
        client_explain(session, text, problem);
    }
}

static const char *step_of(const struct client_session *session)
{
    return session->stage < CLIENT_JUDGED ? "tls" : "authenticate";
}

static void broken(struct client_session *session, struct conversation *talk, CURLcode code)
{
    const struct smtp_session *smtp = (const struct smtp_session *)session;
    struct tls_problem problem = {.park = false};
    enum client_end end = talk->table->left(talk) ? CLIENT_UNCERTAIN : CLIENT_LOST;
    if (talk->call.over)
        snprintf(problem.reason, sizeof problem.reason, "%s", talk->call.reason);
    else if (!session->greeted)
        explain_connecting(smtp, code, &problem);
    else if (smtp->code >= 400 && end == CLIENT_LOST)
        snprintf(problem.reason, sizeof problem.reason, "%.150s closed the connection and said %.300s",
                 session->client->set.name, smtp->said);
    else
        client_explain(session, "the connection broke", &problem);
    if (problem.park)
        end = CLIENT_REFUSED;
    if (session->stage < CLIENT_BUSY)
        client_call_step(&talk->call, step_of(session), ACCORD_ENET, problem.reason);
    client_finish(&talk->call, end, problem.rule, problem.reason);
}

static void over(struct client_session *session, struct client_call *call, CURLcode code)
{
    if (code == CURLE_OK)
        client_finish(call, CLIENT_DONE, "", "");
    else
        broken(session, (struct conversation *)call, code);
}

static void finished(struct client_call *call, enum client_end end, const char *rule, const char *reason)
{
    struct conversation *talk = (struct conversation *)call;
    talk->table->ended(talk, end, rule, reason, call->client->freed);
}

const struct client_protocol smtp_protocol = {
    .schemes = "smtp,smtps",
    .session_size = sizeof(struct smtp_session),
    .open = open_session,
    .setup = setup,
    .ready = ready,
    .left = left,
    .again = again,
    .reset = reset,
    .over = over,
    .talk = smtp_talk,
    .greeted = smtp_greeted,
    .parting = parting,
    .closed = closed,
    .finished = finished,
};
