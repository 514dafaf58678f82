/* A mail server for measuring: STARTTLS, a thread for each connection, nothing kept but what the figures need. It takes
 * every mail. Faults and manners: sdk/rehearsal/mail_partner.py.
 *
 *     smtp-bench-server CERTIFICATE KEY
 *
 * Prints its port. For each line of its standard input it prints "MAILS DIFFERENT LAST": mails, those with Message-IDs of
 * their own, when the last of them had been answered (seconds since 1970; 0: not yet). It ends with its standard input.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOM 65536

static SSL_CTX *context;
static int port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *ids;
static size_t mails, room;
static double last_mail;

struct connection {
    int fd;
    SSL *ssl; /* NULL: not yet */
    char in[ROOM + 1];
    size_t have;
    char out[4096]; /* answers that go together */
    size_t said;
};

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "smtp-bench-server: %s failed\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- bytes ---- */

static bool flush(struct connection *c)
{
    size_t size = c->said;
    c->said = 0;
    if (!size)
        return true;
    return c->ssl ? SSL_write(c->ssl, c->out, (int)size) == (int)size
                  : write(c->fd, c->out, size) == (ssize_t)size;
}

static bool more(struct connection *c)
{
    if (!flush(c) || c->have == ROOM)
        return false;
    ssize_t got = c->ssl ? SSL_read(c->ssl, c->in + c->have, (int)(ROOM - c->have))
                         : read(c->fd, c->in + c->have, ROOM - c->have);
    if (got > 0)
        c->have += (size_t)got;
    c->in[c->have] = 0;
    return got > 0;
}

static void use(struct connection *c, size_t size)
{
    memmove(c->in, c->in + size, c->have - size + 1);
    c->have -= size;
}

static void say(struct connection *c, const char *text)
{
    c->said += (size_t)snprintf(c->out + c->said, sizeof c->out - c->said, "%s\r\n", text);
}

/* ---- mails ---- */

static void count(const char *id)
{
    uint64_t hash = 1469598103934665603u;
    for (; *id && *id != '>'; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    pthread_mutex_lock(&lock);
    if (mails == room) {
        room = room ? 2 * room : 4096;
        ids = realloc(ids, room * sizeof *ids);
        need(ids != NULL, "memory");
    }
    ids[mails++] = hash;
    last_mail = now();
    pthread_mutex_unlock(&lock);
}

/* Its headers are in the first bytes that come. */
static bool take_mail(struct connection *c)
{
    char id[128] = "", *at;
    for (char *end;;) {
        if (!*id && (at = strstr(c->in, "Message-ID: <")))
            snprintf(id, sizeof id, "%.100s", at + 13);
        if ((end = memmem(c->in, c->have, "\r\n.\r\n", 5))) {
            use(c, (size_t)(end + 5 - c->in));
            break;
        }
        if (c->have > 4)
            use(c, *id ? c->have - 4 : 0);
        if (!more(c))
            return false;
    }
    count(id);
    say(c, "250 2.0.0 taken");
    return true;
}

static bool begin_tls(struct connection *c)
{
    say(c, "220 go ahead");
    if (!flush(c))
        return false;
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_accept(c->ssl) == 1;
}

static bool answer(struct connection *c, const char *line)
{
    if (strncmp(line, "EHLO", 4) == 0)
        say(c, c->ssl ? "250-bench\r\n250-PIPELINING\r\n250 SIZE 100000000" : "250-bench\r\n250 STARTTLS");
    else if (strncmp(line, "STARTTLS", 8) == 0)
        return begin_tls(c);
    else if (strncmp(line, "DATA", 4) == 0)
        say(c, "354 go on");
    else if (strncmp(line, "QUIT", 4) == 0)
        return false;
    else
        say(c, "250 fine");
    return strncmp(line, "DATA", 4) != 0 || take_mail(c);
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    char line[1024], *end;
    say(c, "220 bench");
    for (bool goes_on = true; goes_on;) {
        while (goes_on && !(end = strstr(c->in, "\r\n")))
            goes_on = more(c);
        if (!goes_on)
            break;
        snprintf(line, sizeof line, "%.*s", (int)(end - c->in), c->in);
        use(c, (size_t)(end + 2 - c->in));
        goes_on = answer(c, line);
    }
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = *(int *)arg, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        struct connection *c = calloc(1, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        need(pthread_create(&thread, NULL, serve, c) == 0, "a thread");
        pthread_detach(thread);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void tell(void)
{
    size_t different = 0;
    pthread_mutex_lock(&lock);
    if (mails)
        qsort(ids, mails, sizeof *ids, compare);
    for (size_t i = 0; i < mails; i++)
        different += i == 0 || ids[i] != ids[i - 1];
    printf("%zu %zu %.6f\n", mails, different, last_mail);
    pthread_mutex_unlock(&lock);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    pthread_t acceptor;
    char line[16];
    need(argc == 3, "usage: CERTIFICATE KEY, and that");
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_server_method());
    need(SSL_CTX_use_certificate_chain_file(context, argv[1]) == 1 &&
             SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) == 1,
         "reading the certificate");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 64) == 0 &&
             getsockname(listener, (struct sockaddr *)&at, &size) == 0,
         "listening");
    port = ntohs(at.sin_port);
    need(pthread_create(&acceptor, NULL, accept_all, &listener) == 0, "a thread");
    printf("%d\n", port);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        tell();
    return 0;
}
