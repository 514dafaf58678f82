/* All units: in line with the configuration, with time, and with the hub's end. */
#include "hub/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/text.h"

struct unit *unit_find(const struct hub *hub, const char *name)
{
    struct unit *unit = hub->units;
    while (unit && strcmp(unit->name, name) != 0)
        unit = unit->next;
    return unit;
}

static struct unit *unit_new(struct hub *hub, const char *name)
{
    struct unit *unit = calloc(1, sizeof *unit);
    if (!unit)
        return NULL;
    unit->hub = hub;
    text_copy(unit->name, sizeof unit->name, name);
    unit->suspension = suspension_of(hub, name);
    if (!unit->suspension) {
        free(unit);
        return NULL;
    }
    struct unit **at = &hub->units;
    while (*at && (strcmp((*at)->name, CONF_SITE) == 0 ||
                   (strcmp(name, CONF_SITE) != 0 && strcmp((*at)->name, name) < 0)))
        at = &(*at)->next;
    unit->next = *at;
    *at = unit;
    return unit;
}

static void apply(struct hub *hub, struct hub_conf *conf, const struct conf_agreement *agreement)
{
    struct unit *unit = unit_find(hub, agreement->name);
    if (!unit)
        unit = unit_new(hub, agreement->name);
    if (!unit)
        return;
    unit->absent = false;
    if (unit->next_conf) /* of an earlier reload, and not taken on yet: this one is newer */
        hub_conf_unref(unit->next_conf);
    unit->next_conf = NULL;
    if (!unit->agreement || !conf_same(unit->agreement, agreement))
        unit->next_conf = hub_conf_ref(conf);
}

/* An agreement whose file has mistakes is shown as suspended when it is. */
static void look_for_suspension(struct hub *hub, const char *file)
{
    char name[CONF_NAME_MAX];
    const char *dot = strrchr(file, '.');
    if (!dot || strcmp(dot, ".conf") != 0 || (size_t)(dot - file) >= sizeof name ||
        strcmp(file, "agent.conf") == 0)
        return;
    memcpy(name, file, (size_t)(dot - file));
    name[dot - file] = 0;
    suspension_of(hub, name);
}

void units_apply(struct hub *hub, struct hub_conf *conf)
{
    for (size_t i = 0; i < conf->conf->agreement_count; i++)
        apply(hub, conf, conf->conf->agreements[i]);
    for (size_t i = 0; i < hub->problems.count; i++)
        look_for_suspension(hub, hub->problems.items[i].file);
    for (struct unit *unit = hub->units; unit; unit = unit->next)
        unit_update(unit);
}

void units_tick(struct hub *hub)
{
    for (struct unit *unit = hub->units; unit; unit = unit->next) {
        unit_update(unit);
        unit_links_tick(unit, clock_ticks());
        for (size_t i = 0; i < unit->child_count; i++)
            child_tick(&unit->children[i]);
    }
}

void units_stop(struct hub *hub)
{
    for (struct unit *unit = hub->units; unit; unit = unit->next)
        unit_update(unit);
}

bool units_down(const struct hub *hub)
{
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        if (unit->state != UNIT_DOWN || bus_party_busy(unit->party))
            return false;
    return true;
}

void units_summary(const struct hub *hub, char *to, size_t room)
{
    size_t up = 0, all = 0, parked = 0;
    char others[128] = "";
    for (const struct unit *unit = hub->units; unit; unit = unit->next) {
        const char *state = unit_state_text(unit);
        size_t used = strlen(others);
        bool is_up = strcmp(state, "up") == 0;
        all++;
        up += is_up;
        if (!is_up)
            snprintf(others + used, sizeof others - used, "; %s %s", unit->name, state);
        for (size_t i = 0; i < unit->agreement->link_count; i++)
            parked += unit->parked[i].is;
    }
    int n = snprintf(to, room, "%zu of %zu up", up, all);
    if (parked && n > 0 && (size_t)n < room)
        n += snprintf(to + n, room - (size_t)n, ", %zu parked link%s", parked, parked == 1 ? "" : "s");
    if (n > 0 && (size_t)n < room)
        snprintf(to + n, room - (size_t)n, "%s", others);
}

void units_free(struct hub *hub)
{
    while (hub->units) {
        struct unit *unit = hub->units;
        hub->units = unit->next;
        unit_free(unit);
    }
}
