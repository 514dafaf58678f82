/* A connector with nothing wrong, for the ones that each get one thing wrong: define before including
 *   FAULT_NAME                what it calls itself ("good")
 *   FAULT_MAJOR, FAULT_MINOR  its ABI
 *   FAULT_DELIVER             its deliver slot
 *   FAULT_OPEN                its open slot
 *   FAULT_OFFSET              where its last option lies
 *   FAULT_CHECK               its check slot
 *   FAULT_OFFER_PULL, _DONE   its slots for offers: it receives as well
 */
#ifndef FAULTS_GOOD_H
#define FAULTS_GOOD_H

#include <accord/plugin.h>

#ifndef FAULT_NAME
#define FAULT_NAME "good"
#endif
#ifndef FAULT_MAJOR
#define FAULT_MAJOR ACCORD_ABI_MAJOR
#endif
#ifndef FAULT_MINOR
#define FAULT_MINOR ACCORD_ABI_MINOR
#endif
#ifndef FAULT_DELIVER
#define FAULT_DELIVER good_deliver
#endif
#ifndef FAULT_OPEN
#define FAULT_OPEN good_open
#endif
#ifndef FAULT_OFFSET
#define FAULT_OFFSET offsetof(struct good_options, mode)
#endif

struct good_options {
    const char *folder;
    int64_t wait;
    struct accord_list suffixes;
    int64_t mode;
};

static const char *const good_modes[] = {"plain", "careful", NULL};

static const struct accord_option good_table[] = {
    {.name = "folder",
     .kind = ACCORD_PATH,
     .flags = ACCORD_REQUIRED | ACCORD_FOLDER_READ,
     .offset = offsetof(struct good_options, folder),
     .help = "Where files are found."},
    {.name = "wait",
     .kind = ACCORD_DURATION,
     .offset = offsetof(struct good_options, wait),
     .fallback = "10 s",
     .min = 1000,
     .max = 60000,
     .help = "How long a file must have been still."},
    {.name = "suffixes",
     .kind = ACCORD_LIST,
     .offset = offsetof(struct good_options, suffixes),
     .help = "Names that are taken."},
    {.name = "mode",
     .kind = ACCORD_CHOICE,
     .offset = FAULT_OFFSET,
     .fallback = "careful",
     .choices = good_modes,
     .help = "How it works."},
    {0},
};

static const struct accord_option good_service_table[] = {
    {.name = "directory", .kind = ACCORD_TEXT, .offset = 0, .fallback = "", .help = "Where files go."},
    {0},
};

__attribute__((unused)) static int good_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    (void)state, (void)instance, (void)host, (void)setup, (void)why, (void)why_size;
    return 0;
}

static void good_nothing(void *state)
{
    (void)state;
}

__attribute__((unused)) static void good_deliver(void *state, const struct accord_outgoing *out)
{
    (void)state, (void)out;
}

static void good_payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                         bool last)
{
    (void)state, (void)delivery, (void)bytes, (void)size, (void)last;
}

static void good_cancel(void *state, struct accord_delivery *delivery)
{
    (void)state, (void)delivery;
}

static const struct accord_connector good_connector = {
    .size = sizeof good_connector,
#ifdef FAULT_OFFER_PULL
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
    .offer_pull = FAULT_OFFER_PULL,
    .offer_done = FAULT_OFFER_DONE,
#else
    .flags = ACCORD_CAN_SEND,
#endif
    .link_options = {good_table, sizeof(struct good_options)},
    .service_options = {good_service_table, sizeof(const char *)},
#ifdef FAULT_CHECK
    .check = FAULT_CHECK,
#endif
    .state_size = 64,
    .open = FAULT_OPEN,
    .start = good_nothing,
    .stop = good_nothing,
    .close = good_nothing,
    .deliver = FAULT_DELIVER,
    .payload = good_payload,
    .cancel = good_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = FAULT_MAJOR,
    .abi_minor = FAULT_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = FAULT_NAME,
    .version = "0.1",
    .summary = "Does nothing, correctly.",
    .connector = &good_connector,
};

#endif
