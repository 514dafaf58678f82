#include "profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_SINCE 4 /* RabbitMQ: "/queues/NAME", which must exist; before, "/amq/queue/NAME" */

const char *const profile_names[] = {"generic", "rabbitmq", "artemis", "ibm-mq", NULL};

static const struct profile profiles[] = {
    {.name = "generic", .external = true, .reject = true},
    {.name = "rabbitmq", .durable_terminus = true, .external = true, .reject = true, .paths = true},
    {.name = "artemis", .queue_capability = true, .external = true, .reject = true},
    {.name = "ibm-mq", .one_session = true, .queue_capability = true, .plain_container = true, .id_most = 24},
};

const struct profile *profile_at(size_t index)
{
    return &profiles[index < sizeof profiles / sizeof *profiles ? index : 0];
}

unsigned profile_major(const char *text)
{
    unsigned long major = strtoul(text, NULL, 10);
    return major < 1000 ? (unsigned)major : 0;
}

/* A broker that hides its version is taken for an old one, whose addresses the new one refuses to attach: nothing is
 * lost by that. */
bool profile_needs_witness(const struct profile *profile, unsigned major)
{
    return profile->paths && major < PATHS_SINCE;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
}

bool profile_address(const struct profile *profile, unsigned major, const char *queue, char *to, size_t size)
{
    if (!profile->paths)
        return (size_t)snprintf(to, size, "%s", queue) < size;
    size_t at = (size_t)snprintf(to, size, major >= PATHS_SINCE ? "/queues/" : "/amq/queue/");
    for (; *queue && at + 4 <= size; queue++)
        if (is_unreserved(*queue))
            at += (size_t)snprintf(to + at, size - at, "%c", *queue);
        else
            at += (size_t)snprintf(to + at, size - at, "%%%02X", (unsigned)(unsigned char)*queue);
    return !*queue && at < size;
}
