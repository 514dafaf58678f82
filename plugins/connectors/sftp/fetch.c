/* One file on its way in: opened, offered, read with many READs under way, handed over in order, and handed over whole
 * only when its size and time are still those of the listing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "poll.h"

#define HEAVY (1 << 20) /* makes it wait for a session of its own while there are not yet enough */

static const struct accord_host *host_of(const struct fetch *fetch)
{
    return fetch->poll->link->host;
}

static bool has_session(const struct fetch *fetch)
{
    return use_joined(&fetch->use) && fetch->use.session;
}

/* ---- ending ---- */

static void free_pieces(struct fetch *fetch)
{
    for (size_t i = 0; i < FETCH_PIECES; i++) {
        free(fetch->pieces[i].data);
        fetch->pieces[i] = (struct piece){0};
    }
}

static void close_handle(struct fetch *fetch)
{
    if (fetch->open && has_session(fetch)) {
        struct client *client = use_client(&fetch->use);
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &fetch->handle);
    }
    fetch->open = false;
}

/* Nothing that was asked for comes any more. */
static void let_go(struct fetch *fetch)
{
    if (has_session(fetch))
        client_forget(use_client(&fetch->use), fetch);
    close_handle(fetch);
    free_pieces(fetch);
}

static void put_in(struct fetch *fetch)
{
    struct poll *poll = fetch->poll;
    fetch->next = poll->fetches;
    fetch->at = &poll->fetches;
    if (fetch->next)
        fetch->next->at = &fetch->next;
    poll->fetches = fetch;
}

static void take_out(struct fetch *fetch)
{
    *fetch->at = fetch->next;
    if (fetch->next)
        fetch->next->at = fetch->at;
}

void fetch_free(struct fetch *fetch)
{
    let_go(fetch);
    pool_leave(&fetch->use);
    if (fetch->offer)
        host_of(fetch)->offer_abort(fetch->offer);
    take_out(fetch);
    free(fetch->found);
    free(fetch);
}

static void end(struct fetch *fetch, enum fetch_end how, enum seen_state state)
{
    let_go(fetch);
    pool_leave(&fetch->use);
    if (fetch->offer)
        host_of(fetch)->offer_abort(fetch->offer);
    fetch->offer = NULL;
    fetch->wants_offer = false;
    poll_fetched(fetch->poll, fetch, how, state);
}

static void tell_once(struct fetch *fetch, const char *event, const char *what, const char *words)
{
    struct seen *seen = seen_find(&fetch->poll->seen, fetch->found->key);
    char name[256];
    if (!seen || seen->told)
        return;
    seen->told = true;
    found_text(fetch->found->path, name, sizeof name);
    link_log(fetch->poll->link, ACCORD_WARNING, event, "%s/%s: %s%s%s", fetch->poll->options->directory, name,
             what, *words ? ": " : "", words);
}

static void changed(struct fetch *fetch)
{
    end(fetch, FETCH_CHANGED, SEEN_NEW);
}

/* What the partner answered is not what was asked for; it is logged, and tried again with another listing. */
static void failed(struct fetch *fetch, const char *what, const struct sftp_reply *reply)
{
    char text[300], words[24];
    snprintf(text, sizeof text, "%s %s",
             reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words) : "a wrong answer",
             reply->message);
    if (reply->type != SFTP_STATUS || reply->status != SFTP_NO_SUCH_FILE) /* taken by somebody else */
        tell_once(fetch, "sftp.unreadable", what, text);
    end(fetch, fetch->offer ? FETCH_CHANGED : FETCH_LATER, SEEN_NEW);
}

/* ---- offering ---- */

void fetch_offer(struct fetch *fetch)
{
    struct poll *poll = fetch->poll;
    const struct found *found = fetch->found;
    char name[ACCORD_NAME_MAX], path[300], source[ACCORD_SOURCE_ID_MAX], id[FOUND_ID];
    char cursor[ACCORD_CURSOR_MAX];
    struct mark mark = poll->mark;
    fetch->wants_offer = true;
    if (!has_session(fetch))
        return; /* from the beginning, in another */
    if (poll->owed && !fetch->again)
        return; /* what was deferred goes first */
    if (!mark_has(&mark, found, INT64_MAX / 4))
        mark_add(&mark, found);
    mark_write(&mark, cursor);
    found_id(found, id);
    found_text(found->path + found->name, name, sizeof name);
    found_text(found->path, path, sizeof path);
    snprintf(source, sizeof source, "%" PRIu64 ":%u:%s:%s", found->size, found->modified, id, path);
    const struct accord_incoming message = {.name = name,
                                            .source_id = source,
                                            .size = (int64_t)found->size,
                                            .cursor = poll->options->after == AFTER_KEEP ? cursor : NULL,
                                            .session = use_session(&fetch->use)};
    fetch->offer = host_of(fetch)->offer(poll->link->instance, poll->service, &message, fetch);
    fetch->wants_offer = !fetch->offer;
    if (!fetch->offer)
        return;
    poll->mark = mark;
    bool owed = fetch->again;
    fetch->again = false;
    if (owed && --poll->owed == 0)
        poll_ready(poll);
}

/* ---- reading ---- */

static void heard(struct fetch *fetch)
{
    fetch->heard = host_of(fetch)->ticks(fetch->poll->link->instance);
}

static void hand_over(struct fetch *fetch);
static void on_read(void *arg, uint32_t note, struct sftp_reply *reply);
static void on_checked(void *arg, uint32_t note, struct sftp_reply *reply);

static void put_read(struct fetch *fetch, uint32_t index)
{
    struct client *client = use_client(&fetch->use);
    const struct piece *piece = &fetch->pieces[index];
    sftp_put_read(&client->outbox, client_ask(client, on_read, fetch, index), &fetch->handle,
                  piece->offset + piece->got, piece->size - piece->got);
}

static bool all_read(const struct fetch *fetch)
{
    if (fetch->asked < fetch->found->size)
        return false;
    for (size_t i = 0; i < FETCH_PIECES; i++)
        if (fetch->pieces[i].size > fetch->pieces[i].got)
            return false;
    return true;
}

/* Behind the last READ: what it says was so after the bytes had been read. */
static void check(struct fetch *fetch)
{
    struct client *client = use_client(&fetch->use);
    bool due = fetch->poll->link->stepwise ? all_read(fetch) : fetch->asked >= fetch->found->size;
    if (!due || fetch->checking || fetch->checked)
        return;
    fetch->checking = true;
    sftp_put_fstat(&client->outbox, client_ask(client, on_checked, fetch, 0), &fetch->handle);
}

static void read_more(struct fetch *fetch)
{
    struct client *client = use_client(&fetch->use);
    uint64_t size = fetch->found->size;
    while (fetch->asked < size && fetch->asked - fetch->written < fetch->window &&
           fetch->asked / fetch->chunk - fetch->written / fetch->chunk < FETCH_PIECES &&
           (client_has_room(client) || fetch->asked == fetch->written)) {
        uint32_t index = (uint32_t)(fetch->asked / fetch->chunk % FETCH_PIECES);
        uint64_t left = size - fetch->asked;
        fetch->pieces[index] = (struct piece){.offset = fetch->asked,
                                              .size = left < fetch->chunk ? (uint32_t)left : fetch->chunk};
        fetch->asked += fetch->pieces[index].size;
        put_read(fetch, index);
    }
    check(fetch);
}

static bool keep_bytes(struct piece *piece, struct sftp_span data)
{
    if (!piece->data)
        piece->data = malloc(piece->size);
    if (!piece->data)
        return false;
    memcpy(piece->data + piece->got, data.bytes, data.size);
    piece->got += (uint32_t)data.size;
    return true;
}

static void on_read(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    struct piece *piece = &fetch->pieces[note];
    heard(fetch);
    if (reply->type == SFTP_STATUS && reply->status == SFTP_EOF) {
        changed(fetch); /* it is shorter than it was */
    } else if (reply->type == SFTP_STATUS) {
        failed(fetch, "reading it failed", reply);
    } else if (reply->type != SFTP_DATA || reply->data.size == 0 ||
               reply->data.size > piece->size - piece->got) {
        use_break(&fetch->use, "it answered READ with something else, or with more than was asked for");
    } else if (!keep_bytes(piece, reply->data)) {
        use_break(&fetch->use, "out of memory");
    } else if (piece->got < piece->size) {
        fetch->checking = fetch->checked = false; /* once more behind this */
        put_read(fetch, note);
        check(fetch);
    } else {
        hand_over(fetch);
    }
}

static void on_checked(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    const struct found *found = fetch->found;
    heard(fetch);
    (void)note;
    if (!fetch->checking)
        return; /* one that is behind the last READ is on its way */
    fetch->checking = false;
    if (reply->type != SFTP_ATTRS) {
        failed(fetch, "its size cannot be read", reply);
        return;
    }
    if (reply->attrs.size != found->size || reply->attrs.modified != found->modified) {
        changed(fetch);
        return;
    }
    fetch->checked = true;
    hand_over(fetch);
}

static void handed_over(struct fetch *fetch)
{
    fetch->stage = FETCH_WHOLE;
    close_handle(fetch);
    free_pieces(fetch);
}

static bool write_piece(struct fetch *fetch)
{
    struct piece *piece = &fetch->pieces[fetch->written / fetch->chunk % FETCH_PIECES];
    uint64_t size = fetch->found->size;
    uint32_t from = (uint32_t)(fetch->written - piece->offset);
    int64_t room = fetch->credit < ACCORD_PIECE_MAX ? fetch->credit : ACCORD_PIECE_MAX;
    if (size == 0 || piece->size == 0 || piece->got < piece->size || room <= 0)
        return false;
    size_t part = piece->size - from < room ? piece->size - from : (size_t)room;
    bool last = fetch->written + part == size;
    if (last && !fetch->checked)
        return false;
    host_of(fetch)->offer_write(fetch->offer, piece->data + from, part, last);
    fetch->credit -= (int64_t)part;
    fetch->written += part;
    if (fetch->written == piece->offset + piece->size) {
        free(piece->data);
        *piece = (struct piece){0};
    }
    return true;
}

static void hand_over(struct fetch *fetch)
{
    if (!fetch->offer || fetch->stage != FETCH_OPEN)
        return;
    while (fetch->written < fetch->found->size && write_piece(fetch))
        ;
    if (fetch->found->size == 0 && fetch->checked && fetch->credit > 0)
        host_of(fetch)->offer_write(fetch->offer, (const uint8_t *)"", 0, true);
    else if (fetch->found->size == 0 || fetch->written < fetch->found->size) {
        if (has_session(fetch))
            read_more(fetch);
        return;
    }
    handed_over(fetch);
}

static bool awaits(const struct fetch *fetch)
{
    if (fetch->stage != FETCH_OPEN)
        return fetch->stage == FETCH_LOOKING || fetch->stage == FETCH_OPENING || fetch->stage == FETCH_AFTER;
    return fetch->checking || !all_read(fetch);
}

void fetch_look(struct fetch *fetch, int64_t now)
{
    if (has_session(fetch) && awaits(fetch) && now - fetch->heard > fetch->poll->link->options->timeout)
        use_break(&fetch->use, "waited %lld s in vain for an answer about a file, while it gives others",
                  (long long)(fetch->poll->link->options->timeout / 1000));
}

void fetch_pull(struct fetch *fetch, int64_t bytes)
{
    fetch->credit += bytes;
    if (!has_session(fetch) || !fetch->open)
        return;
    hand_over(fetch);
    pool_soon(fetch->poll->link);
}

/* ---- beginning ---- */

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    struct poll *poll = fetch->poll;
    heard(fetch);
    (void)note;
    if (reply->type != SFTP_HANDLE) {
        failed(fetch, "it cannot be opened", reply);
        return;
    }
    fetch->handle = reply->handle;
    fetch->open = true;
    fetch->stage = FETCH_OPEN;
    fetch->chunk = client_read_size(use_client(&fetch->use));
    size_t window = FETCH_ALL / (poll->fetching ? poll->fetching : 1);
    window = window < FETCH_WINDOW ? window : FETCH_WINDOW;
    fetch->window = window > fetch->chunk ? (uint32_t)window : fetch->chunk;
    fetch_offer(fetch);
    read_more(fetch);
}

static void ask_open(struct fetch *fetch)
{
    struct client *client = use_client(&fetch->use);
    char path[SFTP_PATH_MAX];
    fetch->stage = FETCH_OPENING;
    poll_path(fetch->poll, fetch->found->path, path);
    sftp_put_open(&client->outbox, client_ask(client, on_opened, fetch, 0), path, SFTP_OPEN_READ, -1);
}

/* OPEN would follow a symbolic link, and wait at a pipe. */
static void on_looked(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct fetch *fetch = arg;
    heard(fetch);
    (void)note;
    if (reply->type != SFTP_ATTRS) {
        failed(fetch, "it cannot be looked at", reply);
    } else if (!(reply->attrs.flags & SFTP_ATTR_PERMISSIONS)) {
        tell_once(fetch, "sftp.unreadable", "the partner does not say whether it is a regular file", "");
        end(fetch, FETCH_DONE, SEEN_LEFT);
    } else if (!S_ISREG(reply->attrs.permissions)) {
        end(fetch, FETCH_DONE, SEEN_LEFT);
    } else {
        ask_open(fetch);
    }
}

static void begin(struct use *use)
{
    struct fetch *fetch = (struct fetch *)use;
    struct client *client = use_client(use);
    char path[SFTP_PATH_MAX];
    heard(fetch);
    if (fetch->stage == FETCH_AFTER) {
        after_begin(fetch);
    } else if ((int64_t)fetch->found->size >
               fetch->poll->link->setup->services[fetch->poll->service]->max_size) {
        fetch_offer(fetch); /* the hub says no, and has it on record; not a byte is read */
    } else if (fetch->found->typed) {
        ask_open(fetch);
    } else {
        fetch->stage = FETCH_LOOKING;
        poll_path(fetch->poll, fetch->found->path, path);
        sftp_put_lstat(&client->outbox, client_ask(client, on_looked, fetch, 0), path);
    }
}

static void on_broken(struct use *use, const char *reason)
{
    struct fetch *fetch = (struct fetch *)use;
    fetch->open = false;
    free_pieces(fetch);
    if (fetch->stage == FETCH_WHOLE)
        return; /* the verdict comes without a session */
    if (fetch->stage == FETCH_AFTER) {
        end(fetch, FETCH_DONE, fetch->due);
        return;
    }
    poll_trouble(fetch->poll, NULL, "a file of %s could not be fetched: %s", fetch->poll->options->directory,
                 reason);
    end(fetch, fetch->offer || fetch->again ? FETCH_DEFERRED : FETCH_FAILED, SEEN_NEW);
}

static void join(struct fetch *fetch)
{
    bool after = fetch->stage == FETCH_AFTER;
    fetch->use = (struct use){.kind = after ? USE_LIST : USE_FETCH,
                              .heavy = !after && fetch->found->size > HEAVY,
                              .begin = begin,
                              .broken = on_broken};
    pool_join(fetch->poll->link, &fetch->use);
}

bool fetch_new(struct poll *poll, struct found *found, enum seen_state due)
{
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        free(found);
        return false;
    }
    fetch->poll = poll;
    fetch->found = found;
    fetch->due = due;
    fetch->stage = due == SEEN_NEW ? FETCH_WAITING : FETCH_AFTER;
    put_in(fetch);
    poll->fetching++;
    join(fetch);
    return true;
}

void fetch_again(struct fetch *fetch)
{
    take_out(fetch);
    put_in(fetch);
    fetch->poll->fetching++;
    fetch->stage = FETCH_WAITING;
    fetch->credit = 0;
    fetch->asked = fetch->written = 0;
    fetch->checking = fetch->checked = false;
    join(fetch);
}

/* ---- the verdict ---- */

static void put_away(struct fetch *fetch, enum seen_state due)
{
    fetch->due = due;
    fetch->stage = FETCH_AFTER;
    heard(fetch);
    let_go(fetch);
    if (has_session(fetch)) {
        after_begin(fetch);
        pool_soon(fetch->poll->link);
    } else if (fetch->poll->started) {
        pool_leave(&fetch->use);
        join(fetch);
    } else {
        end(fetch, FETCH_DONE, due);
    }
}

void fetch_verdict(struct fetch *fetch, const struct accord_admitted *admitted)
{
    const struct service_options *options = fetch->poll->options;
    char why[400];
    fetch->offer = NULL;
    snprintf(why, sizeof why, "%s [%s]", admitted->reason, admitted->rule);
    if (admitted->admission == ACCORD_DEFERRED) {
        end(fetch, FETCH_DEFERRED, SEEN_NEW);
        return;
    }
    if (admitted->admission == ACCORD_QUARANTINED)
        tell_once(fetch, "sftp.quarantined", "it was set aside in quarantine", why);
    if (admitted->admission == ACCORD_REJECTED) {
        tell_once(fetch, "sftp.rejected",
                  options->rejected ? "it is not taken, and is moved away"
                                    : "it is not taken, and is left there",
                  why);
        if (options->rejected)
            put_away(fetch, SEEN_REJECTED);
        else
            end(fetch, FETCH_DONE, SEEN_LEFT);
        return;
    }
    host_of(fetch)->metric(fetch->poll->link->instance, "files_received", 1);
    if (options->after == AFTER_KEEP)
        end(fetch, FETCH_DONE, SEEN_LEFT);
    else
        put_away(fetch, SEEN_HELD);
}
