#include "bus/trail.h"

#include <stdarg.h>
#include <stdio.h>

#include "bus/party.h"

/* Bodies of a usual size, for the next records. */
#define SPARES     512
#define SPARE_MOST 2048 /* bytes */

static struct buf spares[SPARES];
static size_t spare_count;

void bus_trail_render(struct store_audit *audit, const struct audit_event *event)
{
    audit->chain = event->agreement;
    audit->body = spare_count ? spares[--spare_count] : (struct buf){0};
    audit_render(&audit->body, event);
}

void bus_trail_free(struct store_audit *audit, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf *body = &audit[i].body;
        if (spare_count == SPARES || !body->data || body->room > SPARE_MOST)
            buf_fini(body);
        buf_clear(body);
        if (body->data)
            spares[spare_count++] = *body;
        *body = (struct buf){0};
    }
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
