#include "probe.h"

#include <stdlib.h>

#include "session.h"

struct prober {
    struct session session;
    struct accord_probe *probe; /* NULL: none is going on */
};

/* One step is all that this protocol has; one with a login or folders tells of each of them, `last` with
 * the final one. */
static void tell(struct prober *prober, int result, const char *text)
{
    struct accord_probe *probe = prober->probe;
    prober->probe = NULL;
    if (probe)
        prober->session.self->host->probed(probe, "session", result, text, true);
}

static void ready(void *arg)
{
    struct prober *prober = arg;
    session_close(&prober->session, "the probe is over");
    tell(prober, ACCORD_OK, "the agreement allows it, and messages may flow");
}

static void nothing(void *arg)
{
    (void)arg;
}

static void lost(void *arg, const char *reason)
{
    tell(arg, ACCORD_ENET, reason);
}

void prober_begin(struct prober *prober, struct accord_probe *probe)
{
    if (prober->probe) {
        prober->session.self->host->probed(probe, "session", ACCORD_EBUSY, "another probe is going on", true);
        return;
    }
    prober->probe = probe;
    session_begin(&prober->session);
}

struct prober *prober_new(struct self *self)
{
    static const struct session_events events = {ready, nothing, nothing, lost};
    struct prober *prober = calloc(1, sizeof *prober);
    if (!prober)
        return NULL;
    prober->session.self = self;
    prober->session.events = &events;
    prober->session.arg = prober;
    prober->session.is_probe = true;
    return prober;
}

void prober_free(struct prober *prober)
{
    if (!prober)
        return;
    session_close(&prober->session, "the link is closed");
    free(prober);
}
