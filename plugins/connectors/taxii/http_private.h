/* What the parts of the HTTP client share: http.c (requests, and what is told of their ends), http_call.c (one request:
 * what libcurl calls back, and what its end means). Connections and the order of requests: common/curl/client.h. */
#ifndef TAXII_HTTP_PRIVATE_H
#define TAXII_HTTP_PRIVATE_H

#include "common/curl/client.h"
#include "http.h"

struct http {
    struct client client; /* first */
    int64_t head_limit, answer_limit;
};

/* What its easy handle was told is told again only when it changes. */
struct http_session {
    struct client_session session; /* first */
    struct curl_slist *headers;    /* NULL: none yet */
    char *path;                    /* likewise */
};

struct http_call {
    struct client_call call; /* first */
    const struct http_request *request;
    int64_t given;   /* bytes of the body, to libcurl */
    int64_t encoded; /* bytes that these are on the wire (chunks) */
    int64_t head_size, answer_size;
    bool head_told;
    bool posted; /* libcurl has the whole body, and asks for none */
    bool says_when; /* there is a Retry-After */
    int64_t wait;   /* ms that the partner asked for */
};

/* http_call.c */
extern const struct client_protocol http_protocol;
long http_status(const struct client_session *); /* of the answer; 0: none */

/* http.c */
void http_finished(struct client_call *, enum client_end, const char *rule, const char *reason);

/* http_reason.c */
/* What it means, in a sentence that begins with the endpoint's name. */
void http_reason(const struct client_session *, CURLcode, char *to, size_t size);

#endif
