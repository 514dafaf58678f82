/* backup and key rotate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/backup.h"
#include "hub/unit.h"
#include "hub/verbs.h"
#include "store/store.h"
#include "util/text.h"

void verb_backup(struct answer *answer, const struct wire_COMMAND *m)
{
    const char *folder = wire_pairs_get(&m->arguments, "folder");
    backup_begin(answer, folder ? folder : "");
}

/* ---- key rotate ---- */

struct rotating {
    struct answer *answer;
    char agreement[STORE_NAME_MAX]; /* "": the key file */
    struct store_rotation verb;
    struct store_audit audit;
};

static void rotated(void *arg, int result)
{
    struct rotating *rotating = arg;
    const char *why = rotating->verb.why.text;
    if (result)
        answer_end(rotating->answer, ANSWER_NO, "%s: %s",
                   rotating->verb.replaced ? "the key was replaced, and that could not be recorded"
                                           : "no key was replaced",
                   *why ? why : error_name(result));
    else if (*rotating->agreement)
        answer_end(rotating->answer, ANSWER_OK,
                   "what is admitted for %s from now on is sealed with a new key", rotating->agreement);
    else
        answer_end(
            rotating->answer, ANSWER_OK,
            "the store's key file is replaced: make a copy of it now; backups made before need the old one");
    buf_fini(&rotating->audit.body);
    free(rotating);
}

/* A file of conf.d with mistakes has no unit; only what is known to the agent has keys. */
void verb_key_rotate(struct answer *answer, const struct wire_COMMAND *m)
{
    const char *agreement = wire_pairs_get(&m->arguments, "agreement");
    if (agreement && !unit_find(answer->hub, agreement)) {
        answer_end(answer, ANSWER_NO, "there is no agreement %.64s; see: accord agreements", agreement);
        return;
    }
    struct rotating *rotating = calloc(1, sizeof *rotating);
    if (!rotating) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return;
    }
    rotating->answer = answer;
    text_copy(rotating->agreement, sizeof rotating->agreement, agreement ? agreement : "");
    struct audit_event event = {.action = AUDIT_KEY_ROTATED,
                                .agreement = agreement,
                                .user = answer->client->user,
                                .reason = agreement ? "a new key for what is admitted from now on"
                                                    : "a new key in the store's key file"};
    audit_render(&rotating->audit.body, &event);
    rotating->audit.chain = agreement ? rotating->agreement : AUDIT_HOST_CHAIN;
    rotating->verb = (struct store_rotation){
        .agreement = agreement ? rotating->agreement : NULL, .audit = &rotating->audit, .audit_count = 1};
    store_rotate(answer->hub->store, &rotating->verb, rotated, rotating);
}
