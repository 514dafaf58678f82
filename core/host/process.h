/* The frame of a child process that runs plugins: its loop, its channel to the hub, the loaded plugins,
 * start, drain and end. What a link or a guard does beyond that is its `process_role`.
 *
 * The hub's messages are decoded strictly: one that is malformed or out of order ends the process.
 */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include <uv.h>

#include <accord/plugin.h>

#include "host/grace.h"
#include "wire/channel.h"

#define PROCESS_PLUGINS_MAX 64

enum process_phase {
    PROCESS_CONFIGURING, /* LOAD, LINK, SERVICE, MODULE */
    PROCESS_RUNNING,
    PROCESS_DRAINING, /* nothing new is begun */
    PROCESS_ENDING,   /* the hub is gone; no callback into a plugin but `done` of work on a thread */
};

struct process;
struct accord_instance;

struct process_role {
    /* Any message that is not the frame's own. `fd` is owned by the callee (only with DIALED, else -1). */
    void (*message)(struct process *, const struct wire_message *, int fd);
    void (*open)(struct process *);  /* START: opens every instance, or process_die() */
    void (*start)(struct process *); /* after READY, and again when START comes while draining; may be NULL */
    void (*drain)(struct process *); /* may be NULL */
    void (*room)(struct process *);  /* the channel has room again; may be NULL */
    void (*close)(struct process *); /* closes every instance */
    void (*fini)(struct process *);  /* frees, when nothing runs any more */
};

/* Loads the plugin that LOAD names. `rule`: what was wrong. */
typedef int process_load_fn(void *arg, const char *plugin, const char *sha256, const struct accord_plugin **,
                            char rule[ACCORD_RULE_MAX], struct reason *why);

struct process_setup {
    int fd; /* the channel's; taken over */
    const char *agreement;
    struct wire_bytes rest; /* frames that came before the loop */
    process_load_fn *load;
    void *load_arg;
    int64_t grace; /* ms that a plugin has to end what was cancelled */
};

struct process {
    const struct process_role *role;
    const struct process_setup *setup;
    uv_loop_t loop;
    struct channel *channel;
    enum process_phase phase;
    const struct accord_plugin *plugins[PROCESS_PLUGINS_MAX];
    size_t plugin_count;
    const struct accord_instance *inside; /* whose code runs or ran last */
    struct grace_list grace;
    uint64_t dropped_lines; /* log lines for which the channel had no room */
    int status;
};

/* Runs until the hub closes the channel: 0. Or until something is broken: 1. */
int process_run(struct process *, const struct process_role *, const struct process_setup *);

/* Where to put frames for the hub. */
struct buf *process_out(struct process *);
/* The loaded plugin of this kind and name, or NULL. */
const struct accord_plugin *process_plugin(const struct process *, enum accord_plugin_kind, const char *name);

/* Says what is broken to the log and to the hub (FAILED), and exits at once: no plugin runs another
 * instruction. */
_Noreturn void process_die(struct process *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A plugin broke the contract. Names the one whose code ran last. */
_Noreturn void process_blame(struct process *, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The hub broke the protocol. */
_Noreturn void process_refuse(struct process *, const struct wire_message *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Refuses the message unless the process is configuring. */
void process_expect_configuring(struct process *, const struct wire_message *);

#endif
