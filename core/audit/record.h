/* One audit record, rendered with Elastic Common Schema names. Required by AIS-3.11a and CBP-2j: event type,
 * date and time, system identification, success or failure, security actions by administrators. */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include <accord/base.h>

#include "util/buf.h"

enum audit_outcome { AUDIT_SUCCESS, AUDIT_FAILURE, AUDIT_UNKNOWN };

/* Every action there is: one table makes the enum, the names, categories and docs/reference/events.md.
 * A(ID, name, category, help) */
#define AUDIT_ACTIONS(A)                                                                                             \
    A(AGENT_START, "agent-start", "process", "the hub started")                                                      \
    A(AGENT_STOP, "agent-stop", "process", "the hub stopped by request")                                             \
    A(ANCHOR, "audit-anchor", "configuration", "heads of all chains, signed")                                        \
    A(CONFIG_LOADED, "configuration-loaded", "configuration", "a configuration took effect")                         \
    A(CONFIG_REFUSED, "configuration-refused", "configuration", "a file had mistakes and was not applied")           \
    A(AGREEMENT_UP, "agreement-up", "configuration", "an agreement's processes are running")                         \
    A(AGREEMENT_DOWN, "agreement-down", "configuration", "an agreement's processes have ended")                      \
    A(CHILD_STARTED, "process-started", "process", "a link, guard or inspect process is ready, with its walls")      \
    A(CHILD_FAILED, "process-failed", "process", "a child process died, hung or broke the protocol")                 \
    A(PLUGIN_LOADED, "plugin-loaded", "process", "a plugin was loaded, with its SHA-256")                            \
    A(PLUGIN_REFUSED, "plugin-refused", "process", "a plugin was not loaded")                                        \
    A(CONNECT, "connection-attempted", "network", "an endpoint was dialled")                                         \
    A(SESSION_ALLOWED, "session-allowed", "session", "the facts of a session satisfied the agreement")               \
    A(SESSION_DENIED, "session-denied", "session", "the facts of a session did not")                                 \
    A(SESSION_ENDED, "session-ended", "session", "a session was closed")                                             \
    A(SESSION_REVOKED, "session-revoked", "session", "the hub cut a session")                                        \
    A(SECRET_USED, "secret-used", "authentication", "a secret was handed to a session; never its value")             \
    A(SECRET_REFUSED, "secret-refused", "authentication", "a secret could not be read or may not be used")           \
    A(LINK_PARKED, "link-parked", "session", "the other side refuses the session; waiting for a person")             \
    A(LINK_RESUMED, "link-resumed", "session", "a parked link is tried again")                                       \
    A(ADMITTED, "message-admitted", "file", "a message was accepted, with all its verdicts")                         \
    A(REPEATED, "message-repeated", "file", "a repeat of a message that was admitted before")                        \
    A(QUARANTINED, "message-quarantined", "file", "a message was set aside, with rule and reason")                   \
    A(DEFERRED, "message-deferred", "file", "a message could not be judged; its source keeps it")                    \
    A(REFUSED, "message-refused", "file", "an offer was refused before it was taken")                                \
    A(DELIVERED, "message-delivered", "file", "the other side has it; with its receipt")                             \
    A(RETRIED, "delivery-retried", "file", "a delivery failed and will be tried again")                              \
    A(DEAD, "delivery-dead", "file", "a delivery has ended without success")                                         \
    A(HELD, "delivery-held", "file", "a delivery waits for its agreement or a person")                               \
    A(RELEASED, "delivery-released", "file", "a held or dead delivery goes on")                                      \
    A(DISCARDED, "delivery-discarded", "file", "someone, or a limit in time, gave up a delivery or a message")        \
    A(QUARANTINE_RELEASED, "quarantine-released", "file", "someone let a quarantined message go on")                 \
    A(ANSWERED, "response-received", "file", "a message came in that answers one that was delivered")                \
    A(OVERDUE, "response-overdue", "file", "no answer to a delivered message came within the agreed time")           \
    A(SUSPENDED, "agreement-suspended", "configuration", "someone cut an agreement off, until it is resumed")        \
    A(UNSUSPENDED, "agreement-resumed", "configuration", "a suspended agreement goes on")                            \
    A(ADOPTED, "agreement-adopted", "configuration", "the messages of a renamed agreement are taken over")           \
    A(SOURCES_STOPPED, "sources-stopped", "file", "a limit of the store is reached: sources keep their messages")    \
    A(SOURCES_RESUMED, "sources-resumed", "file", "there is room again")                                             \
    A(STORE_COMPACTED, "store-compacted", "file", "segments of the journal were deleted after their time")           \
    A(STORE_BACKUP, "store-backup", "file", "a backup of the store was made")                                        \
    A(KEY_ROTATED, "key-rotated", "iam", "keys of the store were replaced")                                          \
    A(STORE_RESTORED, "store-restored", "file", "a backup of the store was put back: what came after it is missing") \
    A(INCIDENT, "incident-opened", "intrusion_detection", "something that a person must look at")                    \
    A(COMMAND, "command", "iam", "an administrator's command, with the user behind it")                              \
    A(STORE_DAMAGED, "store-damaged", "file", "records of the store were damaged and set aside, or are missing")

enum audit_action {
#define A(ID, name, category, help) AUDIT_##ID,
    AUDIT_ACTIONS(A)
#undef A
    AUDIT_ACTION_END,
};

/* NULL and "" members are left out. */
struct audit_event {
    enum audit_action action;
    enum audit_outcome outcome;
    int64_t time; /* 0: now */
    const char *agreement;
    const char *link;
    const char *service;
    const char *message; /* id */
    const char *name;    /* message name */
    const char *type;
    const char *sha256;
    int64_t size; /* with sha256 */
    const char *rule, *module;
    const char *reason;
    const char *receipt;
    const char *user; /* of a command */
    const char *source_address, *destination_address;
    const struct accord_pair *details; /* accord.details.NAME */
    size_t detail_count;
    struct buf *kept; /* what the first record with it says of message, name, type, hash and size is kept there for the
                       * others; NULL */
};

const char *audit_action_name(enum audit_action);
/* Once, at start, before any other thread renders: host.name and host.ip of every record. */
void audit_host_set(const char *name, const char *address);
const char *audit_host_name(void); /* as it stands in the records; "" before audit_host_set() */
/* Appends the record without its closing brace: audit_seal() adds the rest. Any thread. Texts are cut so that
 * the sealed line always fits AUDIT_LINE_MAX; details that do not fit any more are left out and
 * `accord.details-left-out` says how many. */
void audit_render(struct buf *, const struct audit_event *);
/* What is the same in many records, and stands in the one at `at` bytes without being copied there. */
struct audit_shared {
    size_t at;
    struct audit_part {
        const void *data;
        size_t size;
    } parts[2]; /* one behind the other; empty when there is none */
};
/* The same record without what it shares with others: the text of its head, which stays for ever, and what
 * event->kept holds, which must stay as it is as long as the record is needed. One thread alone. */
void audit_render_apart(struct buf *, const struct audit_event *, struct audit_shared *);
/* Appends docs/reference/events.md, which is generated from AUDIT_ACTIONS. */
void audit_events_page(struct buf *);

#endif
