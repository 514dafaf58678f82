#include "conf/schema.h"

#include <stddef.h>
#include <string.h>

#define KB     INT64_C(1000)
#define MB     (1000 * KB)
#define MIB    INT64_C(1048576)
#define GIB    (1024 * MIB)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

#define AT(form, field) .offset = offsetof(struct form_##form, field)
#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "notice", "warning", "error", NULL};
static const char *const backends[] = {"journal", "memory", NULL};
static const char *const tunnels[] = {"none", "ipsec", NULL};
static const char *const categories[] = {"low", "moderate", "high", NULL};
static const char *const directions[] = {"send", "receive", NULL};
static const char *const uncertain[] = {"resend", "hold", NULL};
static const char *const dead[] = {"hold", "skip", NULL};

static const struct accord_option agent_table[] = {
    {.name = "user",
     .kind = ACCORD_TEXT,
     AT(agent, user),
     .max = 63,
     .help = "The user to become when started as root."},
    {.name = "state",
     .kind = ACCORD_PATH,
     AT(agent, state),
     .fallback = "/var/lib/accord",
     .help = "The state folder: store, audit trail, socket."},
    {.name = "plugins",
     .kind = ACCORD_PATH,
     AT(agent, plugins),
     .help = "The plugin folder. Not set: lib/accord/plugins beside the executable's bin folder."},
    {.name = "credentials",
     .kind = ACCORD_PATH,
     AT(agent, credentials),
     .help =
         "The folder of secrets, one folder in it for each agreement. Not set: `credentials` beside conf.d."},
    {.name = "watch",
     .kind = ACCORD_BOOL,
     AT(agent, watch),
     .fallback = "yes",
     .help = "Whether changes in conf.d are taken on by themselves. `accord reload` and SIGHUP always work."},
    END,
};

static const struct accord_option log_table[] = {
    {.name = "format",
     .kind = ACCORD_CHOICE,
     AT(log, format),
     .fallback = "text",
     .choices = log_formats,
     .help = "How the operator's log is written to standard error."},
    {.name = "level",
     .kind = ACCORD_CHOICE,
     AT(log, level),
     .fallback = "info",
     .choices = log_levels,
     .help = "The least important kind of line that is written. The audit trail does not depend on it."},
    END,
};

static const struct accord_option store_table[] = {
    {.name = "backend",
     .kind = ACCORD_CHOICE,
     AT(store, backend),
     .fallback = "journal",
     .choices = backends,
     .help = "Where messages are kept. `memory` forgets everything at stop and is for tests only."},
    {.name = "segment-size",
     .kind = ACCORD_SIZE,
     AT(store, segment_size),
     .fallback = "64 MiB",
     .min = MIB,
     .max = 4 * GIB,
     .help = "The size of one preallocated journal segment."},
    {.name = "reserve",
     .kind = ACCORD_SIZE,
     AT(store, reserve),
     .fallback = "64 MiB",
     .min = MIB,
     .max = 1024 * GIB,
     .help = "Disk space kept free for settling deliveries and for the audit trail: sources stop before it "
             "is used."},
    {.name = "duplicate-horizon",
     .kind = ACCORD_DURATION,
     AT(store, duplicate_horizon),
     .fallback = "30 days",
     .min = MINUTE,
     .max = 10 * YEAR,
     .help = "For how long a message of the same service, source id and content counts as the same message."},
    {.name = "message-retention",
     .kind = ACCORD_DURATION,
     AT(store, message_retention),
     .fallback = "30 days",
     .min = MINUTE,
     .max = 100 * YEAR,
     .help = "For how long a message is kept after its last delivery was settled. Its audit records stay."},
    {.name = "key-retention",
     .kind = ACCORD_DURATION,
     AT(store, key_retention),
     .fallback = "3 years",
     .min = DAY,
     .max = 100 * YEAR,
     .help = "For how long a unique key, such as an interchange control number, may not come again."},
    {.name = "key-file",
     .kind = ACCORD_PATH,
     AT(store, key_file),
     .help = "The key that wraps the agreements' keys, with which the store is sealed: 32 random bytes, made "
             "when the store is. Not set: the systemd credential accord-store-key, or keys/store.key in the "
             "state folder."},
    END,
};

static const struct accord_option audit_table[] = {
    {.name = "online-retention",
     .kind = ACCORD_DURATION,
     AT(audit, online_retention),
     .fallback = "90 days",
     .min = DAY,
     .max = 100 * YEAR,
     .help =
         "For how long audit records stay searchable as they are (AIS-3.11b: 90 days). Least value of every "
         "agreement's own."},
    {.name = "archive-retention",
     .kind = ACCORD_DURATION,
     AT(audit, archive_retention),
     .fallback = "7 years",
     .min = DAY,
     .max = 100 * YEAR,
     .help =
         "For how long audit records are kept (AIS-3.11b: seven years). Years are counted with their leap "
         "days: 7 years is 2557 days. Least value of every agreement's own."},
    {.name = "anchor-every",
     .kind = ACCORD_DURATION,
     AT(audit, anchor_every),
     .fallback = "1 min",
     .min = SECOND,
     .max = DAY,
     .help = "How often the heads of all audit chains are signed."},
    END,
};

static const struct accord_option limits_table[] = {
    {.name = "drain-timeout",
     .kind = ACCORD_DURATION,
     AT(limits, drain_timeout),
     .fallback = "10 s",
     .max = 10 * MINUTE,
     .help = "For how long work in flight may finish when an agreement is switched off."},
    {.name = "answer-within",
     .kind = ACCORD_DURATION,
     AT(limits, answer_within),
     .fallback = "15 s",
     .min = SECOND,
     .max = 10 * MINUTE,
     .help = "A link, guard or inspect process that does not answer for this long counts as hung: it is "
             "ended and started again."},
    {.name = "parked-retry",
     .kind = ACCORD_DURATION,
     AT(limits, parked_retry),
     .fallback = "30 min",
     .max = 7 * DAY,
     .help = "After this time a parked link is tried once more by itself; 0: only when someone resumes it or "
             "its file or secrets change."},
    END,
};

static const struct accord_option type_table[] = {
    {.name = "media",
     .kind = ACCORD_TEXT,
     AT(type, media),
     .max = 63,
     .help = "The media type, such as application/edifact. Required unless the type is built in."},
    {.name = "max-size",
     .kind = ACCORD_SIZE,
     AT(type, max_size),
     .min = 1,
     .max = 16 * GIB,
     .help = "The largest message of this type, unless a service says otherwise. Not set: 10 MB."},
    END,
};

static const struct accord_option site_table[] = {
    {.name = "name", .kind = ACCORD_TEXT, AT(site, name), .max = 255, .help = "The organisation's own name."},
    {.name = "store-limit",
     .kind = ACCORD_SIZE,
     AT(site, store_limit),
     .fallback = "10 GB",
     .max = 1024 * GIB,
     .help = "As in an agreement: the most bytes that may wait to be delivered to the site; 0: no limit."},
    {.name = "quarantine-limit",
     .kind = ACCORD_SIZE,
     AT(site, quarantine_limit),
     .fallback = "1 GB",
     .max = 1024 * GIB,
     .help = "As in an agreement: the most bytes of quarantined messages that came from the site."},
    {.name = "quarantine-retention",
     .kind = ACCORD_DURATION,
     AT(site, quarantine_retention),
     .fallback = "90 days",
     .min = HOUR,
     .max = 100 * YEAR,
     .help = "As in an agreement: for how long a quarantined message waits for a person."},
    END,
};

static const struct accord_option agreement_table[] = {
    {.name = "title",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(agreement, title),
     .max = 255,
     .help = "What the signed document is called."},
    {.name = "partner",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(agreement, partner),
     .max = 255,
     .help = "The other party."},
    {.name = "enabled",
     .kind = ACCORD_BOOL,
     AT(agreement, enabled),
     .fallback = "no",
     .help = "The switch: traffic flows only while this is yes."},
    {.name = "acknowledged",
     .kind = ACCORD_DATE,
     AT(agreement, acknowledged),
     .help =
         "The day of the acknowledgement or last signature, from which the agreement is in force (CBP-4.1, "
         "AIS-4.1). Required when enabled."},
    {.name = "valid-for",
     .kind = ACCORD_DURATION,
     AT(agreement, valid_for),
     .fallback = "3 years",
     .min = DAY,
     .max = 100 * YEAR,
     .help =
         "How long it is in force, by the calendar: three years from 14 March 2025 end with 13 March 2028."},
    {.name = "sensitivity",
     .kind = ACCORD_TEXT,
     AT(agreement, sensitivity),
     .max = 31,
     .help = "A label carried into the evidence, such as SBU (CBP-2c, AIS-3.3)."},
    {.name = "category",
     .kind = ACCORD_CHOICE,
     AT(agreement, category),
     .choices = categories,
     .help = "The FIPS 199 category (CBP-2d)."},
    {.name = "incident-to",
     .kind = ACCORD_TEXT,
     AT(agreement, incident_to),
     .max = 63,
     .help = "The [contact] to which incidents are reported (CBP-2i, AIS-3.9)."},
    {.name = "online-retention",
     .kind = ACCORD_DURATION,
     AT(agreement, online_retention),
     .min = DAY,
     .max = 100 * YEAR,
     .help = "As in agent.conf [audit], for this agreement; not less than there."},
    {.name = "archive-retention",
     .kind = ACCORD_DURATION,
     AT(agreement, archive_retention),
     .min = DAY,
     .max = 100 * YEAR,
     .help = "As in agent.conf [audit], for this agreement; not less than there."},
    {.name = "store-limit",
     .kind = ACCORD_SIZE,
     AT(agreement, store_limit),
     .fallback = "10 GB",
     .max = 1024 * GIB,
     .help = "The most bytes of messages that may wait to be delivered under this agreement; 0: no limit. "
             "At the limit its sources keep what they have until there is room."},
    {.name = "quarantine-limit",
     .kind = ACCORD_SIZE,
     AT(agreement, quarantine_limit),
     .fallback = "1 GB",
     .max = 1024 * GIB,
     .help = "The most bytes of quarantined messages that came from this agreement's partner; 0: no limit."},
    {.name = "quarantine-retention",
     .kind = ACCORD_DURATION,
     AT(agreement, quarantine_retention),
     .fallback = "90 days",
     .min = HOUR,
     .max = 100 * YEAR,
     .help = "For how long a quarantined message waits for a person; then it is discarded, with a record."},
    {.name = "formerly",
     .kind = ACCORD_TEXT,
     AT(agreement, formerly),
     .max = 63,
     .help = "The former name of this file, without .conf: its open deliveries and quarantined messages, and the "
             "cursors of its services, become this agreement's. That file must be gone."},
    END,
};

static const struct accord_option contact_table[] = {
    {.name = "name",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(contact, name),
     .max = 127,
     .help = "The office or role."},
    {.name = "person", .kind = ACCORD_TEXT, AT(contact, person), .max = 127, .help = "Who holds it."},
    {.name = "phone", .kind = ACCORD_TEXT, AT(contact, phone), .max = 63, .help = "Telephone number."},
    {.name = "email", .kind = ACCORD_TEXT, AT(contact, email), .max = 127, .help = "Mail address."},
    END,
};

static const struct accord_option endpoint_table[] = {
    {.name = "host",
     .kind = ACCORD_HOST,
     .flags = ACCORD_REQUIRED,
     AT(endpoint, host),
     .help = "The partner's host. Nothing that has no [endpoint] can be dialled (CBP-1b, AIS-3.7e)."},
    {.name = "port",
     .kind = ACCORD_PORT,
     .flags = ACCORD_REQUIRED,
     AT(endpoint, port),
     .help = "Its TCP port."},
    {.name = "source-address",
     .kind = ACCORD_HOST,
     AT(endpoint, source_address),
     .help = "The local IP address to connect from (AIS-3.7d: static, white-listed source addresses)."},
    {.name = "tunnel",
     .kind = ACCORD_CHOICE,
     AT(endpoint, tunnel),
     .fallback = "none",
     .choices = tunnels,
     .help = "`ipsec`: refuse to connect unless an AES-256 IPsec tunnel covers the way (CBP-2a, CBP-2b)."},
    {.name = "connect-timeout",
     .kind = ACCORD_DURATION,
     AT(endpoint, connect_timeout),
     .fallback = "30 s",
     .min = SECOND,
     .max = 10 * MINUTE,
     .help = "For name resolution and all addresses together."},
    END,
};

static const struct accord_option link_table[] = {
    {.name = "connector",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(link, connector),
     .max = 32,
     .help = "The plugin that speaks the protocol."},
    {.name = "endpoint",
     .kind = ACCORD_TEXT,
     AT(link, endpoint),
     .max = 63,
     .help = "The [endpoint] to dial. Required for connectors that dial, refused for others."},
    END,
};

static const struct accord_option service_table[] = {
    {.name = "type",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(service, type),
     .max = 63,
     .help = "The message type that this service carries, and no other (CBP-1a, CBP-1b)."},
    {.name = "direction",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_REQUIRED,
     AT(service, direction),
     .choices = directions,
     .help = "Seen from the bus: `send` takes messages off it, to the other side; `receive` brings them onto "
             "it."},
    {.name = "link",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     AT(service, link),
     .max = 63,
     .help = "The [link] that carries it."},
    {.name = "from",
     .kind = ACCORD_LIST,
     AT(service, from),
     .help = "Sending services: the receiving services, as AGREEMENT/SERVICE, whose messages it sends."},
    {.name = "to",
     .kind = ACCORD_LIST,
     AT(service, to),
     .help =
         "Receiving services: the sending services, as AGREEMENT/SERVICE, that take its messages. A route "
         "may be written at either end."},
    {.name = "max-size",
     .kind = ACCORD_SIZE,
     AT(service, max_size),
     .min = 1,
     .max = 16 * GIB,
     .help = "The largest message. Not set: the type's."},
    {.name = "names",
     .kind = ACCORD_TEXT,
     AT(service, names),
     .max = 127,
     .help = "A pattern with * ? [...] that message names must match. Not set: any name."},
    {.name = "rate",
     .kind = ACCORD_INTEGER,
     AT(service, rate),
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "The most messages in a minute; 0: no limit."},
    {.name = "retry-first",
     .kind = ACCORD_DURATION,
     AT(service, retry_first),
     .fallback = "10 s",
     .min = 100,
     .max = DAY,
     .help =
         "Sending services: the wait after the first failure; it doubles, with jitter, at each further one."},
    {.name = "retry-longest",
     .kind = ACCORD_DURATION,
     AT(service, retry_longest),
     .fallback = "30 min",
     .min = 100,
     .max = 7 * DAY,
     .help = "Sending services: the longest wait between two attempts."},
    {.name = "retry-for",
     .kind = ACCORD_DURATION,
     AT(service, retry_for),
     .fallback = "7 days",
     .min = SECOND,
     .max = 10 * YEAR,
     .help = "Sending services: how long after its admission a message is tried; then it is dead, and stays "
             "until "
             "someone retries or discards it."},
    {.name = "retry-attempts",
     .kind = ACCORD_INTEGER,
     AT(service, retry_attempts),
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "Sending services: the most attempts before a message is dead; 0: only retry-for ends them."},
    {.name = "delivery-timeout",
     .kind = ACCORD_DURATION,
     AT(service, delivery_timeout),
     .fallback = "10 min",
     .min = SECOND,
     .max = DAY,
     .help = "Sending services: the longest that one attempt may take."},
    {.name = "on-uncertain",
     .kind = ACCORD_CHOICE,
     AT(service, on_uncertain),
     .fallback = "resend",
     .choices = uncertain,
     .help =
         "Sending services: what to do with a message when the connection was cut after its last byte and "
         "before the answer."},
    {.name = "ordered",
     .kind = ACCORD_BOOL,
     AT(service, ordered),
     .fallback = "no",
     .help = "Sending services: a message becomes visible to the partner only after the one before it."},
    {.name = "on-dead",
     .kind = ACCORD_CHOICE,
     AT(service, on_dead),
     .fallback = "hold",
     .choices = dead,
     .help = "Ordered services: whether those behind a dead message wait until someone retries or discards "
             "it, or go on."},
    {.name = "expect-response",
     .kind = ACCORD_DURATION,
     AT(service, expect_response),
     .min = SECOND,
     .max = YEAR,
     .help = "Sending services: an incident is opened when no message that answers a delivered one comes in "
             "within this time. The service that brings answers in says `correlates`."},
    {.name = "correlates",
     .kind = ACCORD_TEXT,
     AT(service, correlates),
     .max = 63,
     .help = "Receiving services: the sending service of this agreement that their messages answer."},
    END,
};

static const struct accord_option policy_table[] = {END};

static const struct accord_option release_table[] = {
    {.name = "to",
     .kind = ACCORD_LIST,
     .flags = ACCORD_REQUIRED,
     AT(release, to),
     .help = "The agreements to whose partners messages of this type may go on."},
    END,
};

const struct schema schemas[] = {
    {"agent", SCHEMA_AGENT, 0, NULL, agent_table, "The agent on this host."},
    {"log", SCHEMA_AGENT, 0, NULL, log_table, "The operator's log."},
    {"store", SCHEMA_AGENT, 0, NULL, store_table, "Where messages are kept until they are settled."},
    {"audit", SCHEMA_AGENT, 0, NULL, audit_table, "The audit trail of all agreements."},
    {"limits", SCHEMA_AGENT, 0, NULL, limits_table, "Limits of the agent as a whole."},
    {"plugins", SCHEMA_AGENT, SCHEMA_OPEN, NULL, policy_table,
     "Pins: FILE = SHA256, such as `connector-sftp.so = 9f86...`. A pinned plugin whose hash differs is "
     "refused."},
    {"type", SCHEMA_AGENT, SCHEMA_NAMED, "the message type", type_table,
     "A message type, or other limits for one that is built in."},
    {"site", SCHEMA_SITE, 0, NULL, site_table, "The organisation's own side."},
    {"agreement", SCHEMA_AGREEMENT, 0, NULL, agreement_table,
     "The agreement itself. Every agreement file has one."},
    {"contact", SCHEMA_AGREEMENT, SCHEMA_NAMED, "the contact's name", contact_table,
     "A point of contact on either side (AIS-1)."},
    {"endpoint", SCHEMA_AGREEMENT | SCHEMA_SITE, SCHEMA_NAMED, "the endpoint's name", endpoint_table,
     "A host and port that the agreement lists."},
    {"link", SCHEMA_AGREEMENT | SCHEMA_SITE, SCHEMA_NAMED | SCHEMA_OPEN, "the link's name", link_table,
     "One configured use of a connector. The connector's own keys stand beside these."},
    {"service", SCHEMA_AGREEMENT | SCHEMA_SITE, SCHEMA_NAMED | SCHEMA_OPEN, "the service's name",
     service_table,
     "One authorised flow on a link. No service section, no flow. The connector's own keys stand beside "
     "these."},
    {"policy", SCHEMA_AGREEMENT, SCHEMA_NAMED | SCHEMA_OPEN, "the policy module", policy_table,
     "A policy module's rules. `services`, `encryption` and `logging` always apply, with or without a "
     "section."},
    {"release", SCHEMA_AGREEMENT, SCHEMA_NAMED, "the message type", release_table,
     "Lets messages of this type, received under this agreement, go to other partners. Without it, none "
     "does."},
    {.kind = NULL},
};

const struct schema_type schema_types[] = {
    {"stow-plan", "application/edifact", 10 * MB, "vessel stow plan, EDIFACT BAPLIE (CBP-1a.2)"},
    {"container-status", "application/edi-consent", 10 * MB,
     "container status, X12 315/322 or EDIFACT CODECO, COARRI, IFTSTA (CBP-1a.2)"},
    {"aes-commodity", "text/plain", 10 * MB, "AES commodity data, 80-column AESTIR or X12 601 (CBP-1a.3)"},
    {"ace-transaction", "text/plain", 10 * MB, "ACE transactions, 80-column CATAIR or CAMIR (CBP-1a.1)"},
    {"cbp-response", "text/plain", 10 * MB,
     "answers of CBP: CUSRES, CONTRL, 997, 80-column records (CBP-1a.1)"},
    {"stix-1", "application/stix+xml", 10 * MB, "STIX 1.x indicators in XML (AIS-2)"},
    {"stix-2", "application/stix+json", 10 * MB, "STIX 2.1 indicators in JSON (AIS-2)"},
    {"incident-report", "text/plain", 1 * MB, "incident reports (CBP-2i, AIS-3.9)"},
    {"opaque", "application/octet-stream", 100 * MB, "bytes that nothing looks into"},
    {.name = NULL},
};

const struct schema *schema_find(const char *kind)
{
    for (const struct schema *schema = schemas; schema->kind; schema++)
        if (!strcmp(schema->kind, kind))
            return schema;
    return NULL;
}
