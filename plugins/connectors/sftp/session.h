/* What one SSH session consists of; shared by session.c (life), login.c (from handshake to VERSION) and auth.c. */
#ifndef SFTP_SESSION_H
#define SFTP_SESSION_H

#include <libssh/libssh.h>

#include "auth.h"
#include "client.h"
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
    struct session *next; /* in link->pool */
    struct link *link;
    struct use *users; /* that have begun here */
    size_t uses[USE_KINDS], heavy;
    int64_t window;         /* payload of uploads that may be on its way; 0: none has been yet */
    int64_t unacknowledged; /* that is: asked of the host, and not acknowledged by the partner */
    int64_t awaited;        /* of it: not come from the host yet */
    enum session_stage stage;
    struct accord_session *handle; /* NULL until dialled */
    int fd;                        /* -1: none */
    uint64_t inode;                /* of its socket */
    ssh_session ssh;
    ssh_channel channel;
    struct auth auth;
    bool strict_kex; /* both sides have agreed on it (CVE-2023-48795) */
    struct accord_watch *watch;
    struct accord_timer *deadline; /* of this stage, or of the oldest answer that is due */
    struct accord_timer *idle;
    struct accord_timer *alive; /* the next keep-alive, perhaps */
    struct accord_timer *soon; /* goes on pumping, or takes a broken session down */
    int64_t heard;             /* ticks when the partner last moved on */
    bool waited;               /* after the last pump answers were due */
    struct client client;
    bool was_ready;
    enum session_stage broke_at;
    bool stop; /* broken: the client must not go on feeding */
    char mismatch[ACCORD_REASON_MAX]; /* what libssh said when no algorithm was common; "": nothing */
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
};

/* session.c */
struct session *session_open(struct link *); /* NULL: out of memory or the host will not dial */
/* Now, from the outside: ends the session and frees it. Nobody uses it any more. */
void session_close(struct session *, const char *reason);
/* From anywhere: the session is over; takes effect on a later turn of the loop. `rule`: park the link (NULL: no). */
void session_break(struct session *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool session_ready(const struct session *);    /* SFTP requests may be made */
size_t session_files(const struct session *);  /* how many may be open at once */
void session_pump(struct session *);           /* sends what the client has to say */
void session_rest(struct session *);           /* nothing to do: close after idle-close */
void session_busy(struct session *);           /* there is */
void session_enter(struct session *, enum session_stage); /* with a deadline of its own */

/* login.c */
int login_begin(struct session *); /* configures libssh from the profile; negative: broken */
void login_step(struct session *); /* goes on as far as it can without waiting */

#endif
