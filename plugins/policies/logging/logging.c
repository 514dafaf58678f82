/* The logging policy: what the agreement demands of the audit trail, compared with what is configured.
 *
 * The hub itself, not this module, makes traffic and trail inseparable: an admission, a settlement, a session
 * or an administrative action is one commit with its audit record, so what could not be recorded did not
 * happen, and no traffic is taken when the store cannot be written. It records every kind of event, always.
 * What is left to a policy is the agreement's clause on keeping records (AIS-3.11b: 90 days online, seven
 * years preserved; CBP-2j): a file that keeps them for less, or that does not name every kind the clause
 * demands, is refused when it is read and again when the module opens. Messages are always allowed.
 */
#include <accord/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY (24 * INT64_C(3600000))

struct logging_options {
    struct accord_list record;
    int64_t online, archive;         /* ms */
    int64_t min_online, min_archive; /* ms, from the clause */
};

struct logging {
    const struct accord_policy_host *host;
};

#define OPTION(field) offsetof(struct logging_options, field)
#define ALL           "sessions, admissions, refusals, deliveries, administration, configuration, incidents"

/* AIS-3.11a. All of them are required: the hub cannot leave one out, and no agreement may claim it did. */
static const char *const events[] = {"sessions",       "admissions",    "refusals",  "deliveries",
                                     "administration", "configuration", "incidents", NULL};

static const struct accord_option options[] = {
    {.name = "record",
     .kind = ACCORD_LIST,
     .offset = OPTION(record),
     .fallback = ALL,
     .choices = events,
     .help = "Kinds of events that the agreement demands in the trail (AIS-3.11a, CBP-2j); the hub always "
             "records "
             "them all, and a list that leaves one out is refused."},
    {.name = "online",
     .kind = ACCORD_DURATION,
     .offset = OPTION(online),
     .fallback = "90 days",
     .help = "How long the trail stays searchable in place."},
    {.name = "archive",
     .kind = ACCORD_DURATION,
     .offset = OPTION(archive),
     .fallback = "7 years",
     .help = "How long the trail is preserved in all, archives included."},
    {.name = "min-online",
     .kind = ACCORD_DURATION,
     .offset = OPTION(min_online),
     .fallback = "90 days",
     .help = "What the agreement's clause demands of `online` (AIS-3.11b)."},
    {.name = "min-archive",
     .kind = ACCORD_DURATION,
     .offset = OPTION(min_archive),
     .fallback = "7 years",
     .help = "What the agreement's clause demands of `archive` (AIS-3.11b)."},
    {0},
};

static int too_short(const char *name, int64_t value, int64_t least, char *why, size_t why_size)
{
    snprintf(why, why_size,
             "%s = %" PRId64 " days is less than the %" PRId64 " days that the agreement demands (min-%s)",
             name, value / DAY, (least + DAY - 1) / DAY, name);
    return ACCORD_EINVAL;
}

static bool records(const struct logging_options *o, const char *event)
{
    for (size_t i = 0; i < o->record.count; i++)
        if (!strcmp(o->record.items[i], event))
            return true;
    return false;
}

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct logging_options *o = setup->options;
    if (o->online < o->min_online)
        return too_short("online", o->online, o->min_online, why, why_size);
    if (o->archive < o->min_archive)
        return too_short("archive", o->archive, o->min_archive, why, why_size);
    if (o->archive < o->online) {
        snprintf(why, why_size, "archive = %" PRId64 " days is shorter than online = %" PRId64 " days",
                 o->archive / DAY, o->online / DAY);
        return ACCORD_EINVAL;
    }
    for (size_t i = 0; events[i]; i++)
        if (!records(o, events[i])) {
            snprintf(why, why_size, "record leaves out %s; all of these are required: " ALL, events[i]);
            return ACCORD_EINVAL;
        }
    return 0;
}

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    (void)instance;
    *(struct logging *)state = (struct logging){.host = host};
    return check(setup, why, why_size);
}

static void close_module(void *state)
{
    (void)state;
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct logging *l = state;
    l->host->answer(inquiry->handle,
                    &(struct accord_verdict){.answer = ACCORD_ALLOW, .rule = "", .reason = ""});
}

/* Answers at once, so there is never anything to cancel. */
static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    (void)state, (void)inquiry;
}

static const struct accord_policy logging = {
    .size = sizeof logging,
    .asks = ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {options, sizeof(struct logging_options)},
    .check = check,
    .state_size = sizeof(struct logging),
    .open = open_module,
    .close = close_module,
    .judge = judge,
    .cancel = cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "logging",
    .version = "0.1",
    .summary = "Refuses a configuration that keeps less of the audit trail than the agreement demands.",
    .policy = &logging,
};
