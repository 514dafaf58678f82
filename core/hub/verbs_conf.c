/* reload and switch: what a person wants of conf.d. */
#include "hub/verbs.h"

#include <stdio.h>
#include <string.h>

#include "hub/reload.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "util/file.h"
#include "util/text.h"

#define FILE_MAX ((size_t)256 * 1024)

static void reloaded(void *arg, const struct reload_result *result)
{
    struct answer *answer = arg;
    if (answer->hub->stopping) {
        answer_end(answer, ANSWER_NO, "the agent is stopping");
        return;
    }
    answer_problems(answer, true);
    if (result->errors)
        answer_end(answer, ANSWER_CONF, "%zu error%s: files with mistakes keep their running version",
                   result->errors, result->errors == 1 ? "" : "s");
    else
        answer_end(answer, ANSWER_OK, "the configuration was loaded%s",
                   result->changed ? "" : "; nothing has changed");
}

void verb_reload(struct answer *answer, const struct wire_COMMAND *m)
{
    (void)m;
    hub_reload(answer->hub, answer->client->user, reloaded, answer);
}

/* ---- switch: a person's edit of one `enabled` line ---- */

static const char *argument(const struct wire_COMMAND *m, const char *name)
{
    const char *value = wire_pairs_get(&m->arguments, name);
    return value ? value : "";
}

/* As the file is now, whatever the command says. */
static void hash_file(const struct hub *hub, const char *name, char hex[DIGEST_HEX])
{
    char path[4096], file[CONF_NAME_MAX + 8];
    uint8_t digest[DIGEST_SIZE];
    struct buf bytes = {0};
    struct reason why;
    *hex = 0;
    snprintf(file, sizeof file, "%s.conf", name);
    if (!file_path(path, sizeof path, hub->options.folder, file) &&
        !file_read(path, FILE_MAX, &bytes, &why) && bytes.data &&
        digest_of(bytes.data, bytes.size, digest) == 0)
        hex_encode(hex, digest, sizeof digest);
    buf_fini(&bytes);
}

static void switched(void *arg, const struct reload_result *result)
{
    struct answer *answer = arg;
    (void)result; /* what became of the agreement is asked for next */
    answer_problems(answer, true);
    if (answer->hub->stopping)
        answer_end(answer, ANSWER_NO, "the agent is stopping");
    else
        answer_end(answer, ANSWER_OK, "%s", "");
}

void verb_switch(struct answer *answer, const struct wire_COMMAND *m)
{
    struct hub *hub = answer->hub;
    const char *name = argument(m, "name");
    char now[DIGEST_HEX] = "";
    if (!text_is_name(name, CONF_NAME_MAX - 1)) {
        answer_end(answer, ANSWER_USAGE, "that is not the name of an agreement");
        return;
    }
    hash_file(hub, name, now);
    bool ours = !strcmp(now, argument(m, "after"));
    const struct accord_pair details[] = {
        {"name", name}, {"before", argument(m, "before")}, {"after", argument(m, "after")}, {"file", now}};
    struct audit_event event = {.action = AUDIT_COMMAND,
                                .outcome = ours ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .agreement =
                                    unit_find(hub, name) ? name : NULL, /* no chain for what is not there */
                                .user = answer->client->user,
                                .reason = strcmp(argument(m, "enabled"), "yes") == 0 ? "enable" : "disable",
                                .details = details,
                                .detail_count = 4};
    trail_event(hub, &event);
    if (!ours)
        answer_end(answer, ANSWER_NO,
                   "the file was changed, but the running agent reads another one, or it has changed again: "
                   "it reads "
                   "%.500s/%s.conf",
                   hub->options.folder, name);
    else
        hub_reload(hub, answer->client->user, switched, answer);
}
