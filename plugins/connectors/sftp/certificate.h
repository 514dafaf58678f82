/* The bytes of keys and certificates. */
#ifndef SFTP_CERTIFICATE_H
#define SFTP_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SSH's own encoding (RFC 4251 section 5), read from the front; what is not there leaves it broken. */
struct ssh_blob {
    const uint8_t *at, *end;
    bool broken;
};

uint64_t ssh_blob_number(struct ssh_blob *, int size);
struct ssh_blob ssh_blob_string(struct ssh_blob *);

#define CERTIFICATE_ID_MAX 64

/* What an OpenSSH certificate of a user says of itself (PROTOCOL.certkeys). */
struct certificate {
    char id[CERTIFICATE_ID_MAX]; /* its key id, what is not printable as '?' */
    uint64_t serial;
    uint64_t from, until; /* seconds since 1970; `until` exclusive, UINT64_MAX: for ever */
    const uint8_t *key;   /* in the blob: the certified key, without the name of its type */
    size_t key_size;
};

/* Reads the blob of a certificate, as it comes out of base64. False: it is none of a user's, or broken. */
bool certificate_read(struct certificate *, const uint8_t *blob, size_t size);

#endif
