/* One connection to the partner: dialled by the host, judged, then lines and bytes both ways, without ever
 * blocking. */
#ifndef SESSION_H
#define SESSION_H

#include "sample.h"

#define SESSION_IN  4096         /* bytes read ahead; longest line of the partner */
#define SESSION_OUT (128 * 1024) /* one piece of payload, and a line before it */

/* What becomes of it. Each may call session_close(). */
struct session_events {
    void (*ready)(void *arg);   /* the host allows payload to flow */
    void (*came)(void *arg);    /* there are more bytes in `in` */
    void (*drained)(void *arg); /* all that was put has been given to the system */
    /* There is no session, or no more. It has been closed already. */
    void (*lost)(void *arg, const char *reason);
};

struct session {
    struct self *self;
    const struct session_events *events;
    void *arg;
    bool wanted, dialing;
    bool is_probe;                 /* parks nothing */
    struct accord_session *handle; /* NULL: none */
    int fd;
    struct accord_watch *watch;
    bool due; /* the partner owes an answer */
    struct accord_timer *silence;
    char in[SESSION_IN];
    size_t in_size;
    char out[SESSION_OUT + 1024];
    size_t out_size, out_sent;
};

void session_begin(struct session *);
/* Ends it at any moment; nothing more is called. */
void session_close(struct session *, const char *reason);

/* Puts a line, "\n" included. */
void session_say(struct session *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At most SESSION_OUT bytes, and not before the last ones have drained. */
void session_put(struct session *, const void *bytes, size_t size);

/* The next whole line without its end, valid until session_take(); NULL: not yet here. */
char *session_line(struct session *);
/* Removes what was used of `in`. */
void session_take(struct session *, size_t size);
/* Does the partner owe an answer, or bytes? Then its silence ends the session after the link's `timeout`. */
void session_await(struct session *, bool due);

#endif
