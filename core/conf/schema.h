/* The core's own sections and keys, as tables of the same kind that plugins use: the same code parses,
 * checks, fills and documents them. A form is what one section says; the loader turns forms into conf.h's
 * structs.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <accord/option.h>

/* In which files a section may stand. */
enum schema_place {
    SCHEMA_AGENT = 1u << 0,     /* agent.conf */
    SCHEMA_SITE = 1u << 1,      /* site.conf */
    SCHEMA_AGREEMENT = 1u << 2, /* every other file */
};

enum schema_flag {
    SCHEMA_NAMED = 1u << 0, /* [KIND NAME] */
    SCHEMA_OPEN = 1u << 1,  /* further keys belong to a plugin (or, for [plugins], are file names) */
};

struct schema {
    const char *kind;
    unsigned places;
    unsigned flags;
    const char *name; /* what the name in the header is: "the link's name" */
    const struct accord_option *table;
    const char *help; /* for the reference */
};

extern const struct schema schemas[]; /* ended by a NULL kind */
const struct schema *schema_find(const char *kind);

struct form_agent {
    const char *user, *state, *plugins, *credentials;
    bool watch;
};
struct form_log {
    int64_t format, level;
};
struct form_store {
    const char *key_file;
    int64_t backend, segment_size, reserve, duplicate_horizon;
    int64_t message_retention, key_retention;
};
struct form_audit {
    int64_t online_retention, archive_retention, anchor_every;
};
struct form_limits {
    int64_t drain_timeout, answer_within, parked_retry;
};
struct form_type {
    const char *media;
    int64_t max_size;
};
struct form_site {
    const char *name;
    int64_t store_limit, quarantine_limit, quarantine_retention;
};
struct form_agreement {
    const char *title, *partner, *formerly;
    bool enabled;
    int64_t acknowledged; /* 0 when not set */
    int64_t valid_for;    /* for its range only: the end is reckoned by the calendar from the text */
    const char *sensitivity, *incident_to;
    int64_t category;
    int64_t online_retention, archive_retention; /* for their ranges only; see duration_keep_ms() */
    int64_t store_limit, quarantine_limit, quarantine_retention;
};
struct form_contact {
    const char *name, *person, *phone, *email;
};
struct form_endpoint {
    const char *host, *source_address;
    int64_t port, tunnel, connect_timeout;
};
struct form_link {
    const char *connector, *endpoint;
};
enum { FORM_SEND, FORM_RECEIVE };
enum { FORM_RESEND, FORM_HOLD };
enum { FORM_DEAD_HOLDS, FORM_DEAD_IS_SKIPPED };
struct form_service {
    const char *type, *link, *names, *correlates;
    int64_t direction; /* FORM_SEND, FORM_RECEIVE */
    struct accord_list from, to;
    int64_t max_size; /* 0 when not set: the type's */
    int64_t rate, retry_first, retry_longest, retry_for, retry_attempts, delivery_timeout, expect_response;
    int64_t on_uncertain; /* FORM_RESEND, FORM_HOLD */
    bool ordered;
    int64_t on_dead; /* FORM_DEAD_HOLDS, FORM_DEAD_IS_SKIPPED */
};
struct form_release {
    struct accord_list to;
};

/* The message types that exist without agent.conf. Ended by a NULL name. */
struct schema_type {
    const char *name, *media;
    int64_t max_size;
    const char *help;
};
extern const struct schema_type schema_types[];

#endif
