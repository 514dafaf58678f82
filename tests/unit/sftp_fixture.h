/* The SFTP connector in the fake host, against a running server; and the cases that every server must pass. */
#ifndef TESTS_SFTP_FIXTURE_H
#define TESTS_SFTP_FIXTURE_H

#include <accord/plugin.h>

#include "connectors/sftp/sftp.h"
#include "sftp_servers.h"
#include <accord/testkit/host.h>
#include <uv.h>

struct fixture {
    struct fixture *next;
    struct server server;
    struct testhost *host;
    struct link_options options;
    struct service_options service_options;
    struct accord_service service;
    const struct accord_service *told;
    struct accord_link_setup setup;
    const char *pins[2];
    const char *auth[3];
    char *key;
    uint8_t *bytes; /* of the last payload made */
    char sha256[65];
    struct accord_delivery *last; /* that fixture_deliver made */
    bool opened;
};

/* Servers and options, not yet opened, so that a case can change them. */
struct fixture *fixture_new(enum server_kind, const char *const *extra);
/* Closes, checks that the connector broke no rule of the contract, and frees. */
void fixture_free(struct fixture *);
/* For cmocka: frees what a failed case left. */
int fixture_teardown(void **state);
#define fixture_test(name) cmocka_unit_test_teardown(name, fixture_teardown)
/* Opens and starts the link. */
void fixture_open(struct fixture *);
/* A payload of this size that looks like no other seed's; replaces the one before. */
struct testhost_message fixture_message(struct fixture *, const char *name, size_t size, unsigned seed);
/* Delivers and waits for the end; a test failure when there is none within 30 s. */
struct accord_delivery *fixture_deliver(struct fixture *, const struct testhost_message *);

/* That the link is parked by this rule. */
void assert_parked(const struct fixture *, const char *rule);
void assert_content(const struct fixture *, const char *name, const void *bytes, size_t size);
bool drop_has(const struct fixture *, const char *name);
unsigned drop_count(const struct fixture *); /* files in the partner's folder, hidden ones too */
void drop_put(const struct fixture *, const char *name, const void *bytes, size_t size);

/* Conditions for testhost_run_until. */
bool no_session(void *fixture);
bool stalled(void *delivery); /* the host has given all up to `stall_at` */

/* The cases that every server must pass; the number of failures. CASE in the environment, a pattern, picks some. */
int run_session_cases(enum server_kind);
int run_file_cases(enum server_kind);
int run_send_cases(enum server_kind);
int run_shared_cases(enum server_kind);

#endif
