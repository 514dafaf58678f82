/* SFTP servers for tests: the rehearsal partner and OpenSSH's sshd, as children on loopback, each in a folder
 * of its own that goes with it. */
#ifndef TESTS_SFTP_SERVERS_H
#define TESTS_SFTP_SERVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum server_kind { SERVER_REHEARSAL, SERVER_OPENSSH };

struct server {
    enum server_kind kind;
    pid_t pid;
    uint16_t port;
    int reserved;        /* a socket that keeps the port ours */
    char folder[64];    /* keys, log, files */
    char drop[128];     /* where delivered files appear, on this machine */
    char directory[128]; /* the same folder as the client names it */
    char user[32];
    char host_key[64]; /* SHA256:... */
};

/* NULL: it can be run here; otherwise why not. */
const char *server_missing(enum server_kind);
/* Makes folder and keys, starts it and waits until it listens. `extra`: command line arguments (rehearsal) or
 * configuration lines (OpenSSH), NULL-terminated; NULL: none. */
void server_start(struct server *, enum server_kind, const char *const *extra);
/* Ends its processes and starts it anew on the same port, with the same folder and keys. */
void server_restart(struct server *, const char *const *extra);
void server_signal(const struct server *, int number); /* to it and all its children */
/* Ends its processes and removes the folder. */
void server_stop(struct server *);

/* What it has written so far; the caller frees. */
char *server_log(const struct server *);
/* The private key that it accepts; the caller frees. */
char *server_user_key(const struct server *);
/* Whether the log shows that a client began to authenticate. */
bool server_saw_authentication(const struct server *);

#endif
