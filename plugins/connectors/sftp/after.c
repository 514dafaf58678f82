/* What becomes of a file at the partner once we have it, or nobody will have it: deleted or moved, if it is still the
 * one that was read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "poll.h"

static void end(struct fetch *fetch, enum fetch_end how, enum seen_state state)
{
    if (fetch->use.session)
        client_forget(use_client(&fetch->use), fetch);
    pool_leave(&fetch->use);
    poll_fetched(fetch->poll, fetch, how, state);
}

/* It stays where it is, and is tried again with the next listing; it is not fetched again. */
static void stays(struct fetch *fetch, const char *what, const struct sftp_reply *reply)
{
    struct poll *poll = fetch->poll;
    char name[200], words[24], text[ACCORD_REASON_MAX];
    struct seen *seen = seen_find(&poll->seen, fetch->found->key);
    found_text(fetch->found->path, name, sizeof name);
    if (seen && !seen->told) {
        snprintf(
            text, sizeof text,
            "%.100s/%s was %s and cannot be %s: %s %.100s; it stays there and is not taken again: let us %s",
            poll->options->directory, name, fetch->due == SEEN_HELD ? "received" : "rejected", what,
            reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words) : "a wrong answer",
            reply->message, *what == 'd' ? "delete files there" : "rename files there");
        link_log(poll->link, ACCORD_WARNING, "sftp.stays", "%s", text);
        poll->link->host->incident(poll->link->instance, "sftp.stays", text);
    }
    if (seen)
        seen->told = true;
    end(fetch, FETCH_DONE, fetch->due);
}

static void gone(struct fetch *fetch)
{
    end(fetch, FETCH_DONE, SEEN_NEW);
}

/* ---- moving ---- */

static const char *folder_of(const struct fetch *fetch, char path[SFTP_PATH_MAX])
{
    const struct service_options *options = fetch->poll->options;
    const char *folder = fetch->due == SEEN_REJECTED ? options->rejected : options->move_to;
    if (folder[0] == '/')
        return folder;
    poll_path(fetch->poll, folder, path);
    return path;
}

static void ask_move(struct fetch *fetch);

static void on_made(void *arg, uint32_t note, struct sftp_reply *reply)
{
    (void)note, (void)reply; /* the next attempt tells */
    ask_move(arg);
}

static void on_moved(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    struct client *client = use_client(&fetch->use);
    char path[SFTP_PATH_MAX];
    (void)note;
    if (reply->type == SFTP_STATUS && reply->status == SFTP_OK) {
        gone(fetch);
    } else if (fetch->attempts == 0 && reply->type == SFTP_STATUS) { /* perhaps there is no such folder */
        fetch->attempts++;
        sftp_put_mkdir(&client->outbox, client_ask(client, on_made, fetch, 0), folder_of(fetch, path));
    } else if (fetch->attempts == 1 && reply->type == SFTP_STATUS) { /* perhaps there is one of this name */
        fetch->attempts++;
        snprintf(fetch->target, sizeof fetch->target, ".%" PRIx64,
                 fetch->found->key ^ fetch->found->modified);
        ask_move(fetch);
    } else {
        stays(fetch, "moved", reply);
    }
}

static void ask_move(struct fetch *fetch)
{
    struct client *client = use_client(&fetch->use);
    char from[SFTP_PATH_MAX], below[SFTP_PATH_MAX], to[SFTP_PATH_MAX + 400];
    const char *folder = folder_of(fetch, below);
    poll_path(fetch->poll, fetch->found->path, from);
    snprintf(to, sizeof to, "%s%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/",
             fetch->found->path + fetch->found->name, fetch->target);
    sftp_put_rename(&client->outbox, client_ask(client, on_moved, fetch, 0), from, to);
}

/* ---- deleting ---- */

static void on_removed(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    (void)note;
    if (reply->type == SFTP_STATUS && (reply->status == SFTP_OK || reply->status == SFTP_NO_SUCH_FILE))
        gone(fetch);
    else
        stays(fetch, "deleted", reply);
}

/* What came in its place since is not ours to take away. */
static void on_looked(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    struct client *client = use_client(&fetch->use);
    const struct found *found = fetch->found;
    char path[SFTP_PATH_MAX];
    (void)note;
    if (reply->type == SFTP_STATUS && reply->status == SFTP_NO_SUCH_FILE) {
        gone(fetch);
    } else if (reply->type != SFTP_ATTRS) {
        stays(fetch, fetch->poll->options->after == AFTER_DELETE ? "deleted" : "moved", reply);
    } else if (reply->attrs.size != found->size || reply->attrs.modified != found->modified) {
        end(fetch, FETCH_CHANGED, SEEN_NEW);
    } else if (fetch->due == SEEN_REJECTED || fetch->poll->options->after == AFTER_MOVE) {
        ask_move(fetch);
    } else {
        poll_path(fetch->poll, found->path, path);
        sftp_put_remove(&client->outbox, client_ask(client, on_removed, fetch, 0), path);
    }
}

void after_begin(struct fetch *fetch)
{
    struct client *client = use_client(&fetch->use);
    char path[SFTP_PATH_MAX];
    poll_path(fetch->poll, fetch->found->path, path);
    sftp_put_lstat(&client->outbox, client_ask(client, on_looked, fetch, 0), path);
}
