/* What the files of the guard process share. */
#ifndef GUARD_ROLE_H
#define GUARD_ROLE_H

#include "host/instance.h"
#include "host/pairs.h"
#include "host/handle.h"

struct conf_options;

/* One open policy module, in the order of the agreement's file. */
struct module {
    struct accord_instance base;
    char *name; /* also the plugin's */
    int64_t from, until;
    struct accord_pair *pairs;
    size_t pair_count;
    struct accord_policy policy;
    void *state; /* the plugin's */
    bool open;
    struct conf_options *options;
    struct accord_policy_setup setup;
};

struct guard_role {
    struct process process;
    bool inspect;
    struct accord_host base;
    struct accord_policy_host host;
    struct module **modules;
    size_t module_count;
    struct accord_policy_link **links;
    size_t link_count;
    struct accord_policy_service **services;
    size_t service_count;
    uint32_t *service_links; /* the hub's link number of each service */
    void **kept;             /* allocations behind links and services */
    size_t kept_count;
    struct table cases; /* by the hub's stream id: those whose verdict is awaited */
    struct table asked; /* by handle: modules that owe an answer */
    uint64_t last_id;
};

/* The one of this process: the handles that plugins hold carry no address. */
extern struct guard_role *guard_role;

static inline struct buf *guard_out(void)
{
    return process_out(&guard_role->process);
}

/* ---- module.c ---- */
void module_configure_link(const struct wire_message *);    /* LINK */
void module_configure_service(const struct wire_message *); /* SERVICE */
void module_configure(const struct wire_message *);         /* MODULE */
void module_open_all(void);                                 /* or process_die() */
void module_close_all(void);
void module_free_all(void);

/* ---- profile.c ---- */
void profile_compile(const struct wire_message *); /* COMPILE */

/* ---- case.c ---- */
void case_judge(const struct wire_message *);  /* JUDGE */
void case_piece(const struct wire_message *);  /* PIECE */
void case_cancel(const struct wire_message *); /* CANCEL */
void case_answer(struct accord_case *, const struct accord_verdict *);
void case_pull(struct accord_case *, int64_t bytes);
/* Before the modules close: no verdict is wanted any more. */
void case_drop_all(void);
/* After it: frees, and says who owes an answer. */
void case_sweep(void);

#endif
