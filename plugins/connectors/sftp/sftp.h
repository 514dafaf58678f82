/* The SFTP connector: one link, its deliveries, and the sessions that carry them.
 *
 *   sftp.c     vtable; options.c tables and rules
 *   pool.c     the sessions, and who works in which
 *   session.c  one SSH session: dial, pump, deadlines, end; login.c its way from the handshake to the channel
 *   client.c   SFTP requests and replies on that channel; packets.c their bytes
 *   upload.c   one delivery (upload.h: its other files); compare.c looks at a file that is there already,
 *              readback.c reads it
 *   poll.c     one folder that is received from (poll.h: its other files)
 *   probe.c    the steps of `accord probe`
 *   stale.c    removes temporary files that interrupted deliveries left behind
 *
 * Everything runs on the loop thread. What breaks a session inside one of its own callbacks only marks it; a
 * timer of 0 ms takes it down, so that nothing is freed under a caller's feet.
 */
#ifndef SFTP_SFTP_H
#define SFTP_SFTP_H

#include <accord/connector.h>
#include <openssl/evp.h>

#include "client.h"
#include "pool.h"

/* Payload asked for and not yet acknowledged by the partner, in one session, at most: 100 ms at 160 MB/s. */
#define SFTP_WINDOW (16 << 20)

enum if_exists { EXISTS_FAIL, EXISTS_COMPARE, EXISTS_REPLACE, EXISTS_REMOVE };
enum fsync_rule { FSYNC_WHEN_OFFERED, FSYNC_REQUIRE, FSYNC_NEVER };

enum taken_rule { TAKEN_UNCERTAIN, TAKEN_DELIVERED };
enum resume_rule { RESUME_YES, RESUME_VERIFIED, RESUME_NO };

struct link_options {
    const char *user;
    struct accord_list auth;    /* methods, in order */
    const char *key;            /* name of the secret; NULL: none */
    const char *key_passphrase; /* likewise */
    const char *certificate;    /* likewise */
    const char *password;       /* likewise */
    struct accord_list host_keys;
    int64_t connections;
    int64_t files;      /* uploads at the same time, in one session; as many downloads */
    int64_t timeout;    /* longest silence while an answer is due */
    int64_t keep_alive; /* how long a session in use is left silent; 0: for ever */
    int64_t idle_close; /* how long a session without deliveries stays */
};

struct service_options {
    const char *directory;
    const char *temporary;
    int64_t if_exists; /* enum if_exists */
    const char *permissions; /* octal; NULL: the partner's own */
    int64_t fsync;     /* enum fsync_rule */
    int64_t resume;    /* enum resume_rule */
    int64_t taken_early; /* enum taken_rule */
    int64_t stale_after;
    /* receiving (poll.h) */
    int64_t poll;   /* between two listings */
    int64_t settle; /* how long a file has to stay as it is */
    struct accord_list pattern;
    bool recursive;
    int64_t depth;
    int64_t after; /* enum after_rule */
    const char *move_to;
    const char *rejected; /* NULL: they are left */
    int64_t look_back;
};

struct upload;
struct poll;

/* The state of one link. */
struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    struct upload *uploads; /* waiting ones and begun ones, newest first */
    struct upload *table[256]; /* the same by their handles */
    EVP_MD *sha256;
    unsigned probes; /* under way: nothing is parked meanwhile */
    int broke_at;    /* enum session_stage that the last lost session had reached */
    struct upload *leader; /* the large one that goes first (flow.c); NULL: not chosen */
    bool stepwise; /* the partner does not keep the order of requests */
    struct pool pool;
    struct poll **polls; /* for each service; NULL: it sends */
    int64_t *swept; /* for each service: ticks of the last look for stale temporaries; 0: never */
    bool started;
};

/* options.c */
extern const struct accord_option sftp_link_table[], sftp_service_table[];
int sftp_check(const struct accord_link_setup *, char *why, size_t why_size);

/* Permissions of new files; -1: the partner's own. */
int32_t service_mode(const struct service_options *);

/* sftp.c */
const struct service_options *link_service(const struct link *, size_t service);
void link_log(struct link *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* upload.c */
/* Begins soon, and ends by itself. False: out of memory. */
bool upload_new(struct link *, const struct accord_outgoing *);
struct upload *upload_find(struct link *, struct accord_delivery *);
void flow_take(struct upload *, const uint8_t *, size_t, bool last); /* in flow.c: payload that the host gave */
void upload_cancel(struct upload *);
/* Is this the temporary name of a delivery that is under way here? */
bool upload_owns(const struct link *, size_t service, struct sftp_span name);
/* In flow.c: asks the host for payload, as far as the session's window has room. */
void flow_fill(struct session *);

/* readback.c */
struct readback;
/* `hash`: SHA-256 of what was read, as text; NULL: failed, and why. */
typedef void (*readback_fn)(void *arg, const char *hash, const char *reason);
/* Reads bytes [from, to) of an open file, many requests at a time. `done` is called once, later; not after
 * readback_free, which it may call. NULL: out of memory. */
struct readback *readback_new(struct client *, const EVP_MD *, const struct sftp_handle *, int64_t from, int64_t to,
                              readback_fn done, void *arg);
void readback_free(struct readback *); /* NULL is fine */
bool sha256_text(EVP_MD_CTX *, char text[65]); /* ends the digest; "" when it fails */

/* compare.c */
typedef void (*compare_fn)(void *arg, int result, const char *reason); /* 1 equal, 0 not, negative: failed */
struct compare;
/* Reads `path` and compares size and SHA-256. `done` is called once, later; not after compare_free. */
struct compare *compare_new(struct client *, const EVP_MD *, const char *path, int64_t size, const char *sha256,
                            compare_fn done, void *arg);
void compare_free(struct compare *); /* NULL is fine */

/* stale.c */
void stale_sweep(struct link *, size_t service); /* looks for stale temporaries, at most once an hour */

#endif
