#include "web_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

struct web {
    struct web_wish wish;
    SSL_CTX *context;
    int listener;
    uint16_t port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[CONNECTIONS_MAX];
    int fds[CONNECTIONS_MAX]; /* -1: closed */
    unsigned accepted, shaken, heads, permits;
    bool stopping;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "the test's server: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

/* ---- reading and writing ---- */

static bool fill(struct web_connection *c)
{
    int got = SSL_read(c->ssl, c->left + c->left_size, (int)(sizeof c->left - c->left_size));
    if (got > 0)
        c->left_size += (size_t)got;
    return got > 0;
}

static void use(struct web_connection *c, size_t size)
{
    memmove(c->left, c->left + size, c->left_size - size);
    c->left_size -= size;
}

static const char *field(const struct web_connection *c, const char *name)
{
    const char *at = strcasestr(c->head, name);
    return at ? at + strlen(name) : NULL;
}

bool web_head(struct web_connection *c)
{
    char *end;
    while (!(end = memmem(c->left, c->left_size, "\r\n\r\n", 4)))
        if (c->left_size == sizeof c->left || !fill(c))
            return false;
    size_t size = (size_t)(end - c->left) + 4;
    memcpy(c->head, c->left, size);
    c->head[size < sizeof c->head ? size : sizeof c->head - 1] = 0;
    use(c, size);
    c->path[0] = 0;
    sscanf(c->head, "%*15s %255s", c->path);
    const char *length = field(c, "\r\nContent-Length:");
    c->declared = length ? atoll(length) : -1;
    c->requests++;
    pthread_mutex_lock(&c->web->lock);
    c->web->heads++;
    pthread_cond_broadcast(&c->web->changed);
    pthread_mutex_unlock(&c->web->lock);
    return true;
}

/* The next `size` bytes, kept when `keep`. */
static bool take(struct web_connection *c, int64_t size, bool keep)
{
    while (size > 0) {
        if (!c->left_size && !fill(c))
            return false;
        size_t now = c->left_size < (size_t)size ? c->left_size : (size_t)size;
        if (keep) {
            c->body = realloc(c->body, c->size + now + 1);
            memcpy(c->body + c->size, c->left, now);
            c->size += now;
            c->body[c->size] = 0;
        }
        use(c, now);
        size -= (int64_t)now;
    }
    return true;
}

bool web_skip(struct web_connection *c, int64_t size)
{
    return take(c, size, false);
}

static bool take_chunk(struct web_connection *c, long *size)
{
    char *end;
    while (!(end = memmem(c->left, c->left_size, "\r\n", 2)))
        if (!fill(c))
            return false;
    *size = strtol(c->left, NULL, 16);
    use(c, (size_t)(end - c->left) + 2);
    return take(c, *size, true) && take(c, 2, false);
}

bool web_body(struct web_connection *c)
{
    long size = 1;
    free(c->body);
    c->body = calloc(1, 1);
    c->size = 0;
    if (c->declared >= 0)
        return take(c, c->declared, true);
    while (size > 0)
        if (!take_chunk(c, &size))
            return false;
    return true;
}

bool web_write(struct web_connection *c, const void *bytes, size_t size)
{
    return size == 0 || SSL_write(c->ssl, bytes, (int)size) == (int)size;
}

bool web_say(struct web_connection *c, const char *text)
{
    return web_write(c, text, strlen(text));
}

void web_linger(struct web_connection *c)
{
    c->left_size = 0;
    while (fill(c))
        c->left_size = 0;
}

void web_reset(struct web_connection *c)
{
    struct linger at_once = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void *web_arg(const struct web_connection *c)
{
    return c->web->wish.arg;
}

/* ---- what the test's threads tell each other ---- */

bool web_await(struct web_connection *c)
{
    struct web *web = c->web;
    pthread_mutex_lock(&web->lock);
    while (!web->permits && !web->stopping)
        pthread_cond_wait(&web->changed, &web->lock);
    bool goes = !web->stopping;
    if (goes)
        web->permits--;
    pthread_mutex_unlock(&web->lock);
    return goes;
}

void web_go(struct web *web)
{
    pthread_mutex_lock(&web->lock);
    web->permits++;
    pthread_cond_broadcast(&web->changed);
    pthread_mutex_unlock(&web->lock);
}

static unsigned look(struct web *web, const unsigned *number)
{
    pthread_mutex_lock(&web->lock);
    unsigned now = *number;
    pthread_mutex_unlock(&web->lock);
    return now;
}

unsigned web_connections(struct web *web)
{
    return look(web, &web->accepted);
}

unsigned web_shaken(struct web *web)
{
    return look(web, &web->shaken);
}

unsigned web_heads(struct web *web)
{
    return look(web, &web->heads);
}

unsigned web_open(struct web *web)
{
    unsigned open = 0;
    pthread_mutex_lock(&web->lock);
    for (unsigned i = 0; i < web->accepted; i++)
        open += web->fds[i] >= 0;
    pthread_mutex_unlock(&web->lock);
    return open;
}

uint16_t web_port(const struct web *web)
{
    return web->port;
}

/* ---- connections ---- */

static void *serve(void *arg)
{
    struct web_connection *c = arg;
    struct web *web = c->web;
    SSL_set_fd(c->ssl, c->fd);
    if ((!web->wish.open || web->wish.open(c)) && SSL_accept(c->ssl) == 1) {
        pthread_mutex_lock(&web->lock);
        web->shaken++;
        pthread_mutex_unlock(&web->lock);
        web->wish.serve(c);
        SSL_shutdown(c->ssl);
    }
    ERR_clear_error();
    SSL_free(c->ssl);
    pthread_mutex_lock(&web->lock);
    web->fds[c->number - 1] = -1;
    pthread_mutex_unlock(&web->lock);
    close(c->fd);
    free(c->body);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct web *web = arg;
    int fd;
    while ((fd = accept4(web->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct web_connection *c = calloc(1, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->web = web;
        c->fd = fd;
        c->ssl = SSL_new(web->context);
        pthread_mutex_lock(&web->lock);
        must(web->accepted < CONNECTIONS_MAX, "too many connections");
        web->fds[web->accepted] = fd;
        c->number = ++web->accepted;
        must(pthread_create(&web->threads[c->number - 1], NULL, serve, c) == 0, "no thread");
        pthread_mutex_unlock(&web->lock);
    }
    return NULL;
}

/* ---- life ---- */

static void show(SSL_CTX *context, const struct web_wish *wish)
{
    BIO *bio = BIO_new_mem_buf(wish->certificate, -1), *key_bio = BIO_new_mem_buf(wish->key, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL), *next;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    must(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1,
         "its certificate");
    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        SSL_CTX_add0_chain_cert(context, next);
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(bio);
    BIO_free(key_bio);
}

static void trust(SSL_CTX *context, const struct web_wish *wish)
{
    BIO *bio = BIO_new_mem_buf(wish->trust, -1);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    must(root && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root) == 1, "its trust");
    SSL_CTX_add_client_CA(context, root);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (wish->insists ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    X509_free(root);
    BIO_free(bio);
}

static void listen_somewhere(struct web *web)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    web->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(web->listener >= 0 && bind(web->listener, (struct sockaddr *)&at, size) == 0 &&
             listen(web->listener, 16) == 0 && getsockname(web->listener, (struct sockaddr *)&at, &size) == 0,
         "no port");
    web->port = ntohs(at.sin_port);
}

struct web *web_start(const struct web_wish *wish)
{
    struct web *web = calloc(1, sizeof *web);
    web->wish = *wish;
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&web->lock, NULL);
    pthread_cond_init(&web->changed, NULL);
    web->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(web->context, wish->least ? wish->least : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(web->context, wish->most);
    SSL_CTX_set_session_cache_mode(web->context, SSL_SESS_CACHE_OFF);
    if (wish->ciphers)
        must(SSL_CTX_set_cipher_list(web->context, wish->ciphers) == 1, "its ciphers");
    show(web->context, wish);
    if (wish->trust)
        trust(web->context, wish);
    listen_somewhere(web);
    must(pthread_create(&web->acceptor, NULL, accept_all, web) == 0, "no thread");
    return web;
}

void web_stop(struct web *web)
{
    shutdown(web->listener, SHUT_RDWR);
    pthread_join(web->acceptor, NULL);
    pthread_mutex_lock(&web->lock);
    web->stopping = true;
    pthread_cond_broadcast(&web->changed);
    for (unsigned i = 0; i < web->accepted; i++)
        if (web->fds[i] >= 0)
            shutdown(web->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&web->lock);
    for (unsigned i = 0; i < web->accepted; i++)
        pthread_join(web->threads[i], NULL);
    close(web->listener);
    SSL_CTX_free(web->context);
    pthread_cond_destroy(&web->changed);
    pthread_mutex_destroy(&web->lock);
    free(web);
}
