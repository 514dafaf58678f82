/* One request and its answer: what libcurl calls back, deadlines, and what its end means. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_headers.h"
#include "http_private.h"

static int64_t ticks(const struct http *http)
{
    return http->set.host->ticks(http->set.instance);
}

void http_call_step(struct http_call *call, const char *step, int result, const char *text)
{
    if (call && call->step && !call->stopped)
        call->step(call->step_arg, step, result, text);
}

/* ---- deadlines ---- */

/* What it waits for; NULL: for its own side. */
static const char *awaited(const struct http_call *call)
{
    static const char *const waits[] = {
        [HTTP_DIALLING] = "a connection",
        [HTTP_SECRETS] = "the secrets",
        [HTTP_SHAKING] = "the TLS handshake",
        [HTTP_JUDGED] = "the verdict on the handshake",
        [HTTP_KNOWN] = "the verdict on the authenticated session",
    };
    enum http_stage stage = call->session->stage;
    if (stage < HTTP_BUSY)
        return waits[stage];
    if (call->answer_waits || call->body_waits)
        return NULL;
    return call->answered ? "the rest of the answer" : "an answer";
}

/* Milliseconds until something is overdue: not above 0 when it is. `limit`: which. */
static int64_t time_left(struct http_call *call, int64_t *limit)
{
    const struct http_settings *set = &call->http->set;
    int64_t now = ticks(call->http), left;
    bool busy = call->session->stage >= HTTP_BUSY;
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

static void overdue(struct http_call *call, int64_t limit)
{
    char text[ACCORD_REASON_MAX];
    const char *what = awaited(call);
    struct http_session *session = call->session;
    snprintf(text, sizeof text, "%s: waited %" PRId64 " s in vain for %s", call->http->set.name,
             (limit + 999) / 1000, what ? what : "the request to be over");
    if (session->stage < HTTP_BUSY)
        http_call_step(call, session->stage == HTTP_DIALLING ? "connect" : "tls", ACCORD_ETIMEOUT, text);
    else if (!call->answered)
        http_call_step(call, "authenticate", ACCORD_ETIMEOUT, text);
    http_session_fail(session, http_call_left(call) ? HTTP_UNCERTAIN : HTTP_LOST, "", text);
}

static void on_deadline(void *arg)
{
    struct http_call *call = arg;
    struct http *http = call->http;
    int64_t limit, left = time_left(call, &limit);
    call->deadline = NULL;
    http_enter(http);
    if (left > 0)
        call->deadline = http_timer(http, left, on_deadline, call);
    if (!call->deadline && !call->stopped)
        overdue(call, limit);
    http_leave(http);
}

void http_call_attend(struct http_call *call)
{
    int64_t limit;
    if (!call->began)
        call->began = ticks(call->http);
    call->heard = ticks(call->http);
    if (!call->deadline)
        call->deadline = http_timer(call->http, time_left(call, &limit), on_deadline, call);
}

void http_call_rest(struct http_call *call)
{
    if (call->deadline)
        call->http->set.host->timer_stop(call->deadline);
    call->deadline = NULL;
}

/* ---- the body ---- */

void http_call_ready(struct http_call *call)
{
    call->readied = true;
    call->moved = true;
    if (!call->stopped)
        call->request->ready(call->request->arg, call->session->handle);
}

static int64_t chunk_size(int64_t bytes)
{
    char number[24];
    return bytes + snprintf(number, sizeof number, "%" PRIx64, (uint64_t)bytes) + 4;
}

/* Has libcurl been given all of it, and has all that left? */
bool http_call_left(const struct http_call *call)
{
    curl_off_t sent = 0;
    const struct http_session *session = call->session;
    if (call->left || !session || !session->easy || session->hold.wrote == call->wrote)
        return call->left;
    if (curl_easy_getinfo(session->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK)
        return call->body_ended;
    return call->body_ended && sent >= call->encoded;
}

static size_t stop(struct http_call *call, const char *reason)
{
    call->stopped = true;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
    return CURL_READFUNC_ABORT;
}

static size_t limited(struct http_call *call, const char *what, int64_t limit)
{
    call->over = true;
    snprintf(call->reason, sizeof call->reason, "%s: %s than %" PRId64 " bytes", call->http->set.name, what,
             limit);
    return CURL_WRITEFUNC_ERROR;
}

static size_t no_answer(struct http_call *call)
{
    call->over = true;
    snprintf(call->reason, sizeof call->reason, "%s: what came is no answer of HTTP/1.1",
             call->http->set.name);
    return CURL_WRITEFUNC_ERROR;
}

static size_t too_short(struct http_call *call)
{
    call->over = true;
    snprintf(call->reason, sizeof call->reason, "the body ended after %" PRId64 " of %" PRId64 " bytes",
             call->given, call->request->size);
    return CURL_READFUNC_ABORT;
}

static size_t on_body(char *to, size_t size, size_t count, void *arg)
{
    struct http_session *session = arg;
    struct http_call *call = session->call;
    const struct http_request *request = call->request;
    size_t room = size * count;
    if (call->stopped || session->http->freed)
        return CURL_READFUNC_ABORT;
    session->hold.keeps = false;
    call->body_waits = session->stage < HTTP_BUSY;
    if (call->body_waits)
        return CURL_READFUNC_PAUSE;
    if (request->size >= 0 && (int64_t)room > request->size - call->given)
        room = (size_t)(request->size - call->given);
    ptrdiff_t got = room ? request->body(request->arg, (uint8_t *)to, room) : HTTP_END;
    if (call->stopped || session->http->freed)
        return CURL_READFUNC_ABORT;
    if (got == HTTP_END && call->given < request->size)
        return too_short(call);
    if (got < 0 && got != HTTP_END)
        return stop(call, "given up by its sender");
    call->body_waits = got == 0;
    if (got == 0)
        return CURL_READFUNC_PAUSE;
    call->moved = true;
    call->given += got > 0 ? got : 0;
    if (request->size < 0)
        call->encoded += chunk_size(got > 0 ? got : 0);
    else
        call->encoded = call->given;
    call->body_ended = got == HTTP_END || call->given == request->size;
    return got > 0 ? (size_t)got : 0;
}

/* ---- the answer ---- */

static long status_of(const struct http_session *session)
{
    long status = 0;
    curl_easy_getinfo(session->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* libcurl would take the status line of any version. */
static bool is_version_1(const struct http_session *session)
{
    long version = 0;
    curl_easy_getinfo(session->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

static bool tell_head(struct http_call *call, long status)
{
    char text[64];
    call->head_told = true;
    snprintf(text, sizeof text, "answers HTTP %ld", status);
    http_call_step(call, "authenticate", ACCORD_OK, text);
    if (call->request->head && call->request->head(call->request->arg, call, status) != 0 && !call->stopped)
        stop(call, "its answer was not wanted");
    return !call->stopped && !call->http->freed;
}

/* Also the heads that come before the answer's own (1xx), and what follows a chunked body: all count. */
static size_t on_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_session *session = arg;
    struct http_call *call = session->call;
    size *= count;
    if (call->stopped || session->http->freed)
        return CURL_WRITEFUNC_ERROR;
    call->moved = call->answered = true;
    call->head_size += (int64_t)size;
    if (call->head_size > session->http->set.head_limit)
        return limited(call, "the head of the answer is larger", session->http->set.head_limit);
    bool ends = size <= 2 && (bytes[0] == '\r' || bytes[0] == '\n');
    long status = ends && !call->head_told ? status_of(session) : 0;
    if (status >= 200 && !is_version_1(session))
        return no_answer(call);
    return status >= 200 && !tell_head(call, status) ? CURL_WRITEFUNC_ERROR : size;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_session *session = arg;
    struct http_call *call = session->call;
    const struct http_request *request = call->request;
    size *= count;
    if (call->stopped || session->http->freed)
        return CURL_WRITEFUNC_ERROR;
    call->moved = true;
    if ((int64_t)size > session->http->set.answer_limit - call->answer_size)
        return limited(call, "the answer is larger", session->http->set.answer_limit);
    int result = request->answer(request->arg, (const uint8_t *)bytes, size);
    if (call->stopped || session->http->freed)
        return CURL_WRITEFUNC_ERROR;
    call->answer_waits = result == HTTP_PAUSE;
    if (result == HTTP_PAUSE)
        return CURL_WRITEFUNC_PAUSE;
    if (result != 0) {
        stop(call, "its answer was not wanted");
        return CURL_WRITEFUNC_ERROR;
    }
    call->answer_size += (int64_t)size;
    return size;
}

void http_call_callbacks(struct http_session *session)
{
    CURL *easy = session->easy;
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, session);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, session);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, session);
}

/* ---- the request ---- */

static bool add_header(struct http_call *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->headers, line);
    if (list)
        call->headers = list;
    return list != NULL;
}

static bool add_headers(struct http_call *call)
{
    const struct http_request *request = call->request;
    char line[2048];
    for (size_t i = 0; i < request->header_count; i++) {
        const struct accord_pair *pair = &request->headers[i];
        if (strpbrk(pair->value, "\r\n"))
            return false;
        /* libcurl leaves out "Name:", and sends "Name;" as an empty one */
        int size = snprintf(line, sizeof line, *pair->value ? "%s: %s" : "%s;", pair->name, pair->value);
        if (size >= (int)sizeof line || !add_header(call, line))
            return false;
    }
    return add_header(call, "Expect:") &&
           (request->size >= 0 || add_header(call, "Transfer-Encoding: chunked"));
}

static bool set_url(struct http_session *session)
{
    const struct http_settings *set = &session->http->set;
    const char *path = session->call->request->path;
    bool literal = strchr(set->name, ':') != NULL; /* IPv6 */
    char *url = NULL;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '#')
            return false;
    if (path[0] != '/' || asprintf(&url, "https://%s%s%s:%d%s", literal ? "[" : "", set->name,
                                   literal ? "]" : "", (int)set->port, path) < 0)
        return false;
    bool is_set = curl_easy_setopt(session->easy, CURLOPT_URL, url) == CURLE_OK;
    free(url);
    return is_set;
}

bool http_call_setup(struct http_session *session)
{
    struct http_call *call = session->call;
    CURL *easy = session->easy;
    return (call->headers || add_headers(call)) && set_url(session) &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->request->size) == CURLE_OK;
}

void http_call_reset(struct http_call *call)
{
    struct http_call kept = *call;
    *call = (struct http_call){.http = kept.http,
                               .request = kept.request,
                               .headers = kept.headers,
                               .began = kept.began,
                               .fresh_only = true,
                               .step = kept.step,
                               .step_arg = kept.step_arg};
}

/* ---- its end ---- */

/* A reused connection that was dead all the time: nobody has seen the request, or it does not matter. */
static bool begins_anew(const struct http_session *session, const struct http_call *call)
{
    return session->used && !call->answered && !call->stopped && !call->over &&
           (!call->readied || call->request->again) && !tls_refused_us(session->tls);
}

static void begin_anew(struct http_session *session, struct http_call *call)
{
    http_call_rest(call);
    session->call = NULL;
    http_call_reset(call);
    http_session_close(session, "closed by the partner");
    http_requeue(call);
}

static void explain(struct http_session *session, CURLcode code, struct tls_problem *problem)
{
    char text[ACCORD_REASON_MAX];
    http_reason(session, code, text, sizeof text);
    if (session->problem.reason[0])
        *problem = session->problem;
    else if (session->stage < HTTP_BUSY || tls_refused_us(session->tls))
        tls_explain(session->tls, text, problem);
    else
        snprintf(problem->reason, sizeof problem->reason, "%s", text);
}

static void answered(struct http_session *session, struct http_call *call)
{
    long status = status_of(session);
    if (!call->head_told && !tell_head(call, status)) {
        if (!call->http->freed)
            http_finish(call, HTTP_CANCELED, "", call->reason, status, 0);
        return;
    }
    const struct http_settings *set = &call->http->set;
    http_finish(call, HTTP_ANSWERED, "", "", status,
                http_retry_after(http_header(call, "Retry-After"), set->host->wall(set->instance)));
}

static void broken(struct http_session *session, struct http_call *call, CURLcode code)
{
    struct tls_problem problem = {.park = false};
    enum http_end end = http_call_left(call) ? HTTP_UNCERTAIN : HTTP_LOST;
    long status = status_of(session);
    if (call->over) {
        snprintf(problem.reason, sizeof problem.reason, "%s", call->reason);
    } else {
        explain(session, code, &problem);
        if (problem.park)
            end = HTTP_REFUSED;
    }
    if (!call->head_told)
        http_call_step(call, session->stage < HTTP_JUDGED ? "tls" : "authenticate", ACCORD_ENET,
                       problem.reason);
    http_finish(call, end, problem.rule, problem.reason, status, 0);
}

void http_call_over(struct http_session *session, CURLcode code)
{
    struct http *http = session->http;
    struct http_call *call = session->call;
    if (code != CURLE_OK && begins_anew(session, call)) {
        begin_anew(session, call);
        return;
    }
    session->call = NULL;
    if (code != CURLE_OK || call->stopped)
        session->retired = true;
    if (call->stopped)
        http_finish(call, HTTP_CANCELED, "", call->reason, status_of(session), 0);
    else if (code == CURLE_OK)
        answered(session, call);
    else
        broken(session, call, code);
    if (http->freed)
        return;
    if (session->stage >= HTTP_BUSY)
        session->stage = HTTP_OVER;
    http_session_rest(session);
}
