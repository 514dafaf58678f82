#include "http_hold.h"

#include <openssl/bio.h>

static int hold_write(BIO *bio, const char *bytes, int size)
{
    struct http_hold *hold = BIO_get_data(bio);
    BIO *next = BIO_next(bio);
    BIO_clear_retry_flags(bio);
    if (hold->held || hold->broken) {
        BIO_set_retry_write(bio);
        return -1;
    }
    int wrote = BIO_write(next, bytes, size);
    if (wrote > 0) {
        hold->wrote += (uint64_t)wrote;
        return wrote;
    }
    hold->broken = !BIO_should_retry(next);
    BIO_set_retry_write(bio);
    return -1;
}

static long hold_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct http_hold *hold = BIO_get_data(bio);
    BIO *next = BIO_next(bio);
    if (command == BIO_CTRL_FLUSH && (hold->held || hold->broken))
        return 1;
    return next ? BIO_ctrl(next, command, number, pointer) : 0;
}

/* One for the process, kept until it ends. */
static const BIO_METHOD *method(void)
{
    static BIO_METHOD *kept;
    if (kept)
        return kept;
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "held back");
    if (!made || !BIO_meth_set_write(made, hold_write) || !BIO_meth_set_ctrl(made, hold_ctrl)) {
        BIO_meth_free(made);
        return NULL;
    }
    return kept = made;
}

bool http_hold_install(struct http_hold *hold, SSL *ssl)
{
    BIO *under = SSL_get_wbio(ssl);
    BIO *filter = under && method() ? BIO_new(method()) : NULL;
    if (!filter || !BIO_up_ref(under)) {
        BIO_free(filter);
        return false;
    }
    BIO_set_data(filter, hold);
    BIO_set_init(filter, 1);
    BIO_push(filter, under);
    SSL_set0_wbio(ssl, filter); /* lets go of `under`, which the filter holds now */
    /* libcurl may offer what could not be written from another address. */
    SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}
