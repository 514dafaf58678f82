/* The verbs that write, one function each. Store thread: they check, find, put and seal within the open group; a
 * failure of anything that put sets group_error. Only verbs*.c include this. */
#ifndef STORE_VERBS_H
#define STORE_VERBS_H

#include "store/front.h"

int verb_settle(struct store *, struct store_settlement *);
int verb_move(struct store *, struct store_move *);
int verb_decide(struct store *, struct store_decision *);
int verb_unquarantine(struct store *, struct store_unquarantine *);
int verb_adopt(struct store *, struct store_adoption *);
int verb_note(struct store *, struct store_note *);
int verb_missed(struct store *, struct store_missed *);
int verb_retain(struct store *, struct store_retention *);
int verb_rotate(struct store *, struct store_rotation *);

/* ---- what they share ---- */

bool verb_fits(const char *text, size_t room); /* it has its NUL within `room`; NULL does not fit */
bool verb_fits_or_null(const char *text, size_t room);
int verb_check_delivery(const struct store_delivery *);
void verb_describe_delivery(struct record_delivery *, const struct store_delivery *);
/* Fills in what the store gives to new deliveries. */
void verb_number_deliveries(struct store *, struct store_delivery *, size_t count, const char *message,
                            int64_t now);
/* The message's answer to `agreement` is no longer expected. */
int verb_answer(struct store *, const char *message, const char *agreement, bool *answered);

uint64_t audit_need(const struct store_audit *, size_t count);
/* Asked before anything is put, so that sealing cannot fail for the caller's mistakes. */
int audit_check(const struct store_audit *, size_t count);
int audit_put(struct store *, struct store_audit *, size_t count);

#endif
