/* The format of type `stix-1`: a STIX 1.x package, read once, as a state machine over its elements. What must be
 * refused is refused at the element where it stands; nothing of the package is kept but what the rules go by.
 */
#include "stix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "stix_identity.h"
#include "stix_ids.h"
#include "stix_marking.h"
#include "stix_name.h"
#include "stix_place.h"
#include "stix_rules.h"
#include "stix_schema.h"
#include "stix_text.h"

#define DEPTH_MAX 128

enum wanted { NOTHING, FREE_TEXT, SCOPE_TEXT, INTENT_TEXT, NAME_TEXT, CONTROL_SET_TEXT };

struct stix {
    const struct stix_options *options;
    bool profile; /* the AIS Data Profile is asked for: the package goes out, or stix-incoming says so */
    struct stix_fault fault;
    struct stix_rules rules;
    struct stix_marking marking;
    struct stix_identity identity;
    struct stix_ids ids;
    struct xml_reader *reader;
    int64_t size;

    /* Of the start tag that is being looked at. */
    struct stix_attributes attributes;
    struct stix_type type;

    uint8_t places[DEPTH_MAX + 1]; /* enum stix_place, by depth */
    struct stix_spot package;
    bool header, handling, ais_handling, intent, container;
    size_t structure_depth, source_depth; /* of the open element; 0: none */

    /* Text that a rule wants: of the element at text_depth and of all below it. */
    enum wanted wanted;
    size_t text_depth;
    struct stix_spot text_spot;
    struct stix_text text;

    struct stix_check *check; /* NULL: no schemas */
    struct stix_text run;     /* text since the last tag, for them */
};

#define REFUSE(s, spot, ...) stix_refuse(&(s)->fault, (spot), __VA_ARGS__)

/* ---- entering an element ---- */

static void want(struct stix *s, const struct xml_element *e, enum wanted wanted)
{
    if (s->text_depth) /* inside of another text: its bytes count there */
        return;
    s->wanted = wanted;
    s->text_depth = e->depth;
    s->text_spot = stix_spot(e);
    stix_text_clear(&s->text);
}

static int enter_package(struct stix *s, const struct xml_element *e)
{
    s->package = stix_spot(e);
    int result = stix_rule_version(&s->rules, e);
    if (!result && s->profile)
        result = stix_rule_id(&s->rules, s->reader, e, s->attributes.id);
    return result || !s->profile ? result : stix_rule_package_time(&s->rules, e, s->attributes.timestamp);
}

static int enter_header(struct stix *s, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    if (s->header || s->container)
        return REFUSE(s, &spot, "structure", "%s; the header stands once, before everything else",
                      s->header ? "a second STIX_Header" : "a STIX_Header after other parts");
    s->header = true;
    return 0;
}

static int enter_container(struct stix *s, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    s->container = true;
    if (!s->profile)
        return 0;
    if (s->options->header && !s->header)
        return REFUSE(s, &spot, "header", "no STIX_Header stands before it");
    return stix_rule_container(&s->rules, e);
}

static int enter_intent(struct stix *s, const struct xml_element *e)
{
    s->intent = true;
    want(s, e, INTENT_TEXT);
    return s->profile ? stix_rule_intent_type(&s->rules, e, &s->type) : 0;
}

static int enter_handling(struct stix *s, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    const struct stix_type *type = &s->type;
    char quoted[STIX_QUOTE_MAX];
    if (s->handling)
        return REFUSE(s, &spot, "structure", "a second Handling; put its markings into the first");
    s->handling = true;
    s->ais_handling = stix_type_is(type, STIX_NS_AIS, "AISHandling");
    if (!type->given || s->ais_handling || stix_type_is(type, STIX_NS_MARKING, "MarkingType"))
        return 0;
    return REFUSE(s, &spot, "marking-unknown", "a Handling of the unknown type %s",
                  stix_quote(quoted, type->local));
}

static int enter_marking(struct stix *s, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    bool ais = s->places[e->depth] == STIX_AIS_MARKING;
    if (s->text_depth)
        return REFUSE(s, &spot, "marking-form", "a Marking in the midst of text");
    if (ais && !s->ais_handling)
        return REFUSE(s, &spot, "marking-form",
                      "this Marking stands only in a Handling whose xsi:type is AISHandling of AIS");
    return stix_marking_open(&s->marking, &spot, s->places[e->depth] == STIX_PART, ais);
}

static int enter_scope(struct stix *s, const struct xml_element *e)
{
    want(s, e, SCOPE_TEXT);
    return 0;
}

static int enter_structure(struct stix *s, const struct xml_element *e)
{
    s->structure_depth = e->depth;
    return stix_marking_structure(&s->marking, e, &s->type);
}

static int enter_inside(struct stix *s, const struct xml_element *e)
{
    if (s->marking.structure == STIX_STRUCTURE_ISA && (stix_word(&e->name) & STIX_WORD_CONTROL_SET))
        want(s, e, CONTROL_SET_TEXT);
    return stix_marking_inside(&s->marking, e, e->depth - s->structure_depth);
}

static int enter_stray(struct stix *s, const struct xml_element *e)
{
    struct stix_spot spot = stix_spot(e);
    return REFUSE(s, &spot, "marking-form", "a Marking_Structure that stands in no Marking");
}

static int enter_source(struct stix *s, const struct xml_element *e)
{
    s->source_depth = e->depth;
    stix_identity_open(&s->identity);
    return 0;
}

static int enter_properties(struct stix *s, const struct xml_element *e)
{
    return s->profile ? stix_rule_object(&s->rules, e, &s->type) : 0;
}

static int (*const enter[STIX_PLACES])(struct stix *, const struct xml_element *) = {
    [STIX_PACKAGE] = enter_package,     [STIX_HEADER] = enter_header,
    [STIX_CONTAINER] = enter_container, [STIX_INTENT] = enter_intent,
    [STIX_HANDLING] = enter_handling,   [STIX_MARKING] = enter_marking,
    [STIX_AIS_MARKING] = enter_marking, [STIX_PART] = enter_marking,
    [STIX_SCOPE] = enter_scope,         [STIX_STRUCTURE] = enter_structure,
    [STIX_INSIDE] = enter_inside,       [STIX_STRAY] = enter_stray,
    [STIX_SOURCE] = enter_source,       [STIX_PROPERTIES] = enter_properties,
};

/* The AIS marking of before 2016, as an element or as the type of one. */
static int refuse_superseded(struct stix *s, const struct xml_element *e)
{
    const char *type = s->type.given ? s->type.space : NULL;
    if (!(stix_word(&e->name) & STIX_WORD_SUPERSEDED) && (!type || strcmp(type, STIX_NS_AIS_OLD)))
        return 0;
    struct stix_spot spot = stix_spot(e);
    return REFUSE(
        s, &spot, "marking-superseded",
        "the AIS marking #AISConsentMarking-1 (Share_Identity_With) is superseded; write it anew with "
        "#AISConsentMarking-2, which has proprietary, consent and TLP colour");
}

/* Rules for every element, wherever it stands. */
static int enter_any(struct stix *s, const struct xml_element *e, enum stix_place parent)
{
    struct stix_spot spot;
    if (parent == STIX_DOCUMENT)
        return stix_rule_root(&s->rules, e);
    if (parent == STIX_SCOPE || parent == STIX_INTENT) {
        spot = stix_spot(e);
        return REFUSE(s, &spot, "structure", "an element where only text may stand");
    }
    return refuse_superseded(s, e);
}

/* Where no schema can say so. STIX and CybOX have one room of ids; other vocabularies have their own. */
static int enter_id(struct stix *s, const struct xml_element *e)
{
    char quoted[STIX_QUOTE_MAX];
    const char *id = stix_word(&e->name) & STIX_WORD_IDS ? s->attributes.id : NULL;
    int result = id ? stix_ids_add(&s->ids, id) : 0;
    if (!result || result == ACCORD_ENOMEM)
        return result;
    struct stix_spot spot = stix_spot(e);
    return result == ACCORD_EEXIST
               ? REFUSE(s, &spot, "id", "a second element with the id %s", stix_quote(quoted, id))
               : REFUSE(s, &spot, "limit", "too many ids; share it in several packages");
}

static int enter_profile(struct stix *s, const struct xml_element *e)
{
    if (!s->profile)
        return 0;
    int result = stix_rule_namespace(&s->rules, e);
    if (!result)
        result = stix_rule_type(&s->rules, e, s->attributes.type, &s->type);
    if (!result)
        result = stix_rule_time(&s->rules, e, s->attributes.timestamp);
    if (!result)
        result = enter_id(s, e);
    if (!result && s->source_depth && stix_identity_start(&s->identity, e))
        want(s, e, NAME_TEXT);
    bool words = s->places[e->depth] != STIX_INSIDE || s->marking.structure == STIX_STRUCTURE_WORDS;
    if (!result && words && (stix_word(&e->name) & STIX_WORD_FREE_TEXT))
        want(s, e, FREE_TEXT);
    return result;
}

/* ---- schemas ---- */

static int flush_run(struct stix *s)
{
    int result = stix_check_text(s->check, stix_text_get(&s->run), s->run.size, &s->fault);
    stix_text_clear(&s->run);
    return result;
}

static int check_start(struct stix *s, const struct xml_element *e)
{
    int result = s->check ? flush_run(s) : 0;
    return result || !s->check ? result : stix_check_start(s->check, e, &s->fault);
}

static int check_end(struct stix *s, const struct xml_name *name, int64_t line)
{
    int result = s->check ? flush_run(s) : 0;
    return result || !s->check ? result : stix_check_end(s->check, name, line, &s->fault);
}

/* ---- the reader's events ---- */

static int on_start(void *arg, struct xml_reader *reader, const struct xml_element *e)
{
    struct stix *s = arg;
    (void)reader;
    stix_attributes_of(e, &s->attributes);
    stix_type_of(s->reader, s->attributes.type, &s->type);
    enum stix_place parent = e->depth > 1 ? s->places[e->depth - 1] : STIX_DOCUMENT;
    enum stix_place place = stix_place_of(parent, &e->name);
    s->places[e->depth] = (uint8_t)place;
    int result = enter_any(s, e, parent);
    if (!result && enter[place])
        result = enter[place](s, e);
    if (!result)
        result = enter_profile(s, e);
    return result ? result : check_start(s, e);
}

static int on_text(void *arg, struct xml_reader *reader, const char *bytes, size_t size)
{
    struct stix *s = arg;
    int result = s->text_depth ? stix_text_add(&s->text, bytes, size) : 0;
    if (!result && s->check)
        result = stix_text_add(&s->run, bytes, size);
    if (result != ACCORD_ELIMIT)
        return result;
    struct stix_spot spot = {.line = xml_line(reader), .element = "text"};
    return REFUSE(s, &spot, "limit", "text of more than %d bytes", STIX_TEXT_MAX);
}

static int take_text(struct stix *s)
{
    const char *text = stix_text_get(&s->text);
    enum wanted wanted = s->wanted;
    s->wanted = NOTHING;
    s->text_depth = 0;
    switch (wanted) {
    case FREE_TEXT:
        return stix_rule_personal(&s->rules, &s->text_spot, text);
    case SCOPE_TEXT:
        return stix_marking_scope(&s->marking, &s->text_spot, text);
    case INTENT_TEXT:
        return s->profile ? stix_rule_intent(&s->rules, &s->text_spot, text) : 0;
    case CONTROL_SET_TEXT:
        return stix_marking_control_set(&s->marking, &s->text_spot, text);
    case NAME_TEXT:
        stix_identity_name(&s->identity, text);
        return 0;
    case NOTHING:
        break;
    }
    return 0;
}

static int leave_header(struct stix *s, const struct stix_spot *spot)
{
    if (s->profile && s->options->intent && !s->intent)
        return REFUSE(s, spot, "intent", "the header has no Package_Intent");
    int result = s->profile && s->options->identity ? stix_identity_settle(&s->identity, spot, &s->fault) : 0;
    return result ? result : stix_marking_settle(&s->marking, spot);
}

/* Without a header nothing was settled. */
static int leave_package(struct stix *s)
{
    if (s->header)
        return 0;
    if (s->profile && s->options->header)
        return REFUSE(s, &s->package, "header", "the package has no STIX_Header");
    return leave_header(s, &s->package);
}

static int leave(struct stix *s, const struct xml_name *name, int64_t line, size_t depth)
{
    struct stix_spot spot;
    switch (s->places[depth]) {
    case STIX_PACKAGE:
        return leave_package(s);
    case STIX_HEADER:
        spot = stix_spot(&(struct xml_element){.name = *name, .line = line});
        return leave_header(s, &spot);
    case STIX_MARKING:
    case STIX_AIS_MARKING:
    case STIX_PART:
        return stix_marking_close(&s->marking);
    case STIX_STRUCTURE:
        return stix_marking_structure_end(&s->marking);
    case STIX_SOURCE:
        stix_identity_close(&s->identity);
        s->source_depth = 0;
        return 0;
    default:
        return 0;
    }
}

static int on_end(void *arg, struct xml_reader *reader, const struct xml_name *name, size_t depth)
{
    struct stix *s = arg;
    int64_t line = xml_line(reader);
    int result = s->text_depth == depth ? take_text(s) : 0;
    if (s->source_depth)
        stix_identity_end(&s->identity, depth);
    if (!result)
        result = leave(s, name, line, depth);
    return result ? result : check_end(s, name, line);
}

/* ---- the format ---- */

static int init(void *state, const struct validator_case *the_case, const struct validator_options *options)
{
    static const struct xml_events events = {.start = on_start, .end = on_end, .text = on_text};
    struct xml_limits limits = XML_LIMITS;
    struct stix *s = state;
    limits.size = options->stix.max_size;
    limits.depth = DEPTH_MAX;
    s->options = &options->stix;
    s->profile = !the_case->incoming || s->options->incoming == STIX_INCOMING_PROFILE;
    s->rules = (struct stix_rules){s->options, &s->fault, the_case->now};
    s->ids.seed = (uint64_t)the_case->now ^ (uint64_t)(uintptr_t)s;
    s->marking.options = s->options;
    s->marking.fault = &s->fault;
    s->reader = xml_reader_new(&limits, &events, s);
    if (s->reader && the_case->schema)
        s->check = stix_check_new(the_case->schema);
    return s->reader && (s->check || !the_case->schema) ? 0 : ACCORD_ENOMEM;
}

/* What the reader refused by itself has no rule yet. */
static int name_fault(struct stix *s, int result)
{
    if (result && !*s->fault.rule) {
        snprintf(s->fault.rule, sizeof s->fault.rule, "%s", result == ACCORD_ELIMIT ? "limit" : "xml");
        snprintf(s->fault.reason, sizeof s->fault.reason, "%s", xml_why(s->reader));
    }
    return result;
}

static int feed(void *state, const uint8_t *bytes, size_t size)
{
    struct stix *s = state;
    s->size += (int64_t)size;
    if (s->size > s->options->max_size) {
        snprintf(s->fault.rule, sizeof s->fault.rule, "size");
        snprintf(s->fault.reason, sizeof s->fault.reason,
                 "larger than %" PRId64 " bytes (stix-max-size); share it in several packages",
                 s->options->max_size);
        return ACCORD_ELIMIT;
    }
    return name_fault(s, xml_feed(s->reader, bytes, size));
}

static int finish(void *state)
{
    struct stix *s = state;
    return name_fault(s, xml_finish(s->reader));
}

static void fault(const void *state, const char **rule, const char **reason)
{
    const struct stix *s = state;
    *rule = s->fault.rule;
    *reason = s->fault.reason;
}

static void fini(void *state)
{
    struct stix *s = state;
    stix_check_free(s->check);
    xml_reader_free(s->reader);
    stix_ids_fini(&s->ids);
    stix_text_fini(&s->text);
    stix_text_fini(&s->run);
}

const struct format stix_format = {
    .type = "stix-1",
    .size = sizeof(struct stix),
    .init = init,
    .feed = feed,
    .finish = finish,
    .fault = fault,
    .fini = fini,
};
