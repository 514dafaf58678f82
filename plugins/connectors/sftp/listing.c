/* One walk through a polled folder and, with recursive = yes, those below it: a few READDIRs under way at a time, nothing
 * kept of what was listed but what poll_found() keeps. Symbolic links are not followed. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "poll.h"

#define ASK_AHEAD  4
#define FOLDERS    10000   /* of one walk */
#define ENTRIES    2000000 /* likewise: names without end are no folder */
#define EMPTY_MOST 16      /* replies in a row without a name */

struct folder {
    struct folder *next;
    unsigned depth;
    char path[]; /* below the directory; "" it */
};

struct listing {
    struct use use; /* first */
    struct poll *poll;
    struct folder *folders, **last;
    size_t folder_count, entries, refused;
    struct folder *in; /* being listed */
    bool open, ended, whole;
    unsigned under_way, empty;
    int64_t heard; /* ticks: of the last answer */
    struct sftp_handle handle;
    char refused_name[128]; /* the first */
};

static bool add_folder(struct listing *listing, const char *path, unsigned depth)
{
    struct folder *folder = malloc(sizeof *folder + strlen(path) + 1);
    if (!folder)
        return false;
    folder->next = NULL;
    folder->depth = depth;
    memcpy(folder->path, path, strlen(path) + 1);
    *listing->last = folder;
    listing->last = &folder->next;
    listing->folder_count++;
    return true;
}

static void close_folder(struct listing *listing)
{
    if (listing->open && use_joined(&listing->use) && listing->use.session) {
        struct client *client = use_client(&listing->use);
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &listing->handle);
    }
    listing->open = false;
    free(listing->in);
    listing->in = NULL;
}

void listing_free(struct listing *listing)
{
    if (!listing)
        return;
    if (use_joined(&listing->use) && listing->use.session)
        client_forget(use_client(&listing->use), listing);
    close_folder(listing);
    pool_leave(&listing->use);
    for (struct folder *folder; (folder = listing->folders);) {
        listing->folders = folder->next;
        free(folder);
    }
    free(listing);
}

static void heard(struct listing *listing)
{
    const struct link *link = listing->poll->link;
    listing->heard = link->host->ticks(link->instance);
}

void listing_look(struct listing *listing, int64_t now)
{
    if (listing->use.session && now - listing->heard > listing->poll->link->options->timeout)
        use_break(&listing->use, "waited %lld s in vain for an answer about a folder, while it gives others",
                  (long long)(listing->poll->link->options->timeout / 1000));
}

static void end(struct listing *listing, const char *reason)
{
    struct poll *poll = listing->poll;
    bool whole = listing->whole && !reason;
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "%s", reason ? reason : "");
    if (listing->refused)
        link_log(poll->link, ACCORD_WARNING, "sftp.names-refused",
                 "%s: %zu names that cannot be those of files were left out, first \"%s\"",
                 poll->options->directory, listing->refused, listing->refused_name);
    listing_free(listing);
    poll_listed(poll, whole, reason ? text : NULL);
}

/* ---- entries ---- */

static bool is_dots(struct sftp_span name)
{
    return (name.size == 1 || name.size == 2) && memcmp(name.bytes, "..", name.size) == 0;
}

static bool is_name(struct sftp_span name)
{
    return name.size > 0 && name.size <= 255 && !memchr(name.bytes, '/', name.size) &&
           !memchr(name.bytes, 0, name.size);
}

static void refuse(struct listing *listing, struct sftp_span name)
{
    char shown[300];
    size_t size = name.size < sizeof shown - 1 ? name.size : sizeof shown - 1;
    memcpy(shown, name.bytes, size);
    for (size_t i = 0; i < size; i++)
        shown[i] = shown[i] ? shown[i] : '?';
    shown[size] = 0;
    if (!listing->refused++)
        found_text(shown, listing->refused_name, sizeof listing->refused_name);
}

static bool matches(const struct service_options *options, const char *name)
{
    for (size_t i = 0; i < options->pattern.count; i++)
        if (fnmatch(options->pattern.items[i], name, FNM_PERIOD) == 0)
            return true;
    return options->pattern.count == 0 && name[0] != '.';
}

/* Where we put files away is not looked into. */
static bool is_ours(const struct service_options *options, const char *path)
{
    return (options->move_to && strcmp(path, options->move_to) == 0) ||
           (options->rejected && strcmp(path, options->rejected) == 0);
}

static void enter_later(struct listing *listing, const char *path, const char *name)
{
    const struct service_options *options = listing->poll->options;
    if (!options->recursive || name[0] == '.' || is_ours(options, path))
        return;
    if (listing->in->depth >= (unsigned)options->depth)
        poll_trouble(listing->poll, NULL, "%s: %s lies deeper than depth allows, and is not looked into",
                     options->directory, name);
    else if (listing->folder_count >= FOLDERS || !add_folder(listing, path, listing->in->depth + 1))
        listing->whole = false;
}

static void take(struct listing *listing, const struct sftp_entry *entry)
{
    char path[POLL_PATH + 256];
    const char *folder = listing->in->path;
    const struct sftp_attrs *attrs = &entry->attrs;
    if (is_dots(entry->name))
        return;
    if (!is_name(entry->name) || strlen(folder) + 1 + entry->name.size >= POLL_PATH) {
        refuse(listing, entry->name);
        return;
    }
    snprintf(path, sizeof path, "%s%s%.*s", folder, *folder ? "/" : "", (int)entry->name.size,
             (const char *)entry->name.bytes);
    const char *name = path + strlen(path) - entry->name.size;
    bool typed = attrs->flags & SFTP_ATTR_PERMISSIONS;
    if (typed && S_ISDIR(attrs->permissions))
        enter_later(listing, path, name);
    else if ((!typed || S_ISREG(attrs->permissions)) && matches(listing->poll->options, name))
        poll_found(listing->poll, path, attrs, typed);
}

/* ---- requests ---- */

static void next_folder(struct listing *listing);
static void on_names(void *arg, uint32_t note, struct sftp_reply *reply);

static void ask_names(struct listing *listing)
{
    struct client *client = use_client(&listing->use);
    unsigned most = listing->poll->link->stepwise ? 1 : ASK_AHEAD;
    while (!listing->ended && listing->under_way < most) {
        listing->under_way++;
        sftp_put_readdir(&client->outbox, client_ask(client, on_names, listing, 0), &listing->handle);
    }
}

static void on_names(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct listing *listing = arg;
    struct sftp_entry entry;
    char words[24];
    (void)note;
    listing->under_way--;
    heard(listing);
    if (reply->type == SFTP_STATUS && reply->status != SFTP_EOF && !listing->ended) {
        poll_trouble(listing->poll, NULL, "%s: listing it failed: %s %s", listing->poll->options->directory,
                     sftp_status_text(reply->status, words), reply->message);
        listing->whole = false;
    }
    listing->ended = listing->ended || reply->type != SFTP_NAME;
    listing->empty = reply->type == SFTP_NAME && reply->count == 0 ? listing->empty + 1 : 0;
    if (reply->type != SFTP_NAME && reply->type != SFTP_STATUS) {
        use_break(&listing->use, "it answered READDIR with something else (type %d)", (int)reply->type);
        return;
    }
    while (reply->type == SFTP_NAME && sftp_next_name(reply, &entry)) {
        listing->entries++;
        take(listing, &entry);
    }
    if (listing->entries > ENTRIES || listing->empty > EMPTY_MOST) {
        use_break(&listing->use, "its listing of a folder has no end");
        return;
    }
    ask_names(listing);
    if (!listing->under_way)
        next_folder(listing);
}

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct listing *listing = arg;
    char words[24], text[ACCORD_REASON_MAX];
    (void)note;
    heard(listing);
    if (reply->type == SFTP_HANDLE) {
        listing->handle = reply->handle;
        listing->open = true;
        listing->ended = false;
        ask_names(listing);
        return;
    }
    snprintf(text, sizeof text, "the folder %.100s%s%.100s cannot be listed: %s %.100s",
             listing->poll->options->directory, listing->in->depth ? "/" : "", listing->in->path,
             reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words) : "a wrong answer",
             reply->message);
    if (listing->in->depth == 0) {
        end(listing, text);
        return;
    }
    if (reply->type != SFTP_STATUS || reply->status != SFTP_NO_SUCH_FILE) { /* gone since is fine */
        listing->whole = false;
        poll_trouble(listing->poll, NULL, "%s", text);
    }
    next_folder(listing);
}

static void next_folder(struct listing *listing)
{
    char path[SFTP_PATH_MAX];
    close_folder(listing);
    struct folder *folder = listing->folders;
    if (!folder) {
        end(listing, NULL);
        return;
    }
    listing->in = folder;
    listing->folders = folder->next;
    if (!listing->folders)
        listing->last = &listing->folders;
    struct client *client = use_client(&listing->use);
    poll_path(listing->poll, folder->path, path);
    sftp_put_opendir(&client->outbox, client_ask(client, on_opened, listing, 0), path);
}

static void begin(struct use *use)
{
    heard((struct listing *)use);
    next_folder((struct listing *)use);
}

static void on_broken(struct use *use, const char *reason)
{
    end((struct listing *)use, reason);
}

struct listing *listing_new(struct poll *poll)
{
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing)
        return NULL;
    listing->poll = poll;
    listing->last = &listing->folders;
    listing->whole = true;
    if (!add_folder(listing, "", 0)) {
        free(listing);
        return NULL;
    }
    listing->use = (struct use){.kind = USE_LIST, .begin = begin, .broken = on_broken};
    pool_join(poll->link, &listing->use);
    return listing;
}
