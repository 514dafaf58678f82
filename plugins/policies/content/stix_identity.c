#include "stix_identity.h"

#include <stdio.h>
#include <string.h>

#include "stix_name.h"
#include "stix_word.h"

/* As the AIS marking schema names them. */
static const char *const sectors[] = {
    "Chemical Sector",
    "Commercial Facilities Sector",
    "Communications Sector",
    "Critical Manufacturing Sector",
    "Dams Sector",
    "Defense Industrial Base Sector",
    "Emergency Services Sector",
    "Energy Sector",
    "Financial Services Sector",
    "Food and Agriculture Sector",
    "Government Facilities Sector",
    "Healthcare and Public Health Sector",
    "Information Technology Sector",
    "Nuclear Reactors, Materials, and Waste Sector",
    "Transportation Systems Sector",
    "Water and Wastewater Systems Sector",
    "Other",
};

void stix_identity_open(struct stix_identity *i)
{
    i->organisation_depth = i->country_depth = i->area_depth = 0;
    i->organisation = i->country = i->area = i->sector = false;
}

static bool is_sector(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof sectors / sizeof *sectors; i++)
        if (strlen(sectors[i]) == size && !strncmp(sectors[i], name, size))
            return true;
    return false;
}

/* "Energy Sector|Dams Sector" */
static bool are_sectors(const char *list)
{
    for (;;) {
        list += strspn(list, " \t\r\n");
        size_t size = strcspn(list, "|"), bare = size;
        while (bare && strchr(" \t\r\n", list[bare - 1]))
            bare--;
        if (!is_sector(list, bare))
            return false;
        if (!list[size])
            return true;
        list += size + 1;
    }
}

static void take_code(struct stix_identity *i, const struct xml_element *e)
{
    const char *code = stix_attribute(e, STIX_NS_XAL, "NameCode");
    bool said = code && *code;
    i->country = i->country || (said && i->country_depth);
    i->area = i->area || (said && i->area_depth);
}

static void take_info(struct stix_identity *i, const struct xml_element *e)
{
    const char *types = stix_attribute(e, STIX_NS_XPIL, "IndustryType");
    i->sector = i->sector || (types && are_sectors(types));
}

bool stix_identity_start(struct stix_identity *i, const struct xml_element *e)
{
    switch (stix_known(&e->name)) {
    case STIX_NAME_ORGANISATION:
        i->organisation_depth = e->depth;
        return false;
    case STIX_NAME_COUNTRY:
        i->country_depth = e->depth;
        return false;
    case STIX_NAME_AREA:
        i->area_depth = e->depth;
        return false;
    case STIX_NAME_PLACE_NAME:
        take_code(i, e);
        return false;
    case STIX_NAME_ORGANISATION_INFO:
        take_info(i, e);
        return false;
    case STIX_NAME_ORGANISATION_NAME:
        return i->organisation_depth;
    default:
        return false;
    }
}

void stix_identity_name(struct stix_identity *i, const char *text)
{
    i->organisation = i->organisation || text[strspn(text, " \t\r\n")];
}

void stix_identity_end(struct stix_identity *i, size_t depth)
{
    size_t *const open[] = {&i->organisation_depth, &i->country_depth, &i->area_depth};
    for (size_t n = 0; n < 3; n++)
        if (*open[n] == depth)
            *open[n] = 0;
}

void stix_identity_close(struct stix_identity *i)
{
    const bool has[4] = {i->organisation, i->country, i->area, i->sector};
    int count = has[0] + has[1] + has[2] + has[3];
    i->complete = i->complete || count == 4;
    if (count > i->best_count) {
        i->best_count = count;
        memcpy(i->best, has, sizeof has);
    }
}

int stix_identity_settle(const struct stix_identity *i, const struct stix_spot *spot,
                         struct stix_fault *fault)
{
    static const char *const names[] = {"the organisation (xnl:OrganisationName/xnl:NameElement)",
                                        "its country (xal:Country/xal:NameElement/@xal:NameCode)",
                                        "its administrative area (xal:NameElement/@xal:NameCode)",
                                        "its sector (xpil:OrganisationInfo/@xpil:IndustryType)"};
    char missing[280] = "";
    size_t used = 0;
    if (i->complete)
        return 0;
    for (size_t n = 0; n < 4; n++)
        if (!i->best[n])
            used +=
                (size_t)snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "", names[n]);
    return stix_refuse(fault, spot, "identity",
                       "the Information_Source of the marking or of the header does not name %s", missing);
}
