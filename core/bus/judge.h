/* One judgement: the guard's answer, then the inspector's; the first that is not allow decides. */
#ifndef BUS_JUDGE_H
#define BUS_JUDGE_H

#include "bus/party.h"

/* The verdict's keys are the callee's. */
typedef void (*bus_judged)(void *arg, struct bus_verdict *);
/* Asks the party of the view; `source` for its inspector. `done` may run at once. */
void bus_judge(struct bus *, const struct bus_case_view *, struct bus_source *source, bus_judged done,
               void *arg);

#endif
