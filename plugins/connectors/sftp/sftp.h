/* The SFTP connector: one link, its deliveries, and at most one session at a time.
 *
 *   sftp.c     options and vtable; which delivery begins when
 *   session.c  one SSH session: dial, pump, deadlines, end; login.c its way from the handshake to the channel
 *   client.c   SFTP requests and replies on that channel; packets.c their bytes
 *   upload.c   one delivery; compare.c reads back a file that is there already
 *   stale.c    removes temporary files that interrupted deliveries left behind
 *
 * Everything runs on the loop thread. What breaks a session inside one of its own callbacks only marks it; a
 * timer of 0 ms takes it down, so that nothing is freed under a caller's feet.
 */
#ifndef SFTP_SFTP_H
#define SFTP_SFTP_H

#include <accord/connector.h>

#include "client.h"

/* Payload asked for and not yet acknowledged by the partner, in one session: 64 writes of 32 KiB. */
#define SFTP_WINDOW (64 * SFTP_CHUNK)

enum if_exists { EXISTS_FAIL, EXISTS_COMPARE };
enum fsync_rule { FSYNC_WHEN_OFFERED, FSYNC_REQUIRE, FSYNC_NEVER };

struct link_options {
    const char *user;
    const char *key;            /* name of the secret */
    const char *key_passphrase; /* name of the secret; NULL: none */
    struct accord_list host_keys;
    int64_t files;      /* uploads at the same time */
    int64_t timeout;    /* longest silence while an answer is due */
    int64_t idle_close; /* how long a session without deliveries stays */
};

struct service_options {
    const char *directory;
    const char *temporary;
    int64_t if_exists; /* enum if_exists */
    int64_t fsync;     /* enum fsync_rule */
    int64_t stale_after;
};

struct upload;
struct session;
struct sweep;

/* The state of one link. */
struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    struct upload *uploads; /* in the order of their coming; waiting ones and begun ones */
    struct session *session;
    int64_t *swept; /* for each service: ticks of the last look for stale temporaries; 0: never */
    bool started;
};

/* sftp.c */
const struct service_options *link_service(const struct link *, size_t service);
/* Begins waiting uploads as far as the options allow; lets the session rest when there is nothing to do. */
void link_advance(struct link *);
/* Finishes every delivery: those whose rename was asked for as UNCERTAIN, all others as RETRY. */
void link_finish_all(struct link *, const char *reason);
void link_log(struct link *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* session.c */
struct session *session_open(struct link *); /* NULL: out of memory or the host will not dial */
/* Now, from the outside: ends the session and frees it. Touches no delivery. */
void session_close(struct session *, const char *reason);
/* From anywhere: the session is over; takes effect on a later turn of the loop. `rule`: park the link (NULL: no). */
void session_break(struct session *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool session_ready(const struct session *); /* SFTP requests may be made */
void session_pump(struct session *);        /* sends what the client has to say */
void session_rest(struct session *);        /* nothing to do: close after idle-close */
void session_busy(struct session *);        /* there is */
struct client *session_client(struct session *);
struct accord_session *session_handle(struct session *);
struct sweep **session_sweeps(struct session *); /* head of the list of those under way */

/* upload.c */
struct upload *upload_new(struct link *, const struct accord_outgoing *); /* NULL: out of memory */
struct upload *upload_find(struct link *, struct accord_delivery *);
struct upload *upload_next(struct upload *);
bool upload_waiting(const struct upload *);
void upload_begin(struct upload *);
void upload_payload(struct upload *, const uint8_t *, size_t, bool last);
void upload_cancel(struct upload *);
/* Finishes a delivery whose session is gone, and frees it. */
void upload_abandon(struct upload *, const char *reason);
/* Is this the temporary name of a delivery that is under way here? */
bool upload_owns(const struct link *, size_t service, struct sftp_span name);
/* Asks the host for payload, as far as the window has room. */
void upload_fill_all(struct link *);

/* compare.c */
typedef void (*compare_fn)(void *arg, int result, const char *reason); /* 1 equal, 0 not, negative: failed */
struct compare;
/* Reads `path` and compares size and SHA-256. `done` is called once, later; not after compare_free. */
struct compare *compare_new(struct client *, const char *path, int64_t size, const char *sha256, compare_fn done,
                            void *arg);
void compare_free(struct compare *); /* NULL is fine */

/* stale.c */
void stale_sweep(struct link *, size_t service); /* looks for stale temporaries, at most once an hour */
void stale_free(struct sweep *);                 /* the whole list, with its session */

#endif
