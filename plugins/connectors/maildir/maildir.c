/* Connector `maildir`: mails in Maildirs on the organisation's own side, as mail servers and readers share
 * them. Takes what stands in new/ onto the bus, and puts messages there, each whole
 * (https://cr.yp.to/proto/maildir.html). */
#include "maildir.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inbox.h"
#include "names.h"
#include "outbox.h"

#define DELIVERIES 16 /* of each service at once: each has a quarter of a MiB on its way here, twice */

static const char *const afters[] = {[AFTER_KEEP] = "keep", [AFTER_DELETE] = "delete", NULL};
static const char *const modes[] = {"0600", "0640", "0660", NULL};

static const struct accord_option link_table[] = {
    {.name = "folder",
     .kind = ACCORD_PATH,
     .flags = ACCORD_REQUIRED | ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE,
     .offset = offsetof(struct link_options, folder),
     .help = "The folder that has the Maildirs of this link, or is one; nothing outside of it can be "
             "reached. The agent's user "
             "must be able to write there."},
    {0},
};

static const struct accord_option service_table[] = {
    {.name = "mailbox",
     .kind = ACCORD_TEXT,
     .offset = offsetof(struct service_options, mailbox),
     .fallback = ".",
     .help = "The Maildir below the link's folder: `.` is the folder itself, `.Orders` one beside its inbox. "
             "It is made when it "
             "is not there."},
    {.name = "after",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = offsetof(struct service_options, after),
     .fallback = "keep",
     .choices = afters,
     .help = "What happens to a mail once the message is safe in the store: `keep` moves it to "
             "cur/, marked as seen."},
    {.name = "poll",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = offsetof(struct service_options, poll),
     .fallback = "5 s",
     .min = 100,
     .max = 86400000,
     .help = "How often new/ is looked at."},
    {.name = "mode",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = offsetof(struct service_options, mode),
     .fallback = "0600",
     .choices = modes,
     .help = "The mode of the mails; folders that are made get the matching one."},
    {0},
};

void maildir_log(const struct maildir *maildir, enum accord_level level, const char *event,
                 const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    maildir->host->log(maildir->instance, level, event, text);
}

/* ---- configuration ---- */

static const char *mailbox_of(const struct accord_service *service)
{
    const struct service_options *options = service->options;
    return options->mailbox;
}

static int check(const struct accord_link_setup *setup, char *why, size_t room)
{
    for (size_t i = 0; i < setup->service_count; i++) {
        const struct accord_service *service = setup->services[i];
        if (!name_is_mailbox(mailbox_of(service))) {
            snprintf(
                why, room,
                "service %s: mailbox = %.100s is not a folder below the link's: use names with / between "
                "them, no ..",
                service->name, mailbox_of(service));
            return ACCORD_EINVAL;
        }
        for (size_t j = 0; j < i; j++) {
            const struct accord_service *other = setup->services[j];
            if (service->direction != ACCORD_RECEIVE || other->direction != ACCORD_RECEIVE ||
                strcmp(mailbox_of(service), mailbox_of(other)) != 0)
                continue;
            snprintf(why, room, "service %s: mailbox = %.100s is taken from by service %s already",
                     service->name, mailbox_of(service), other->name);
            return ACCORD_EINVAL;
        }
    }
    return ACCORD_OK;
}

/* ---- life ---- */

static void maildir_close(void *state)
{
    struct maildir *maildir = state;
    for (size_t i = 0; i < maildir->setup->service_count; i++) {
        if (maildir->inboxes)
            inbox_close(maildir->inboxes[i]);
        if (maildir->outboxes)
            outbox_close(maildir->outboxes[i]);
    }
    free(maildir->inboxes);
    free(maildir->outboxes);
    maildir->inboxes = NULL;
    maildir->outboxes = NULL;
}

static int maildir_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                        const struct accord_link_setup *setup, char *why, size_t room)
{
    struct maildir *maildir = state;
    *maildir = (struct maildir){.instance = instance, .host = host, .setup = setup};
    maildir->inboxes = calloc(setup->service_count + 1, sizeof *maildir->inboxes);
    maildir->outboxes = calloc(setup->service_count + 1, sizeof *maildir->outboxes);
    bool good = maildir->inboxes && maildir->outboxes;
    for (size_t i = 0; good && i < setup->service_count; i++) {
        if (setup->services[i]->direction == ACCORD_RECEIVE)
            good = (maildir->inboxes[i] = inbox_new(maildir, i)) != NULL;
        else
            good = (maildir->outboxes[i] = outbox_new(maildir, i)) != NULL;
    }
    if (!good) {
        maildir_close(maildir);
        snprintf(why, room, "out of memory");
        return ACCORD_ENOMEM;
    }
    umask(0); /* modes are given when a file is made: in the sandbox there is no chmod() */
    return ACCORD_OK;
}

static void maildir_start(void *state)
{
    struct maildir *maildir = state;
    maildir->started = true;
    if (maildir->host->window) /* NULL: the host's own measure */
        maildir->host->window(maildir->instance, DELIVERIES);
    for (size_t i = 0; i < maildir->setup->service_count; i++)
        if (maildir->inboxes[i])
            inbox_start(maildir->inboxes[i]);
}

static void maildir_stop(void *state)
{
    struct maildir *maildir = state;
    maildir->started = false;
    for (size_t i = 0; i < maildir->setup->service_count; i++)
        if (maildir->inboxes[i])
            inbox_stop(maildir->inboxes[i]);
}

/* ---- messages ---- */

static void maildir_deliver(void *state, const struct accord_outgoing *out)
{
    struct maildir *maildir = state;
    outbox_deliver(maildir->outboxes[out->service], out);
}

static void maildir_payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                            bool last)
{
    struct maildir *maildir = state;
    for (size_t i = 0; i < maildir->setup->service_count; i++)
        if (maildir->outboxes[i] && outbox_payload(maildir->outboxes[i], delivery, bytes, size, last))
            return;
}

static void maildir_cancel(void *state, struct accord_delivery *delivery)
{
    struct maildir *maildir = state;
    for (size_t i = 0; i < maildir->setup->service_count; i++)
        if (maildir->outboxes[i] && outbox_cancel(maildir->outboxes[i], delivery))
            return;
}

static void maildir_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state, (void)offer;
    inbox_pull(arg, bytes);
}

static void maildir_offer_done(void *state, struct accord_offer *offer, void *arg,
                               const struct accord_admitted *admitted)
{
    (void)state, (void)offer;
    inbox_admitted(arg, admitted);
}

static void maildir_offer_ready(void *state)
{
    struct maildir *maildir = state;
    for (size_t i = 0; i < maildir->setup->service_count; i++)
        if (maildir->inboxes[i])
            inbox_ready(maildir->inboxes[i]);
}

static const struct accord_connector connector = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .check = check,
    .state_size = sizeof(struct maildir),
    .open = maildir_open,
    .start = maildir_start,
    .stop = maildir_stop,
    .close = maildir_close,
    .deliver = maildir_deliver,
    .payload = maildir_payload,
    .cancel = maildir_cancel,
    .offer_pull = maildir_offer_pull,
    .offer_done = maildir_offer_done,
    .offer_ready = maildir_offer_ready,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "maildir",
    .version = "0.1",
    .summary = "Mails in Maildirs on the organisation's own side, both ways.",
    .connector = &connector,
};
