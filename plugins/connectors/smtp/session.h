/* One connection to the mail server, and what goes over it: one conversation at a time, a mail or a probe's. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "common/curl/client.h"
#include "encode.h"
#include "replies.h"
#include "smtp.h"

struct smtp_session {
    struct client_session session; /* first */
    struct replies replies;
    char said[ACCORD_REASON_MAX]; /* the last reply, whole */
    int code;                     /* of it; 0: none yet */
    unsigned greetings;           /* replies that libcurl has seen */
    struct capabilities can;
    struct text out; /* waits to be sent */
    size_t sent;     /* of it */
    /* while it logs in */
    const char *mechanism; /* "PLAIN"; NULL: none, or it is over */
    unsigned step;
    struct text password;
    bool logged_in;
};

struct conversation;

struct conversation_table {
    /* The session is allowed: say something. */
    void (*begin)(struct conversation *, struct smtp_session *);
    /* A whole reply has come: session->code and session->said. */
    void (*replied)(struct conversation *, struct smtp_session *);
    /* All that was said has left. */
    void (*drained)(struct conversation *, struct smtp_session *);
    /* Has all of it left, so that it may have been acted upon? */
    bool (*left)(const struct conversation *);
    /* Begins anew on another connection. */
    void (*reset)(struct conversation *);
    /* The very end; frees. Not told when the link is closed: `closed`. */
    void (*ended)(struct conversation *, enum client_end, const char *rule, const char *reason, bool closed);
};

struct conversation {
    struct client_call call; /* first */
    const struct conversation_table *table;
    bool over;   /* what it was for has been settled: the session is free */
    bool broken; /* and is not used again */
};

/* talk.c */
extern const struct client_protocol smtp_protocol;
__attribute__((format(printf, 2, 3))) void smtp_say(struct smtp_session *, const char *format, ...);
/* Sends what was said, and takes what has come: the session may be gone afterwards. */
void smtp_talk(struct client_session *, uint32_t events);
struct link *smtp_link(const struct client_session *);

/* login.c */
void smtp_greeted(struct client_session *);
/* False: it is over, in whatever way; the session may be gone. */
bool smtp_login_replied(struct smtp_session *);
void smtp_forget(struct smtp_session *); /* the password */

#endif
