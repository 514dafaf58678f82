#include "hub/backup.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/anchor.h"
#include "hub/reload.h"
#include "hub/trail.h"
#include "hub/verbs.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/copy.h"
#include "util/file.h"
#include "util/text.h"

#define TELL_EVERY 500 /* ms */

struct backup {
    struct hub *hub;
    struct answer *answer;
    char folder[PATH_MAX], partial[PATH_MAX], store[PATH_MAX], state[PATH_MAX], user[64];
    struct store_backup verb;
    uv_work_t work;
    uint64_t trail; /* bytes of the exported trail */
    int result;     /* of the work */
    struct reason why;
    int64_t tell_at; /* ticks */
};

/* ---- the end ---- */

static void record(const struct backup *backup, bool made)
{
    char bytes[24];
    snprintf(bytes, sizeof bytes, "%" PRIu64, backup->verb.copied + backup->trail);
    struct accord_pair details[] = {{"folder", backup->folder}, {"bytes", bytes}};
    struct audit_event event = {.action = AUDIT_STORE_BACKUP,
                                .outcome = made ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .user = backup->user,
                                .reason = made ? "" : backup->why.text,
                                .details = details,
                                .detail_count = 2};
    trail_event(backup->hub, &event);
}

static void end(struct backup *backup, bool made)
{
    char size[32];
    text_size(size, sizeof size, (int64_t)(backup->verb.copied + backup->trail));
    record(backup, made);
    if (made)
        answer_row(backup->answer, "backup", CELLS({"folder", backup->folder}, {"size", size}));
    if (made)
        answer_end(backup->answer, ANSWER_OK,
                   "%s is made (%s); keep copies of the store's key file and of audit-key.pem apart from it: "
                   "they are "
                   "not in it, and it cannot be restored without them",
                   backup->folder, size);
    else
        answer_end(backup->answer, ANSWER_NO, "no backup was made: %s", backup->why.text);
    backup->hub->backup = NULL;
    free(backup);
}

static void remove_work(uv_work_t *work)
{
    struct backup *backup = work->data;
    remove_folder(backup->partial);
}

static void removed(uv_work_t *work, int status)
{
    (void)status;
    end(work->data, false);
}

static void give_up(struct backup *backup)
{
    uv_queue_work(&backup->hub->loop, &backup->work, remove_work, removed);
}

/* ---- the last step: the whole gets its name ---- */

static void conclude_work(uv_work_t *work)
{
    struct backup *backup = work->data;
    char above[PATH_MAX];
    text_copy(above, sizeof above, backup->folder);
    backup->result = file_sync_folder(backup->partial, &backup->why);
    /* Fails when somebody has made a folder with something in it there meanwhile. */
    if (!backup->result && rename(backup->partial, backup->folder) < 0)
        backup->result = fail(&backup->why, error_from_errno(errno), "cannot make %s: %s", backup->folder,
                              strerror(errno));
    if (!backup->result)
        backup->result = file_sync_folder(dirname(above), &backup->why);
}

static void concluded(uv_work_t *work, int status)
{
    struct backup *backup = work->data;
    (void)status;
    if (backup->result)
        give_up(backup);
    else
        end(backup, true);
}

/* ---- the store ---- */

static void step(struct backup *backup);

static void tell(struct backup *backup)
{
    char copied[24], total[24];
    int64_t ticks = clock_ticks();
    if (ticks < backup->tell_at)
        return;
    backup->tell_at = ticks + TELL_EVERY;
    snprintf(copied, sizeof copied, "%" PRIu64, backup->verb.copied + backup->trail);
    snprintf(total, sizeof total, "%" PRIu64, backup->verb.total + backup->trail);
    answer_row(backup->answer, "progress", CELLS({"done", copied}, {"of", total}, {"unit", "bytes"}));
}

static void stepped(void *arg, int result)
{
    struct backup *backup = arg;
    bool stopping = backup->hub->stopping && backup->verb.more && !backup->verb.cancel;
    if (result || backup->verb.cancel) {
        if (!*backup->why.text)
            fail(&backup->why, result, "%s",
                 *backup->verb.why.text ? backup->verb.why.text : error_name(result));
        give_up(backup);
    } else if (stopping) {
        fail(&backup->why, ACCORD_ECANCELED, "the agent is stopping");
        backup->verb.cancel = true;
        step(backup);
    } else if (backup->verb.more) {
        tell(backup);
        step(backup);
    } else {
        uv_queue_work(&backup->hub->loop, &backup->work, conclude_work, concluded);
    }
}

static void step(struct backup *backup)
{
    store_backup(backup->hub->store, &backup->verb, stepped, backup);
}

/* ---- the trail ---- */

static int copy_state_file(struct backup *backup, const char *name, unsigned mode)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (file_path(from, sizeof from, backup->state, name) || file_path(to, sizeof to, backup->partial, name))
        return fail(&backup->why, ACCORD_ELIMIT, "the folder's name is too long: %s", backup->partial);
    int result = copy_file(from, to, mode, &backup->trail, &backup->why);
    return result == ACCORD_ENOENT ? 0 : result;
}

static void trail_work(uv_work_t *work)
{
    struct backup *backup = work->data;
    char from[PATH_MAX], to[PATH_MAX];
    if (file_path(from, sizeof from, backup->state, "audit") ||
        file_path(to, sizeof to, backup->partial, "audit")) {
        backup->result =
            fail(&backup->why, ACCORD_ELIMIT, "the folder's name is too long: %s", backup->partial);
        return;
    }
    backup->result = copy_folder(from, to, &backup->trail, &backup->why);
    if (!backup->result)
        backup->result = copy_state_file(backup, ANCHOR_PUBLIC_KEY_FILE, 0644);
}

static void trail_copied(uv_work_t *work, int status)
{
    struct backup *backup = work->data;
    (void)status;
    if (backup->result)
        give_up(backup);
    else
        step(backup);
}

/* ---- the beginning ---- */

static int check(const struct hub *hub, const char *folder, struct reason *why)
{
    struct stat st;
    if (folder[0] != '/' || strlen(folder) > PATH_MAX - 64)
        return fail(why, ACCORD_EINVAL, "name a folder for the backup by its absolute path");
    if (hub->backup)
        return fail(why, ACCORD_EBUSY, "another backup is being made; wait until it is done");
    if (lstat(folder, &st) == 0)
        return fail(why, ACCORD_EEXIST, "%s is there already; name a folder that is not", folder);
    /* Copies of the state folder do not belong into it: the next one would hold them. */
    if (copy_is_inside(folder, hub->conf->conf->agent.state))
        return fail(why, ACCORD_EINVAL, "%s is in the agent's state folder; name one on another disk",
                    folder);
    return 0;
}

static int prepare(struct backup *backup, const char *folder, struct reason *why)
{
    text_copy(backup->folder, sizeof backup->folder, folder);
    snprintf(backup->partial, sizeof backup->partial, "%s.partial", folder);
    snprintf(backup->store, sizeof backup->store, "%s.partial/store", folder);
    if (mkdir(backup->partial, 0700) == 0)
        return 0;
    if (errno == EEXIST)
        return fail(why, ACCORD_EEXIST, "%s is left of a backup that was not finished; remove it",
                    backup->partial);
    return fail(why, error_from_errno(errno), "the agent's user cannot make %s: %s", backup->partial,
                strerror(errno));
}

void backup_begin(struct answer *answer, const char *folder)
{
    struct hub *hub = answer->hub;
    struct reason why = {""};
    int result = check(hub, folder, &why);
    struct backup *backup = result ? NULL : calloc(1, sizeof *backup);
    if (!result)
        result = backup ? prepare(backup, folder, &why) : fail(&why, ACCORD_ENOMEM, "out of memory");
    if (result) {
        free(backup);
        answer_end(answer, result == ACCORD_EINVAL ? ANSWER_USAGE : ANSWER_NO, "no backup was made: %s",
                   why.text);
        return;
    }
    backup->hub = hub;
    backup->answer = answer;
    backup->work.data = backup;
    backup->verb.folder = backup->store;
    text_copy(backup->user, sizeof backup->user, answer->client->user);
    text_copy(backup->state, sizeof backup->state, hub->conf->conf->agent.state);
    hub->backup = backup;
    uv_queue_work(&hub->loop, &backup->work, trail_work, trail_copied);
}
