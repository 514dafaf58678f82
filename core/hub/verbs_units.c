/* suspend and resume: agreements, and links that are parked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/suspend.h"
#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/text.h"

/* A change that the store is asked to write down. */
struct change {
    struct answer *answer;
    char agreement[CONF_NAME_MAX];
    size_t links; /* that were parked, and are tried again */
};

static const char *argument(const struct wire_COMMAND *m, const char *name)
{
    struct accord_pair pair;
    for (size_t at = 0; wire_pairs_next(&m->arguments, &at, &pair);)
        if (strcmp(pair.name, name) == 0)
            return pair.value;
    return "";
}

bool verb_split(const char *text, char agreement[CONF_NAME_MAX], const char **part)
{
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    *part = slash ? slash + 1 : NULL;
    if (size >= CONF_NAME_MAX)
        return false;
    memcpy(agreement, text, size);
    agreement[size] = 0;
    return text_is_name(agreement, CONF_NAME_MAX - 1) && (!slash || text_is_name(*part, CONF_NAME_MAX - 1));
}

/* A file of conf.d with mistakes has no unit when the agent started with it: it counts as well. */
static bool agreement_exists(const struct hub *hub, const char *name)
{
    char file[CONF_NAME_MAX + 8];
    snprintf(file, sizeof file, "%s.conf", name);
    return unit_find(hub, name) || conf_report_count(&hub->problems, CONF_ERROR, file);
}

static struct change *change_new(struct answer *answer, const char *agreement)
{
    struct change *change = calloc(1, sizeof *change);
    if (!change) {
        answer_end(answer, ANSWER_NO, "out of memory");
        return NULL;
    }
    change->answer = answer;
    text_copy(change->agreement, sizeof change->agreement, agreement);
    return change;
}

/* ---- suspend ---- */

static void was_suspended(void *arg, int result, const char *why)
{
    struct change *change = arg;
    if (result)
        answer_end(change->answer, ANSWER_NO, "%s: %s", change->agreement, why);
    else
        answer_end(change->answer, ANSWER_OK,
                   "%s is cut off, and stays so until: accord resume %s; its messages are held",
                   change->agreement, change->agreement);
    free(change);
}

void verb_suspend(struct answer *answer, const struct wire_COMMAND *m)
{
    char name[CONF_NAME_MAX];
    const char *link;
    if (!verb_split(argument(m, "name"), name, &link) || link || !agreement_exists(answer->hub, name)) {
        answer_end(answer, ANSWER_NO, "there is no agreement of that name; see: accord agreements");
        return;
    }
    struct suspension *suspension = suspension_of(answer->hub, name);
    struct change *change = suspension ? change_new(answer, name) : NULL;
    if (change &&
        suspension_begin(suspension, answer->client->user, argument(m, "reason"), was_suspended, change)) {
        answer_end(answer, ANSWER_NO, "%s: another change of it is under way; try again", name);
        free(change);
    }
}

/* ---- resume ---- */

static void tell_resumed(struct change *change)
{
    char links[64] = "";
    if (change->links)
        snprintf(links, sizeof links, "; %zu parked link%s of it %s tried again", change->links,
                 change->links == 1 ? "" : "s", change->links == 1 ? "is" : "are");
    answer_end(change->answer, ANSWER_OK, "%s goes on as its file says%s", change->agreement, links);
}

static void was_resumed(void *arg, int result, const char *why)
{
    struct change *change = arg;
    if (result)
        answer_end(change->answer, ANSWER_NO, "%s: %s", change->agreement, why);
    else
        tell_resumed(change);
    free(change);
}

static void resume_links(struct answer *answer, struct unit *unit, const char *name, const char *link,
                         const char *why)
{
    size_t count = unit ? unit_resume(unit, link, answer->client->user, why) : 0;
    if (count)
        answer_end(answer, ANSWER_OK, "%zu parked link%s of %s %s tried again", count, count == 1 ? "" : "s",
                   name, count == 1 ? "is" : "are");
    else if (link)
        answer_end(answer, ANSWER_NO, "%s has no parked link '%s'; see: accord status", name, link);
    else
        answer_end(answer, ANSWER_NO,
                   "%s is not suspended, and none of its links is parked; see: accord status", name);
}

void verb_resume(struct answer *answer, const struct wire_COMMAND *m)
{
    char name[CONF_NAME_MAX];
    const char *link, *why = argument(m, "reason");
    if (!verb_split(argument(m, "name"), name, &link) || !agreement_exists(answer->hub, name)) {
        answer_end(answer, ANSWER_NO, "there is no agreement of that name; see: accord agreements");
        return;
    }
    struct unit *unit = unit_find(answer->hub, name);
    struct suspension *suspension = suspension_of(answer->hub, name);
    if (!link && suspension && !suspension_known(suspension)) {
        answer_end(answer, ANSWER_NO, "the store has not said yet whether %s is suspended; try again", name);
        return;
    }
    if (link || !suspension || !suspension_holds(suspension)) {
        resume_links(answer, unit, name, link, why);
        return;
    }
    struct change *change = change_new(answer, name);
    if (!change)
        return;
    change->links = unit ? unit_resume(unit, NULL, answer->client->user, why) : 0;
    if (suspension_end(suspension, answer->client->user, why, was_resumed, change)) {
        answer_end(answer, ANSWER_NO, "%s: another change of it is under way; try again", name);
        free(change);
    }
}
