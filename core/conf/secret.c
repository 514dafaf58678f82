#include "conf/draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/user.h"
#include "conf/value.h"
#include "util/file.h"

/* The rules of file_read_secret(), without reading: what it would refuse at the first session is found
 * here. */

int conf_secret_path(const struct conf_agent *agent, const char *agreement, const char *name, char *to,
                     size_t room)
{
    const char *given = getenv("CREDENTIALS_DIRECTORY");
    int n = snprintf(to, room, "%s/%s/%s", agent->credentials, agreement, name);
    if (n < 0 || (size_t)n >= room)
        return ACCORD_ELIMIT;
    if (!given || given[0] != '/' || access(to, F_OK) == 0)
        return 0;
    char other[1024];
    n = snprintf(other, sizeof other, "%s/%s.%s", given, agreement, name);
    if (n < 0 || (size_t)n >= sizeof other || (size_t)n >= room)
        return ACCORD_ELIMIT;
    if (access(other, F_OK) == 0)
        memcpy(to, other, (size_t)n + 1);
    return 0;
}

/* Who will read the secrets: the user of agent.conf; false when that is not known (`accord check` run by
 * somebody, with no user set). */
static bool reader_known(const struct conf_agent *agent, uid_t *uid)
{
    *uid = geteuid();
    return agent->user[0] && conf_user_find(agent->user, uid);
}

static void report_missing(const struct drafting *drafting, const struct checking *check, int line,
                           const char *key, const char *path, bool enabled)
{
    if (drafting->setting->elsewhere && access(drafting->agent->credentials, F_OK) < 0)
        conf_report_add(check->report, CONF_UNCHECKED, check->file->name, line,
                        "%s: there is no folder %s here to look for the secret in", key,
                        drafting->agent->credentials);
    else if (enabled)
        check_error(check, line,
                    "%s: there is no file %s; put the secret there, owned by the agent's user, mode 0600",
                    key, path);
    else
        check_note(check, line, "%s: there is no file %s yet; it is needed before the agreement is enabled",
                   key, path);
}

static void check_file(const struct checking *check, int line, const char *key, const char *path,
                       const struct conf_agent *agent, const struct stat *st)
{
    uid_t uid;
    bool known = reader_known(agent, &uid);
    bool readable = access(path, R_OK) == 0;
    if (S_ISLNK(st->st_mode) || !S_ISREG(st->st_mode))
        check_error(check, line, "%s: %s is not a regular file (symbolic links are refused)", key, path);
    else if (st->st_mode & 077 && !file_is_credential(st, path))
        check_error(check, line, "%s: %s is open to other users (mode %04o); run: chmod 600 %s", key, path,
                    (unsigned)st->st_mode & 07777, path);
    else if (!st->st_size)
        check_error(check, line, "%s: %s is empty", key, path);
    else if (st->st_uid != uid && st->st_uid != 0 && (known || readable))
        check_error(check, line, "%s: %s belongs to uid %u; it must belong to the agent's user (uid %u)", key,
                    path, (unsigned)st->st_uid, (unsigned)uid);
    else if (!readable && (!known || geteuid() != uid))
        conf_report_add(check->report, CONF_UNCHECKED, check->file->name, line,
                        "%s: this user may not read %s", key, path);
    else if (!readable)
        check_error(check, line, "%s: %s cannot be read by its user; run: chmod 600 %s", key, path, path);
}

static void check_secret(struct drafting *drafting, const struct draft *draft, const char *key,
                         const char *name, int line)
{
    struct checking check = draft_checking(drafting, draft);
    const struct conf_agreement *agreement = draft->agreement;
    char path[1024];
    struct stat st;
    if (conf_secret_path(drafting->agent, agreement->name, name, path, sizeof path))
        check_error(&check, line, "%s: the path of %s is too long", key, name);
    else if (lstat(path, &st) == 0)
        check_file(&check, line, key, path, drafting->agent, &st);
    else if (errno == ENOENT || errno == ENOTDIR)
        report_missing(drafting, &check, line, key, path, agreement->enabled);
    else if (errno == EACCES)
        conf_report_add(drafting->report, CONF_UNCHECKED, draft->file.name, line,
                        "%s: this user may not look for %s", key, path);
    else
        check_error(&check, line, "%s: cannot examine %s: %s", key, path, strerror(errno));
}

/* ---- folders ---- */

static void check_folder(struct drafting *drafting, const struct draft *draft,
                         const struct conf_section *section, const struct accord_option *option,
                         const char *path)
{
    struct stat st;
    if (!drafting->setting->elsewhere || path[0] != '/' || stat(path, &st) == 0)
        return;
    conf_report_add(drafting->report, CONF_UNCHECKED, draft->file.name,
                    conf_section_line(section, option->name), "%s: cannot look into the folder %s: %s",
                    option->name, path, strerror(errno));
}

void draft_check_secrets(struct drafting *drafting, const struct draft *draft,
                         const struct conf_section *section, const struct accord_option *table)
{
    for (; table && table->name; table++) {
        const struct conf_entry *entry = conf_section_entry(section, table->name);
        const char *name = entry ? entry->value : table->fallback;
        struct conf_value value;
        if (name && table->kind == ACCORD_PATH && (table->flags & (ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE)))
            check_folder(drafting, draft, section, table, name);
        if (table->kind != ACCORD_SECRET || !name || conf_value_parse(table, name, &value, NULL))
            continue;
        conf_value_fini(&value);
        check_secret(drafting, draft, table->name, name, conf_section_line(section, table->name));
    }
}
