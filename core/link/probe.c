/* `accord probe`: the connector's own steps, told to the hub as they are made. */
#include <stdlib.h>

#include "link/role.h"

struct probe {
    uint64_t id; /* the hub's */
    struct link *link;
};

void probe_begin(const struct wire_message *m)
{
    const struct wire_PROBE *asked = &m->PROBE;
    if (asked->link >= link_role->link_count)
        process_refuse(&link_role->process, m, "there is no link %u", asked->link);
    struct link *link = link_role->links[asked->link];
    struct probe *probe = link->connector.probe && link->started ? malloc(sizeof *probe) : NULL;
    if (!probe || table_put(&link_role->probes, asked->probe, probe) < 0) {
        free(probe);
        wire_put_PROBED(link_out(), &(struct wire_PROBED){.probe = asked->probe, .last = 1});
        return;
    }
    *probe = (struct probe){asked->probe, link};
    instance_enter(&link->base);
    link->connector.probe(link->state, HANDLE(accord_probe, probe->id));
}

void probe_told(struct accord_probe *handle, const char *step, int result, const char *text, bool last)
{
    struct probe *probe = table_get(&link_role->probes, HANDLE_ID(handle));
    if (!probe)
        process_blame(&link_role->process, "plugin.dead-probe", "it told a step of a probe that has ended");
    wire_put_PROBED(link_out(), &(struct wire_PROBED){.probe = probe->id,
                                                      .step = step && *step ? step : "session",
                                                      .result = result < 0 ? result : 0,
                                                      .text = text,
                                                      .last = last});
    if (last)
        free(table_take(&link_role->probes, probe->id));
}

void probe_sweep(void)
{
    uint64_t id;
    while (table_any(&link_role->probes, &id))
        free(table_take(&link_role->probes, id));
    table_fini(&link_role->probes);
}
