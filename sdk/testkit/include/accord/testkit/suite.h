/* accord/testkit/suite.h: the contracts of accord/connector.h and accord/policy.h as tests, to be stamped onto every
 * plugin. The plugin's author says how to set it up and, for connectors, how to look at the other side; the suite does the
 * rest: life, cancelling and closing in every state, exactly-once, credit, verdicts, admissions, cursors, failing host
 * calls, failing memory, leaks of memory and descriptors, option tables.
 *
 *     int main(void)
 *     {
 *         static const struct accord_pair options[] = {{"user", "me"}, {0}};
 *         static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, NULL}};
 *         const struct accord_connector_suite suite = {.plugin = &accord_plugin, .link_options = options,
 *             .services = services, .service_count = 1, .begin = start_server, .prepare = say_port, .got = look};
 *         return accord_connector_suite(&suite) ? 1 : 0;
 *     }
 *
 * Every case runs in a process of its own, so that one that crashes, hangs or leaks is found and named and the next one
 * begins anew: `begin` and `end` are called there. Lines as of TAP are printed: "ok", "not ok" with the complaints below,
 * "ok ... # SKIP why" for what cannot be run, because a hook is missing or the program is not linked for it
 * (accord/testkit/memory.h). TESTSUITE_CASE in the environment, a part of names, picks cases; TESTSUITE_JOBS lets so many
 * run at a time, when `begin` gives each its own folder and port.
 */
#ifndef ACCORD_TESTKIT_SUITE_H
#define ACCORD_TESTKIT_SUITE_H

#include <accord/testkit/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- results ---- */

enum testsuite_outcome { TESTSUITE_PASSED, TESTSUITE_FAILED, TESTSUITE_NOT_RUN };

struct testsuite_result {
    const char *name;
    enum testsuite_outcome outcome;
    char *text; /* the complaints, one a line; why it was not run */
};

struct testsuite_results {
    struct testsuite_result *items;
    size_t count, passed, failed, not_run;
};

void testsuite_results_free(struct testsuite_results *);

/* ---- connectors ---- */

struct testsuite_service {
    const char *name;
    const char *type;
    enum accord_direction direction;
    const struct accord_pair *options; /* as written in a file, ending with a NULL name; NULL: defaults */
};

enum testsuite_flag {
    /* Nobody can give it messages: it makes them up (a load generator). */
    TESTSUITE_MAKES_UP = 1u << 0,
    /* It does not survive that memory or host calls fail, and that is known. */
    TESTSUITE_NO_FAULTS = 1u << 1,
    /* Deliveries do not wait for the other side once the payload has come: cutting it changes nothing. */
    TESTSUITE_NO_SESSION_CUT = 1u << 2,
    /* Messages are of printable ASCII without blanks: the protocol can hold nothing else (XML has no binary). */
    TESTSUITE_TEXT = 1u << 3,
};

struct accord_connector_suite {
    const struct accord_plugin *plugin;
    enum testhost_clock clock; /* the real one where a real server has its own timeouts */
    unsigned flags;
    const struct accord_pair *link_options; /* unless `begin` returns some */
    const struct testsuite_service *services;
    size_t service_count;
    const char *endpoint_host; /* NULL: no endpoint */
    int64_t patience;          /* ms of its clock that anything may take; 0: 30 000 */
    int64_t loop_patience;     /* real ms that a call into it may take; 0: 2000 */
    int64_t case_patience;     /* real ms that a case may take; 0: 120 000 */

    void *arg;
    /* Before each case, in its process: folders, a server of the test's own. May return link options, which live as
     * long. `*failed`: it could not. */
    const struct accord_pair *(*begin)(void *arg, bool *failed);
    void (*end)(void *arg);
    /* Before each opening: endpoint, profile, secrets. All verdicts are allow. */
    void (*prepare)(void *arg, struct testhost *);

    /* SEND: has the other side this message, whole? */
    bool (*got)(void *arg, size_t service, const char *name, const void *bytes, size_t size);
    /* RECEIVE: the other side has a message for us. */
    bool (*give)(void *arg, size_t service, const char *name, const void *bytes, size_t size);
    /* Does it still have it as it was: not deleted, moved, acknowledged? NULL: cannot be seen. */
    bool (*holds)(void *arg, size_t service, const char *name);
};

/* How many cases failed. */
int accord_connector_suite(const struct accord_connector_suite *);
/* Without printing. */
struct testsuite_results *accord_connector_suite_results(const struct accord_connector_suite *);

/* ---- policies ---- */

/* A question that is asked in every way, and the answer that is expected each time. */
struct testsuite_question {
    const char *name;
    enum accord_question question;
    const struct accord_pair *options; /* of the module for this one; NULL: the suite's */
    size_t service;                    /* of a message: index in the setup's services */
    size_t link;                       /* of a session: index in the setup's links */
    const struct accord_pair *facts;   /* of a session: ending with a NULL name */
    const struct accord_envelope *envelope;
    const void *payload; /* envelope->size bytes; given when the module reads payload */
    enum accord_answer answer;
    const char *rule; /* unless allow; NULL: any */
};

struct accord_policy_suite {
    const struct accord_plugin *plugin;
    unsigned flags;
    const struct accord_pair *options;
    const struct accord_policy_setup *setup; /* links, services, dates; NULL: an agreement with nothing in it */
    int64_t wall;                            /* the wall clock, microseconds since 1970; 0: 2025-01-01 */
    const struct testsuite_question *questions;
    size_t question_count;
    int64_t patience, loop_patience, case_patience; /* as of connectors */
};

int accord_policy_suite(const struct accord_policy_suite *);
struct testsuite_results *accord_policy_suite_results(const struct accord_policy_suite *);

#ifdef __cplusplus
}
#endif
#endif
