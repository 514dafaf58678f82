#include "bus/trail.h"

#include <stdarg.h>
#include <stdio.h>

#include "bus/party.h"
#include "util/buf_pool.h"

static struct buf_pool bodies = {.usual = 2048};

void bus_trail_render(struct store_audit *audit, const struct audit_event *event)
{
    audit->chain = event->agreement;
    audit->body = buf_pool_take(&bodies);
    audit_render_apart(&audit->body, event, &audit->shared);
}

void bus_trail_free(struct store_audit *audit, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_pool_give(&bodies, &audit[i].body);
}

void bus_incident(struct bus *bus, const char *agreement, const char *link, const char *rule,
                  const char *format, ...)
{
    char reason[ACCORD_REASON_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    bus->ports.incident(bus->arg, agreement, link, rule, reason, false);
}
