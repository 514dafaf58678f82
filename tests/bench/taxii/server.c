/* A TAXII 1.1 server for measuring: mutual TLS, a thread for each connection, nothing kept but what the figures need. It takes
 * every inbox message, and gives the blocks of a file once, in one part. Faults and manners: sdk/rehearsal/taxii_partner.py.
 *
 *     taxii-bench-server CERTIFICATE KEY TRUST [BLOCKS]
 *
 * Prints its port. For each line of its standard input it prints "POSTS DIFFERENT LAST POLL FIRST": inbox messages, those
 * with message ids of their own (0 unless the line is "different": it takes a while, in which nothing is served), when the
 * last of them had come, when the first poll had come, when the first inbox message had (seconds since 1970; 0: not yet). It
 * ends with its standard input.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX  16384
#define START_MAX 2048 /* of a body: holds the root element and, in a poll, the times */
#define PIECE     262144
#define SPACE     "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"

static SSL_CTX *context;
static int port;
static const char *blocks;
static size_t blocks_size;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *ids;
static size_t posts, room;
static unsigned polls;
static double first_post, last_post, first_poll;

struct connection {
    SSL *ssl;
    char buffer[HEAD_MAX + 1];
    size_t have; /* in the buffer */
    char start[START_MAX + 1];
    char answer[16384];
};

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "taxii-bench-server: %s failed\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- reading ---- */

/* The head, NUL behind it; what follows it stays in the buffer. NULL: the connection is over. */
static char *read_head(struct connection *c, size_t *head_size)
{
    for (;;) {
        c->buffer[c->have] = 0;
        char *end = strstr(c->buffer, "\r\n\r\n");
        if (end) {
            *head_size = (size_t)(end + 4 - c->buffer);
            return c->buffer;
        }
        int got = c->have < HEAD_MAX ? SSL_read(c->ssl, c->buffer + c->have, (int)(HEAD_MAX - c->have)) : 0;
        if (got <= 0)
            return NULL;
        c->have += (size_t)got;
    }
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    need(at != NULL, "a request with a size");
    return strtoul(at + 17, NULL, 10);
}

/* Reads the body and forgets it, but for its start. */
static bool read_body(struct connection *c, size_t head_size, size_t size)
{
    char piece[32768];
    size_t kept = 0, got = c->have - head_size;
    if (got > size)
        got = size;
    kept = got < START_MAX ? got : START_MAX;
    memcpy(c->start, c->buffer + head_size, kept);
    c->have -= head_size + got;
    memmove(c->buffer, c->buffer + head_size + got, c->have);
    while (got < size) {
        size_t most = size - got < sizeof piece ? size - got : sizeof piece;
        int n = SSL_read(c->ssl, piece, (int)most);
        if (n <= 0)
            return false;
        size_t keep = START_MAX - kept < (size_t)n ? START_MAX - kept : (size_t)n;
        memcpy(c->start + kept, piece, keep);
        kept += keep;
        got += (size_t)n;
    }
    c->start[kept] = 0;
    return true;
}

/* What stands between `before` and the next `until`, in the start of the body. */
static const char *between(const struct connection *c, const char *before, char until, char *to,
                           size_t to_size)
{
    const char *at = strstr(c->start, before), *end = at ? strchr(at + strlen(before), until) : NULL;
    *to = 0;
    if (end)
        snprintf(to, to_size, "%.*s", (int)(end - at - (ptrdiff_t)strlen(before)), at + strlen(before));
    return to;
}

/* ---- answering ---- */

static bool send_all(struct connection *c, const char *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        size_t most = size - sent < PIECE ? size - sent : PIECE;
        int n = SSL_write(c->ssl, bytes + sent, (int)most);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static bool answer(struct connection *c, const char *text, size_t more, const char *end)
{
    int n = snprintf(c->answer, sizeof c->answer,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n"
                     "X-TAXII-Content-Type: urn:taxii.mitre.org:message:xml:1.1\r\n"
                     "X-TAXII-Protocol: urn:taxii.mitre.org:protocol:https:1.0\r\n"
                     "X-TAXII-Services: urn:taxii.mitre.org:services:1.1\r\n\r\n%s%s",
                     strlen(text) + more + strlen(end), text, more ? "" : end);
    need(n < (int)sizeof c->answer, "a short answer");
    return send_all(c, c->answer, (size_t)n) &&
           (!more || (send_all(c, blocks, more) && send_all(c, end, strlen(end))));
}

static void count_post(const char *id)
{
    uint64_t hash = 1469598103934665603u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    pthread_mutex_lock(&lock);
    if (posts == room) {
        room = room ? 2 * room : 4096;
        ids = realloc(ids, room * sizeof *ids);
        need(ids != NULL, "memory");
    }
    ids[posts++] = hash;
    last_post = now();
    first_post = first_post > 0 ? first_post : last_post;
    pthread_mutex_unlock(&lock);
}

static bool answer_inbox(struct connection *c, const char *id)
{
    char text[1024];
    count_post(id);
    snprintf(text, sizeof text,
             "<t:Status_Message xmlns:t=\"" SPACE
             "\" message_id=\"1\" in_response_to=\"%s\" status_type=\"SUCCESS\"/>",
             id);
    return answer(c, text, 0, "");
}

static bool answer_poll(struct connection *c, const char *id)
{
    char text[2048], name[256], begin[64], end[64];
    bool first;
    between(c, "collection_name=\"", '"', name, sizeof name);
    between(c, "Exclusive_Begin_Timestamp>", '<', begin, sizeof begin);
    between(c, "Inclusive_End_Timestamp>", '<', end, sizeof end);
    pthread_mutex_lock(&lock);
    first = polls++ == 0;
    if (first)
        first_poll = now();
    pthread_mutex_unlock(&lock);
    snprintf(text, sizeof text,
             "<t:Poll_Response xmlns:t=\"" SPACE
             "\" message_id=\"1\" in_response_to=\"%s\" collection_name=\"%s\" "
             "more=\"false\" "
             "result_part_number=\"1\"><t:Exclusive_Begin_Timestamp>%s</t:Exclusive_Begin_Timestamp>"
             "<t:Inclusive_End_Timestamp>%s</t:Inclusive_End_Timestamp>",
             id, name, begin, end);
    return answer(c, text, first ? blocks_size : 0, "</t:Poll_Response>");
}

#define BINDINGS                                                                                             \
    "<t:Protocol_Binding>urn:taxii.mitre.org:protocol:https:1.0</t:Protocol_Binding><t:Address>https://"     \
    "localhost:%d/%s"                                                                                        \
    "</t:Address><t:Message_Binding>urn:taxii.mitre.org:message:xml:1.1</t:Message_Binding>"

static bool answer_discovery(struct connection *c, const char *id)
{
    static const char *const services[] = {"INBOX", "POLL", "COLLECTION_MANAGEMENT"};
    char text[8192];
    int n =
        snprintf(text, sizeof text,
                 "<t:Discovery_Response xmlns:t=\"" SPACE "\" message_id=\"1\" in_response_to=\"%s\">", id);
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        n += snprintf(
            text + n, sizeof text - (size_t)n,
            "<t:Service_Instance service_type=\"%s\" service_version=\"urn:taxii.mitre.org:services:1.1\" "
            "available=\"true\">" BINDINGS "</t:Service_Instance>",
            services[i], port, services[i]);
    return answer(c, text, 0, "</t:Discovery_Response>");
}

static bool answer_collections(struct connection *c, const char *id)
{
    char text[8192];
    snprintf(text, sizeof text,
             "<t:Collection_Information_Response xmlns:t=\"" SPACE
             "\" message_id=\"1\" in_response_to=\"%s\">"
             "<t:Collection collection_name=\"AIS_INGEST\" available=\"true\"><t:Description/>"
             "<t:Receiving_Inbox_Service>" BINDINGS "</t:Receiving_Inbox_Service></t:Collection>"
             "<t:Collection collection_name=\"AIS\" available=\"true\"><t:Description/>"
             "<t:Polling_Service>" BINDINGS "</t:Polling_Service></t:Collection>",
             id, port, "INBOX", port, "POLL");
    return answer(c, text, 0, "</t:Collection_Information_Response>");
}

static bool serve(struct connection *c)
{
    size_t head_size;
    char id[256];
    const char *head = read_head(c, &head_size);
    if (!head)
        return false;
    char *space = c->buffer + head_size - 1, kept = *space;
    *space = 0;
    size_t size = content_length(head);
    *space = kept;
    if (!read_body(c, head_size, size))
        return false;
    between(c, "message_id=\"", '"', id, sizeof id);
    if (strstr(c->start, "Inbox_Message"))
        return answer_inbox(c, id);
    if (strstr(c->start, "Poll_Request"))
        return answer_poll(c, id);
    return strstr(c->start, "Discovery_Request") ? answer_discovery(c, id) : answer_collections(c, id);
}

/* ---- connections ---- */

static void *run(void *arg)
{
    struct connection *c = calloc(1, sizeof *c);
    int fd = (int)(intptr_t)arg, on = 1;
    need(c != NULL, "memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, fd);
    if (SSL_accept(c->ssl) == 1)
        while (serve(c))
            ;
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(fd);
    free(c);
    return NULL;
}

static void *take_connections(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && !pthread_create(&thread, NULL, run, (void *)(intptr_t)fd))
            pthread_detach(thread);
    }
    return NULL;
}

static int listen_here(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0 && !bind(fd, (struct sockaddr *)&here, sizeof here) && !listen(fd, 128) &&
             !getsockname(fd, (struct sockaddr *)&here, &size),
         "listening");
    port = ntohs(here.sin_port);
    return fd;
}

static void set_up_tls(char **argv)
{
    context = SSL_CTX_new(TLS_server_method());
    need(context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
             SSL_CTX_use_certificate_chain_file(context, argv[1]) == 1 &&
             SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_load_verify_locations(context, argv[3], NULL) == 1,
         "the certificates");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_read_ahead(context, 1); /* one call of the system for several records */
    SSL_CTX_set_default_read_buffer_len(context, 65536);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void report(bool sorted)
{
    size_t different = 0;
    pthread_mutex_lock(&lock);
    if (posts && sorted)
        qsort(ids, posts, sizeof *ids, by_value);
    for (size_t i = 0; i < posts && sorted; i++)
        different += i == 0 || ids[i] != ids[i - 1];
    printf("%zu %zu %.6f %.6f %.6f\n", posts, different, last_post, first_poll, first_post);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    struct stat facts;
    need(argc >= 4, "usage: CERTIFICATE KEY TRUST [BLOCKS];");
    signal(SIGPIPE, SIG_IGN);
    set_up_tls(argv);
    if (argc > 4) {
        int fd = open(argv[4], O_RDONLY | O_CLOEXEC);
        need(fd >= 0 && !fstat(fd, &facts), "opening the blocks");
        blocks_size = (size_t)facts.st_size;
        blocks = mmap(NULL, blocks_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        need(blocks != MAP_FAILED, "mapping the blocks");
    }
    int listener = listen_here();
    printf("%d\n", port);
    fflush(stdout);
    need(!pthread_create(&thread, NULL, take_connections, (void *)(intptr_t)listener), "a thread");
    for (char line[64]; fgets(line, sizeof line, stdin);)
        report(!strcmp(line, "different\n"));
    _exit(0);
}
