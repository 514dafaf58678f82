/* status, service by service: what an ordered service waits for, why policies let nothing out for now, and answers
 * that have not come. */
#include <inttypes.h>
#include <stdio.h>

#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/text.h"

static void row_service(struct answer *answer, const struct unit *unit, const struct bus_lane_view *lane)
{
    char since[32] = "", overdue[24] = "";
    if (lane->blocked_by[0])
        text_time(since, sizeof since, lane->blocked_since);
    if (lane->overdue)
        snprintf(overdue, sizeof overdue, "%" PRIu64, lane->overdue);
    answer_row(answer, "services",
               CELLS({"agreement", unit->name}, {"service", lane->service->name},
                     {"blocked-by", lane->blocked_by}, {"since", since}, {"overdue-answers", overdue},
                     {"deferred", lane->deferred}));
}

void answer_services(struct answer *answer)
{
    struct bus_lane_view lane;
    for (const struct unit *unit = answer->hub->units; unit; unit = unit->next)
        for (size_t i = 0; unit->party && bus_party_lane(unit->party, i, &lane); i++)
            if (lane.blocked_by[0] || lane.overdue || lane.deferred[0])
                row_service(answer, unit, &lane);
}
