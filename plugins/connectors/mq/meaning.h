/* What an error condition of a broker (AMQP 1.0, 2.8.15 to 2.8.19 and 3.5.11) means for us. */
#ifndef MQ_MEANING_H
#define MQ_MEANING_H

#include <accord/base.h>
#include <proton/condition.h>

enum means {
    MEANS_LATER,   /* it may pass: try again as ever */
    MEANS_LONG,    /* somebody has to do something at the broker, and we shall not hammer it meanwhile */
    MEANS_PARK,    /* it does not let us: nothing before somebody changes something */
    MEANS_REFUSED, /* this message, ever; of an AMQP link: like MEANS_LONG */
};

struct meaning {
    enum means means;
    char rule[ACCORD_RULE_MAX];     /* "mq.not-found"; "": no condition was given */
    char reason[ACCORD_REASON_MAX]; /* what the broker said about what, and what to do */
};

/* `what`: "the queue ace.requests", the subject of the sentence. */
void meaning_of(struct meaning *, const char *what, pn_condition_t *);
/* The same, in words of ours. */
void meaning_say(struct meaning *, enum means, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
