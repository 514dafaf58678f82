/* A format that validator.c can read: one row of its table. Feed bytes, finish, ask why or for the key. */
#ifndef CONTENT_FORMAT_H
#define CONTENT_FORMAT_H

#include "validator.h"

struct format {
    const char *type; /* of messages; before the rules' names: "stow-plan" of "stow-plan.unt-count" */
    size_t size;      /* of the state, which is given zeroed */
    int (*init)(void *state, const struct validator_case *, const struct validator_options *);
    /* 0; ACCORD_ENOMEM; anything else denies for the fault. Nothing is fed after an error. */
    int (*feed)(void *state, const uint8_t *, size_t);
    int (*finish)(void *state);
    /* After a denial: rule without the type, and reason. Both are the state's. */
    void (*fault)(const void *state, const char **rule, const char **reason);
    /* After an accepted message: what may be used once in an agreement; "" or NULL: nothing. */
    void (*key)(const void *state, char *to, size_t room);
    void (*fini)(void *state); /* NULL: nothing to free; also after a failed init */
};

extern const struct format stix_format;                                                     /* stix.c */
extern const struct format stow_plan_format, container_status_format;                       /* exchange.c */
extern const struct format ace_transaction_format, aes_commodity_format, cbp_response_format; /* exchange.c */

#endif
