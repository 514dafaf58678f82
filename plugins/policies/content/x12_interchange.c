#include "x12_interchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Every rule gets the interchange, the segment, and writes in->fault. */
#define REFUSE(in, s, ...) edi_refuse(&(in)->fault, &(s)->place, __VA_ARGS__)

static int count(struct x12_interchange *in, const struct edi_segment *s, const char *rule, size_t digits,
                 const char *what, int64_t has)
{
    return edi_count(&s->place, rule, edi_get(s, 1, 0), digits, what, has, &in->fault);
}

static int same_reference(struct x12_interchange *in, const struct edi_segment *s, const char *rule,
                          const char *opener, const char *expected)
{
    return edi_same_reference(&s->place, rule, edi_get(s, 2, 0), opener, expected, &in->fault);
}

/* ISA15: P in production; T by option; I (information) never. */
static int isa_usage(struct x12_interchange *in, const struct x12_isa *isa)
{
    if (isa->usage == 'P' || (isa->usage == 'T' && in->terms->allow_test))
        return 0;
    if (isa->usage == 'T')
        return REFUSE(in, isa, "test-indicator",
                      "marked as a test (ISA15 is T), which the agreement does not allow");
    return REFUSE(in, isa, "test-indicator", "ISA15 is neither P (production) nor T (test)");
}

static int isa_fields(struct x12_interchange *in, const struct x12_isa *isa)
{
    char day[EDI_QUOTE_MAX], hour[EDI_QUOTE_MAX];
    if (strlen(isa->date) != 6 || !edi_date(isa->date) || strlen(isa->time) != 4 || !edi_time(isa->time))
        return REFUSE(in, isa, "isa-time", "prepared on %s at %s, expected YYMMDD and HHMM",
                      edi_quote(day, isa->date), edi_quote(hour, isa->time));
    if (!edi_digits(isa->version, 5, 5))
        return REFUSE(in, isa, "isa-version", "version %s (ISA12), expected five digits",
                      edi_quote(day, isa->version));
    if (!edi_digits(isa->reference, 9, 9))
        return REFUSE(in, isa, "isa-reference", "control number %s (ISA13), expected nine digits",
                      edi_quote(day, isa->reference));
    return isa_usage(in, isa);
}

static int open_isa(void *arg, const struct x12_isa *isa, struct edi_fault *fault)
{
    struct x12_interchange *in = arg;
    const struct edi_terms *terms = in->terms;
    int result =
        edi_terms_party(&terms->senders, &isa->place, "sender", isa->party[0], isa->qualifier[0], fault);
    if (!result)
        result = edi_terms_party(&terms->recipients, &isa->place, "recipient", isa->party[1],
                                 isa->qualifier[1], fault);
    if (!result)
        result = isa_fields(in, isa);
    strcpy(in->sender, isa->party[0]);
    strcpy(in->reference, isa->reference);
    return result;
}

static int take_gs(struct x12_interchange *in, const struct edi_segment *s)
{
    const struct edi_terms *terms = in->terms;
    const char *code = edi_get(s, 1, 0), *number = edi_get(s, 6, 0);
    char quoted[EDI_QUOTE_MAX];
    if (in->in_group)
        return REFUSE(in, s, "nested-gs", "a group begins before the %s has ended",
                      in->in_set ? "transaction set" : "group before it");
    in->groups++;
    in->in_group = true;
    in->sets = 0;
    edi_references_begin(&in->references);
    if (strlen(code) != 2)
        return REFUSE(in, s, "group-code", "the group's code is %s (GS01), expected two characters",
                      edi_quote(quoted, code));
    int result = edi_terms_party(&terms->senders, &s->place, "sender", edi_get(s, 2, 0), NULL, &in->fault);
    if (!result)
        result =
            edi_terms_party(&terms->recipients, &s->place, "recipient", edi_get(s, 3, 0), NULL, &in->fault);
    if (!result && !edi_digits(number, 1, 9))
        result = REFUSE(in, s, "gs-reference", "control number %s (GS06), expected up to nine digits",
                        edi_quote(quoted, number));
    if (result)
        return result;
    strcpy(in->group_code, code);
    strcpy(in->group_reference, number);
    snprintf(in->group_version, sizeof in->group_version, "%s", edi_get(s, 8, 0));
    return 0;
}

static int take_ge(struct x12_interchange *in, const struct edi_segment *s)
{
    if (in->in_set || !in->in_group)
        return REFUSE(in, s, "ge",
                      in->in_set ? "the group ends before its transaction set (no SE)"
                                 : "ends a group that was not begun (no GS)");
    in->in_group = false;
    int result = count(in, s, "ge-count", 6, "transaction sets", in->sets);
    return result ? result : same_reference(in, s, "ge-reference", "GS", in->group_reference);
}

/* GS01 and ST01 belong together, as the table of the agreement says. */
static int group_code(struct x12_interchange *in, const struct edi_segment *s, const char *set)
{
    const struct accord_list *groups = &in->terms->groups;
    char expected[64] = "", quoted[EDI_QUOTE_MAX];
    size_t used = 0;
    for (size_t i = 0; i < groups->count; i++) {
        const char *item = groups->items[i], *colon = strchr(item, ':');
        if (!colon || strcmp(colon + 1, set))
            continue;
        if (colon == item + 2 && !strncmp(item, in->group_code, 2))
            return 0;
        if (used < sizeof expected)
            used +=
                (size_t)snprintf(expected + used, sizeof expected - used, "%s%.2s", used ? " or " : "", item);
    }
    if (!*expected)
        return REFUSE(in, s, "group-code", "x12-groups does not say in which group (GS01) a %s stands", set);
    return REFUSE(in, s, "group-code", "a %s stands in a group %s (GS01), expected %s", set,
                  edi_quote(quoted, in->group_code), expected);
}

static int st_reference(struct x12_interchange *in, const struct edi_segment *s)
{
    const char *number = edi_get(s, 2, 0);
    char quoted[EDI_QUOTE_MAX];
    if (strlen(number) < 4 || strlen(number) > 9 || !edi_plain(number, 9))
        return REFUSE(in, s, "st-reference", "control number %s (ST02), expected four to nine characters",
                      edi_quote(quoted, number));
    strcpy(in->set_reference, number);
    return edi_references_add(&in->references, number, &s->place, "st-reference", &in->fault);
}

static int take_st(struct x12_interchange *in, const struct edi_segment *s)
{
    const char *set = edi_get(s, 1, 0);
    if (in->in_set)
        return REFUSE(in, s, "nested-st",
                      "a transaction set begins, but the one of segment %" PRId64 " has not ended (no SE)",
                      in->set_place.number);
    if (!in->in_group)
        return REFUSE(in, s, "outside", "a transaction set outside of any group (no GS)");
    int result = edi_digits(set, 3, 3) ? 0 : REFUSE(in, s, "type", "ST01 is not a set of three digits");
    if (!result)
        result = edi_terms_message(in->terms, &s->place, 3, set, &in->fault);
    if (!result)
        result = edi_terms_version(in->terms, &s->place, set, in->group_version, 'X', &in->fault);
    if (!result)
        result = group_code(in, s, set);
    if (!result)
        result = st_reference(in, s);
    if (result)
        return result;
    in->sets++;
    in->in_set = true;
    in->set_place = s->place;
    in->body = edi_body(set);
    memset(in->body_state, 0, sizeof in->body_state);
    return in->body->begin ? in->body->begin(in->body_state, s, &in->fault) : 0;
}

static int take_se(struct x12_interchange *in, const struct edi_segment *s)
{
    if (!in->in_set)
        return REFUSE(in, s, "se", "ends a transaction set that was not begun (no ST)");
    in->in_set = false;
    int result = count(in, s, "se-count", 10, "segments", s->place.number - in->set_place.number + 1);
    if (!result)
        result = same_reference(in, s, "se-reference", "ST", in->set_reference);
    return result ? result : in->body->end(in->body_state, s, &in->fault);
}

static int take_iea(struct x12_interchange *in, const struct edi_segment *s)
{
    if (in->in_set || in->in_group)
        return REFUSE(in, s, in->in_set ? "se" : "ge", "the interchange ends before its %s",
                      in->in_set ? "transaction set (no SE)" : "group (no GE)");
    in->ended = true;
    int result = count(in, s, "iea-count", 5, "groups", in->groups);
    if (!result)
        result = same_reference(in, s, "iea-reference", "ISA", in->reference);
    if (!result && !in->groups && !in->acknowledgements)
        result = REFUSE(in, s, "no-message", "an interchange without a group or an acknowledgement (TA1)");
    return result;
}

/* TA1 stands between ISA and the first group: X12.5's answer to an interchange. TA101 to TA105. */
static int take_ta1(struct x12_interchange *in, const struct edi_segment *s)
{
    char number[EDI_QUOTE_MAX], code[EDI_QUOTE_MAX];
    if (in->groups)
        return REFUSE(in, s, "ta1", "stands behind a group, expected before the first (GS)");
    const char *answer = edi_get(s, 4, 0);
    if (!edi_digits(edi_get(s, 1, 0), 1, 9) || strlen(answer) != 1 || !strchr("AER", answer[0]))
        return REFUSE(in, s, "ta1",
                      "answers %s (TA101) with %s (TA104), expected a control number, and A, E or R",
                      edi_quote(number, edi_get(s, 1, 0)), edi_quote(code, answer));
    in->acknowledgements++;
    return edi_terms_message(in->terms, &s->place, 3, "TA1", &in->fault);
}

/* BIN and BDS say how many bytes of anything follow: nobody could look into those. */
static int take_other(struct x12_interchange *in, const struct edi_segment *s)
{
    if (!in->in_set)
        return REFUSE(in, s, "outside", "stands outside of a transaction set (between ST and SE)");
    if (edi_is(s, "BIN") || edi_is(s, "BDS"))
        return REFUSE(in, s, "binary", "a segment of binary data, which may not stand in a message");
    return in->body->segment(in->body_state, s, &in->fault);
}

static int take_isa(struct x12_interchange *in, const struct edi_segment *s)
{
    return REFUSE(in, s, "nested-isa", "a second interchange inside the first");
}

typedef int (*segment_rule)(struct x12_interchange *, const struct edi_segment *);

static segment_rule rule_of(const struct edi_segment *s)
{
    static const struct {
        const char *tag;
        segment_rule take;
    } service[] = {{"ISA", take_isa}, {"GS", take_gs},   {"ST", take_st},  {"SE", take_se},
                   {"GE", take_ge},   {"IEA", take_iea}, {"TA1", take_ta1}};
    for (size_t i = 0; i < sizeof service / sizeof *service; i++)
        if (edi_is(s, service[i].tag))
            return service[i].take;
    return take_other;
}

static int take(void *arg, const struct edi_segment *s, bool *last, struct edi_fault *fault)
{
    struct x12_interchange *in = arg;
    (void)fault; /* the same as in->fault */
    int result = rule_of(s)(in, s);
    *last = in->ended;
    return result;
}

void x12_interchange_init(struct x12_interchange *in, const struct edi_terms *terms, int64_t offset)
{
    in->terms = terms;
    x12_init(&in->x12, terms->max_segments, terms->allow_indent, offset, open_isa, take, in);
}

int x12_interchange_feed(struct x12_interchange *in, const uint8_t *bytes, size_t size)
{
    return x12_feed(&in->x12, bytes, size, &in->fault);
}

int x12_interchange_finish(struct x12_interchange *in)
{
    int result = x12_finish(&in->x12, &in->fault);
    if (!result && !in->ended)
        result = REFUSE(in, &in->x12.reader.segment, "no-iea",
                        "the file ends here, at byte %" PRId64 ", without the end of the interchange (IEA)",
                        in->x12.offset);
    return result;
}

void x12_interchange_fini(struct x12_interchange *in)
{
    edi_references_fini(&in->references);
}

void x12_interchange_key(const struct x12_interchange *in, char *to, size_t room)
{
    snprintf(to, room, "x12:%s:%s", in->sender, in->reference);
}
