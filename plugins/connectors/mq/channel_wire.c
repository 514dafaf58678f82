/* Bytes between the socket and the driver, through OpenSSL where there is TLS. Both ways OpenSSL works on buffers of ours,
 * so that many records go with one system call, and one read takes as much as there is. */
#include "channel_private.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define IN_ROOM    (64 * 1024)
#define OUT_ROOM   (160 * 1024)
#define RECORD     (16 * 1024) /* of TLS, at most */
#define RECORD_TAX 64          /* what TLS adds to one, amply */
#define OUT_SPARE  4096        /* for what OpenSSL says by itself: alerts, answers to key updates */

static size_t filled(const struct channel_buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* ---- OpenSSL's side of the buffers ---- */

static int bio_read(BIO *bio, char *to, int size)
{
    struct channel *channel = BIO_get_data(bio);
    struct channel_buffer *in = &channel->in;
    size_t take = filled(in) < (size_t)size ? filled(in) : (size_t)size;
    BIO_clear_retry_flags(bio);
    if (!take && channel->eof)
        return 0;
    if (!take) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, in->bytes + in->start, take);
    in->start += take;
    return (int)take;
}

static int bio_write(BIO *bio, const char *from, int size)
{
    struct channel *channel = BIO_get_data(bio);
    struct channel_buffer *out = &channel->out;
    size_t room = OUT_ROOM - out->end;
    BIO_clear_retry_flags(bio);
    if ((size_t)size > room) { /* only where a broker makes us answer and does not read */
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(out->bytes + out->end, from, (size_t)size);
    out->end += (size_t)size;
    return size;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct channel *channel = BIO_get_data(bio);
    (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_EOF ? channel->eof : 0;
}

/* One for the process, kept until it ends. */
static const BIO_METHOD *method(void)
{
    static BIO_METHOD *kept;
    if (kept)
        return kept;
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
    if (!made || !BIO_meth_set_write(made, bio_write) || !BIO_meth_set_read(made, bio_read) ||
        !BIO_meth_set_ctrl(made, bio_ctrl)) {
        BIO_meth_free(made);
        return NULL;
    }
    return kept = made;
}

/* ---- beginning and end ---- */

static bool is_address(const char *host)
{
    return strchr(host, ':') || host[strspn(host, "0123456789.")] == 0;
}

static bool make_ssl(struct channel *channel)
{
    const char *name = channel->set->name;
    channel->ssl = SSL_new(channel->context);
    BIO *bio = channel->ssl && method() ? BIO_new(method()) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, channel);
    BIO_set_init(bio, 1);
    SSL_set_bio(channel->ssl, bio, bio);
    SSL_set_connect_state(channel->ssl);
    /* RFC 6066, 3: names only */
    return is_address(name) || SSL_set_tlsext_host_name(channel->ssl, name) == 1;
}

static bool begin_tls(struct channel *channel)
{
    struct tls_problem problem;
    channel->context = SSL_CTX_new(TLS_client_method());
    /* A cut is a cut, and nothing to send an alert for: AMQP has its own end. */
    if (channel->context)
        SSL_CTX_set_options(channel->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (channel->context && tls_configure(channel->tls, channel->context, &problem) < 0) {
        channel_fail(channel, problem.park ? CHANNEL_REFUSED : CHANNEL_LOST, problem.rule, "%s",
                     problem.reason);
        return false;
    }
    if (channel->context && make_ssl(channel))
        return true;
    channel_fail(channel, CHANNEL_LOST, "", "out of memory");
    return false;
}

bool wire_begin(struct channel *channel)
{
    channel->in.bytes = malloc(IN_ROOM);
    channel->out.bytes = malloc(OUT_ROOM);
    if (!channel->in.bytes || !channel->out.bytes) {
        channel_fail(channel, CHANNEL_LOST, "", "out of memory");
        return false;
    }
    return channel->plain || begin_tls(channel);
}

void wire_end(struct channel *channel)
{
    SSL_free(channel->ssl);
    SSL_CTX_free(channel->context);
    tls_free(channel->tls);
    free(channel->in.bytes);
    free(channel->out.bytes);
    channel->ssl = NULL;
    channel->context = NULL;
    channel->tls = NULL;
    channel->in = channel->out = (struct channel_buffer){0};
}

/* ---- TLS ---- */

int wire_shake(struct channel *channel)
{
    ERR_clear_error();
    int result = SSL_do_handshake(channel->ssl);
    if (result == 1) {
        channel->shaken = true;
        return 1;
    }
    int error = SSL_get_error(channel->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return 0;
    channel->tls_failed = true;
    return -1;
}

static ssize_t get_decrypted(struct channel *channel, void *to, size_t size)
{
    ERR_clear_error();
    int got = SSL_read(channel->ssl, to, size < INT_MAX ? (int)size : INT_MAX);
    if (got > 0)
        return got;
    int error = SSL_get_error(channel->ssl, got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return 0;
    channel->eof = true; /* a close_notify ends what comes, too */
    channel->tls_failed = error != SSL_ERROR_ZERO_RETURN;
    return -1;
}

static ssize_t get_plain(struct channel *channel, void *to, size_t size)
{
    struct channel_buffer *in = &channel->in;
    size_t take = filled(in) < size ? filled(in) : size;
    if (!take)
        return channel->eof ? -1 : 0;
    memcpy(to, in->bytes + in->start, take);
    in->start += take;
    return (ssize_t)take;
}

ssize_t wire_get(struct channel *channel, void *to, size_t size)
{
    return channel->plain ? get_plain(channel, to, size) : get_decrypted(channel, to, size);
}

size_t wire_room(const struct channel *channel)
{
    size_t room = OUT_ROOM - channel->out.end;
    if (room <= OUT_SPARE)
        return 0;
    room -= OUT_SPARE;
    size_t tax = channel->plain ? 0 : (room / RECORD + 1) * RECORD_TAX;
    return room > tax ? room - tax : 0;
}

bool wire_full(const struct channel *channel)
{
    return wire_room(channel) < WIRE_LEAST;
}

bool wire_put(struct channel *channel, const void *from, size_t size)
{
    struct channel_buffer *out = &channel->out;
    if (size > wire_room(channel))
        return false;
    if (channel->plain) {
        memcpy(out->bytes + out->end, from, size);
        out->end += size;
        return true;
    }
    ERR_clear_error();
    for (size_t at = 0; at < size;) {
        int wrote = SSL_write(channel->ssl, (const uint8_t *)from + at, (int)(size - at));
        if (wrote <= 0) {
            channel->tls_failed = true;
            return false;
        }
        at += (size_t)wrote;
    }
    return true;
}

void wire_bye(struct channel *channel)
{
    ERR_clear_error();
    if (channel->ssl && channel->shaken && !channel->tls_failed)
        SSL_shutdown(channel->ssl);
    ERR_clear_error();
}

/* ---- the socket ---- */

bool wire_fill(struct channel *channel)
{
    struct channel_buffer *in = &channel->in;
    if (in->start == in->end)
        in->start = in->end = 0;
    channel->more = false;
    if (channel->eof || channel->broken || in->end == IN_ROOM)
        return false;
    size_t room = IN_ROOM - in->end;
    ssize_t got = recv(channel->fd, in->bytes + in->end, room, 0);
    if (got > 0) {
        in->end += (size_t)got;
        channel->more = (size_t)got == room;
        return true;
    }
    channel->eof = got == 0 || (errno != EAGAIN && errno != EINTR);
    if (got < 0 && channel->eof)
        channel->broken = errno;
    return channel->eof; /* which is news, too */
}

void wire_flush(struct channel *channel)
{
    struct channel_buffer *out = &channel->out;
    if (channel->fd < 0 || channel->broken || out->start == out->end)
        return;
    ssize_t sent = send(channel->fd, out->bytes + out->start, filled(out), MSG_NOSIGNAL);
    if (sent < 0) {
        /* What the broker said before it closed is still to be read, and says more than this. */
        if (errno != EAGAIN && errno != EINTR)
            out->start = out->end = 0;
        return;
    }
    out->start += (size_t)sent;
    if (out->start == out->end) {
        out->start = out->end = 0;
    } else if (out->start >= OUT_ROOM / 2) {
        memmove(out->bytes, out->bytes + out->start, filled(out));
        out->end -= out->start;
        out->start = 0;
    }
}

/* Nothing is read while the host is asked: what comes then waits in the socket. */
static bool reads(const struct channel *channel)
{
    switch (channel->stage) {
    case CHANNEL_DIALLING:
    case CHANNEL_SECRETS:
    case CHANNEL_JUDGED:
    case CHANNEL_PASSWORD:
    case CHANNEL_KNOWN:
    case CHANNEL_OVER:
    case CHANNEL_GONE:
        return false;
    default:
        return !channel->eof;
    }
}

void wire_watch(struct channel *channel)
{
    uint32_t events = (reads(channel) ? ACCORD_READABLE : 0) |
                      (filled(&channel->out) && !channel->broken ? ACCORD_WRITABLE : 0);
    if (channel->watch && events != channel->watched)
        channel->set->host->watch_set(channel->watch, events);
    channel->watched = events;
}
