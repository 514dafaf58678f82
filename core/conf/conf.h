/* The compiled configuration: what conf.d says, checked whole. One validator serves `accord check`, start and
 * reload. Everything here is immutable once loaded and lives until conf_free().
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <accord/plugin.h>

#include "conf/report.h"
#include "util/digest.h"

#define CONF_NAME_MAX 64 /* with NUL: agreement, link, service, ... names */
#define CONF_SITE     "site"

/* ---- what plugins say of themselves (plugin/describe.h fills it) ---- */

struct conf_plugin {
    enum accord_plugin_kind kind;
    char name[CONF_NAME_MAX];
    char version[32];
    char summary[256];
    char path[512];
    char sha256[DIGEST_HEX];
    uint32_t flags; /* accord_connector_flag or accord_policy_flag */
    uint32_t asks;
    bool has_check, has_profile;
    /* Tables end with a NULL name and may be NULL. Each table, its names, defaults, helps and choices (array
     * and texts) are heap allocations of their own, which conf_plugins_free() frees. */
    struct accord_option *options;         /* of the link or module */
    struct accord_option *service_options; /* of a service over this connector */
};

struct conf_plugins {
    struct conf_plugin *items;
    size_t count;
};
const struct conf_plugin *conf_plugin_find(const struct conf_plugins *, enum accord_plugin_kind, const char *name);
void conf_plugins_free(struct conf_plugins *);

/* ---- agent.conf ---- */

struct conf_type {
    char name[CONF_NAME_MAX];
    char media[64];
    int64_t max_size;
};

struct conf_agent {
    char user[64];            /* to become when started as root; "" when not set */
    char state[512];          /* state folder */
    char plugins[512];        /* plugin folder; "" : the one beside the executable */
    char credentials[512];    /* default: conf.d/../credentials */
    char log_format[8];       /* text, json */
    enum accord_level log_level;
    char store_backend[16];
    int64_t segment_size, reserve;
    int64_t drain_timeout;    /* ms */
    int64_t duplicate_horizon; /* ms */
    char key_file[512];        /* wraps the agreements' keys; "": STATE/keys/store.key */
    int64_t message_retention; /* ms that settled messages are kept */
    int64_t key_retention;     /* ms that unique keys (control numbers) are kept */
    int64_t answer_within;     /* ms for a child to answer a ping */
    int64_t parked_retry;      /* ms until a parked link is tried once more by itself; 0: never */
    bool watch;                /* changes in conf.d are taken on by themselves */
    int64_t online_retention, archive_retention; /* of the audit trail, ms; floor of every agreement's own */
    int64_t anchor_every;     /* ms */
    struct accord_pair *pins; /* [plugins] pin: plugin file name to SHA-256 */
    size_t pin_count;
    struct conf_type *types; /* built in and [type NAME] */
    size_t type_count;
    char sha256[DIGEST_HEX]; /* of agent.conf; "" when there is none */
};

/* ---- agreements ---- */

enum conf_tunnel { CONF_TUNNEL_NONE, CONF_TUNNEL_IPSEC };

struct conf_contact {
    char name[CONF_NAME_MAX]; /* of the section */
    char title[128], person[128], phone[64], email[128];
};

struct conf_endpoint {
    char name[CONF_NAME_MAX];
    char host[256];
    int64_t port;
    char source_address[64]; /* "" any (AIS-3.7d: static source addresses) */
    enum conf_tunnel tunnel;
    int64_t connect_timeout; /* ms over name resolution and every address */
};

struct conf_link {
    char name[CONF_NAME_MAX];
    const struct conf_plugin *connector;
    const struct conf_endpoint *endpoint; /* NULL for connectors that do not dial */
    struct accord_pair *options;          /* as written, defaults filled in */
    size_t option_count;
};

struct conf_route {
    char agreement[CONF_NAME_MAX];
    char service[CONF_NAME_MAX];
};

struct conf_service {
    char name[CONF_NAME_MAX];
    const struct conf_type *type;
    enum accord_direction direction;
    const struct conf_link *link;
    struct conf_route *from; /* of a sending service: where its messages come from on the bus */
    size_t from_count;
    struct conf_route *to; /* of a receiving service: which sending services take its messages */
    size_t to_count;
    int64_t max_size;
    char names[128]; /* glob; "" any */
    int64_t rate;    /* messages a minute; 0 no limit */
    int64_t retry_first, retry_longest; /* ms: exponential back-off with jitter */
    int64_t retry_for;                  /* ms after admission, or after a person's retry; then dead */
    int64_t retry_attempts;             /* then dead; 0: no limit */
    int64_t delivery_timeout;           /* ms for one attempt */
    bool resend_uncertain;              /* on-uncertain = resend | hold */
    bool ordered;                       /* one after another, oldest first */
    bool skip_dead;                     /* on-dead = skip | hold: what a dead one does to those behind it */
    int64_t expect_response;            /* ms after delivery for a correlated message to come in; 0: none expected */
    const struct conf_service *correlates; /* receiving: the sending service of the same agreement that it answers */
    struct accord_pair *options;
    size_t option_count;
};

struct conf_policy {
    const struct conf_plugin *module;
    struct accord_pair *options;
    size_t option_count;
};

/* site.conf is an agreement too, named "site", with is_site set: no dates, no policies. */
struct conf_agreement {
    char name[CONF_NAME_MAX];
    char title[256], partner[256];
    bool is_site;
    bool enabled;
    int64_t in_force_from, in_force_until; /* wall microseconds; 0, INT64_MAX for the site */
    char sensitivity[32], category[16];
    const struct conf_contact *incident_to; /* NULL when not set */
    char sha256[DIGEST_HEX];                /* of the file */
    char path[512];
    int64_t online_retention, archive_retention; /* ms */
    int64_t store_limit;          /* bytes of messages whose delivery to this agreement is open; 0: no limit */
    int64_t quarantine_limit;     /* bytes of quarantined messages that came from it; 0: no limit */
    int64_t quarantine_retention; /* ms; then discarded, with a record */
    char formerly[CONF_NAME_MAX]; /* the agreement whose messages this one adopts; "" none */
    struct conf_contact *contacts;
    size_t contact_count;
    struct conf_endpoint *endpoints;
    size_t endpoint_count;
    struct conf_link *links;
    size_t link_count;
    struct conf_service *services;
    size_t service_count;
    struct conf_policy *policies; /* always `services`, `encryption`, `logging` first, in this order */
    size_t policy_count;
    struct conf_route *releases; /* [release TYPE] to = AGREEMENT: flow to other agreements; service holds the type */
    size_t release_count;
};

struct conf {
    char folder[512];
    struct conf_agent agent;
    struct conf_agreement **agreements; /* site first, then by name; files with errors are absent */
    size_t agreement_count;
    char (*files)[CONF_NAME_MAX]; /* names of all agreements that have a file, with errors or not */
    size_t file_count;
};

/* ---- what the files are held against ---- */

/* One objection of a plugin's `check` slot, to a link or to a policy; the other is NULL. */
typedef void (*conf_object_fn)(void *to, const struct conf_link *, const struct conf_policy *, const char *text);

/* Who asks the `check` slots: plugin/check.h, in a child. 0 or ACCORD_ENOMEM. */
struct conf_checker {
    int (*ask)(void *arg, const struct conf_agreement *, conf_object_fn object, void *to);
    void *arg;
};

/* What there is besides the files. Everything may be left 0. */
struct conf_setting {
    const struct conf_checker *checker;
    /* The versions that run now. A file with mistakes keeps its running version, and so does a file that is only
     * sound together with what the other one changed; both are reported, and absent from the result. */
    const struct conf_agreement *const *running;
    size_t running_count;
    /* This file ("cbp-isa.conf") counts with these bytes instead of its own. */
    const char *instead;
    const void *bytes;
    size_t size;
    /* The files may be for another machine: what is not on this one is "not checked" instead of wrong. */
    bool elsewhere;
};

/* Reads agent.conf alone (the plugin folder must be known before plugins can describe themselves). `state` is
 * what --state said, or NULL. Problems go to the report; ACCORD_EINVAL when there are errors: then the agent
 * holds what was understood, good enough to go on checking (conf_load()) and not to run. conf_agent_fini() in
 * any case. */
int conf_load_agent(const char *folder, const char *state, struct conf_agent *, struct conf_report *);
/* Reads and checks all of conf.d against the plugins' tables. Takes over the agent (moved into *out). An
 * agreement with errors is left out and reported. 0, or ACCORD_ENOMEM/ACCORD_EIO; errors in files are not a
 * failure of this call: ask conf_report_errors(). `plugins` must outlive the configuration. */
int conf_load(const char *folder, struct conf_agent *agent, const struct conf_plugins *plugins, struct conf **out,
              struct conf_report *);
/* The same, held against what else there is. */
int conf_load_with(const char *folder, struct conf_agent *agent, const struct conf_plugins *plugins,
                   const struct conf_setting *, struct conf **out, struct conf_report *);
/* As conf_load_agent(), for an agent that runs: what cannot change without a restart is reported as such and keeps
 * its running value. */
int conf_reload_agent(const char *folder, const char *state, const struct conf_agent *running, struct conf_agent *,
                      struct conf_report *);
/* 0 or ACCORD_ENOMEM; conf_agent_fini() in any case. */
int conf_agent_copy(const struct conf_agent *from, struct conf_agent *to);
void conf_agent_fini(struct conf_agent *);
/* Running one or the other makes no difference: the same file, the same plugins, the same settings from agent.conf, the
 * same routes in use. */
bool conf_same(const struct conf_agreement *, const struct conf_agreement *);
bool conf_has_file(const struct conf *, const char *agreement);
void conf_free(struct conf *);

/* Where a secret of an agreement is: credentials/AGREEMENT/NAME, or the service manager's credential AGREEMENT.NAME in
 * $CREDENTIALS_DIRECTORY when the first does not exist. ACCORD_ELIMIT: the path does not fit. */
int conf_secret_path(const struct conf_agent *, const char *agreement, const char *name, char *to, size_t room);

const struct conf_agreement *conf_agreement_find(const struct conf *, const char *name);
/* Some policy of it reads payload: it has an inspect process. */
bool conf_reads_payload(const struct conf_agreement *);
const struct conf_service *conf_service_find(const struct conf_agreement *, const char *name);
const struct conf_type *conf_type_find(const struct conf_agent *, const char *name);

/* The services that take messages of this receiving service, as agreed by both ends. Calls `each` for every one. */
void conf_routes(const struct conf *, const struct conf_agreement *, const struct conf_service *,
                 void (*each)(void *arg, const struct conf_agreement *, const struct conf_service *), void *arg);

#endif
