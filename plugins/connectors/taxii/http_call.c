/* One request and its answer: what libcurl calls back, and what its end means. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_headers.h"
#include "http_private.h"

/* Bytes at a time. TLS brings 16 KiB at most; what is sent should be several records at once. */
#define RECEIVE_BUFFER 32768L
#define SEND_BUFFER    131072L
/* Of a body that leaves with its head: so that both and what TLS adds have room in what `hold` gathers. */
#define WHOLE_MOST 49152

static struct http_call *call_of(const struct client_session *session)
{
    return (struct http_call *)session->call;
}

static const struct http *http_of(const struct http_call *call)
{
    return (const struct http *)call->call.client;
}

/* ---- the body ---- */

/* What on_body() counts; it is not called. */
static void take_whole(struct http_call *call)
{
    call->given = call->encoded = call->request->size;
    call->call.body_ended = true;
    call->call.session->hold.keeps = false;
    call->request->leaves(call->request->arg);
}

static void ready(struct client_call *base)
{
    struct http_call *call = (struct http_call *)base;
    call->request->ready(call->request->arg, base->session->handle);
    if (call->posted && !client_call_is_off(base))
        take_whole(call);
}

static int64_t chunk_size(int64_t bytes)
{
    char number[24];
    return bytes + snprintf(number, sizeof number, "%" PRIx64, (uint64_t)bytes) + 4;
}

/* Has libcurl been given all of it, and has all that left? */
static bool left(const struct client_call *base)
{
    curl_off_t sent = 0;
    const struct client_session *session = base->session;
    if (!session || !session->easy || session->hold.wrote == base->wrote || session->hold.kept_size)
        return false;
    if (curl_easy_getinfo(session->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK)
        return base->body_ended;
    return base->body_ended && sent >= ((const struct http_call *)base)->encoded;
}

static size_t stop(struct http_call *call, const char *reason)
{
    client_call_stop(&call->call, reason);
    return CURL_READFUNC_ABORT;
}

static size_t limited(struct http_call *call, const char *what, int64_t limit)
{
    client_call_give_up(&call->call, "%s: %s than %" PRId64 " bytes", call->call.client->set.name, what,
                        limit);
    return CURL_WRITEFUNC_ERROR;
}

static size_t no_answer(struct http_call *call)
{
    client_call_give_up(&call->call, "%s: what came is no answer of HTTP/1.1", call->call.client->set.name);
    return CURL_WRITEFUNC_ERROR;
}

static size_t too_short(struct http_call *call)
{
    client_call_give_up(&call->call, "the body ended after %" PRId64 " of %" PRId64 " bytes", call->given,
                        call->request->size);
    return CURL_READFUNC_ABORT;
}

static size_t on_body(char *to, size_t size, size_t count, void *arg)
{
    struct client_session *session = arg;
    struct http_call *call = call_of(session);
    const struct http_request *request = call->request;
    size_t room = size * count;
    if (client_call_is_off(&call->call))
        return CURL_READFUNC_ABORT;
    session->hold.keeps = false;
    call->call.body_waits = session->stage < CLIENT_BUSY;
    if (call->call.body_waits)
        return CURL_READFUNC_PAUSE;
    if (request->size >= 0 && (int64_t)room > request->size - call->given)
        room = (size_t)(request->size - call->given);
    ptrdiff_t got = room ? request->body(request->arg, (uint8_t *)to, room) : HTTP_END;
    if (client_call_is_off(&call->call))
        return CURL_READFUNC_ABORT;
    if (got == HTTP_END && call->given < request->size)
        return too_short(call);
    if (got < 0 && got != HTTP_END)
        return stop(call, "given up by its sender");
    call->call.body_waits = got == 0;
    if (got == 0)
        return CURL_READFUNC_PAUSE;
    call->call.moved = true;
    call->given += got > 0 ? got : 0;
    if (request->size < 0)
        call->encoded += chunk_size(got > 0 ? got : 0);
    else
        call->encoded = call->given;
    call->call.body_ended = got == HTTP_END || call->given == request->size;
    return got > 0 ? (size_t)got : 0;
}

/* ---- the answer ---- */

long http_status(const struct client_session *session)
{
    long status = 0;
    curl_easy_getinfo(session->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* libcurl would take the status line of any version. */
static bool is_version_1(const struct client_session *session)
{
    long version = 0;
    curl_easy_getinfo(session->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

static bool tell_head(struct http_call *call, long status)
{
    char text[64];
    call->head_told = true;
    if (call->call.step) {
        snprintf(text, sizeof text, "answers HTTP %ld", status);
        client_call_step(&call->call, "authenticate", ACCORD_OK, text);
    }
    if (call->request->head && call->request->head(call->request->arg, call, status) != 0 &&
        !call->call.stopped)
        stop(call, "its answer was not wanted");
    return !client_call_is_off(&call->call);
}

/* Also the heads that come before the answer's own (1xx), and what follows a chunked body: all count. */
static size_t on_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct client_session *session = arg;
    struct http_call *call = call_of(session);
    size *= count;
    if (client_call_is_off(&call->call))
        return CURL_WRITEFUNC_ERROR;
    call->call.moved = call->call.answered = true;
    call->head_size += (int64_t)size;
    if (call->head_size > http_of(call)->head_limit)
        return limited(call, "the head of the answer is larger", http_of(call)->head_limit);
    call->says_when = call->says_when || (size > 12 && strncasecmp(bytes, "Retry-After:", 12) == 0);
    bool ends = size <= 2 && (bytes[0] == '\r' || bytes[0] == '\n');
    long status = ends && !call->head_told ? http_status(session) : 0;
    if (status >= 200 && !is_version_1(session))
        return no_answer(call);
    return status >= 200 && !tell_head(call, status) ? CURL_WRITEFUNC_ERROR : size;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct client_session *session = arg;
    struct http_call *call = call_of(session);
    const struct http_request *request = call->request;
    size *= count;
    if (client_call_is_off(&call->call))
        return CURL_WRITEFUNC_ERROR;
    call->call.moved = true;
    if ((int64_t)size > http_of(call)->answer_limit - call->answer_size)
        return limited(call, "the answer is larger", http_of(call)->answer_limit);
    int result = request->answer(request->arg, (const uint8_t *)bytes, size);
    if (client_call_is_off(&call->call))
        return CURL_WRITEFUNC_ERROR;
    call->call.answer_waits = result == HTTP_PAUSE;
    if (result == HTTP_PAUSE)
        return CURL_WRITEFUNC_PAUSE;
    if (result != 0) {
        stop(call, "its answer was not wanted");
        return CURL_WRITEFUNC_ERROR;
    }
    call->answer_size += (int64_t)size;
    return size;
}

/* ---- the request ---- */

static bool add_header(struct http_session *own, const char *line)
{
    struct curl_slist *list = curl_slist_append(own->headers, line);
    if (list)
        own->headers = list;
    return list != NULL;
}

static bool add_headers(struct http_session *own, const struct http_request *request)
{
    char line[2048];
    for (size_t i = 0; i < request->header_count; i++) {
        const struct accord_pair *pair = &request->headers[i];
        if (strpbrk(pair->value, "\r\n"))
            return false;
        /* libcurl leaves out "Name:", and sends "Name;" as an empty one */
        int size = snprintf(line, sizeof line, *pair->value ? "%s: %s" : "%s;", pair->name, pair->value);
        if (size >= (int)sizeof line || !add_header(own, line))
            return false;
    }
    return add_header(own, "Expect:") &&
           (request->size >= 0 || add_header(own, "Transfer-Encoding: chunked"));
}

static bool is_header(const char *line, const struct accord_pair *pair)
{
    size_t size = strlen(pair->name);
    if (strncmp(line, pair->name, size) != 0)
        return false;
    line += size;
    return *pair->value ? strncmp(line, ": ", 2) == 0 && strcmp(line + 2, pair->value) == 0
                        : strcmp(line, ";") == 0;
}

/* Are these those that add_headers() would make? */
static bool are_headers(const struct curl_slist *list, const struct http_request *request)
{
    size_t i = 0;
    for (; list && i < request->header_count; i++, list = list->next)
        if (!is_header(list->data, &request->headers[i]))
            return false;
    return i == request->header_count && list && (list->next == NULL) == (request->size >= 0);
}

static bool set_headers(struct http_session *own, const struct http_request *request)
{
    if (are_headers(own->headers, request))
        return true;
    curl_easy_setopt(own->session.easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(own->headers);
    own->headers = NULL;
    return add_headers(own, request) &&
           curl_easy_setopt(own->session.easy, CURLOPT_HTTPHEADER, own->headers) == CURLE_OK;
}

static bool set_url(struct http_session *own, const char *path)
{
    const struct client_settings *set = &own->session.client->set;
    bool literal = strchr(set->name, ':') != NULL; /* IPv6 */
    char *url = NULL;
    if (own->path && strcmp(own->path, path) == 0)
        return true;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '#')
            return false;
    if (path[0] != '/' || asprintf(&url, "https://%s%s%s:%d%s", literal ? "[" : "", set->name,
                                   literal ? "]" : "", (int)set->port, path) < 0)
        return false;
    bool is_set = curl_easy_setopt(own->session.easy, CURLOPT_URL, url) == CURLE_OK;
    free(url);
    free(own->path);
    own->path = is_set ? strdup(path) : NULL; /* without it, it is set anew */
    return is_set;
}

/* In a session that may carry it, a body that is there goes into the records of the head, and libcurl asks for nothing. */
static bool set_body(struct http_session *own, struct http_call *call)
{
    const struct http_request *request = call->request;
    CURL *easy = own->session.easy;
    bool may = own->session.stage == CLIENT_BUSY && request->whole && request->size > 0 &&
               request->size <= WHOLE_MOST;
    const uint8_t *body = may ? request->whole(request->arg) : NULL;
    call->posted = body != NULL;
    return curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size) == CURLE_OK;
}

static bool setup(struct client_session *session)
{
    struct http_session *own = (struct http_session *)session;
    struct http_call *call = call_of(session);
    return set_headers(own, call->request) && set_url(own, call->request->path) && set_body(own, call);
}

static void closed(struct client_session *session)
{
    struct http_session *own = (struct http_session *)session;
    curl_slist_free_all(own->headers);
    free(own->path);
}

static bool open_session(struct client_session *session)
{
    const struct http *http = (const struct http *)session->client;
    CURL *easy = session->easy;
    return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "Accord") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)http->answer_limit) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READDATA, session) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, session) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, session) == CURLE_OK;
}

/* ---- its end ---- */

static bool again(const struct client_call *base)
{
    return ((const struct http_call *)base)->request->again;
}

static void reset(struct client_call *base)
{
    struct http_call *call = (struct http_call *)base;
    *call = (struct http_call){.call = *base, .request = call->request};
}

static void answered(const struct client_session *session, struct http_call *call)
{
    const struct client_settings *set = &session->client->set;
    bool wanted = call->head_told || tell_head(call, http_status(session));
    if (call->says_when)
        call->wait = http_retry_after(http_header(call, "Retry-After"), set->host->wall(set->instance));
    client_finish(&call->call, wanted ? CLIENT_DONE : CLIENT_CANCELED, "", wanted ? "" : call->call.reason);
}

static void broken(const struct client_session *session, struct http_call *call, CURLcode code)
{
    struct tls_problem problem = {.park = false};
    enum client_end end = client_call_left(&call->call) ? CLIENT_UNCERTAIN : CLIENT_LOST;
    char text[ACCORD_REASON_MAX];
    if (call->call.over) {
        snprintf(problem.reason, sizeof problem.reason, "%s", call->call.reason);
    } else {
        http_reason(session, code, text, sizeof text);
        client_explain(session, text, &problem);
        if (problem.park)
            end = CLIENT_REFUSED;
    }
    if (!call->head_told)
        client_call_step(&call->call, session->stage < CLIENT_JUDGED ? "tls" : "authenticate", ACCORD_ENET,
                         problem.reason);
    client_finish(&call->call, end, problem.rule, problem.reason);
}

static void over(struct client_session *session, struct client_call *call, CURLcode code)
{
    if (code == CURLE_OK)
        answered(session, (struct http_call *)call);
    else
        broken(session, (struct http_call *)call, code);
}

const struct client_protocol http_protocol = {
    .schemes = "https",
    .session_size = sizeof(struct http_session),
    .open = open_session,
    .setup = setup,
    .ready = ready,
    .left = left,
    .again = again,
    .reset = reset,
    .over = over,
    .closed = closed,
    .finished = http_finished,
};
