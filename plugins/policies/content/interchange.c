#include "interchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Every rule gets the interchange, the segment, and writes in->fault. */
#define REFUSE(in, s, ...) edi_refuse(&(in)->fault, &(s)->place, __VA_ARGS__)

static int count(struct interchange *in, const struct edi_segment *s, const char *rule, const char *what,
                 int64_t has)
{
    return edi_count(&s->place, rule, edi_get(s, 1, 0), 6, what, has, &in->fault);
}

static int same_reference(struct interchange *in, const struct edi_segment *s, const char *rule,
                          const char *opener, const char *expected)
{
    return edi_same_reference(&s->place, rule, edi_get(s, 2, 0), opener, expected, &in->fault);
}

/* UNOX (ISO 2022 escapes) is left out: its bytes can hide separators. */
static int unb_syntax(struct interchange *in, const struct edi_segment *s)
{
    const char *id = edi_get(s, 1, 0), *version = edi_get(s, 1, 1);
    char found[EDI_QUOTE_MAX], level[EDI_QUOTE_MAX];
    bool known = strlen(id) == 4 && !strncmp(id, "UNO", 3) && strchr("ABCDEFGHIJKWY", id[3]);
    if (!known || strlen(version) != 1 || version[0] < '1' || version[0] > '4')
        return REFUSE(in, s, "unb-syntax",
                      "syntax %s version %s, expected UNOA to UNOK, UNOW or UNOY, and 1 to 4",
                      edi_quote(found, id), edi_quote(level, version));
    in->seven_bit = id[3] == 'A' || id[3] == 'B';
    return 0;
}

/* S004: YYMMDD:HHMM, from syntax version 4 on CCYYMMDD:HHMM. */
static int unb_time(struct interchange *in, const struct edi_segment *s)
{
    const char *date = edi_get(s, 4, 0), *time = edi_get(s, 4, 1);
    size_t width = edi_get(s, 1, 1)[0] == '4' ? 8 : 6;
    char day[EDI_QUOTE_MAX], hour[EDI_QUOTE_MAX];
    if (strlen(date) == width && edi_date(date) && strlen(time) == 4 && edi_time(time))
        return 0;
    return REFUSE(in, s, "unb-time", "prepared on %s at %s, expected %s and HHMM", edi_quote(day, date),
                  edi_quote(hour, time), width == 8 ? "CCYYMMDD" : "YYMMDD");
}

static int party(struct interchange *in, const struct edi_segment *s, size_t element, const char *who,
                 const struct accord_list *allowed)
{
    return edi_terms_party(allowed, &s->place, who, edi_get(s, element, 0), edi_get(s, element, 1),
                           &in->fault);
}

static int take_unb(struct interchange *in, const struct edi_segment *s)
{
    if (in->opened)
        return REFUSE(in, s, "nested-unb", "a second interchange inside the first");
    in->opened = true;
    int result = unb_syntax(in, s);
    if (!result)
        result = party(in, s, 2, "sender", &in->terms->senders);
    if (!result)
        result = party(in, s, 3, "recipient", &in->terms->recipients);
    if (!result)
        result = unb_time(in, s);
    if (!result)
        result = edi_reference(&s->place, "unb-reference", edi_get(s, 5, 0), in->reference, &in->fault);
    if (!result && *edi_get(s, 11, 0) && !in->terms->allow_test)
        result = REFUSE(in, s, "test-indicator",
                        "marked as a test (element 0035), which the agreement does not allow");
    if (!result)
        strcpy(in->sender, edi_get(s, 2, 0));
    return result;
}

static int take_ung(struct interchange *in, const struct edi_segment *s)
{
    if (in->in_message || in->in_group)
        return REFUSE(in, s, "nested-ung", "a group begins before the %s has ended",
                      in->in_message ? "message" : "group before it");
    if (in->messages && !in->groups)
        return REFUSE(in, s, "ung", "a group after messages outside of any group");
    in->groups++;
    in->in_group = true;
    in->group_messages = 0;
    snprintf(in->group_version, sizeof in->group_version, "%s:%s", edi_get(s, 7, 0), edi_get(s, 7, 1));
    return edi_reference(&s->place, "ung-reference", edi_get(s, 5, 0), in->group_reference, &in->fault);
}

static int take_une(struct interchange *in, const struct edi_segment *s)
{
    if (in->in_message || !in->in_group)
        return REFUSE(in, s, "une",
                      in->in_message ? "the group ends before its message (no UNT)"
                                     : "ends a group that was not begun (no UNG)");
    in->in_group = false;
    int result = count(in, s, "une-count", "messages", in->group_messages);
    return result ? result : same_reference(in, s, "une-reference", "UNG", in->group_reference);
}

static int unh_version(struct interchange *in, const struct edi_segment *s)
{
    char version[128], found[EDI_QUOTE_MAX];
    snprintf(version, sizeof version, "%s:%s:%s:%s", edi_get(s, 2, 1), edi_get(s, 2, 2), edi_get(s, 2, 3),
             edi_get(s, 2, 4));
    if (in->in_group && strcmp(in->group_version, ":") && !edi_version_is(in->group_version, version, ':'))
        return REFUSE(in, s, "ung-version", "version %s, but its group (UNG) says another",
                      edi_quote(found, version));
    return edi_terms_version(in->terms, &s->place, edi_get(s, 2, 0), version, ':', &in->fault);
}

static int unh_reference(struct interchange *in, const struct edi_segment *s)
{
    int result =
        edi_reference(&s->place, "unh-reference", edi_get(s, 1, 0), in->message_reference, &in->fault);
    return result ? result
                  : edi_references_add(&in->references, in->message_reference, &s->place, "unh-reference",
                                       &in->fault);
}

static int take_unh(struct interchange *in, const struct edi_segment *s)
{
    if (in->in_message)
        return REFUSE(in, s, "nested-unh",
                      "a message begins, but the one of segment %" PRId64 " has not ended (no UNT)",
                      in->message_place.number);
    if (in->groups && !in->in_group)
        return REFUSE(in, s, "ung", "a message outside of any group, after a group");
    int result = unh_reference(in, s);
    if (!result)
        result = edi_terms_message(in->terms, &s->place, 6, edi_get(s, 2, 0), &in->fault);
    if (!result)
        result = unh_version(in, s);
    in->messages++;
    in->group_messages++;
    in->in_message = true;
    in->message_place = s->place;
    if (result)
        return result;
    in->body = edi_body(edi_get(s, 2, 0));
    memset(in->body_state, 0, sizeof in->body_state);
    return in->body->begin ? in->body->begin(in->body_state, s, &in->fault) : 0;
}

static int take_unt(struct interchange *in, const struct edi_segment *s)
{
    if (!in->in_message)
        return REFUSE(in, s, "unt", "ends a message that was not begun (no UNH)");
    in->in_message = false;
    int result = count(in, s, "unt-count", "segments", s->place.number - in->message_place.number + 1);
    if (!result)
        result = same_reference(in, s, "unt-reference", "UNH", in->message_reference);
    return result ? result : in->body->end(in->body_state, s, &in->fault);
}

static int take_unz(struct interchange *in, const struct edi_segment *s)
{
    if (in->in_message || in->in_group)
        return REFUSE(in, s, in->in_message ? "unt" : "une", "the interchange ends before its %s",
                      in->in_message ? "message (no UNT)" : "group (no UNE)");
    in->ended = true;
    int result = in->groups ? count(in, s, "unz-count", "groups", in->groups)
                            : count(in, s, "unz-count", "messages", in->messages);
    if (!result)
        result = same_reference(in, s, "unz-reference", "UNB", in->reference);
    if (!result && !in->messages)
        result = REFUSE(in, s, "no-message", "an interchange without a message");
    return result;
}

/* A body segment. UNS is the one service segment that a message may hold; UNO would carry foreign bytes. */
static int take_other(struct interchange *in, const struct edi_segment *s)
{
    if (!in->in_message)
        return REFUSE(in, s, "outside", "stands outside of a message (between UNH and UNT)");
    if (!strncmp(s->place.tag, "UN", 2) && strcmp(s->place.tag, "UNS"))
        return REFUSE(in, s, "service-segment", "a service segment that may not stand in a message");
    return in->body->segment(in->body_state, s, &in->fault);
}

typedef int (*segment_rule)(struct interchange *, const struct edi_segment *);

static segment_rule rule_of(const char *tag)
{
    static const struct {
        const char *tag;
        segment_rule take;
    } service[] = {{"UNB", take_unb}, {"UNG", take_ung}, {"UNH", take_unh},
                   {"UNT", take_unt}, {"UNE", take_une}, {"UNZ", take_unz}};
    if (tag[0] == 'U' && tag[1] == 'N')
        for (size_t i = 0; i < sizeof service / sizeof *service; i++)
            if (service[i].tag[2] == tag[2])
                return service[i].take;
    return take_other;
}

static int take(void *arg, const struct edi_segment *s, bool *last, struct edi_fault *fault)
{
    struct interchange *in = arg;
    (void)fault; /* the same as in->fault */
    if (!in->opened && !edi_is(s, "UNB"))
        return REFUSE(in, s, "start", "the first segment, expected UNB");
    int result = rule_of(s->place.tag)(in, s);
    if (!result && in->seven_bit && s->high)
        result = REFUSE(in, s, "character-set", "holds bytes above 0x7f, which UNOA and UNOB do not have");
    *last = in->ended;
    return result;
}

void interchange_init(struct interchange *in, const struct edi_terms *terms, int64_t offset)
{
    in->terms = terms;
    edi_references_begin(&in->references);
    edifact_init(&in->edifact, terms->max_segments, offset, take, in);
}

int interchange_feed(struct interchange *in, const uint8_t *bytes, size_t size)
{
    return edifact_feed(&in->edifact, bytes, size, &in->fault);
}

int interchange_finish(struct interchange *in)
{
    int result = edifact_finish(&in->edifact, &in->fault);
    if (!result && !in->ended)
        result = REFUSE(in, &in->edifact.reader.segment, "no-unz",
                        "the file ends here, at byte %" PRId64 ", without the end of the interchange (UNZ)",
                        in->edifact.offset);
    return result;
}

void interchange_fini(struct interchange *in)
{
    edi_references_fini(&in->references);
}

void interchange_key(const struct interchange *in, char *to, size_t room)
{
    snprintf(to, room, "edifact:%s:%s", in->sender, in->reference);
}
