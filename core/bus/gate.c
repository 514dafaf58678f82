#include "bus/gate.h"

#include "util/clock.h"

static void list_add(struct gate_list *list, struct gate_item *item)
{
    item->next = NULL;
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
}

static struct gate_item *list_take(struct gate_list *list)
{
    struct gate_item *item = list->first;
    if (item && !(list->first = item->next))
        list->last = NULL;
    return item;
}

static bool suspect_is_next(const struct gate *gate)
{
    return gate->suspects.first && clock_ticks() >= gate->turn;
}

/* What may enter now; NULL: nothing. */
static struct gate_item *next(struct gate *gate)
{
    struct gate_item *item = NULL;
    if (gate->shut || gate->alone || (gate->most && gate->inside >= gate->most))
        return NULL;
    if (!suspect_is_next(gate))
        item = list_take(&gate->waiting);
    if (item || gate->inside)
        return item;
    item = list_take(&gate->suspects);
    gate->alone = item != NULL;
    gate->turn = clock_ticks() + GATE_TURN;
    return item;
}

/* An item that leaves at once comes back here: the loop that runs goes on for it. */
static void pump(struct gate *gate)
{
    struct gate_item *item;
    if (gate->pumping)
        return;
    gate->pumping = true;
    while ((item = next(gate))) {
        gate->inside++;
        gate->enter(item);
    }
    gate->pumping = false;
}

void gate_enter(struct gate *gate, struct gate_item *item)
{
    if (item->suspect && !gate->suspects.first)
        gate->turn = clock_ticks() + GATE_TURN;
    list_add(item->suspect ? &gate->suspects : &gate->waiting, item);
    pump(gate);
}

void gate_leave(struct gate *gate)
{
    gate->alone = false; /* when it was alone, it was the only one inside */
    gate->inside--;
    pump(gate);
}

void gate_shut(struct gate *gate, bool shut)
{
    gate->shut = shut;
    pump(gate);
}

struct gate_item *gate_take(struct gate *gate)
{
    struct gate_item *item = list_take(&gate->waiting);
    return item ? item : list_take(&gate->suspects);
}
