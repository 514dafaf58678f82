/* Requests, and what is told when they are over. */
#include <stdlib.h>

#include "http_private.h"

/* ---- life ---- */

struct http *http_new(const struct http_settings *settings)
{
    const struct client_settings set = {.protocol = &http_protocol,
                                        .instance = settings->instance,
                                        .host = settings->host,
                                        .name = settings->name,
                                        .port = settings->port,
                                        .trust = settings->trust,
                                        .certificate = settings->certificate,
                                        .key = settings->key,
                                        .passphrase = settings->passphrase,
                                        .pins = settings->pins,
                                        .connections = settings->connections,
                                        .connect = settings->connect,
                                        .silence = settings->silence,
                                        .whole = settings->whole,
                                        .idle_close = settings->idle_close,
                                        .certificate_until = settings->certificate_until,
                                        .arg = settings->arg};
    struct http *http = calloc(1, sizeof *http);
    if (!http || !client_init(&http->client, &set)) {
        free(http);
        return NULL;
    }
    http->head_limit = settings->head_limit;
    http->answer_limit = settings->answer_limit;
    return http;
}

void http_free(struct http *http)
{
    if (http)
        client_free(&http->client);
}

/* ---- requests ---- */

void http_finished(struct client_call *base, enum client_end end, const char *rule, const char *reason)
{
    static const enum http_end ends[] = {[CLIENT_DONE] = HTTP_ANSWERED,
                                         [CLIENT_LOST] = HTTP_LOST,
                                         [CLIENT_UNCERTAIN] = HTTP_UNCERTAIN,
                                         [CLIENT_REFUSED] = HTTP_REFUSED,
                                         [CLIENT_CANCELED] = HTTP_CANCELED};
    struct http_call *call = (struct http_call *)base;
    const struct http_result result = {.end = ends[end],
                                       .status = base->session ? http_status(base->session) : 0,
                                       .rule = rule,
                                       .reason = reason,
                                       .wait = end == CLIENT_DONE ? call->wait : 0};
    if (!base->client->freed)
        call->request->done(call->request->arg, &result);
    free(call);
}

struct http_call *http_begin(struct http *http, const struct http_request *request)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->request = request;
    if (client_begin(&http->client, &call->call))
        return call;
    free(call);
    return NULL;
}

void http_cancel(struct http_call *call, const char *reason)
{
    client_cancel(&call->call, reason);
}

void http_go_on(struct http_call *call)
{
    client_go_on(&call->call);
}

void http_tell_steps(struct http_call *call, http_step_fn step, void *arg)
{
    client_tell_steps(&call->call, step, arg);
}

void http_drop_idle(struct http *http)
{
    client_drop_idle(&http->client);
}

const char *http_header(const struct http_call *call, const char *name)
{
    struct curl_header *header;
    CURL *easy = call->call.session ? call->call.session->easy : NULL;
    if (!easy || curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    if (header->amount > 1 &&
        curl_easy_header(easy, name, header->amount - 1, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}
