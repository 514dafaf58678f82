#include "baplie.h"

#include <stdio.h>
#include <string.h>

#include "container.h"

static int begin(void *state, const struct edi_segment *unh, struct edi_fault *fault)
{
    struct baplie *plan = state;
    (void)fault;
    plan->old = strcmp(edi_get(unh, 2, 1), "D") != 0;
    snprintf(plan->version, sizeof plan->version, "%.8s:%.8s", edi_get(unh, 2, 1), edi_get(unh, 2, 2));
    return 0;
}

/* TDT+20+voyage++carrier... C222: id, its list and agency, name. Other stages of transport are not ours. */
static int take_tdt(struct baplie *plan, const struct edi_segment *s, struct edi_fault *fault)
{
    if (strcmp(edi_get(s, 1, 0), "20"))
        return 0;
    if (!*edi_get(s, 2, 0))
        return edi_refuse(fault, &s->place, "voyage", "no voyage number (element 8028)");
    if (!*edi_get(s, 8, 0) && !*edi_get(s, 8, 3))
        return edi_refuse(fault, &s->place, "vessel", "neither identification nor name of the vessel (C222)");
    plan->voyage = true;
    return 0;
}

static int missing_port(const struct baplie *plan, bool loading, struct edi_fault *fault)
{
    const char *expected = loading ? (plan->old ? "6" : "9") : plan->old ? "12" : "11";
    return edi_refuse(fault, &plan->slot, loading ? "port-of-lading" : "port-of-discharge",
                      "stow position %s has no port of %s (LOC+%s)%s%s%s%s", plan->position,
                      loading ? "lading" : "discharge", expected, *plan->other_port ? "; LOC+" : "",
                      plan->other_port, *plan->other_port ? " is not how BAPLIE names it in version " : "",
                      *plan->other_port ? plan->version : "");
}

/* The end of a LOC+147 group: is it complete? */
static int close_slot(struct baplie *plan, struct edi_fault *fault)
{
    if (!plan->in_slot)
        return 0;
    plan->in_slot = false;
    if (!plan->equipment && !plan->pieces && (plan->loading || plan->discharge || *plan->other_port))
        return edi_refuse(fault, &plan->slot, "equipment",
                          "stow position %s names a port but no container (EQD)", plan->position);
    if (plan->equipment && !plan->loading)
        return missing_port(plan, true, fault);
    if (plan->equipment && !plan->discharge)
        return missing_port(plan, false, fault);
    if (plan->equipment && !plan->operator)
        return edi_refuse(fault, &plan->slot, "operator",
                          "stow position %s has no operator of its container (NAD+CA)", plan->position);
    return 0;
}

/* LOC+147+0780690::5: with format 5 (ISO) bay, row and tier in six or seven digits. */
static int open_slot(struct baplie *plan, const struct edi_segment *s, struct edi_fault *fault)
{
    int result = close_slot(plan, fault);
    if (result)
        return result;
    const char *position = edi_get(s, 2, 0);
    size_t size = strlen(position);
    plan->equipment = plan->loading = plan->discharge = plan->operator= plan->pieces = false;
    plan->other_port[0] = 0;
    plan->in_slot = true;
    plan->slot = s->place;
    plan->slots++;
    edi_quote(plan->position, position);
    bool iso = !strcmp(edi_get(s, 2, 2), "5");
    if (!size || (iso && (size < 6 || size > 7 || strspn(position, "0123456789") != size)))
        return edi_refuse(fault, &s->place, "stow-position",
                          "the stow position is %s, expected bay, row and tier in six or seven digits",
                          plan->position);
    return 0;
}

static int take_loc(struct baplie *plan, const struct edi_segment *s, struct edi_fault *fault)
{
    const char *kind = edi_get(s, 1, 0);
    if (!strcmp(kind, "147"))
        return open_slot(plan, s, fault);
    bool old_loading = !strcmp(kind, "6"), old_discharge = !strcmp(kind, "12");
    bool loading = !strcmp(kind, "9"), discharge = !strcmp(kind, "11");
    if (!plan->in_slot || !(old_loading || old_discharge || loading || discharge))
        return 0;
    if (!*edi_get(s, 2, 0))
        return edi_refuse(fault, &s->place, loading || old_loading ? "port-of-lading" : "port-of-discharge",
                          "no port in stow position %s", plan->position);
    plan->loading = plan->loading || (plan->old ? old_loading : loading);
    plan->discharge = plan->discharge || (plan->old ? old_discharge : discharge);
    if (plan->old ? loading || discharge : old_loading || old_discharge)
        snprintf(plan->other_port, sizeof plan->other_port, "%s", kind);
    return 0;
}

/* EQD+CN+number+type: containers are checked; bulk, trailers and the like are only noted. */
static int take_eqd(struct baplie *plan, const struct edi_segment *s, struct edi_fault *fault)
{
    const char *kind = edi_get(s, 1, 0);
    char quoted[EDI_QUOTE_MAX];
    if (!plan->in_slot)
        return edi_refuse(fault, &s->place, "equipment", "equipment outside of a stow position (LOC+147)");
    plan->equipment = true;
    if (!strcmp(kind, "BB") || !strcmp(kind, "TE") || !strcmp(kind, "ZZZ"))
        return 0;
    if (strcmp(kind, "CN"))
        return edi_refuse(fault, &s->place, "equipment", "equipment of kind %s, expected CN, BB, TE or ZZZ",
                          edi_quote(quoted, kind));
    if (!container_number(edi_get(s, 2, 0)))
        return edi_refuse(fault, &s->place, "container-number",
                          "the container in stow position %s is %s, expected a number such as ABCU1234560",
                          plan->position, edi_quote(quoted, edi_get(s, 2, 0)));
    if (!*edi_get(s, 3, 0))
        return edi_refuse(fault, &s->place, "container-type",
                          "the container in stow position %s has no size and type (C224)", plan->position);
    plan->containers++;
    return 0;
}

static int take_nad(struct baplie *plan, const struct edi_segment *s, struct edi_fault *fault)
{
    if (!plan->in_slot || strcmp(edi_get(s, 1, 0), "CA"))
        return 0;
    if (!*edi_get(s, 2, 0))
        return edi_refuse(fault, &s->place, "operator", "no operator in stow position %s", plan->position);
    plan->operator= true;
    return 0;
}

static int segment(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct baplie *plan = state;
    if (edi_is(s, "TDT"))
        return take_tdt(plan, s, fault);
    if (edi_is(s, "LOC"))
        return take_loc(plan, s, fault);
    if (edi_is(s, "EQD"))
        return take_eqd(plan, s, fault);
    if (edi_is(s, "NAD"))
        return take_nad(plan, s, fault);
    if (edi_is(s, "GID"))
        plan->pieces = true;
    return 0;
}

static int end(void *state, const struct edi_segment *unt, struct edi_fault *fault)
{
    struct baplie *plan = state;
    int result = close_slot(plan, fault);
    if (!result && !plan->voyage)
        result =
            edi_refuse(fault, &unt->place, "voyage", "the message ends without voyage and vessel (TDT+20)");
    if (!result && !plan->slots)
        result = edi_refuse(fault, &unt->place, "stow-position",
                            "the message ends without a stow position (LOC+147)");
    return result;
}

EDI_BODY_STATE(struct baplie);

const struct edi_body baplie_body = {.message = "BAPLIE", .begin = begin, .segment = segment, .end = end};
