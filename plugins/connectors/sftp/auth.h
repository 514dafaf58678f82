/* Who we are, as the partner is told: the methods that the link's `auth` names, in that order, each at most once. */
#ifndef SFTP_AUTH_H
#define SFTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"

struct session;

struct auth {
    size_t method; /* place in the link's `auth` of the one that is tried */
    int offered;   /* methods that the partner takes (SSH_AUTH_METHOD_...); 0: it has not said yet */
    bool asking;   /* what it takes */
    ssh_key key;
    char *key_text; /* the private key while its passphrase is awaited */
    size_t key_size;
    struct certificate certificate; /* until 0: none */
    char *password;
    size_t password_size;
    int rounds;     /* of questions */
    bool answered;  /* the password has been given as an answer */
    char used[64];  /* methods that the partner has accepted, separated by commas */
    char said[256]; /* what it said to the others */
};

/* The handshake is allowed: fetches the first secret, and goes on from there. */
void auth_begin(struct session *);
/* In stage SESSION_AUTH: goes on as far as it can. */
void auth_step(struct session *);
/* Forgets every secret. */
void auth_wipe(struct auth *);

/* login.c: the partner has accepted us. */
void login_authenticated(struct session *);

#endif
