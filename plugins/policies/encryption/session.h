/* Judges what a session says of itself against the agreement's lists (docs/reference/session-facts.md). */
#ifndef ENCRYPTION_SESSION_H
#define ENCRYPTION_SESSION_H

#include <accord/policy.h>

#include "algorithms.h"

enum strict_kex { STRICT_WHEN_NEEDED, STRICT_ALWAYS };
enum client_certificate { CERTIFICATE_ALLOWED, CERTIFICATE_REQUIRED };

/* Filled from the option table of options.c. */
struct encryption_options {
    struct accord_list kex, ciphers, macs, host_keys, user_keys;
    struct accord_list auth; /* methods by which we may authenticate */
    int64_t rsa_bits;
    int64_t strict_kex; /* enum strict_kex */
    struct accord_list tls_versions, tls_ciphers, tls_suites, tls_groups, tls_signatures;
    int64_t tls_rsa_bits, tls_ec_bits;
    int64_t tls_client_certificate; /* enum client_certificate */
    struct accord_list sasl;        /* mechanisms, and SASL_NONE */
    int64_t fips;                   /* enum fips */
    struct accord_list unencrypted; /* names of links */
};
extern const struct accord_option encryption_option_table[];

struct session_ruling {
    enum accord_answer answer;
    const char *rule;
    char reason[ACCORD_REASON_MAX];
    int64_t good_for; /* ms until a certificate in it ends; 0: it has none */
};

/* Does the connector speak SSH? Its sessions are nothing else then. */
bool session_is_ssh(const struct accord_policy_link *);
/* Does the connector speak TLS and nothing else? A stranger's may, and is asked by its facts. */
bool session_is_tls(const struct accord_policy_link *);
/* What the link's own section says; NULL: nothing. */
const char *session_option(const struct accord_policy_link *, const char *name);
/* Does the agreement say that this link's sessions may go without encryption? */
bool session_may_be_plain(const struct encryption_options *, const struct accord_policy_link *);
/* `now`: microseconds since 1970. */
void session_judge(const struct encryption_options *, const struct accord_inquiry *, int64_t now,
                   struct session_ruling *);

#endif
