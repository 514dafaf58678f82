#include "host/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/loop.h"
#include "util/clock.h"
#include "util/log.h"

/* Lines that the channel has no room for are counted, not kept: a chatty plugin must not eat the memory. */
static void put_line(struct accord_instance *instance, enum accord_level level, const char *event,
                     const char *text)
{
    struct process *p = instance->process;
    if (p->phase == PROCESS_ENDING) { /* no hub to tell */
        log_event(level, event, &(struct log_about){p->setup->agreement, instance->name, NULL}, "%s", text);
        return;
    }
    if (channel_full(p->channel)) {
        p->dropped_lines++;
        return;
    }
    if (p->dropped_lines) {
        char lost[64];
        snprintf(lost, sizeof lost, "%llu log lines were lost before this one",
                 (unsigned long long)p->dropped_lines);
        p->dropped_lines = 0;
        put_line(instance, ACCORD_WARNING, "log.lost", lost);
    }
    wire_put_LOG(process_out(p), &(struct wire_LOG){(uint8_t)level, instance->name, event, text});
}

void instance_say(struct accord_instance *instance, enum accord_level level, const char *event,
                  const char *format, ...)
{
    struct reason text;
    va_list list;
    va_start(list, format);
    vsnprintf(text.text, sizeof text.text, format, list);
    va_end(list);
    put_line(instance, level, event, text.text);
}

static void host_log(struct accord_instance *instance, enum accord_level level, const char *event,
                     const char *text)
{
    if ((unsigned)level > ACCORD_ERROR)
        level = ACCORD_ERROR;
    put_line(instance, level, event ? event : "", text ? text : "");
}

static void host_metric(struct accord_instance *instance, const char *name, int64_t add)
{
    if (name && add)
        wire_put_METRIC(process_out(instance->process), &(struct wire_METRIC){instance->name, name, 0, add});
}

static void host_gauge(struct accord_instance *instance, const char *name, int64_t value)
{
    if (name)
        wire_put_METRIC(process_out(instance->process),
                        &(struct wire_METRIC){instance->name, name, 1, value});
}

static void host_incident(struct accord_instance *instance, const char *rule, const char *reason)
{
    wire_put_INCIDENT(process_out(instance->process), &(struct wire_INCIDENT){instance->name, rule, reason});
}

static int64_t host_wall(struct accord_instance *instance)
{
    (void)instance;
    return clock_wall();
}

static int64_t host_ticks(struct accord_instance *instance)
{
    (void)instance;
    return clock_ticks();
}

void instance_base_services(struct accord_host *host)
{
    *host = (struct accord_host){
        .size = offsetof(struct accord_host, dial),
        .minor = ACCORD_ABI_MINOR,
        .log = host_log,
        .metric = host_metric,
        .gauge = host_gauge,
        .incident = host_incident,
        .wall = host_wall,
        .ticks = host_ticks,
        .timer = loop_timer,
        .timer_stop = loop_timer_stop,
        .watch = loop_watch,
        .watch_set = loop_watch_set,
        .watch_end = loop_watch_end,
        .work = loop_work,
    };
}

void instance_vtable(void *to, size_t room, const void *from)
{
    uint32_t size;
    memcpy(&size, from, sizeof size);
    memset(to, 0, room);
    memcpy(to, from, size < room ? size : room);
}
