#include "answer11_grammar.h"

#include <string.h>

/* clang-format off */
/* How often an element may stand there: `must`, `again`. */
#define MUST true, false
#define MAY  false, false
#define MANY false, true
#define SOME true, true
#define HEADERS   {"Extended_Headers", E_OTHER, HOLDS_ANYTHING, MAY, NULL}
#define SIGNATURE {"Signature", E_OTHER, HOLDS_ANYTHING, MAY, NULL}
#define SERVICE                                                         \
    {"Protocol_Binding", E_PROTOCOL, HOLDS_TEXT, MUST, NULL},           \
    {"Address", E_ADDRESS, HOLDS_TEXT, MUST, NULL},                     \
    {"Message_Binding", E_MESSAGE_BINDING, HOLDS_TEXT, SOME, NULL}

static const struct grammar11_rule binding[] = {
    {"Subtype", E_SUBTYPE, HOLDS_TEXT, MANY, NULL},
    {0},
};
static const struct grammar11_rule instance[] = {
    SERVICE,
    {"Supported_Query", E_OTHER, HOLDS_ANYTHING, MANY, NULL},
    {"Content_Binding", E_BINDING, HOLDS_ELEMENTS, MANY, binding},
    {"Message", E_MESSAGE, HOLDS_TEXT, MAY, NULL},
    {0},
};
static const struct grammar11_rule discovery[] = {
    HEADERS,
    {"Service_Instance", E_INSTANCE, HOLDS_ELEMENTS, MANY, instance},
    SIGNATURE,
    {0},
};
static const struct grammar11_rule service[] = {SERVICE, {0}};
static const struct grammar11_rule inbox[] = {
    SERVICE,
    {"Content_Binding", E_OTHER, HOLDS_ANYTHING, MANY, NULL},
    {0},
};
static const struct grammar11_rule collection[] = {
    {"Description", E_OTHER, HOLDS_ANYTHING, MUST, NULL},
    {"Collection_Volume", E_OTHER, HOLDS_ANYTHING, MAY, NULL},
    {"Content_Binding", E_BINDING, HOLDS_ELEMENTS, MANY, binding},
    {"Push_Method", E_OTHER, HOLDS_ANYTHING, MANY, NULL},
    {"Polling_Service", E_POLLING, HOLDS_ELEMENTS, MANY, service},
    {"Subscription_Service", E_SUBSCRIBING, HOLDS_ELEMENTS, MANY, service},
    {"Receiving_Inbox_Service", E_INBOX, HOLDS_ELEMENTS, MANY, inbox},
    {0},
};
static const struct grammar11_rule collections[] = {
    HEADERS,
    {"Collection", E_COLLECTION, HOLDS_ELEMENTS, MANY, collection},
    SIGNATURE,
    {0},
};
static const struct grammar11_rule block[] = {
    {"Content_Binding", E_BINDING, HOLDS_ELEMENTS, MUST, binding},
    {"Content", E_CONTENT, HOLDS_CONTENT, MUST, NULL},
    {"Timestamp_Label", E_LABEL, HOLDS_TEXT, MAY, NULL},
    {"Message", E_OTHER, HOLDS_ANYTHING, MAY, NULL},
    {"Padding", E_OTHER, HOLDS_ANYTHING, MAY, NULL},
    SIGNATURE,
    {0},
};
static const struct grammar11_rule poll[] = {
    HEADERS,
    {"Subscription_ID", E_SUBSCRIPTION_ID, HOLDS_TEXT, MAY, NULL},
    {"Exclusive_Begin_Timestamp", E_BEGIN, HOLDS_TEXT, MAY, NULL},
    {"Inclusive_End_Timestamp", E_END, HOLDS_TEXT, MAY, NULL},
    {"Record_Count", E_COUNT, HOLDS_TEXT, MAY, NULL},
    {"Message", E_MESSAGE, HOLDS_TEXT, MAY, NULL},
    {"Content_Block", E_BLOCK, HOLDS_ELEMENTS, MANY, block},
    SIGNATURE,
    {0},
};
static const struct grammar11_rule detail[] = {
    {"Detail", E_DETAIL, HOLDS_MIXED, SOME, NULL},
    {0},
};
static const struct grammar11_rule status[] = {
    HEADERS,
    {"Status_Detail", E_OTHER, HOLDS_ELEMENTS, MAY, detail},
    {"Message", E_MESSAGE, HOLDS_TEXT, MAY, NULL},
    SIGNATURE,
    {0},
};
static const struct grammar11_rule roots[] = {
    {"Discovery_Response", E_DISCOVERY, HOLDS_ELEMENTS, MUST, discovery},
    {"Collection_Information_Response", E_COLLECTIONS, HOLDS_ELEMENTS, MUST, collections},
    {"Poll_Response", E_POLL, HOLDS_ELEMENTS, MUST, poll},
    {"Status_Message", E_STATUS, HOLDS_ELEMENTS, MUST, status},
    {0},
};
/* clang-format on */

const struct grammar11_rule *grammar11_root(const char *local)
{
    for (const struct grammar11_rule *rule = roots; rule->name; rule++)
        if (!strcmp(rule->name, local))
            return rule;
    return NULL;
}

static bool names(const struct grammar11_rule *rule, const struct xml_name *name)
{
    const char *space = strcmp(rule->name, "Signature") ? TAXII11_SPACE : XMLDSIG_SPACE;
    return !strcmp(rule->name, name->local) && !strcmp(space, name->space);
}

static int misplaced(struct xml_reader *reader, const struct grammar11_rule *parent,
                     const struct xml_name *name)
{
    for (const struct grammar11_rule *rule = parent->within; rule->name; rule++)
        if (names(rule, name))
            return xml_refuse(reader, ACCORD_EPROTO,
                              "%s stands where %s does not allow it: out of order, or once too often",
                              rule->name, parent->name);
    return xml_refuse(reader, ACCORD_EPROTO,
                      "%s holds %.60s (namespace \"%.60s\"), which TAXII 1.1 does not know there",
                      parent->name, name->local, name->space);
}

/* Moves on to the rule that the element has; all that are passed over by it need not be there or came. */
static int advance(struct grammar11 *g, struct xml_reader *reader, const struct xml_name *name)
{
    const struct grammar11_rule *parent = g->open[g->depth - 1].rule, *rule = g->open[g->depth - 1].next;
    bool came = g->open[g->depth - 1].came;
    const struct grammar11_rule *missing = NULL;
    for (; rule->name; rule++, came = false) {
        if (names(rule, name) && !(came && !rule->again))
            break;
        if (rule->must && !came && !missing)
            missing = rule;
    }
    if (!rule->name)
        return misplaced(reader, parent, name);
    if (missing)
        return xml_refuse(reader, ACCORD_EPROTO, "%s must stand in %s before %s", missing->name, parent->name,
                          rule->name);
    g->open[g->depth - 1].next = rule;
    g->open[g->depth - 1].came = true;
    return 0;
}

static int open_rule(struct grammar11 *g, struct xml_reader *reader, const struct grammar11_rule *rule)
{
    if (g->depth == GRAMMAR11_DEPTH)
        return xml_refuse(reader, ACCORD_ELIMIT, "elements are nested deeper than %d", GRAMMAR11_DEPTH);
    g->open[g->depth].rule = rule;
    g->open[g->depth].next = rule->within;
    g->open[g->depth++].came = false;
    return 0;
}

int grammar11_start(struct grammar11 *g, struct xml_reader *reader, const struct xml_name *name,
                    const struct grammar11_rule **rule)
{
    *rule = NULL;
    if (!g->depth) {
        *rule = grammar11_root(name->local);
        return *rule ? open_rule(g, reader, *rule) : xml_refuse(reader, ACCORD_EPROTO, "no answer");
    }
    const struct grammar11_rule *here = g->open[g->depth - 1].rule;
    if (g->passing || here->holds == HOLDS_MIXED || here->holds == HOLDS_ANYTHING) {
        g->passing++;
        return 0;
    }
    if (here->holds != HOLDS_ELEMENTS)
        return xml_refuse(reader, ACCORD_EPROTO, "%s holds %.60s where only text may stand", here->name,
                          name->local);
    int error = advance(g, reader, name);
    if (error)
        return error;
    const struct grammar11_rule *found = g->open[g->depth - 1].next;
    error = open_rule(g, reader, found);
    if (!error && found->holds != HOLDS_ANYTHING)
        *rule = found;
    return error;
}

int grammar11_end(struct grammar11 *g, struct xml_reader *reader, const struct grammar11_rule **rule)
{
    *rule = NULL;
    if (g->passing) {
        g->passing--;
        return 0;
    }
    const struct grammar11_rule *here = g->open[g->depth - 1].rule, *next = g->open[g->depth - 1].next;
    bool came = g->open[--g->depth].came;
    for (; here->holds == HOLDS_ELEMENTS && next->name; next++, came = false)
        if (next->must && !came)
            return xml_refuse(reader, ACCORD_EPROTO, "%s ends without %s", here->name, next->name);
    if (here->holds != HOLDS_ANYTHING)
        *rule = here;
    return 0;
}

const struct grammar11_rule *grammar11_here(const struct grammar11 *g)
{
    if (!g->depth || g->open[g->depth - 1].rule->holds == HOLDS_ANYTHING)
        return NULL;
    return g->open[g->depth - 1].rule;
}
