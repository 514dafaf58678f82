#include "hub/incidents.h"

#include <string.h>

#include "util/text.h"

bool incidents_new(struct incidents *incidents, const char *instance, const char *rule, int64_t ticks)
{
    struct raised key = {.ticks = ticks > 0 ? ticks : 1}, *oldest = &incidents->kept[0];
    text_copy(key.instance, sizeof key.instance, instance);
    text_copy(key.rule, sizeof key.rule, rule);
    for (size_t i = 0; i < INCIDENTS_KEPT; i++) {
        struct raised *at = &incidents->kept[i];
        if (at->ticks && !strcmp(at->instance, key.instance) && !strcmp(at->rule, key.rule)) {
            bool same = ticks - at->ticks < INCIDENT_SAME;
            if (!same)
                *at = key;
            return !same;
        }
        if (at->ticks < oldest->ticks)
            oldest = at;
    }
    *oldest = key;
    return true;
}
