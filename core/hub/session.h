/* Sessions of links: dialled here, judged by the guard, revocable at any time through a kept duplicate of
 * the descriptor. Secrets go only to a session whose handshake was allowed, but for those that make
 * it (ACCORD_FOR_HANDSHAKE); payload only after authentication was. */
#ifndef HUB_SESSION_H
#define HUB_SESSION_H

#include "hub/child.h"

/* The hub's word on whether an endpoint of the agreement may be dialled now; NULL: yes. Otherwise `rule` is set. */
const char *sessions_objection(const struct unit *, const struct conf_endpoint *, const char **rule);
void sessions_dial(struct child *, const struct wire_DIAL *);
void sessions_facts(struct child *, const struct wire_FACTS *);
void sessions_secret(struct child *, const struct wire_SECRET *);
void sessions_end(struct child *, const struct wire_SESSION_END *);
/* The session may carry payload of this link. */
bool sessions_carry(struct child *, uint64_t session, const struct conf_link *);
/* Judges again those whose allow was good for a time that is over; cuts them unless they are allowed again. */
void sessions_tick(struct child *, int64_t ticks);
/* Open ones of this link, and those being opened. */
size_t sessions_count(const struct child *, const struct conf_link *);
/* Cuts every session of the child. */
void sessions_revoke(struct child *, const char *why);
void sessions_gone(struct child *);

#endif
