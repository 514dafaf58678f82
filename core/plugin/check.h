/* Asks the plugins' `check` slots about an agreement, in a sandboxed child of its own (`accordd --role=describe`). A slot
 * that crashes or hangs is an objection to its link or policy, and the others are asked all the same.
 */
#ifndef PLUGIN_CHECK_H
#define PLUGIN_CHECK_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "wire/codec.h"

/* What was answered before, by the SHA-256 of all that was asked, plugins included. One thread at a time. */
struct check_memory;
struct check_memory *check_memory_new(void); /* NULL: out of memory */
void check_memory_free(struct check_memory *);

struct plugin_checker {
    const char *executable;      /* accordd */
    struct check_memory *memory; /* NULL: none */
    int deadline_ms;             /* for one slot */
    const atomic_bool *cancel;   /* NULL; becomes true: end soon */
    size_t children;             /* out: how many were started */
};
/* For struct conf_checker; `arg` is a struct plugin_checker. Blocks; any thread. */
int plugin_check(void *arg, const struct conf_agreement *, conf_object_fn object, void *to);

/* Appends LINK, SERVICE or MODULE as a child takes them. */
void check_put_link(struct buf *, uint32_t number, const struct conf_link *);
void check_put_service(struct buf *, uint32_t number, uint32_t link, const struct conf_service *);
void check_put_module(struct buf *, uint32_t number, const struct conf_agreement *, const struct conf_policy *);

/* The child's side (describe_child.c): takes LOAD, LINK, SERVICE, MODULE, answers each CHECK with CHECKED. */
struct child;
int check_child(struct child *, char rule[ACCORD_RULE_MAX], struct reason *why);

#endif
