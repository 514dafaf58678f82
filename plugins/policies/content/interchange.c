#include "interchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Every rule gets the interchange, the segment, and writes in->fault. */
#define REFUSE(in, s, ...) edifact_fault(&(in)->fault, &(s)->place, __VA_ARGS__)

static bool digits(const char *text, size_t least, size_t most)
{
    size_t size = strlen(text);
    return size >= least && size <= most && strspn(text, "0123456789") == size;
}

/* An identification that may go into a unique key: printable ASCII, no colon, no space at its ends. */
static bool plain(const char *text, size_t most)
{
    size_t size = strlen(text);
    if (!size || size > most || text[0] == ' ' || text[size - 1] == ' ')
        return false;
    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c >= 0x7f || *c == ':')
            return false;
    return true;
}

static int reference(struct interchange *in, const struct edifact_segment *s, const char *value,
                     const char *rule, char to[INTERCHANGE_REFERENCE_MAX])
{
    char quoted[EDIFACT_QUOTE_MAX];
    if (!plain(value, INTERCHANGE_REFERENCE_MAX - 1))
        return REFUSE(in, s, rule, "the reference is %s, expected 1 to 14 plain characters",
                      edifact_quote(quoted, value));
    strcpy(to, value);
    return 0;
}

/* "says 1200 segments, has 1199" */
static int count(struct interchange *in, const struct edifact_segment *s, const char *rule, const char *what,
                 int64_t has)
{
    const char *says = edifact_get(s, 1, 0);
    char quoted[EDIFACT_QUOTE_MAX];
    if (!digits(says, 1, 6))
        return REFUSE(in, s, rule, "says %s %s, expected a number of up to six digits",
                      edifact_quote(quoted, says), what);
    int64_t number = 0;
    for (; *says; says++)
        number = number * 10 + (*says - '0');
    if (number != has)
        return REFUSE(in, s, rule, "says %" PRId64 " %s, has %" PRId64, number, what, has);
    return 0;
}

static int same_reference(struct interchange *in, const struct edifact_segment *s, const char *rule,
                          const char *opener, const char *expected)
{
    char found[EDIFACT_QUOTE_MAX], wanted[EDIFACT_QUOTE_MAX];
    if (!strcmp(edifact_get(s, 2, 0), expected))
        return 0;
    return REFUSE(in, s, rule, "refers to %s, but the %s that it ends says %s",
                  edifact_quote(found, edifact_get(s, 2, 0)), opener, edifact_quote(wanted, expected));
}

/* UNOX (ISO 2022 escapes) is left out: its bytes can hide separators. */
static int unb_syntax(struct interchange *in, const struct edifact_segment *s)
{
    const char *id = edifact_get(s, 1, 0), *version = edifact_get(s, 1, 1);
    char found[EDIFACT_QUOTE_MAX], level[EDIFACT_QUOTE_MAX];
    bool known = strlen(id) == 4 && !strncmp(id, "UNO", 3) && strchr("ABCDEFGHIJKWY", id[3]);
    if (!known || strlen(version) != 1 || version[0] < '1' || version[0] > '4')
        return REFUSE(in, s, "unb-syntax",
                      "syntax %s version %s, expected UNOA to UNOK, UNOW or UNOY, and 1 to 4",
                      edifact_quote(found, id), edifact_quote(level, version));
    in->seven_bit = id[3] == 'A' || id[3] == 'B';
    return 0;
}

/* S004: YYMMDD:HHMM, from syntax version 4 on CCYYMMDD:HHMM. */
static int unb_time(struct interchange *in, const struct edifact_segment *s)
{
    const char *date = edifact_get(s, 4, 0), *time = edifact_get(s, 4, 1);
    size_t width = edifact_get(s, 1, 1)[0] == '4' ? 8 : 6;
    bool good = digits(date, width, width) && digits(time, 4, 4);
    if (good) {
        const char *month = date + width - 4, *day = date + width - 2;
        good = memcmp(month, "01", 2) >= 0 && memcmp(month, "12", 2) <= 0 && memcmp(day, "01", 2) >= 0 &&
               memcmp(day, "31", 2) <= 0 && memcmp(time, "23", 2) <= 0 && time[2] <= '5';
    }
    char day[EDIFACT_QUOTE_MAX], hour[EDIFACT_QUOTE_MAX];
    return good ? 0
                : REFUSE(in, s, "unb-time", "prepared on %s at %s, expected %s and HHMM",
                         edifact_quote(day, date), edifact_quote(hour, time),
                         width == 8 ? "CCYYMMDD" : "YYMMDD");
}

/* "ACME" takes any qualifier, "ACME:ZZ" only that one. */
static bool listed(const struct accord_list *list, const char *id, const char *qualifier)
{
    size_t size = strlen(id);
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        if (!strncmp(item, id, size) &&
            (!item[size] || (item[size] == ':' && !strcmp(item + size + 1, qualifier))))
            return true;
    }
    return list->count == 0;
}

static int party(struct interchange *in, const struct edifact_segment *s, size_t element, const char *who,
                 const struct accord_list *allowed)
{
    const char *id = edifact_get(s, element, 0), *qualifier = edifact_get(s, element, 1);
    char name[EDIFACT_QUOTE_MAX], kind[EDIFACT_QUOTE_MAX];
    if (!*id)
        return REFUSE(in, s, who, "names no %s", who);
    if (!plain(id, INTERCHANGE_PARTY_MAX - 1))
        return REFUSE(in, s, who, "the %s is %s, expected 1 to 35 plain characters", who,
                      edifact_quote(name, id));
    if (!listed(allowed, id, qualifier))
        return REFUSE(in, s, who, "the %s is %s, qualifier %s, which is not on the agreement's list", who,
                      edifact_quote(name, id), edifact_quote(kind, qualifier));
    return 0;
}

static int take_unb(struct interchange *in, const struct edifact_segment *s)
{
    if (in->opened)
        return REFUSE(in, s, "nested-unb", "a second interchange inside the first");
    in->opened = true;
    int result = unb_syntax(in, s);
    if (!result)
        result = party(in, s, 2, "sender", &in->rules->senders);
    if (!result)
        result = party(in, s, 3, "recipient", &in->rules->recipients);
    if (!result)
        result = unb_time(in, s);
    if (!result)
        result = reference(in, s, edifact_get(s, 5, 0), "unb-reference", in->reference);
    if (!result && *edifact_get(s, 11, 0) && !in->rules->allow_test)
        result = REFUSE(in, s, "test-indicator",
                        "marked as a test (element 0035), which the agreement does not allow");
    if (!result)
        strcpy(in->sender, edifact_get(s, 2, 0));
    return result;
}

static int take_ung(struct interchange *in, const struct edifact_segment *s)
{
    if (in->in_message || in->in_group)
        return REFUSE(in, s, "nested-ung", "a group begins before the %s has ended",
                      in->in_message ? "message" : "group before it");
    if (in->messages && !in->groups)
        return REFUSE(in, s, "ung", "a group after messages outside of any group");
    in->groups++;
    in->in_group = true;
    in->group_messages = 0;
    snprintf(in->group_version, sizeof in->group_version, "%s:%s", edifact_get(s, 7, 0),
             edifact_get(s, 7, 1));
    return reference(in, s, edifact_get(s, 5, 0), "ung-reference", in->group_reference);
}

static int take_une(struct interchange *in, const struct edifact_segment *s)
{
    if (in->in_message || !in->in_group)
        return REFUSE(in, s, "une",
                      in->in_message ? "the group ends before its message (no UNT)"
                                     : "ends a group that was not begun (no UNG)");
    in->in_group = false;
    int result = count(in, s, "une-count", "messages", in->group_messages);
    return result ? result : same_reference(in, s, "une-reference", "UNG", in->group_reference);
}

/* S009 after the type, against "D:95B" or longer: equal as far as the item goes, at a component's end. */
static bool version_is(const char *item, const char *version)
{
    size_t size = strlen(item);
    return size && !strncmp(item, version, size) && (!version[size] || version[size] == ':');
}

static int unh_version(struct interchange *in, const struct edifact_segment *s)
{
    char version[128], found[EDIFACT_QUOTE_MAX];
    snprintf(version, sizeof version, "%s:%s:%s:%s", edifact_get(s, 2, 1), edifact_get(s, 2, 2),
             edifact_get(s, 2, 3), edifact_get(s, 2, 4));
    if (in->in_group && strcmp(in->group_version, ":") && !version_is(in->group_version, version))
        return REFUSE(in, s, "ung-version", "version %s, but its group (UNG) says another",
                      edifact_quote(found, version));
    for (size_t i = 0; i < in->rules->versions.count; i++)
        if (version_is(in->rules->versions.items[i], version))
            return 0;
    return REFUSE(in, s, "version", "%s version %s is not one that the agreement accepts", in->body->message,
                  edifact_quote(found, version));
}

static int unh_reference(struct interchange *in, const struct edifact_segment *s)
{
    if (in->messages == INTERCHANGE_MESSAGES_MAX)
        return REFUSE(in, s, "message-limit", "more than %d messages in one interchange",
                      INTERCHANGE_MESSAGES_MAX);
    char *own = in->references[in->messages];
    int result = reference(in, s, edifact_get(s, 1, 0), "unh-reference", own);
    for (int64_t i = 0; !result && i < in->messages; i++)
        if (!strcmp(in->references[i], own))
            result =
                REFUSE(in, s, "unh-reference", "message %" PRId64 " has the reference of message %" PRId64,
                       in->messages + 1, i + 1);
    return result;
}

static int take_unh(struct interchange *in, const struct edifact_segment *s)
{
    char found[EDIFACT_QUOTE_MAX];
    if (in->in_message)
        return REFUSE(in, s, "nested-unh",
                      "a message begins, but the one of segment %" PRId64 " has not ended (no UNT)",
                      in->message_place.number);
    if (in->groups && !in->in_group)
        return REFUSE(in, s, "ung", "a message outside of any group, after a group");
    int result = unh_reference(in, s);
    if (!result && strcmp(edifact_get(s, 2, 0), in->body->message))
        result = REFUSE(in, s, "type", "message type %s, expected %s",
                        edifact_quote(found, edifact_get(s, 2, 0)), in->body->message);
    if (!result)
        result = unh_version(in, s);
    in->messages++;
    in->group_messages++;
    in->in_message = true;
    in->message_place = s->place;
    return result ? result : in->body->begin(in->body_state, s, &in->fault);
}

static int take_unt(struct interchange *in, const struct edifact_segment *s)
{
    if (!in->in_message)
        return REFUSE(in, s, "unt", "ends a message that was not begun (no UNH)");
    in->in_message = false;
    int result = count(in, s, "unt-count", "segments", s->place.number - in->message_place.number + 1);
    if (!result)
        result = same_reference(in, s, "unt-reference", "UNH", in->references[in->messages - 1]);
    return result ? result : in->body->end(in->body_state, s, &in->fault);
}

static int take_unz(struct interchange *in, const struct edifact_segment *s)
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
static int take_other(struct interchange *in, const struct edifact_segment *s)
{
    if (!in->in_message)
        return REFUSE(in, s, "outside", "stands outside of a message (between UNH and UNT)");
    if (!strncmp(s->place.tag, "UN", 2) && strcmp(s->place.tag, "UNS"))
        return REFUSE(in, s, "service-segment", "a service segment that may not stand in a message");
    return in->body->segment(in->body_state, s, &in->fault);
}

static int take(void *arg, const struct edifact_segment *s, bool *last, struct edifact_fault *fault)
{
    static const struct {
        const char *tag;
        int (*take)(struct interchange *, const struct edifact_segment *);
    } service[] = {{"UNB", take_unb}, {"UNG", take_ung}, {"UNH", take_unh},
                   {"UNT", take_unt}, {"UNE", take_une}, {"UNZ", take_unz}};
    struct interchange *in = arg;
    (void)fault; /* the same as in->fault */
    if (!in->opened && strcmp(s->place.tag, "UNB"))
        return REFUSE(in, s, "start", "the first segment, expected UNB");
    int (*rule)(struct interchange *, const struct edifact_segment *) = take_other;
    for (size_t i = 0; i < sizeof service / sizeof *service; i++)
        if (!strcmp(service[i].tag, s->place.tag))
            rule = service[i].take;
    int result = rule(in, s);
    if (!result && in->seven_bit && s->high)
        result = REFUSE(in, s, "character-set", "holds bytes above 0x7f, which UNOA and UNOB do not have");
    *last = in->ended;
    return result;
}

void interchange_init(struct interchange *in, const struct interchange_rules *rules,
                      const struct interchange_body *body, void *body_state)
{
    memset(in, 0, sizeof *in);
    in->rules = rules;
    in->body = body;
    in->body_state = body_state;
    edifact_init(&in->edifact, rules->max_segments, rules->allow_bom, take, in);
}

int interchange_feed(struct interchange *in, const uint8_t *bytes, size_t size)
{
    return edifact_feed(&in->edifact, bytes, size, &in->fault);
}

int interchange_finish(struct interchange *in)
{
    int result = edifact_finish(&in->edifact, &in->fault);
    if (!result && !in->ended)
        result = REFUSE(in, &in->edifact.segment, "no-unz",
                        "the file ends here, at byte %" PRId64 ", without the end of the interchange (UNZ)",
                        in->edifact.offset);
    return result;
}

void interchange_key(const struct interchange *in, char *to, size_t room)
{
    snprintf(to, room, "edifact:%s:%s", in->sender, in->reference);
}
