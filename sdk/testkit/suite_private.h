/* What the parts of the contract suites share. */
#ifndef TESTKIT_SUITE_PRIVATE_H
#define TESTKIT_SUITE_PRIVATE_H

#include <accord/testkit/memory.h>
#include <accord/testkit/options.h>
#include <accord/testkit/policy.h>
#include <accord/testkit/suite.h>

#include "host_private.h"

/* ---- runner, suite.c ---- */

struct suite_case {
    const char *name;
    void (*run)(void *suite);
};

/* Each of the cases in a process of its own, where `around` calls its `run`. */
struct testsuite_results *suite_run(const struct suite_case *, size_t count, void *suite,
                                    void (*around)(void *suite, void (*run)(void *suite)), int64_t patience);
int suite_print(const char *plugin, struct testsuite_results *);
/* In the case's process. */
void suite_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void suite_give_up(void); /* after a complaint */
_Noreturn void suite_not_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What it is about just now, for when it dies; "": nothing special. */
void suite_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool suite_complained(void);
size_t suite_descriptors(void); /* open now */
/* After everything was freed: does the plugin still hold memory? */
void suite_check_memory(void);

/* ---- connectors ---- */

struct bench {
    const struct accord_connector_suite *suite;
    const struct accord_connector *connector;
    const struct accord_pair *link_options;
    struct testoptions *link, **service_options;
    struct accord_service *services;
    const struct accord_service **told;
    struct accord_link_setup setup;
    struct testhost *host;
    int sends, receives;  /* the first such service; -1: none */
    unsigned names;       /* given so far */
    bool expects_failure; /* of the next opening */
    char cursor[ACCORD_CURSOR_MAX];
};

int64_t bench_patience(const struct bench *);
void bench_new_host(struct bench *); /* opened, not started; a complaint and the end when it does not open */
int bench_try_open(
    struct bench *);              /* makes the host and opens; negative: it did not, and the host is freed */
void bench_begin(struct bench *); /* and started */
void bench_end(struct bench *);   /* closes and frees the host */
/* A little further: one turn of the loop, and of a virtual clock 100 ms. */
void bench_step(struct bench *);
void bench_run(struct bench *, int64_t ms); /* lets time pass */
const char *bench_name(struct bench *, char to[64]);
void bench_bytes(const struct bench *, void *to, size_t size, unsigned seed);
/* A message of this size; the bytes live until the process ends. */
struct accord_delivery *bench_deliver(struct bench *, const char *name, size_t size);
void bench_delivered(struct bench *, struct accord_delivery *,
                     const char *name);                        /* waits, and looks at the other side */
void bench_needs(const struct bench *, enum accord_direction); /* not run otherwise */
void bench_needs_endpoint(const struct bench *);
/* Gives a message of this size; not run when it cannot be given. */
void bench_give(struct bench *, const char *name, size_t size);
bool bench_holds(struct bench *, const char *name); /* also when nobody can see */
/* Waits for one more offer than `before`; NULL and a complaint: none came. */
struct accord_offer *bench_offer(struct bench *, size_t before);
bool bench_offer_over(void *offer); /* conditions */
bool bench_offer_complete(void *offer);

extern const struct suite_case suite_life[], suite_send[], suite_receive[], suite_faults[];
extern const size_t suite_life_count, suite_send_count, suite_receive_count, suite_faults_count;

/* The points at which something is cut: so many steps after its beginning. */
extern const int suite_points[];
extern const size_t suite_point_count;

#endif
