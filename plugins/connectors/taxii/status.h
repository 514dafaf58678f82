/* What an answer means for what was asked: TAXII status types (TAXII 1.1, 4.2) with their details, HTTP codes (HTTP
 * binding 1.0, 3.2), pages that are no TAXII at all. Pure. */
#ifndef TAXII_STATUS_H
#define TAXII_STATUS_H

#include "answer.h"

enum asked {
    ASKED_CATALOGUE, /* discovery, collection information */
    ASKED_INBOX,     /* to take content */
    ASKED_POLL,
    ASKED_PART, /* of a result: Poll_Fulfillment */
};

enum meaning {
    MEANS_DONE,
    MEANS_RETRY,     /* nothing was acted upon; later may help */
    MEANS_REFUSED,   /* this message will not be taken, ever */
    MEANS_PARK,      /* nothing will be answered to us until a person changes something */
    MEANS_UNCERTAIN, /* content left as a whole, and whether it was taken cannot be told */
    MEANS_CANCELED,  /* by us */
};

struct outcome {
    enum meaning means;
    char rule[ACCORD_RULE_MAX];     /* of a park; otherwise of an incident, or "" */
    char reason[ACCORD_REASON_MAX]; /* for a person: what happened and what to do; "" when done */
    char said[256];                 /* done: the partner's words, "" when it has none */
    int64_t wait;                   /* ms that the partner asked for; 0: it did not */
    bool stale;    /* addresses and collections may have changed: look at them anew */
    bool gone;     /* of a part: the result is not there any more, or not the one that was begun */
    bool broken;   /* it was an answer, and what is in it is not right: a smaller window may avoid it */
    int64_t parts; /* of a part that is not there: how many there are; -1: not said */
};

__attribute__((format(printf, 4, 5))) void outcome_set(struct outcome *, enum meaning, const char *rule,
                                                       const char *format, ...);
void status_means(struct outcome *, enum asked, const struct answer_status *);
/* An answer with this code that is no TAXII message; `page` is its beginning, without control characters. */
void status_of_http(struct outcome *, enum asked, long code, const char *page, int64_t wait);
/* Something came that cannot be understood. */
void status_broken(struct outcome *, enum asked, const char *why);

#endif
