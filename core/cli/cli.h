/* One run of the accord command: what its options said, and where its answer goes. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <limits.h>

#include "cli/exit.h"
#include "cli/render.h"
#include "conf/conf.h"

#define CLI_CONF_FOLDER "/etc/accord/conf.d"

struct cli {
    const char *conf;         /* conf.d */
    const char *state_option; /* --state, or NULL */
    bool json;
    char daemon[PATH_MAX];    /* accordd, beside this executable */
    struct render render;     /* rows of the answer */
    char line[WIRE_TEXT_MAX]; /* its last line, for a person */
    char mistake[ACCORD_REASON_MAX]; /* in agent.conf, met while looking for the state folder */
};

struct cli_command {
    const char *name;      /* one or two words */
    const char *arguments; /* as the usage shows them; "" none */
    size_t least, most;    /* how many arguments it takes; options of its own count as two */
    bool needs_agent;
    bool hidden;       /* for developers: not in the usage */
    const char *table; /* always in its JSON, even when empty; NULL */
    int (*run)(struct cli *, const struct cli_command *, int argc, char **argv); /* an exit code */
    const char *help;
};

/* The table of commands; ends with a NULL name. */
extern const struct cli_command cli_commands[];
/* The usage, from the tables of options, commands and exit codes. */
void cli_usage(struct buf *to);

/* The whole command: parses, runs, prints. Returns the exit code. */
int cli_run(int argc, char **argv);

/* Sets the last line; returns `code`, so that a command can end in one line. */
int cli_end(struct cli *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds a row. */
void cli_row(struct cli *, const char *table, const struct accord_pair *cells, size_t count);
/* The value behind an option such as --limit, which is taken out of argv; NULL when it is not there. Sets *argc
 * to -1 when the option has no value. */
const char *cli_option(int *argc, char **argv, const char *name);

/* The state folder: --state, or what agent.conf says. An exit code; 0 when `to` is filled. With mistakes in
 * agent.conf it may be another one than the agent's: `mistake` is set, to be told when nobody is there. */
int cli_state(struct cli *, char to[PATH_MAX]);
/* The plugin folder: what agent.conf says, or the one beside the executables. */
void cli_plugins(const struct cli *, const struct conf_agent *, char to[PATH_MAX]);

/* Asks the running agent; its rows go to `row`. An exit code, with the last line set. */
int cli_ask_agent(struct cli *, const char *verb, const struct accord_pair *arguments, size_t count,
                  void (*row)(void *arg, const char *table, const struct wire_pairs *cells), void *arg);
/* How far a long piece of work has come, over and over on one line of a terminal; nothing elsewhere. */
void cli_progress(const struct cli *, const struct wire_pairs *cells);
void cli_progress_end(const struct cli *);
/* A connection to the agent of the state folder; an exit code. */
struct client;
int cli_reach(struct cli *, struct client **);

/* Commands, one file each (agent.c has those that only pass a question on). */
int cli_ask(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_decide(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_messages(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_metrics(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_probe(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_backup(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_key_rotate(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_retry_all(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_each_message(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_quarantined(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_submit(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_version(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_check(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_init(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_plugin_list(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_plugin_new(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_switch(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_validate(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_audit_verify(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_audit_export(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_reference(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_complete(struct cli *, const struct cli_command *, int argc, char **argv);
int cli_help(struct cli *, const struct cli_command *, int argc, char **argv);

#endif
