/* Keys and certificates of SSH: what a session reports of them. certificate.c reads their bytes. */
#ifndef SFTP_KEYS_H
#define SFTP_KEYS_H

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certificate.h"

const char *key_type(ssh_key); /* "ecdsa-sha2-nistp256", "ssh-rsa", ... */
int key_bits(ssh_key);         /* 0: not known */
/* The fingerprint as ssh-keygen -l prints it, to be freed with ssh_string_free_char. NULL: no memory. */
char *key_fingerprint(ssh_key);

/* It is of this key. The blob must still be there. */
bool certificate_is_of(const struct certificate *, ssh_key);

#endif
