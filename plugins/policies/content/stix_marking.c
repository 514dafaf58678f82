#include "stix_marking.h"

#include <stdio.h>
#include <string.h>

#define REFUSE(m, spot, ...) stix_refuse((m)->fault, (spot), __VA_ARGS__)

static const char *const colors[] = {"", "WHITE", "GREEN", "AMBER", "RED"};

static enum stix_color color_of(const char *text)
{
    for (size_t i = STIX_WHITE; i <= STIX_RED; i++)
        if (!strcmp(text, colors[i]))
            return (enum stix_color)i;
    return STIX_UNCOLORED;
}

static bool listed(const struct accord_list *list, const char *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], value))
            return true;
    return false;
}

/* xs:boolean: blanks around it do not count. */
static bool boolean_is(const char *text, bool expected)
{
    const char *word = expected ? "true" : "false", *digit = expected ? "1" : "0";
    text += strspn(text, " \t\r\n");
    size_t size = strcspn(text, " \t\r\n");
    if (text[size + strspn(text + size, " \t\r\n")])
        return false;
    return (size == strlen(word) && !strncmp(text, word, size)) || (size == 1 && *text == *digit);
}

/* ---- a Marking ---- */

int stix_marking_open(struct stix_marking *m, const struct stix_spot *spot, bool part, bool ais_handling)
{
    if (m->open)
        return REFUSE(m, spot, "marking-form", "a Marking inside of a Marking; put it beside");
    m->open = true;
    m->part = part;
    m->ais_handling = ais_handling;
    m->spot = m->scope = *spot;
    m->scoped = m->whole = m->has_ais = m->has_isa = false;
    m->has_tlp = (struct stix_colored){0};
    return 0;
}

int stix_marking_scope(struct stix_marking *m, const struct stix_spot *spot, const char *xpath)
{
    if (m->scoped)
        return REFUSE(m, spot, "marking-form", "a second Controlled_Structure in one Marking");
    m->scoped = true;
    m->scope = *spot;
    /* The schema of AISHandling fixes the value, which an empty element then has. */
    m->whole = !m->part && ((m->ais_handling && !*xpath) || stix_scope_is_whole(xpath));
    return 0;
}

/* ---- a Marking_Structure ---- */

static enum stix_structure kind_of(const struct xml_element *e, const struct stix_type *type)
{
    if (!type->given) /* only in AISHandling does the element itself say so */
        return strcmp(e->name.space, STIX_NS_AIS) ? STIX_STRUCTURE_NONE : STIX_STRUCTURE_AIS;
    if (stix_type_is(type, STIX_NS_AIS, "AISMarkingStructure"))
        return STIX_STRUCTURE_AIS;
    if (stix_type_is(type, STIX_NS_STRUCTURES "TLP-1", "TLPMarkingStructureType"))
        return STIX_STRUCTURE_TLP;
    if (stix_type_is(type, STIX_NS_ISA, "ISAMarkingsType") ||
        stix_type_is(type, STIX_NS_ASSERTIONS, "ISAMarkingsAssertionType"))
        return STIX_STRUCTURE_ISA;
    if (stix_type_is(type, STIX_NS_STRUCTURES "Simple-1", "SimpleMarkingStructureType") ||
        stix_type_is(type, STIX_NS_STRUCTURES "Terms_Of_Use-1", "TermsOfUseMarkingStructureType"))
        return STIX_STRUCTURE_WORDS;
    return STIX_STRUCTURE_NONE;
}

static int allow_color(struct stix_marking *m, const struct stix_spot *spot, const char *value)
{
    char quoted[STIX_QUOTE_MAX];
    if (listed(&m->options->colors, value))
        return 0;
    return REFUSE(m, spot, "tlp", "TLP colour %s may not be shared under this agreement (allow-tlp)%s",
                  stix_quote(quoted, value), m->part ? ", nor may a package with a part of that colour" : "");
}

static int begin_tlp(struct stix_marking *m, const struct xml_element *e)
{
    const char *color = stix_attribute(e, "", "color");
    if (!color)
        return REFUSE(m, &m->structure_spot, "tlp", "a TLP marking without color");
    int result = allow_color(m, &m->structure_spot, color);
    if (!result && color_of(color) > m->has_tlp.color)
        m->has_tlp = (struct stix_colored){color_of(color), m->structure_spot};
    return result;
}

static int begin_ais(struct stix_marking *m)
{
    if (m->ais_count++)
        return REFUSE(m, &m->structure_spot, "marking-twice",
                      "a second AIS marking, the first is on line %lld; leave one, for the whole package",
                      (long long)m->ais_spot.line);
    m->ais_spot = m->structure_spot;
    m->choices = m->consents = m->colors = 0;
    m->ais_color = STIX_UNCOLORED;
    m->has_ais = true;
    return 0;
}

int stix_marking_structure(struct stix_marking *m, const struct xml_element *e, const struct stix_type *type)
{
    struct stix_spot spot = stix_spot(e);
    char quoted[STIX_QUOTE_MAX];
    if (!m->open || m->structure)
        return REFUSE(m, &spot, "marking-form", "a Marking_Structure that stands in no Marking");
    m->structure_spot = spot;
    m->structure = kind_of(e, type);
    switch (m->structure) {
    case STIX_STRUCTURE_AIS:
        return begin_ais(m);
    case STIX_STRUCTURE_TLP:
        return begin_tlp(m, e);
    case STIX_STRUCTURE_ISA:
        m->has_isa = true;
        return m->options->isa ? 0
                               : REFUSE(m, &spot, "isa",
                                        "an ISA marking, which the agreement does not "
                                        "provide for (allow-isa)");
    case STIX_STRUCTURE_WORDS:
        return 0;
    case STIX_STRUCTURE_NONE:
        break;
    }
    return REFUSE(m, &spot, "marking-unknown",
                  "a marking of the unknown type %s%s; AIS, TLP, ISA, simple statements and terms of use are "
                  "known",
                  stix_quote(quoted, type->given ? type->local : ""),
                  type->given && !type->space ? " whose prefix is not declared" : "");
}

static int take_choice(struct stix_marking *m, const struct stix_spot *spot, const struct xml_element *e)
{
    char quoted[STIX_QUOTE_MAX];
    m->proprietary = !strcmp(e->name.local, "Is_Proprietary");
    if (strcmp(e->name.space, STIX_NS_AIS) || (!m->proprietary && strcmp(e->name.local, "Not_Proprietary")))
        return REFUSE(m, spot, "marking-form", "expected Is_Proprietary or Not_Proprietary of AIS");
    if (m->choices++)
        return REFUSE(m, spot, "marking-form",
                      "an AIS marking says either Is_Proprietary or Not_Proprietary, once");
    const char *value = stix_attribute(e, "", "CISA_Proprietary");
    if (value && boolean_is(value, m->proprietary))
        return 0;
    return REFUSE(m, spot, "proprietary", "CISA_Proprietary is %s, expected \"%s\" in this element",
                  value ? stix_quote(quoted, value) : "missing", m->proprietary ? "true" : "false");
}

static int take_consent(struct stix_marking *m, const struct stix_spot *spot, const struct xml_element *e)
{
    char quoted[STIX_QUOTE_MAX];
    const char *value = stix_attribute(e, "", "consent");
    if (m->consents++)
        return REFUSE(m, spot, "consent", "a second AISConsent");
    if (!value || (strcmp(value, "EVERYONE") && strcmp(value, "USG") && strcmp(value, "NONE")))
        return REFUSE(m, spot, "consent", "consent is %s, expected EVERYONE, USG or NONE",
                      value ? stix_quote(quoted, value) : "missing");
    if (m->proprietary && strcmp(value, "EVERYONE"))
        return REFUSE(m, spot, "proprietary",
                      "proprietary information with consent %s; the AIS schema takes it with EVERYONE alone",
                      value);
    if (!listed(&m->options->consents, value))
        return REFUSE(m, spot, "consent", "consent %s is not one that the agreement gives (allow-consent)",
                      value);
    return 0;
}

static int take_color(struct stix_marking *m, const struct stix_spot *spot, const struct xml_element *e)
{
    char quoted[STIX_QUOTE_MAX];
    const char *value = stix_attribute(e, "", "color");
    if (m->colors++)
        return REFUSE(m, spot, "tlp", "a second TLPMarking");
    m->ais_color = value ? color_of(value) : STIX_UNCOLORED;
    if (m->ais_color == STIX_UNCOLORED || m->ais_color == STIX_RED)
        return REFUSE(m, spot, "tlp", "color is %s, expected WHITE, GREEN or AMBER, as AIS knows no other",
                      value ? stix_quote(quoted, value) : "missing");
    return allow_color(m, spot, value);
}

int stix_marking_inside(struct stix_marking *m, const struct xml_element *e, size_t level)
{
    struct stix_spot spot = stix_spot(e);
    if (m->structure != STIX_STRUCTURE_AIS)
        return 0;
    if (level == 1)
        return take_choice(m, &spot, e);
    if (level == 2 && stix_is(&e->name, STIX_NS_AIS, "AISConsent"))
        return take_consent(m, &spot, e);
    if (level == 2 && stix_is(&e->name, STIX_NS_AIS, "TLPMarking"))
        return take_color(m, &spot, e);
    return REFUSE(m, &spot, "marking-form", "nothing but AISConsent and TLPMarking stands in an AIS marking");
}

int stix_marking_structure_end(struct stix_marking *m)
{
    enum stix_structure kind = m->structure;
    m->structure = STIX_STRUCTURE_NONE;
    if (kind != STIX_STRUCTURE_AIS)
        return 0;
    if (!m->choices)
        return REFUSE(m, &m->structure_spot, "marking-form",
                      "the AIS marking says neither Is_Proprietary nor Not_Proprietary");
    if (!m->consents)
        return REFUSE(m, &m->structure_spot, "consent", "the AIS marking has no AISConsent");
    if (!m->colors)
        return REFUSE(m, &m->structure_spot, "tlp", "the AIS marking has no TLPMarking");
    return 0;
}

int stix_marking_control_set(struct stix_marking *m, const struct stix_spot *spot, const char *text)
{
    for (size_t size; *(text += strspn(text, " \t\r\n")); text += size) {
        size = strcspn(text, " \t\r\n");
        if (size >= 4 && !strncmp(text, "CLS:", 4) && (size != 5 || text[4] != 'U'))
            return REFUSE(m, spot, "classified",
                          "an ISA marking other than unclassified (CLS:U); take the package back and report "
                          "it as your agreement says");
    }
    return 0;
}

/* ---- all together ---- */

/* What contradicts what: one colour for the whole package, and no part stricter than it. */
static int agree(struct stix_marking *m)
{
    const struct stix_colored *whole = m->ais.color ? &m->ais : &m->tlp;
    if (m->ais.color && m->tlp.color && m->ais.color != m->tlp.color)
        return REFUSE(m, &m->tlp.spot, "marking-conflict",
                      "TLP %s for the package, but its AIS marking on line %lld says %s; make them the same",
                      colors[m->tlp.color], (long long)m->ais.spot.line, colors[m->ais.color]);
    if (whole->color && m->strictest_part.color > whole->color)
        return REFUSE(m, &m->strictest_part.spot, "marking-conflict",
                      "TLP %s for a part, but the marking of the package on line %lld says %s; mark the "
                      "package as its strictest part",
                      colors[m->strictest_part.color], (long long)whole->spot.line, colors[whole->color]);
    return 0;
}

static int close_whole(struct stix_marking *m)
{
    if (m->has_tlp.color && m->tlp.color && m->tlp.color != m->has_tlp.color)
        return REFUSE(m, &m->has_tlp.spot, "marking-conflict",
                      "TLP %s for the package, but on line %lld TLP %s; leave one", colors[m->has_tlp.color],
                      (long long)m->tlp.spot.line, colors[m->tlp.color]);
    if (m->has_tlp.color)
        m->tlp = m->has_tlp;
    if (m->has_ais)
        m->ais = (struct stix_colored){m->ais_color, m->ais_spot};
    m->isa_whole = m->isa_whole || m->has_isa;
    return agree(m);
}

int stix_marking_close(struct stix_marking *m)
{
    m->open = false;
    if (m->whole)
        return close_whole(m);
    if (m->has_ais && !m->part)
        return REFUSE(m, &m->scope, "marking-scope",
                      "the AIS marking does not cover the whole package: %s; write //node() | //@* there",
                      m->scoped ? "its Controlled_Structure selects something else"
                                : "it has no Controlled_Structure");
    if (m->has_tlp.color > m->strictest_part.color)
        m->strictest_part = m->has_tlp;
    return agree(m);
}

int stix_marking_settle(struct stix_marking *m, const struct stix_spot *spot)
{
    static const char *const wanted[] = {[STIX_REQUIRE_AIS] = "AIS marking",
                                         [STIX_REQUIRE_TLP] = "TLP marking",
                                         [STIX_REQUIRE_ANY] = "marking"};
    bool ais = m->ais.color, tlp = ais || m->tlp.color, any = tlp || m->isa_whole;
    int64_t require = m->options->marking;
    bool marked = require == STIX_REQUIRE_NONE || (require == STIX_REQUIRE_AIS && ais) ||
                  (require == STIX_REQUIRE_TLP && tlp) || (require == STIX_REQUIRE_ANY && any);
    if (marked)
        return 0;
    return REFUSE(m, spot, "marking-missing",
                  "the package has no %s%s; put one in STIX_Header/Handling, with Controlled_Structure "
                  "//node() | //@* (a marking of a part does not count)",
                  wanted[require], require == STIX_REQUIRE_AIS && m->tlp.color ? ", only TLP" : "");
}
