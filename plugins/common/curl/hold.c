#include "hold.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- what is kept ---- */

void hold_fini(struct hold *hold)
{
    free(hold->kept);
    hold->kept = NULL;
    hold->kept_size = 0;
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

static int keep(struct hold *hold, const char *bytes, int size)
{
    uint8_t *kept = realloc(hold->kept, hold->kept_size + (size_t)size);
    if (!kept)
        return -1;
    memcpy(kept + hold->kept_size, bytes, (size_t)size);
    hold->kept = kept;
    hold->kept_size += (size_t)size;
    return size;
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
    hold_flush(hold);
    if (!hold->held && !hold->broken && !hold->kept_size)
        wrote = write_on(hold, BIO_next(bio), bytes, size);
    if (wrote <= 0 && hold->keeps)
        wrote = keep(hold, bytes, size);
    if (wrote <= 0)
        BIO_set_retry_write(bio);
    return wrote;
}

static long filter_ctrl(BIO *bio, int command, long number, void *pointer)
{
    BIO *next = BIO_next(bio);
    return command == BIO_CTRL_FLUSH ? 1 : next ? BIO_ctrl(next, command, number, pointer) : 0;
}

/* One for the process, kept until it ends. */
static const BIO_METHOD *method(void)
{
    static BIO_METHOD *kept;
    if (kept)
        return kept;
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "held back");
    if (!made || !BIO_meth_set_write(made, filter_write) || !BIO_meth_set_ctrl(made, filter_ctrl)) {
        BIO_meth_free(made);
        return NULL;
    }
    return kept = made;
}

bool hold_install(struct hold *hold, SSL *ssl, int fd)
{
    BIO *under = SSL_get_wbio(ssl);
    BIO *filter = under && method() ? BIO_new(method()) : NULL;
    if (!filter || !BIO_up_ref(under)) {
        BIO_free(filter);
        return false;
    }
    hold->fd = fd;
    BIO_set_data(filter, hold);
    BIO_set_init(filter, 1);
    BIO_push(filter, under);
    SSL_set0_wbio(ssl, filter); /* lets go of `under`, which the filter holds now */
    return true;
}
