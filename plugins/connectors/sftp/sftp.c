/* The SFTP connector's options and vtable, and which delivery begins when. */
#include "sftp.h"

#include <accord/plugin.h>
#include <libssh/libssh.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(type, name) offsetof(struct type, name)

static const struct accord_option link_table[] = {
    {.name = "user",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, user),
     .help = "The name that the partner knows us by."},
    {.name = "key",
     .kind = ACCORD_SECRET,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, key),
     .help = "The private key, an OpenSSH or PEM file. There is no other way of authentication."},
    {.name = "key-passphrase",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, key_passphrase),
     .help = "The private key's passphrase, when it has one."},
    {.name = "host-key",
     .kind = ACCORD_LIST,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, host_keys),
     .help =
         "The partner's host keys, as ssh-keygen -l prints them (SHA256:...). Any other key ends the session "
         "before anything is sent, and parks the link."},
    {.name = "files",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, files),
     .fallback = "4",
     .min = 1,
     .max = 16,
     .help = "How many files may be on their way at the same time, in one session."},
    {.name = "timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, timeout),
     .fallback = "30 s",
     .min = 1000,
     .max = 600000,
     .help = "Longest silence of the partner while an answer is due."},
    {.name = "idle-close",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, idle_close),
     .fallback = "10 s",
     .min = 0,
     .max = 600000,
     .help =
         "How long a session stays open when there is nothing to send. Agreements want no idle connections."},
    {0},
};

static const char *const exists_choices[] = {"fail", "same-content-is-delivered", NULL};
static const char *const fsync_choices[] = {"when-offered", "require", "never", NULL};

static const struct accord_option service_table[] = {
    {.name = "directory",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, directory),
     .help = "The partner's folder. Relative: below the folder where the partner lets us begin."},
    {.name = "temporary",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, temporary),
     .fallback = ".accord-",
     .help = "What the name of an unfinished file begins with; the message id and .tmp follow."},
    {.name = "if-exists",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(service_options, if_exists),
     .fallback = "fail",
     .choices = exists_choices,
     .help = "What to do when the partner has a file of this name: refuse the message, or read that file and "
             "count "
             "the message as delivered when it is the same."},
    {.name = "fsync",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(service_options, fsync),
     .fallback = "when-offered",
     .choices = fsync_choices,
     .help = "Whether the partner must write the file to its disk (fsync@openssh.com) before it counts."},
    {.name = "stale-after",
     .kind = ACCORD_DURATION,
     .offset = FIELD(service_options, stale_after),
     .fallback = "1 day",
     .min = 60000,
     .max = INT64_C(365) * 86400000,
     .help = "Unfinished files of ours that are older are removed."},
    {0},
};

const struct service_options *link_service(const struct link *link, size_t service)
{
    return link->setup->services[service]->options;
}

void link_log(struct link *link, enum accord_level level, const char *event, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    link->host->log(link->instance, level, event, text);
}

/* ---- rules ---- */

static bool is_pin(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strncmp(text, "SHA256:", 7) == 0 && strlen(text + 7) == 43 && strspn(text + 7, digits) == 43;
}

static int check_service(const struct accord_service *service, char *why, size_t why_size)
{
    const struct service_options *options = service->options;
    if (!options->directory[0] || strlen(options->directory) > 1024)
        snprintf(why, why_size, "service %s: directory must be a path of at most 1024 characters",
                 service->name);
    else if (!options->temporary[0] || strchr(options->temporary, '/') || strlen(options->temporary) > 64)
        snprintf(
            why, why_size,
            "service %s: temporary must be the beginning of a file name, at most 64 characters and without /",
            service->name);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int sftp_check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct link_options *options = setup->options;
    if (options->host_keys.count == 0) {
        snprintf(why, why_size, "host-key must name at least one key");
        return ACCORD_EINVAL;
    }
    for (size_t i = 0; i < options->host_keys.count; i++)
        if (!is_pin(options->host_keys.items[i])) {
            snprintf(
                why, why_size,
                "host-key \"%.80s\" is not a fingerprint: SHA256: and 43 characters, as ssh-keygen -l -f "
                "KEY.pub prints it",
                options->host_keys.items[i]);
            return ACCORD_EINVAL;
        }
    for (size_t i = 0; i < setup->service_count; i++) {
        int result = check_service(setup->services[i], why, why_size);
        if (result < 0)
            return result;
    }
    return ACCORD_OK;
}

/* ---- life ---- */

static int sftp_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                     const struct accord_link_setup *setup, char *why, size_t why_size)
{
    struct link *link = state;
    link->instance = instance;
    link->host = host;
    link->setup = setup;
    link->options = setup->options;
    link->swept = calloc(setup->service_count + 1, sizeof *link->swept);
    if (!link->swept || ssh_init() != SSH_OK) {
        snprintf(why, why_size, "%s", link->swept ? "libssh cannot be initialised" : "out of memory");
        free(link->swept);
        return ACCORD_ENOMEM;
    }
    return ACCORD_OK;
}

static void sftp_start(void *state)
{
    struct link *link = state;
    link->started = true;
}

void link_finish_all(struct link *link, const char *reason)
{
    /* Only those that are there now: finishing one may bring the next. */
    struct upload *last = link->uploads;
    while (last && upload_next(last))
        last = upload_next(last);
    for (bool more = last != NULL; more;) {
        struct upload *upload = link->uploads;
        more = upload != last;
        upload_abandon(upload, reason);
    }
}

static void sftp_stop(void *state)
{
    struct link *link = state;
    link->started = false;
    struct upload *next;
    for (struct upload *upload = link->uploads; upload; upload = next) {
        next = upload_next(upload);
        if (upload_waiting(upload))
            upload_abandon(upload, "the link is stopping");
    }
    link_advance(link);
}

static void sftp_close(void *state)
{
    struct link *link = state;
    link->started = false;
    link_finish_all(link, "the link was closed");
    if (link->session)
        session_close(link->session, "the link was closed");
    free(link->swept);
    link->swept = NULL;
}

/* ---- deliveries ---- */

void link_advance(struct link *link)
{
    if (!link->uploads) {
        if (link->session)
            session_rest(link->session);
        return;
    }
    if (!link->session && link->started && !session_open(link)) {
        link_finish_all(link, "the host does not dial now");
        return;
    }
    if (!session_ready(link->session))
        return;
    session_busy(link->session);
    int64_t begun = 0;
    for (struct upload *upload = link->uploads; upload; upload = upload_next(upload))
        begun += !upload_waiting(upload);
    struct upload *upload = link->uploads;
    while (upload && begun < link->options->files) {
        if (!upload_waiting(upload)) {
            upload = upload_next(upload);
            continue;
        }
        upload_begin(upload); /* may end it, and others */
        begun++;
        upload = link->uploads;
    }
}

/* The hub has made the name safe; what it has to keep out of the partner's folder is checked here once more. */
static const char *bad_name(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "is not a file name";
    for (const char *at = name; *at; at++)
        if (*at == '/' || *at == '\\' || (unsigned char)*at < 0x20 || *at == 0x7f)
            return "has a slash or a control character";
    return NULL;
}

static void sftp_deliver(void *state, const struct accord_outgoing *out)
{
    struct link *link = state;
    struct accord_result result = {.outcome = ACCORD_RETRY, .reason = "the link is stopping", .receipt = ""};
    char reason[ACCORD_REASON_MAX];
    const char *wrong = bad_name(out->envelope.name);
    if (wrong) {
        snprintf(reason, sizeof reason, "the name of message %s %s; it cannot be a file at the partner",
                 out->envelope.id, wrong);
        result.outcome = ACCORD_REFUSED;
        result.reason = reason;
    } else if (link->started && upload_new(link, out)) {
        link_advance(link);
        if (link->session)
            session_pump(link->session);
        return;
    } else if (link->started) {
        result.reason = "out of memory";
    }
    link->host->finish(out->handle, &result);
}

static void sftp_payload(void *state, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                         bool last)
{
    struct link *link = state;
    struct upload *upload = upload_find(link, handle);
    if (upload)
        upload_payload(upload, bytes, size, last);
    if (link->session)
        session_pump(link->session);
}

static void sftp_cancel(void *state, struct accord_delivery *handle)
{
    struct link *link = state;
    struct upload *upload = upload_find(link, handle);
    if (upload)
        upload_cancel(upload);
    if (link->session)
        session_pump(link->session);
}

static const struct accord_connector sftp = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .check = sftp_check,
    .state_size = sizeof(struct link),
    .open = sftp_open,
    .start = sftp_start,
    .stop = sftp_stop,
    .close = sftp_close,
    .deliver = sftp_deliver,
    .payload = sftp_payload,
    .cancel = sftp_cancel,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "sftp",
    .version = "0.1",
    .summary = "Sends files to a partner's SFTP server, with pinned host keys and key authentication.",
    .connector = &sftp,
};
