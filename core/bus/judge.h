/* One judgement: the guard's answer, then the inspector's; the first that is not allow decides. */
#ifndef BUS_JUDGE_H
#define BUS_JUDGE_H

#include "bus/party.h"

/* What the verdict holds is the callee's. */
typedef void (*bus_judged)(void *arg, struct bus_verdict *);
/* Asks the party of the view; `source` for its inspector. `done` may run at once. */
void bus_judge(struct bus *, const struct bus_case_view *, struct bus_source *source, bus_judged done,
               void *arg);

/* The processes that judge for a party: there is none yet; they are there; they will be ended, and what waits for
 * them is given back as deferred. */
void bus_judges_init(struct bus_party *);
void bus_judges_ready(struct bus_party *, bool ready);
void bus_judges_drain(struct bus_party *);

#endif
