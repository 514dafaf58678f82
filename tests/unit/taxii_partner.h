/* A TAXII partner from a script, in the place of http.c and answer11.c: what the connector asks is looked at, and what is
 * answered is a few lines, so that every fault can be had.
 *
 *     INSTANCE INBOX|https://taxii.example:8443/inbox|urn:a,urn:b
 *     COLLECTION AIS|feed|https://.../poll|https://.../inbox|urn:a      (feed, set; "-feed": not available)
 *     POLL AIS|part|more or last|result id|end
 *     BLOCK urn:a
 *     TEXT <a/>                                                          (as often as wanted)
 *     MANY 70000 x                                                       (so many of them)
 *     LABEL 2026-01-01T00:00:00Z                                         (ends the block)
 *     STATUS RETRY|their words|ESTIMATED_WAIT=5
 *     BROKEN line 3: a tag is not closed
 */
#ifndef TAXII_PARTNER_H
#define TAXII_PARTNER_H

#include <accord/testkit/host.h>
#include <accord/testkit/options.h>

#include "connectors/taxii/http.h"

#define AIS_LINK                                                                                             \
    {"trust", "trust.pem"}, {"discovery", "/disc"}, {"collections", "/coll"}, {"inbox", "/inbox"},           \
    {                                                                                                        \
        "poll", "/poll"                                                                                      \
    }

struct ais_bench {
    struct testhost *host;
    struct accord_link_setup setup;
    struct accord_service services[4];
    const struct accord_service *pointers[4];
    struct testoptions *options[5];
    char cursor[ACCORD_CURSOR_MAX];
};

struct ais_service {
    const char *name;
    enum accord_direction direction;
    const struct accord_pair *options; /* ends with a NULL name */
};

/* With the virtual clock, opened and not started. `link` NULL: paths of all four services. */
void ais_open(struct ais_bench *, const struct accord_pair *link, const struct ais_service *, size_t count);
/* One service that submits to AIS_INGEST, started. NULL: as usual. */
void ais_open_submit(struct ais_bench *, const struct accord_pair *link, const struct accord_pair *options);
void ais_start(struct ais_bench *); /* and lets everything run */
/* Closed, without complaints. */
void ais_close(struct ais_bench *);
void ais_run(struct ais_bench *);                  /* host and partner, until nothing moves */
void ais_pass(struct ais_bench *, int64_t ms);     /* virtual time, and then all that follows */
struct accord_delivery *ais_send(struct ais_bench *, const char *id, const char *bytes);
struct accord_delivery *ais_send_one(struct ais_bench *, const char *id); /* a small one, and lets everything run */
/* Fails the test unless it is finished so, and receipt or reason have these words. */
void ais_ended(const struct accord_delivery *, enum accord_outcome, const char *words);

/* ---- requests, in the order in which they were made and are not over ---- */

size_t partner_waiting(void);
unsigned partner_asked(void); /* all there ever were */
struct http_call *partner_call(size_t index);
const char *partner_path(const struct http_call *);
const char *partner_body(const struct http_call *); /* what of it has come */
bool partner_whole(const struct http_call *);       /* all of it */
int64_t partner_declared(const struct http_call *);
bool partner_again(const struct http_call *); /* it may be sent twice */
bool partner_canceled(const struct http_call *);
bool partner_paused(const struct http_call *); /* the answer is not taken for now */

/* ---- answers, to the first request; everything runs until nothing moves ---- */

void answer(struct ais_bench *, const char *lines);
void answer_begin(struct ais_bench *, const char *lines); /* more will come: answer() ends it */
void answer_page(struct ais_bench *, long status, const char *type, const char *page);
void answer_end(struct ais_bench *, enum http_end, const char *rule, const char *reason);
void answer_code(struct ais_bench *, long status, const char *lines); /* a TAXII message with this HTTP code */
/* Discovery and collection information, when they are asked: AIS and AIS_INGEST take urn:stix.mitre.org:xml:1.1.1. */
void answer_catalogue(struct ais_bench *);

/* The next http_begin() fails. */
void partner_fail_begin(void);
/* Until the bench is opened anew: bodies are taken when they are there as a whole, and not before. */
void partner_takes_whole(void);
unsigned partner_dropped(void); /* http_drop_idle() */
void partner_certificate(int64_t until); /* as the next session learns it */

#endif
