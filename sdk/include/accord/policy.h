/* accord/policy.h: the vtable of a policy module, which answers allow, deny or defer, and names its rule.
 *
 * Modules are asked in the order of the file; the first answer that is not allow decides.
 */
#ifndef ACCORD_POLICY_H
#define ACCORD_POLICY_H

#include <accord/connector.h>

#ifdef __cplusplus
extern "C" {
#endif

enum accord_question {
    ACCORD_ASK_HANDSHAKE = 1,     /* facts of accord_stage ACCORD_HANDSHAKE */
    ACCORD_ASK_AUTHENTICATED = 2, /* facts of ACCORD_AUTHENTICATED */
    ACCORD_ASK_IN = 3,            /* may this message come in from the partner? */
    ACCORD_ASK_OUT = 4,           /* may this message go out to the partner? */
};
#define ACCORD_ASKS(question) (1u << (question))

enum accord_policy_flag {
    ACCORD_READS_PAYLOAD = 1u << 0, /* runs in the inspect process; otherwise in the guard */
};

/* A link of the agreement, as policy modules see it. */
struct accord_policy_link {
    const char *name;
    const char *connector;
    const char *endpoint_host; /* "" without endpoint */
    int64_t endpoint_port;
    const char *tunnel; /* "none", "ipsec" */
    const struct accord_pair *options; /* the link's options as written, for rules such as the pinned host key */
    size_t option_count;
};

/* A service of the agreement, as policy modules see it. */
struct accord_policy_service {
    const char *name;
    const char *type;
    const char *link;
    enum accord_direction direction;
    int64_t max_size;
    const char *names; /* glob that message names must match; "" any */
    int64_t rate;      /* messages a minute; 0 no limit */
};

struct accord_policy_setup {
    const char *agreement;
    const char *module;
    const void *options; /* the struct that the option table fills */
    int64_t in_force_from, in_force_until; /* microseconds since 1970; `until` exclusive */
    const struct accord_policy_link *const *links;
    size_t link_count;
    const struct accord_policy_service *const *services;
    size_t service_count;
};

struct accord_case; /* the host's handle for one question */

/* One question. Lives until answer(). */
struct accord_inquiry {
    struct accord_case *handle;
    enum accord_question question;
    const struct accord_policy_link *link;       /* the session's link, or the service's */
    const struct accord_policy_service *service; /* NULL for session questions */
    const struct accord_envelope *envelope;      /* NULL for session questions */
    const struct accord_pair *facts;             /* session questions */
    size_t fact_count;
    void **state; /* one pointer for the module to keep, NULL at first */
};

#define ACCORD_KEY_MAX 128 /* bytes of a unique key, with NUL */
#define ACCORD_KEYS_MAX 64

struct accord_verdict {
    enum accord_answer answer;
    const char *rule;   /* what decided: "stow-plan.unt-count"; required unless allow */
    const char *reason; /* one line for a person: where in the message, what was expected */
    const char *const *keys; /* allow only: must not have been used before in this agreement (control numbers) */
    size_t key_count;
    /* defer: milliseconds after which to ask again about a message that is to go out, though not later than its service's
     * retry-longest; 0: the host's own back-off. Messages to come in, and sessions, come again when their connector tries
     * again. */
    int64_t wait;
    /* allow: milliseconds for which the answer holds, of several modules the least; 0: as long as the agreement, its
     * modules and its state are the same. A message that is not with its link by then is judged again before it goes
     * there; one that is may finish. A session is judged again by the same facts within about a second, and ended
     * unless that is allowed too: what was under way in it is tried again. */
    int64_t good_for;
};

struct accord_policy_host {
    uint32_t size;
    const struct accord_host *base; /* log, metric, clocks, timers, work */
    /* Answers a question exactly once, in `judge` or later, also after `cancel`. */
    void (*answer)(struct accord_case *, const struct accord_verdict *);
    /* Asks for up to `bytes` more of the payload (modules with ACCORD_READS_PAYLOAD). Credit adds up. */
    void (*pull)(struct accord_case *, int64_t bytes);
};

/* Collects the session profile of one link; see `profile`. */
struct accord_profile_sink {
    void *arg;
    int (*put)(void *arg, const char *name, const char *value);
};

struct accord_policy {
    uint32_t size;
    uint32_t flags;
    uint32_t asks; /* ACCORD_ASKS() of the questions it answers; others count as allow */
    struct accord_options options;

    int (*check)(const struct accord_policy_setup *, char *why, size_t why_size); /* as in accord_connector */

    size_t state_size;
    int (*open)(void *state, struct accord_instance *, const struct accord_policy_host *,
                const struct accord_policy_setup *, char *why, size_t why_size);
    /* Finish or forget everything: every open case is answered (defer) before this returns. */
    void (*close)(void *state);

    void (*judge)(void *state, const struct accord_inquiry *);
    /* Payload that pull() asked for, as in accord_connector.payload. */
    void (*payload)(void *state, const struct accord_inquiry *, const uint8_t *, size_t, bool last);
    /* No answer is wanted any more: answer soon, with anything, and free what *inquiry->state holds. */
    void (*cancel)(void *state, const struct accord_inquiry *);

    /* Compiles what sessions of this link may negotiate, so that a forbidden session cannot complete.
     * Names: docs/reference/session-profile.md. NULL: has no say in sessions. */
    int (*profile)(void *state, const struct accord_policy_link *, const struct accord_profile_sink *,
                   char *why, size_t why_size);
};

#ifdef __cplusplus
}
#endif
#endif
