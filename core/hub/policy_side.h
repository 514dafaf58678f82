/* Questions to guards and inspectors, their answers, and the session profiles that guards compile. */
#ifndef HUB_POLICY_SIDE_H
#define HUB_POLICY_SIDE_H

#include "bus/bus.h"
#include "hub/child.h"

/* One message from a guard or inspect process that is ready. */
void policy_side_message(struct child *, const struct wire_message *);
/* Its channel is closed: every open question is answered with defer, or put again when it has died. */
void policy_side_gone(struct child *);
void policy_side_tick(struct child *, int64_t ticks);

/* Port of the bus. `child` may be NULL or not ready: then the answer is defer, at once. */
void policy_side_ask(struct child *, struct bus_case *);
/* Asks a guard about session facts. The verdict is the callee's to read during the call only. */
typedef void (*policy_answered)(void *arg, const struct bus_verdict *);
void policy_side_ask_session(struct child *, enum accord_question, const struct conf_link *,
                             const struct wire_pairs *facts, policy_answered, void *arg);

#endif
