#include "bus/trail.h"

void bus_trail_render(struct store_audit *audit, const struct audit_event *event)
{
    audit->chain = event->agreement;
    audit->body = (struct buf){0};
    audit_render(&audit->body, event);
}

void bus_trail_free(struct store_audit *audit, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_fini(&audit[i].body);
}
