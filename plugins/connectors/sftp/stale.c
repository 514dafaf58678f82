/* Removes temporary files of interrupted deliveries that nobody came back for: our prefix, a message id, ".tmp",
 * older than stale-after, and of no delivery that is under way here. A newer one may belong to another agent of
 * the same organisation, or to an attempt that will overwrite it anyhow. */
#include "sftp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY   (60 * 60 * 1000) /* ms */
#define SWEEP_ENTRIES 20000            /* of a folder; what lies behind waits for another day */

struct sweep {
    struct use use;
    struct link *link;
    size_t service;
    unsigned seen;
    unsigned removed;
    bool open;
    struct sftp_handle handle;
};

static void end(struct sweep *sweep)
{
    struct link *link = sweep->link;
    struct client *client = use_client(&sweep->use);
    if (sweep->open)
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &sweep->handle);
    if (sweep->removed)
        link_log(link, ACCORD_NOTICE, "sftp.stale-removed", "removed %u stale temporary file(s) in %s",
                 sweep->removed, link_service(link, sweep->service)->directory);
    pool_leave(&sweep->use);
    free(sweep);
}

static void on_broken(struct use *use, const char *reason)
{
    (void)reason;
    free((struct sweep *)use); /* its first member */
}

/* PREFIX, an id of lower-case base32, ".tmp" */
static bool is_ours(const struct service_options *service, struct sftp_span name)
{
    const size_t prefix = strlen(service->temporary), id = ACCORD_ID_MAX - 1;
    if (name.size != prefix + id + 4 || memcmp(name.bytes, service->temporary, prefix) != 0 ||
        memcmp(name.bytes + prefix + id, ".tmp", 4) != 0)
        return false;
    for (size_t i = prefix; i < prefix + id; i++)
        if (!(name.bytes[i] >= 'a' && name.bytes[i] <= 'z') &&
            !(name.bytes[i] >= '0' && name.bytes[i] <= '9'))
            return false;
    return true;
}

static bool is_stale(const struct sweep *sweep, const struct sftp_entry *entry)
{
    const struct link *link = sweep->link;
    const struct service_options *service = link_service(link, sweep->service);
    if (!is_ours(service, entry->name) || !(entry->attrs.flags & SFTP_ATTR_TIMES))
        return false;
    int64_t age = link->host->wall(link->instance) / 1000 - (int64_t)entry->attrs.modified * 1000;
    return age > service->stale_after && !upload_owns(link, sweep->service, entry->name);
}

static void remove_entry(struct sweep *sweep, const struct sftp_entry *entry)
{
    struct client *client = use_client(&sweep->use);
    const char *folder = link_service(sweep->link, sweep->service)->directory;
    char path[SFTP_PATH_MAX];
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    int size = snprintf(path, sizeof path, "%s%s%.*s", folder, slash, (int)entry->name.size,
                        (const char *)entry->name.bytes);
    if (size < 0 || (size_t)size >= sizeof path)
        return;
    sweep->removed++;
    sftp_put_remove(&client->outbox, client_ask(client, NULL, NULL, 0), path);
}

static void on_names(void *arg, uint32_t note, struct sftp_reply *reply);

static void ask_names(struct sweep *sweep)
{
    struct client *client = use_client(&sweep->use);
    sftp_put_readdir(&client->outbox, client_ask(client, on_names, sweep, 0), &sweep->handle);
}

static void on_names(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct sweep *sweep = arg;
    struct sftp_entry entry;
    unsigned here = 0;
    (void)note;
    if (reply->type != SFTP_NAME || reply->count == 0) {
        end(sweep);
        return;
    }
    while (sftp_next_name(reply, &entry)) {
        sweep->seen++;
        /* A few at a time: removals share the request numbers with the uploads. */
        if (here < 32 && is_stale(sweep, &entry)) {
            remove_entry(sweep, &entry);
            here++;
        }
    }
    if (sweep->seen < SWEEP_ENTRIES)
        ask_names(sweep);
    else
        end(sweep);
}

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct sweep *sweep = arg;
    (void)note;
    if (reply->type != SFTP_HANDLE) {
        end(sweep); /* a folder that may not be listed is not an error: many drop boxes are like that */
        return;
    }
    sweep->handle = reply->handle;
    sweep->open = true;
    ask_names(sweep);
}

static void begin(struct use *use)
{
    struct sweep *sweep = (struct sweep *)use;
    struct client *client = use_client(use);
    sftp_put_opendir(&client->outbox, client_ask(client, on_opened, sweep, 0),
                     link_service(sweep->link, sweep->service)->directory);
}

void stale_sweep(struct link *link, size_t service)
{
    int64_t now = link->host->ticks(link->instance);
    if (link->swept[service] && now - link->swept[service] < SWEEP_EVERY)
        return;
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep)
        return;
    link->swept[service] = now > 0 ? now : 1;
    sweep->link = link;
    sweep->service = service;
    sweep->use = (struct use){.kind = USE_LIST, .begin = begin, .broken = on_broken};
    pool_join(link, &sweep->use);
}
