/* What one SSH session consists of; shared by session.c (life) and login.c (from handshake to VERSION). */
#ifndef SFTP_SESSION_H
#define SFTP_SESSION_H

#include <libssh/libssh.h>

#include "sftp.h"

enum session_stage {
    SESSION_DIALLING,
    SESSION_HANDSHAKE,
    SESSION_PEER_JUDGED, /* the verdict on the handshake is awaited */
    SESSION_KEY,         /* the secrets are awaited */
    SESSION_AUTH,
    SESSION_SELF_JUDGED, /* the verdict on the authenticated session is awaited */
    SESSION_CHANNEL,
    SESSION_SUBSYSTEM,
    SESSION_GREETING, /* VERSION is awaited */
    SESSION_READY,
    SESSION_BROKEN,
};

struct session {
    struct link *link;
    enum session_stage stage;
    struct accord_session *handle; /* NULL until dialled */
    int fd;                        /* -1: none */
    uint64_t inode;                /* of its socket */
    ssh_session ssh;
    ssh_channel channel;
    ssh_key key;
    char *key_text; /* the private key while its passphrase is awaited; wiped when freed */
    size_t key_size;
    struct accord_watch *watch;
    struct accord_timer *deadline; /* of this stage, or of the oldest answer that is due */
    struct accord_timer *idle;
    struct accord_timer *soon; /* goes on pumping, or takes a broken session down */
    int64_t heard;             /* ticks when the partner last moved on */
    bool waited;               /* after the last pump answers were due */
    struct client client;
    struct sweep *sweeps;
    bool stop; /* broken: the client must not go on feeding */
    char mismatch[ACCORD_REASON_MAX]; /* what libssh said when no algorithm was common; "": nothing */
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
};

/* session.c */
void session_enter(struct session *, enum session_stage); /* with a deadline of its own */

/* login.c */
int login_begin(struct session *); /* configures libssh from the profile; negative: broken */
void login_step(struct session *); /* goes on as far as it can without waiting */
void login_wipe(struct session *); /* forgets the key */

#endif
