/* BAPLIE, the bay plan of a vessel: the least that a stow plan must say to be one (19 CFR 4.7c(b) and (c)):
 * voyage and vessel; for each stow position with a container its number, size and type, port of lading, port
 * of discharge and operator. SMDG 1.5 (911) names the ports with LOC 6 and 12, 2.x (D.95B and later) with 9
 * and 11. A position without equipment is an empty slot and may name no ports.
 */
#ifndef CONTENT_BAPLIE_H
#define CONTENT_BAPLIE_H

#include "edi_body.h"

struct baplie {
    bool old; /* 1.5: LOC 6 and 12 */
    char version[24];
    bool voyage; /* TDT+20 seen, with voyage and vessel */
    int64_t slots, containers;

    /* The open LOC+147 group. */
    bool in_slot;
    struct edi_place slot;
    char position[EDI_QUOTE_MAX];
    bool equipment, loading, discharge, operator, pieces; /* pieces: GID, break bulk without equipment */
    char other_port[4]; /* qualifier of the other version's port, "" when none was seen */
};

#endif
