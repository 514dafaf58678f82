/* Judges what a session says of itself against the agreement's lists (docs/reference/session-facts.md). */
#ifndef ENCRYPTION_SESSION_H
#define ENCRYPTION_SESSION_H

#include <accord/policy.h>

#include "algorithms.h"

enum strict_kex { STRICT_WHEN_NEEDED, STRICT_ALWAYS };

/* Filled from the option table of encryption.c. */
struct encryption_options {
    struct accord_list kex, ciphers, macs, host_keys, user_keys;
    struct accord_list auth; /* methods by which we may authenticate */
    int64_t rsa_bits;
    int64_t strict_kex;             /* enum strict_kex */
    int64_t fips;                   /* enum fips */
    struct accord_list unencrypted; /* names of links */
};

struct session_ruling {
    enum accord_answer answer;
    const char *rule;
    char reason[ACCORD_REASON_MAX];
};

/* Does this module know how sessions of the connector must look? */
bool session_known(const struct accord_policy_link *);
/* Does the agreement say that this link's sessions may go without encryption? */
bool session_may_be_plain(const struct encryption_options *, const struct accord_policy_link *);
void session_judge(const struct encryption_options *, const struct accord_inquiry *, struct session_ruling *);

#endif
