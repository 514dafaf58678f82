/* The bus over the memory store, with scripted policies and links: site/plans goes to isa/plan and, when there
 * is a second destination, to other/plan. */
#ifndef BUS_WORLD_H
#define BUS_WORLD_H

#include "bus/bus.h"
#include "store/backend.h"

#define PAYLOAD "UNB+UNOA:2+SENDER+RECIPIENT'"

struct world {
    uv_loop_t loop;
    struct store *store;
    struct bus *bus;
    struct bus_party *site, *isa, *other;
    struct conf conf;
    struct conf_agreement agreements[3];
    struct conf_agreement *list[3];
    struct conf_link links[3];
    struct conf_service services[3];
    struct conf_route from;
    struct conf_type type;
    struct conf_plugin dir, sftp, services_module, content_module;
    struct conf_policy policies[2];
    /* script */
    enum accord_answer guard, inspect;
    const char *key;         /* that inspectors give with their allow */
    int64_t wait;            /* that guards give with a defer, and */
    int64_t good_for[2];     /* that guards and inspectors give with an allow: milliseconds */
    const char *only_key_of; /* NULL: every agreement's */
    bool read_first;         /* inspectors read the payload before they answer */
    bool keep_case;          /* questions are kept, to be answered by the test */
    enum accord_outcome outcome;
    bool keep_dispatch;
    /* what happened */
    struct bus_case *cases[4];
    size_t case_count;
    struct bus_dispatch *kept;
    int asked_guard, asked_inspect, sent, done;
    int64_t attempt;
    char got[256], sent_id[ACCORD_ID_MAX];
    size_t got_size;
    int read_whole; /* inspectors that read PAYLOAD */
    struct accord_admitted admitted;
    char id[ACCORD_ID_MAX], rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX];
    int64_t pulled;
    int records[AUDIT_ACTION_END];
    char detail[128]; /* the first of the last record */
    int incidents;
    bool incident_recorded; /* its audit record was in a commit */
    char incident[ACCORD_RULE_MAX]; /* the rule of the last one */
};

struct world *world_new(bool second);
void world_free(struct world *); /* fails the test unless the bus is idle */
/* Runs the loop until the bus is idle. */
void turn(struct world *);
/* Runs it for a while: something will not end. */
void turn_some(struct world *);
/* Runs the loop until *value >= least, for at most some seconds; false: it did not come. */
bool turn_until(struct world *, const int *value, int least);

extern const struct bus_offer_events offer_events;
/* Begins an offer from the site; -1: the size is not known. NULL: it was answered at once. */
struct bus_offer *offer_begin(struct world *, const char *source_id, int64_t size);
/* Offers PAYLOAD from the site and waits for the verdict. */
void offer(struct world *, const char *source_id);
void answer(struct world *, size_t kept_case, enum accord_answer);
void finish(struct world *); /* the kept dispatch, with the scripted outcome */

/* The delivery of the message that was admitted last, read from the store anew; NULL: none. */
const struct store_delivery *delivery_of(struct world *, const char *agreement);
const struct store_message *message_read(void); /* that delivery_of() has read */
int message_forget(void **state);               /* teardown */
/* The number of the first line of the trail that holds this text; SIZE_MAX: none. */
size_t line_of(struct world *, const char *text);
/* The number of records of an action in the trail of a chain. */
size_t records_of(struct world *, const char *chain, const char *action);

/* Makes every write of the store fail with this result; 0: no more. */
void store_break(struct world *, int result);
/* What is claimed from here on is damaged. */
void store_lose(struct world *);

#endif
