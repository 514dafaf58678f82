/* Links that the other side refuses: parked, and tried again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/trail.h"
#include "hub/unit.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define LOOK_EVERY 2000 /* ms between looks at the secret files of a parked link */

/* ---- secret files ---- */

static const struct accord_option *secret_option(const struct conf_link *link, const char *option)
{
    const struct accord_option *table = link->connector->options;
    while (table && table->name && (strcmp(table->name, option) != 0 || table->kind != ACCORD_SECRET))
        table++;
    return table && table->name ? table : NULL;
}

bool unit_secret_is_early(const struct conf_link *link, const char *option)
{
    const struct accord_option *secret = secret_option(link, option);
    return secret && (secret->flags & ACCORD_FOR_HANDSHAKE);
}

/* What an option that names a secret says; NULL: there is no such option. */
static const char *secret_name(const struct conf_link *link, const char *option)
{
    bool known = secret_option(link, option);
    for (size_t i = 0; known && i < link->option_count; i++)
        if (strcmp(link->options[i].name, option) == 0)
            return link->options[i].value;
    return NULL;
}

int unit_secret_path(const struct unit *unit, const struct conf_link *link, const char *option, char *to,
                     size_t room)
{
    const char *name = secret_name(link, option);
    if (!name || !*name)
        return ACCORD_EDENIED;
    return conf_secret_path(&unit->hub->conf->conf->agent, unit->name, name, to, room);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 64; i += 8)
        hash = (hash ^ (value >> i & 0xff)) * 0x100000001b3;
    return hash;
}

/* Changes when one of the files is replaced, written, or given other rights. */
static uint64_t secrets_now(const struct unit *unit, const struct conf_link *link)
{
    uint64_t hash = 0xcbf29ce484222325;
    const struct accord_option *option = link->connector->options;
    for (; option && option->name; option++) {
        char path[1024];
        struct stat st;
        if (option->kind != ACCORD_SECRET || unit_secret_path(unit, link, option->name, path, sizeof path))
            continue;
        if (stat(path, &st) < 0) {
            hash = mix(hash, (uint64_t)errno);
            continue;
        }
        hash = mix(mix(hash, st.st_ino), (uint64_t)st.st_size);
        hash = mix(mix(hash, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec);
    }
    return hash;
}

/* ---- parking ---- */

static struct parked *parked_of(struct unit *unit, const struct conf_link *link)
{
    return &unit->parked[unit_link_index(unit, link)];
}

void unit_park(struct unit *unit, const struct conf_link *link, const char *rule, const char *reason)
{
    struct parked *parked = parked_of(unit, link);
    struct parking_clock clock = {.wall = clock_wall(),
                                  .ticks = clock_ticks(),
                                  .retry_after = unit->hub->conf->conf->agent.parked_retry};
    enum parking result = parking_park(parked, rule, reason, &clock);
    if (result == PARKING_ALREADY)
        return;
    parked->secrets = secrets_now(unit, link);
    struct audit_event event = {.action = AUDIT_LINK_PARKED,
                                .outcome = AUDIT_FAILURE,
                                .agreement = unit->name,
                                .link = link->name,
                                .rule = rule,
                                .reason = reason};
    trail_event(unit->hub, &event);
    if (result == PARKING_NEW)
        trail_incident(unit->hub, unit->name, link->name, rule, reason);
    unit_open_lanes(unit);
}

void unit_incident(struct unit *unit, struct child *child, const char *instance, const char *rule,
                   const char *reason)
{
    char shown[ACCORD_RULE_MAX], text[ACCORD_REASON_MAX];
    text_copy(shown, sizeof shown, *rule ? rule : "plugin.incident");
    text_copy(text, sizeof text, reason);
    text_make_visible(shown);
    text_make_visible(text);
    if (!incidents_new(&unit->incidents, instance, shown, clock_ticks()) || !child_spend(child))
        return;
    const struct conf_link *link = NULL;
    for (size_t i = 0; i < child->link_count; i++)
        if (strcmp(child->links[i]->name, instance) == 0)
            link = child->links[i];
    trail_incident(unit->hub, unit->name, link ? link->name : NULL, shown, text);
}

static void resumed(struct unit *unit, const struct conf_link *link, const char *user, const char *why)
{
    struct log_about about = {unit->name, link->name, NULL};
    struct audit_event event = {.action = AUDIT_LINK_RESUMED,
                                .agreement = unit->name,
                                .link = link->name,
                                .user = user,
                                .reason = why};
    trail_event(unit->hub, &event);
    log_event(ACCORD_NOTICE, "hub.link-resumed", &about, "the parked link is tried again: %s", why);
    unit_open_lanes(unit);
}

size_t unit_resume(struct unit *unit, const char *link, const char *user, const char *why)
{
    size_t count = 0;
    for (size_t i = 0; unit->agreement && i < unit->agreement->link_count; i++) {
        const struct conf_link *at = &unit->agreement->links[i];
        if ((link && strcmp(at->name, link) != 0) || !parking_resume(&unit->parked[i]))
            continue;
        count++;
        resumed(unit, at, user, why);
    }
    return count;
}

void unit_link_works(struct unit *unit, const struct conf_link *link)
{
    parking_works(parked_of(unit, link));
}

static void look_at(struct unit *unit, const struct conf_link *link, bool secrets, int64_t ticks)
{
    struct parked *parked = parked_of(unit, link);
    if (!parked->is)
        return;
    if (parking_retry(parked, ticks))
        resumed(unit, link, NULL, "its time for a slow retry has come (parked-retry)");
    else if (secrets && secrets_now(unit, link) != parked->secrets && parking_resume(parked))
        resumed(unit, link, NULL, "a file of its secrets has changed");
}

void unit_links_tick(struct unit *unit, int64_t ticks)
{
    bool secrets = ticks >= unit->look_at;
    if (secrets)
        unit->look_at = ticks + LOOK_EVERY;
    for (size_t i = 0; unit->agreement && i < unit->agreement->link_count; i++)
        look_at(unit, &unit->agreement->links[i], secrets, ticks);
}
