/* The SFTP connector: one link, its deliveries, and the sessions that carry them.
 *
 *   sftp.c     vtable; options.c tables and rules
 *   pool.c     the sessions, and who works in which
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
#include "pool.h"

/* Payload asked for and not yet acknowledged by the partner, in one session: 64 writes of 32 KiB. */
#define SFTP_WINDOW (64 * SFTP_CHUNK)

enum if_exists { EXISTS_FAIL, EXISTS_COMPARE };
enum fsync_rule { FSYNC_WHEN_OFFERED, FSYNC_REQUIRE, FSYNC_NEVER };

struct link_options {
    const char *user;
    const char *key;            /* name of the secret */
    const char *key_passphrase; /* name of the secret; NULL: none */
    struct accord_list host_keys;
    int64_t connections;
    int64_t files;      /* uploads at the same time, in one session; as many downloads */
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

/* The state of one link. */
struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    struct upload *uploads; /* waiting ones and begun ones */
    struct pool pool;
    int64_t *swept; /* for each service: ticks of the last look for stale temporaries; 0: never */
    bool started;
};

/* options.c */
extern const struct accord_option sftp_link_table[], sftp_service_table[];
int sftp_check(const struct accord_link_setup *, char *why, size_t why_size);

/* sftp.c */
const struct service_options *link_service(const struct link *, size_t service);
void link_log(struct link *, enum accord_level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* upload.c */
/* Begins soon, and ends by itself. NULL: out of memory. */
struct upload *upload_new(struct link *, const struct accord_outgoing *);
struct upload *upload_find(struct link *, struct accord_delivery *);
void upload_payload(struct upload *, const uint8_t *, size_t, bool last);
void upload_cancel(struct upload *);
/* Is this the temporary name of a delivery that is under way here? */
bool upload_owns(const struct link *, size_t service, struct sftp_span name);

/* compare.c */
typedef void (*compare_fn)(void *arg, int result, const char *reason); /* 1 equal, 0 not, negative: failed */
struct compare;
/* Reads `path` and compares size and SHA-256. `done` is called once, later; not after compare_free. */
struct compare *compare_new(struct client *, const char *path, int64_t size, const char *sha256, compare_fn done,
                            void *arg);
void compare_free(struct compare *); /* NULL is fine */

/* stale.c */
void stale_sweep(struct link *, size_t service); /* looks for stale temporaries, at most once an hour */

#endif
