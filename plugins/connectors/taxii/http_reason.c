/* libcurl's results as sentences for an operator. */
#include <stdio.h>

#include "http_private.h"

static const struct {
    CURLcode code;
    const char *text;
    bool said; /* libcurl's own words say more */
} reasons[] = {
    {CURLE_COULDNT_CONNECT, "the partner closed the connection and answered nothing", false},
    {CURLE_GOT_NOTHING, "the partner closed the connection and answered nothing", false},
    {CURLE_PARTIAL_FILE,
     "the answer ends before its end: the partner or something between closed the connection", true},
    {CURLE_RECV_ERROR, "the connection broke, or what came over it is no answer of HTTP/1.1", true},
    {CURLE_SEND_ERROR, "the connection broke while the request was sent", true},
    {CURLE_SEND_FAIL_REWIND,
     "the partner closed the connection while the request was sent, and answered nothing", false},
    {CURLE_WEIRD_SERVER_REPLY, "what came is no answer of HTTP/1.1", true},
    {CURLE_UNSUPPORTED_PROTOCOL, "what came is no answer of HTTP/1.1", true},
    {CURLE_HTTP2, "what came is no answer of HTTP/1.1", true},
    {CURLE_BAD_CONTENT_ENCODING,
     "the answer's compression (Content-Encoding) is damaged, or was not asked for", true},
    {CURLE_FILESIZE_EXCEEDED, "the answer announces more bytes than the link's answer-limit", false},
    {CURLE_OPERATION_TIMEDOUT, "the partner took too long", true},
    {CURLE_OUT_OF_MEMORY, "out of memory, or the answer's head is too large for libcurl", false},
};
#define REASONS (sizeof reasons / sizeof *reasons)

void http_reason(const struct client_session *session, CURLcode code, char *to, size_t size)
{
    const char *name = session->client->set.name, *said = session->said;
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i].code == code) {
            bool more = reasons[i].said && *said;
            snprintf(to, size, "%s: %s%s%s%s", name, reasons[i].text, more ? " (" : "", more ? said : "",
                     more ? ")" : "");
            return;
        }
    snprintf(to, size, "%s: %s", name, *said ? said : curl_easy_strerror(code));
}
