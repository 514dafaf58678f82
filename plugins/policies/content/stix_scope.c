/* Controlled_Structure: the XPath that says what a Marking marks. Not evaluated but recognised: only forms that are
 * known to select every node of the package count. Seen in packages: "//node() | //@*" (the AIS schema, the AIS feed),
 * "//node()" (CISA's editor), "../../../../descendant-or-self::node()" (from Controlled_Structure over Marking,
 * Handling and STIX_Header to the package). One step less is the header alone.
 */
#include <string.h>

#include "stix_marking.h"

#define STEPS_TO_PACKAGE 4

/* Of the term [at, end), blanks left out, what is compared; false: too long to be a known form. */
static bool squeeze(char *to, size_t room, const char *at, const char *end)
{
    size_t used = 0;
    for (; at < end; at++)
        if (!strchr(" \t\r\n", *at)) {
            if (used + 1 == room)
                return false;
            to[used++] = *at;
        }
    to[used] = 0;
    return true;
}

enum selects { UNKNOWN, ATTRIBUTES, NODES };

static enum selects relative(const char *term)
{
    int steps = 0;
    if (!strncmp(term, "./", 2))
        term += 2;
    for (; !strncmp(term, "../", 3); term += 3)
        steps++;
    if (steps != STEPS_TO_PACKAGE && steps != STEPS_TO_PACKAGE + 1)
        return UNKNOWN;
    if (!strcmp(term, "descendant-or-self::node()"))
        return NODES;
    return strcmp(term, "descendant-or-self::node()/@*") ? UNKNOWN : ATTRIBUTES;
}

static enum selects selects(const char *term)
{
    static const char *const nodes[] = {"//node()", "/descendant-or-self::node()", "/descendant::node()"};
    static const char *const attributes[] = {"//@*", "//node()/@*", "/descendant-or-self::node()/@*",
                                             "//attribute::*"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (!strcmp(term, nodes[i]))
            return NODES;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (!strcmp(term, attributes[i]))
            return ATTRIBUTES;
    return relative(term);
}

bool stix_scope_is_whole(const char *xpath)
{
    bool whole = false;
    for (const char *end;; xpath = end + 1) {
        char term[96];
        end = xpath + strcspn(xpath, "|");
        enum selects what = squeeze(term, sizeof term, xpath, end) ? selects(term) : UNKNOWN;
        if (what == UNKNOWN)
            return false;
        whole = whole || what == NODES;
        if (!*end)
            return whole;
    }
}
