/* The final name: what to do when something has it already, and the rename that puts the file there. */
#include "upload.h"

#include <stdio.h>

static void look(struct upload *upload, client_reply_fn run, const char *path, uint32_t note)
{
    struct client *client = upload_client(upload);
    sftp_put_lstat(&client->outbox, client_ask(client, run, upload, note), path);
}

static bool is_missing(const struct sftp_reply *reply)
{
    return reply->type == SFTP_STATUS && reply->status == SFTP_NO_SUCH_FILE;
}

/* ---- something has it ---- */

static void on_compared(void *arg, int result, const char *reason)
{
    struct upload *upload = arg;
    if (result < 0)
        upload_give_up(upload, ACCORD_RETRY, "%.200s exists and cannot be compared: %.200s", upload->final,
                       reason);
    else if (result > 0)
        upload_delivered(upload, " found=yes");
    else
        upload_give_up(upload, ACCORD_REFUSED, "%.300s exists with other content (%.100s)", upload->final,
                       reason);
}

/* With if-exists = fail a file of this name refuses the message, but not when it may be this very delivery: an earlier
 * attempt may have put it there and lost only the answer (the outcome was then UNCERTAIN), or our temporary file is
 * gone and the partner's own programs gave it that name. The same content tells. */
static void settle_existing(struct upload *upload, bool perhaps_ours)
{
    const struct accord_outgoing *out = upload->out;
    if (upload->service->if_exists == EXISTS_FAIL && !perhaps_ours) {
        upload_give_up(upload, ACCORD_REFUSED, "%.300s exists already (if-exists = fail)", upload->final);
        return;
    }
    if (upload->service->if_exists >= EXISTS_REPLACE) {
        upload_give_up(upload, ACCORD_RETRY, "%.300s was removed, and came back before the rename",
                       upload->final);
        return;
    }
    upload->state = UPLOAD_COMPARING;
    upload->compare = compare_new(upload_client(upload), upload->link->sha256, upload->final,
                                  out->envelope->size, out->envelope->sha256, on_compared, upload);
    if (!upload->compare)
        upload_give_up(upload, ACCORD_RETRY, "out of memory");
}

static void on_looked(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (reply->type == SFTP_ATTRS) {
        settle_existing(upload, upload->out->attempt > 1);
    } else if (is_missing(reply)) {
        upload->looked = true;
        upload_opened(upload);
    } else {
        upload_refused(upload, "look", upload->final, reply);
    }
}

void place_look(struct upload *upload)
{
    look(upload, on_looked, upload->final, 0);
}

/* ---- the rename failed ---- */

/* The temporary file is not there either: the partner's own people or programs took it, or removed it. All of it had
 * been written, synced as far as that is wanted, and closed. */
static void settle_taken(struct upload *upload)
{
    upload->made = false;
    if (upload->service->taken_early == TAKEN_DELIVERED)
        upload_delivered(upload, " taken=before-rename");
    else
        upload_give_up(
            upload, ACCORD_UNCERTAIN,
            "%.200s was whole, and gone before it could be renamed: the partner took or removed it. "
            "Ask the partner to leave names with \"%s\" alone (taken-early = delivered counts this as "
            "delivered)",
            upload->temporary, upload->service->temporary);
}

static void on_looked_for_temporary(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    char words[24];
    if (upload->taken)
        settle_existing(upload, is_missing(reply));
    else if (note == SFTP_NO_SUCH_FILE && is_missing(reply))
        settle_taken(upload);
    else
        upload_give_up(upload, ACCORD_RETRY, "rename to %.300s: the partner refuses it (%s)", upload->final,
                       sftp_status_text(note, words));
}

/* Whose file it is that has the final name, is seen from whether ours is still there. */
static void on_looked_again(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    upload->taken = reply->type == SFTP_ATTRS;
    if (upload->taken && upload->out->attempt > 1)
        settle_existing(upload, true);
    else
        look(upload, on_looked_for_temporary, upload->temporary, note);
}

/* ---- the rename ---- */

static void on_renamed(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    bool replaces = upload->service->if_exists == EXISTS_REPLACE;
    (void)note;
    if (upload_is_ok(reply)) {
        upload->made = false;
        upload_delivered(upload, "");
        return;
    }
    /* Version 3 has no status of its own for "exists". */
    bool taken = reply->type == SFTP_STATUS && reply->status == SFTP_FAILURE && !replaces;
    if (!taken && !is_missing(reply)) {
        upload_refused(upload, "rename", upload->final, reply);
        return;
    }
    upload->state = UPLOAD_LOOKING_AGAIN;
    if (replaces) /* what has the final name may be what was to be replaced */
        look(upload, on_looked_for_temporary, upload->temporary, reply->status);
    else
        look(upload, on_looked_again, upload->final, reply->status);
}

static void rename_it(struct upload *upload)
{
    struct client *client = upload_client(upload);
    uint32_t id = client_ask(client, on_renamed, upload, 0);
    upload->state = UPLOAD_RENAMING;
    if (upload->service->if_exists == EXISTS_REPLACE)
        sftp_put_posix_rename(&client->outbox, id, upload->temporary, upload->final);
    else
        sftp_put_rename(&client->outbox, id, upload->temporary, upload->final);
}

static void on_removed(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    (void)note;
    if (upload_is_ok(reply) || is_missing(reply))
        rename_it(upload);
    else
        upload_refused(upload, "removing what is to be replaced", upload->final, reply);
}

void place_rename(struct upload *upload)
{
    if (upload->service->if_exists != EXISTS_REMOVE) {
        rename_it(upload);
        return;
    }
    struct client *client = upload_client(upload);
    upload->state = UPLOAD_REMOVING;
    sftp_put_remove(&client->outbox, client_ask(client, on_removed, upload, 0), upload->final);
}
