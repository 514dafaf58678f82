/* Messages that answer others: what a delivered message expects, what came in for it, and what did not come in time.
 */
#ifndef BUS_ANSWERS_H
#define BUS_ANSWERS_H

#include "bus/dispatch.h"

struct bus_offer;

/* Finds out what a message answers, then has it judged. */
void offer_correlate(struct bus_offer *);
/* It was admitted. */
void offer_answered(const struct bus_offer *);
/* Wall microseconds by which an answer is expected; 0: none is, or it has come already. */
int64_t bus_answer_by(const struct bus_dispatch *);
/* Some service expects answers: the store is asked once a second for those that are overdue. */
bool bus_expects_answers(const struct bus *);
void bus_answers_tick(struct bus *);

#endif
