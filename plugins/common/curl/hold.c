#include "hold.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GATHERED 65536 /* bytes: records of 16 KiB, and a head */
#define AHEAD    65536

/* ---- what is kept ---- */

void hold_fini(struct hold *hold)
{
    free(hold->kept);
    free(hold->ahead);
    hold->kept = hold->ahead = NULL;
    hold->kept_size = hold->kept_room = 0;
    hold->ahead_from = hold->ahead_size = 0;
}

void hold_flush(struct hold *hold)
{
    if (hold->held || hold->broken || !hold->kept_size)
        return;
    ssize_t sent = send(hold->fd, hold->kept, hold->kept_size, MSG_NOSIGNAL);
    if (sent < 0) {
        hold->broken = errno != EAGAIN && errno != EINTR;
        return;
    }
    hold->wrote += (uint64_t)sent;
    hold->kept_size -= (size_t)sent;
    memmove(hold->kept, hold->kept + sent, hold->kept_size);
}

static bool make_room(struct hold *hold, size_t size)
{
    size_t room = hold->kept_room ? hold->kept_room : 1024;
    while (room < size)
        room *= 2;
    uint8_t *kept = room == hold->kept_room ? hold->kept : realloc(hold->kept, room);
    if (!kept)
        return false;
    hold->kept = kept;
    hold->kept_room = room;
    return true;
}

static int keep(struct hold *hold, const char *bytes, int size)
{
    if (!make_room(hold, hold->kept_size + (size_t)size))
        return -1;
    memcpy(hold->kept + hold->kept_size, bytes, (size_t)size);
    hold->kept_size += (size_t)size;
    return size;
}

static bool gathers(const struct hold *hold, int size)
{
    return hold->gathers && !hold->held && !hold->broken && hold->kept_size + (size_t)size <= GATHERED;
}

/* ---- the filter ---- */

static int write_on(struct hold *hold, BIO *next, const char *bytes, int size)
{
    int wrote = BIO_write(next, bytes, size);
    if (wrote > 0)
        hold->wrote += (uint64_t)wrote;
    else if (!BIO_should_retry(next))
        hold->broken = true;
    return wrote;
}

static int filter_write(BIO *bio, const char *bytes, int size)
{
    struct hold *hold = BIO_get_data(bio);
    int wrote = -1;
    BIO_clear_retry_flags(bio);
    if (!gathers(hold, size))
        hold_flush(hold);
    if (gathers(hold, size))
        wrote = keep(hold, bytes, size);
    else if (!hold->held && !hold->broken && !hold->kept_size)
        wrote = write_on(hold, BIO_next(bio), bytes, size);
    if (wrote <= 0 && hold->keeps)
        wrote = keep(hold, bytes, size);
    if (wrote <= 0)
        BIO_set_retry_write(bio);
    return wrote;
}

bool hold_has_more(const struct hold *hold)
{
    return hold->ahead_from < hold->ahead_size;
}

static int read_straight(BIO *bio, void *to, size_t room)
{
    int got = BIO_read(BIO_next(bio), to, (int)room);
    BIO_clear_retry_flags(bio);
    BIO_copy_next_retry(bio);
    return got;
}

static int filter_read(BIO *bio, char *to, int room)
{
    struct hold *hold = BIO_get_data(bio);
    if (!hold_has_more(hold)) {
        if (!hold->ahead && hold->reads_ahead)
            hold->ahead = malloc(AHEAD);
        if (!hold->ahead)
            return read_straight(bio, to, (size_t)room);
        int got = read_straight(bio, hold->ahead, AHEAD);
        if (got <= 0)
            return got;
        hold->ahead_from = 0;
        hold->ahead_size = (size_t)got;
    }
    size_t size = hold->ahead_size - hold->ahead_from;
    size = size < (size_t)room ? size : (size_t)room;
    memcpy(to, hold->ahead + hold->ahead_from, size);
    hold->ahead_from += size;
    return (int)size;
}

static long filter_ctrl(BIO *bio, int command, long number, void *pointer)
{
    BIO *next = BIO_next(bio);
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_GET_KTLS_SEND: /* asked some ten times for each record; we are not the kernel */
    case BIO_CTRL_GET_KTLS_RECV:
        return 0;
    default:
        return next ? BIO_ctrl(next, command, number, pointer) : 0;
    }
}

/* One for the process, kept until it ends. */
static const BIO_METHOD *method(void)
{
    static BIO_METHOD *kept;
    if (kept)
        return kept;
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "held back");
    if (!made || !BIO_meth_set_write(made, filter_write) || !BIO_meth_set_read(made, filter_read) ||
        !BIO_meth_set_ctrl(made, filter_ctrl)) {
        BIO_meth_free(made);
        return NULL;
    }
    return kept = made;
}

bool hold_install(struct hold *hold, SSL *ssl, int fd)
{
    BIO *under = SSL_get_wbio(ssl);
    BIO *filter = under && method() ? BIO_new(method()) : NULL;
    if (!filter || SSL_get_rbio(ssl) != under || !BIO_up_ref(under)) {
        BIO_free(filter);
        return false;
    }
    hold->fd = fd;
    BIO_set_data(filter, hold);
    BIO_set_init(filter, 1);
    BIO_push(filter, under);
    BIO_up_ref(filter);
    SSL_set0_wbio(ssl, filter); /* lets go of `under`, which the filter holds now */
    SSL_set0_rbio(ssl, filter);
    return true;
}
