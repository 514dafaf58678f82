/* Suspensions: a person has cut an agreement off, at once and until a person resumes it. Kept by name as notes of the
 * store, so that they outlive the agent, the agreement's file and its mistakes. Until the store has said whether an
 * agreement is suspended it does not run.
 */
#ifndef HUB_SUSPEND_H
#define HUB_SUSPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "hub/hub.h"

struct suspension;

/* The agreement's, found or made; asks the store the first time. NULL: no memory. */
struct suspension *suspension_of(struct hub *, const char *agreement);
bool suspension_known(const struct suspension *);
/* It is suspended, as far as is known. */
bool suspension_holds(const struct suspension *);
/* "suspended by USER: REASON", or "". */
void suspension_text(const struct suspension *, char *to, size_t room);

/* `result` 0: the store has it, with its audit record. Otherwise `why` says what came of it. */
typedef void (*suspension_done)(void *arg, int result, const char *why);
/* Cuts the agreement off before this returns; what the store does not take is tried again until it does.
 * ACCORD_ESTATE: another change of it is under way. */
int suspension_begin(struct suspension *, const char *user, const char *reason, suspension_done, void *arg);
/* It goes on once the store has said so. ACCORD_ESTATE also: it is not suspended. */
int suspension_end(struct suspension *, const char *user, const char *reason, suspension_done, void *arg);

/* The store has given `to` what was `from`'s, suspension and all. */
void suspensions_adopted(struct hub *, const char *from, const char *to);
/* Of agreements without a unit as well, in no order. */
void suspensions_each(const struct hub *, void (*each)(void *arg, const char *agreement, const struct suspension *),
                      void *arg);
void suspensions_tick(struct hub *, int64_t ticks);
void suspensions_free(struct hub *);

#endif
