/* Keys and certificates of SSH: what a session reports of them. */
#ifndef SFTP_KEYS_H
#define SFTP_KEYS_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *key_type(ssh_key); /* "ecdsa-sha2-nistp256", "ssh-rsa", ... */
int key_bits(ssh_key);         /* 0: not known */
/* The fingerprint as ssh-keygen -l prints it, to be freed with ssh_string_free_char. NULL: no memory. */
char *key_fingerprint(ssh_key);

#define CERTIFICATE_ID_MAX 64

/* What an OpenSSH certificate of a user says of itself (PROTOCOL.certkeys). */
struct certificate {
    char id[CERTIFICATE_ID_MAX]; /* its key id, what is not printable as '?' */
    uint64_t serial;
    uint64_t from, until; /* seconds since 1970; `until` exclusive, UINT64_MAX: for ever */
};

/* Reads the blob of a certificate, as it comes out of base64. False: it is none of a user's, or broken. */
bool certificate_read(struct certificate *, const uint8_t *blob, size_t size);

#endif
