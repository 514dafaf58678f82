/* The link role without its sandbox, with the puppet for a connector: the test is the hub. */
#ifndef TEST_LINK_BENCH_H
#define TEST_LINK_BENCH_H

#include "fake_hub.h"
#include "link/link.h"
#include "link_puppet.h"

/* Sends everything up to START: a link of this name, with a service that sends and one that receives. */
void put_configuration(struct fake_hub *, const char *link, const char *messy);
/* The role runs and its link has started. `messy`: "yes" for a connector that cleans nothing up in close. */
void hub_begin(struct fake_hub *, const char *messy);
/* Nothing was left unsaid, and the role ends as it should. */
void hub_end(struct fake_hub *);

/* A delivery named after what the puppet is to do with it; returns its number. */
/* hub_begin() for a link without endpoint. */
void hub_begin_without_endpoint(struct fake_hub *);
uint64_t put_delivery(struct fake_hub *, const char *verb, int64_t size);
/* A delivery that is a command: the puppet finishes it and does what it says. */
void puppet_does(struct fake_hub *, const char *verb);
/* A delivery of 25 bytes that stays open: "hold", "deaf" or "pull". */
uint64_t puppet_holds(struct fake_hub *, const char *verb);
void expect_finished(struct fake_hub *, uint64_t delivery, enum accord_outcome, const char *reason);

/* The session that the puppet asks for; the answer to it; both, with a descriptor. */
uint64_t puppet_dials(struct fake_hub *);
void put_dialed(struct fake_hub *, uint64_t session, int64_t result, const char *reason, int fd);
uint64_t connect_session(struct fake_hub *);
/* The puppet reports the stage's facts and gets this answer. */
void judge_session(struct fake_hub *, uint64_t session, enum accord_stage, enum accord_answer);

/* The offer that the puppet makes. */
uint64_t puppet_offers(struct fake_hub *);

#endif
