/* Container status messages: the least that one must say to be one (19 CFR 4.7d): which event, when, which
 * container, and where. X12 315 and 322; EDIFACT CODECO, COARRI and IFTSTA.
 */
#include <string.h>

#include "container.h"
#include "edi_body.h"
#include "edi_terms.h"

struct status {
    bool event, container, location;
    bool dated; /* a date and time stands anywhere */
    /* EDIFACT: the open EQD+CN group. */
    bool in_box, box_time, time; /* time: of the message, before any */
    struct edi_place box;
};
EDI_BODY_STATE(struct status);

static int missing(const struct edi_segment *trailer, const char *rule, const char *what,
                   struct edi_fault *fault)
{
    return edi_refuse(fault, &trailer->place, rule, "the message ends without %s", what);
}

static int date(const struct edi_segment *s, size_t element, const char *name, struct edi_fault *fault)
{
    char quoted[EDI_QUOTE_MAX];
    const char *value = edi_get(s, element, 0);
    return edi_date(value) ? 0
                           : edi_refuse(fault, &s->place, "event-time",
                                        "the date is %s (%s), expected CCYYMMDD or YYMMDD",
                                        edi_quote(quoted, value), name);
}

/* Initial and number of a piece of equipment, X12 elements 206 (up to 4) and 207 (up to 10). */
static int equipment(const struct edi_segment *s, size_t initial, const char *name, struct edi_fault *fault)
{
    const char *owner = edi_get(s, initial, 0), *number = edi_get(s, initial + 1, 0);
    char first[EDI_QUOTE_MAX], second[EDI_QUOTE_MAX];
    size_t letters = strspn(owner, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    size_t digits = strspn(number, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (letters >= 1 && letters <= 4 && !owner[letters] && digits >= 1 && digits <= 10 && !number[digits])
        return 0;
    return edi_refuse(fault, &s->place, "container",
                      "the equipment is %s %s (%s), expected up to four letters, then a number",
                      edi_quote(first, owner), edi_quote(second, number), name);
}

/* B4: B403 status, B404 date, B407 and B408 equipment. R4: a place by code or by name. */
static int segment_315(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct status *status = state;
    if (edi_is(s, "R4") && (*edi_get(s, 3, 0) || *edi_get(s, 4, 0)))
        status->location = true;
    if (!edi_is(s, "B4"))
        return 0;
    if (!*edi_get(s, 3, 0))
        return edi_refuse(fault, &s->place, "event", "no status code (B403)");
    status->event = true;
    int result = date(s, 4, "B404", fault);
    return result ? result : equipment(s, 7, "B407 and B408", fault);
}

static int end_315(void *state, const struct edi_segment *se, struct edi_fault *fault)
{
    const struct status *status = state;
    if (!status->event)
        return missing(se, "event", "status, date and equipment (B4)", fault);
    return status->location ? 0 : missing(se, "location", "a port or place (R4)", fault);
}

/* Q5: Q501 status, Q502 date. N7: N701 and N702 equipment. */
static int segment_322(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct status *status = state;
    if (edi_is(s, "N7")) {
        status->container = true;
        return equipment(s, 1, "N701 and N702", fault);
    }
    if (!edi_is(s, "Q5"))
        return 0;
    if (!*edi_get(s, 1, 0))
        return edi_refuse(fault, &s->place, "event", "no status code (Q501)");
    status->event = true;
    return date(s, 2, "Q502", fault);
}

static int end_322(void *state, const struct edi_segment *se, struct edi_fault *fault)
{
    const struct status *status = state;
    if (!status->event)
        return missing(se, "event", "status and date (Q5)", fault);
    return status->container ? 0 : missing(se, "container", "equipment (N7)", fault);
}

/* The end of an EQD+CN group: a time of its own, or the message's. */
static int close_box(struct status *status, struct edi_fault *fault)
{
    if (!status->in_box || status->time || status->box_time)
        return 0;
    return edi_refuse(fault, &status->box, "event-time",
                      "the container has no date and time (DTM), and the message has none before it");
}

static int open_box(struct status *status, const struct edi_segment *s, struct edi_fault *fault)
{
    char quoted[EDI_QUOTE_MAX];
    int result = close_box(status, fault);
    if (result)
        return result;
    status->in_box = !strcmp(edi_get(s, 1, 0), "CN");
    status->box_time = false;
    status->box = s->place;
    if (!status->in_box)
        return 0;
    status->container = true;
    if (container_number(edi_get(s, 2, 0)))
        return 0;
    return edi_refuse(fault, &s->place, "container-number",
                      "the container is %s, expected a number such as ABCU1234560",
                      edi_quote(quoted, edi_get(s, 2, 0)));
}

/* What CODECO, COARRI and IFTSTA have in common. */
static int segment_common(struct status *status, const struct edi_segment *s, struct edi_fault *fault)
{
    if (edi_is(s, "EQD"))
        return open_box(status, s, fault);
    if (edi_is(s, "DTM") && *edi_get(s, 1, 1)) {
        status->dated = status->box_time = true;
        status->time = status->time || !status->in_box;
    }
    if (edi_is(s, "LOC") && *edi_get(s, 2, 0))
        status->location = true;
    return 0;
}

/* BGM's document name code says which move it is. */
static int segment_move(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct status *status = state;
    if (edi_is(s, "BGM") && *edi_get(s, 1, 0))
        status->event = true;
    return segment_common(status, s, fault);
}

/* STS says the event; the container may be named by RFF+EQ as well. */
static int segment_iftsta(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct status *status = state;
    if (edi_is(s, "STS") && (*edi_get(s, 1, 0) || *edi_get(s, 2, 0)))
        status->event = true;
    if (edi_is(s, "RFF") && !strcmp(edi_get(s, 1, 0), "EQ") && *edi_get(s, 1, 1))
        status->container = true;
    return segment_common(status, s, fault);
}

static int end_edifact(struct status *status, const struct edi_segment *unt, const char *event,
                       struct edi_fault *fault)
{
    int result = close_box(status, fault);
    if (result)
        return result;
    if (!status->event)
        return missing(unt, "event", event, fault);
    if (!status->container)
        return missing(unt, "container", "a container (EQD+CN)", fault);
    if (!status->dated)
        return missing(unt, "event-time", "a date and time (DTM)", fault);
    return status->location ? 0 : missing(unt, "location", "a place (LOC)", fault);
}

static int end_move(void *state, const struct edi_segment *unt, struct edi_fault *fault)
{
    return end_edifact(state, unt, "the code of its document (BGM)", fault);
}

static int end_iftsta(void *state, const struct edi_segment *unt, struct edi_fault *fault)
{
    return end_edifact(state, unt, "a status (STS)", fault);
}

const struct edi_body set_315_body = {.message = "315", .segment = segment_315, .end = end_315};
const struct edi_body set_322_body = {.message = "322", .segment = segment_322, .end = end_322};
const struct edi_body codeco_body = {.message = "CODECO", .segment = segment_move, .end = end_move};
const struct edi_body coarri_body = {.message = "COARRI", .segment = segment_move, .end = end_move};
const struct edi_body iftsta_body = {.message = "IFTSTA", .segment = segment_iftsta, .end = end_iftsta};
