/* What `accord` can ask of the running hub. Each verb fills an answer and ends it, now or later; the
 * message's texts live during the call only. */
#ifndef HUB_VERBS_H
#define HUB_VERBS_H

#include "hub/control.h"

/* Answers one command. */
void verb_run(struct control_client *, const struct wire_COMMAND *);

#define CELLS(...)                                                                                           \
    (const struct accord_pair[]){__VA_ARGS__},                                                               \
        sizeof((struct accord_pair[]){__VA_ARGS__}) / sizeof(struct accord_pair)

/* verbs_status.c */
void verb_status(struct answer *, const struct wire_COMMAND *);
void verb_agreements(struct answer *, const struct wire_COMMAND *);
/* What the last load of conf.d found; `notes`: all of it, otherwise the errors. */
void answer_problems(struct answer *, bool notes);

/* verbs_units.c */
void verb_suspend(struct answer *, const struct wire_COMMAND *);
void verb_resume(struct answer *, const struct wire_COMMAND *);

/* Splits AGREEMENT[/PART], a link of it or an endpoint; false: it cannot be a name. `part` NULL: none was given. */
bool verb_split(const char *text, char agreement[CONF_NAME_MAX], const char **part);

/* verbs_probe.c */
void verb_probe(struct answer *, const struct wire_COMMAND *);
/* The client's probe, if there is one, ends; nothing is dialled any more. */
void probe_stop(struct control_client *, const char *why);

/* verbs_conf.c */
void verb_reload(struct answer *, const struct wire_COMMAND *);
void verb_switch(struct answer *, const struct wire_COMMAND *);
/* verbs_metrics.c */
void verb_metrics(struct answer *, const struct wire_COMMAND *);

/* verbs_store.c */
void verb_backup(struct answer *, const struct wire_COMMAND *);
void verb_key_rotate(struct answer *, const struct wire_COMMAND *);

/* verbs_messages.c */
void verb_messages(struct answer *, const struct wire_COMMAND *);
void verb_show(struct answer *, const struct wire_COMMAND *);
/* verbs_related.c: ends the answer about a message, with those that it answers and that answer it. */
void answer_related(struct answer *, const struct store_message *);
void verb_explain(struct answer *, const struct wire_COMMAND *);

/* verbs_decide.c: what persons decide about messages */
void verb_retry(struct answer *, const struct wire_COMMAND *);
void verb_discard(struct answer *, const struct wire_COMMAND *);
void verb_quarantine_release(struct answer *, const struct wire_COMMAND *);
void verb_quarantine_discard(struct answer *, const struct wire_COMMAND *);

/* verbs_services.c: a row for each service that waits for something. */
void answer_services(struct answer *);

#endif
