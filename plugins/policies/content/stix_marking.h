/* Data markings of a STIX package: AIS, TLP 1 and ISA, of the whole package or of its parts (AIS-3.3, AIS-3.4a).
 *
 * A Marking of the STIX_Header marks the whole package when its Controlled_Structure selects all of it; every other
 * Marking marks a part. Only what marks the whole package counts as its marking; what is forbidden is forbidden
 * everywhere. The state machine (stix.c) says where it is, the rules stand here.
 */
#ifndef CONTENT_STIX_MARKING_H
#define CONTENT_STIX_MARKING_H

#include "stix.h"
#include "stix_fault.h"
#include "stix_name.h"

enum stix_color { STIX_UNCOLORED, STIX_WHITE, STIX_GREEN, STIX_AMBER, STIX_RED };

enum stix_structure {
    STIX_STRUCTURE_NONE,
    STIX_STRUCTURE_AIS,
    STIX_STRUCTURE_TLP,
    STIX_STRUCTURE_ISA,
    STIX_STRUCTURE_WORDS, /* Simple, Terms_Of_Use: sentences for people */
};

/* A colour and where it stands. */
struct stix_colored {
    enum stix_color color;
    struct stix_spot spot;
};

struct stix_marking {
    const struct stix_options *options;
    struct stix_fault *fault;

    /* The open Marking. */
    bool open, part, ais_handling;
    bool scoped, whole; /* a Controlled_Structure was there; it selects the whole package */
    struct stix_spot spot, scope;
    bool has_ais, has_isa;
    struct stix_colored has_tlp;

    /* The open Marking_Structure, and of an AIS one what stands in it. */
    enum stix_structure structure;
    struct stix_spot structure_spot;
    int choices, consents, colors;
    bool proprietary;
    enum stix_color ais_color;

    /* Of all Markings so far. */
    int ais_count;
    struct stix_spot ais_spot; /* of the first AIS structure, wherever */
    bool isa_whole;
    struct stix_colored ais, tlp, strictest_part;
};

/* <marking:Marking> or, in AISHandling, <AIS:Marking>. */
int stix_marking_open(struct stix_marking *, const struct stix_spot *, bool part, bool ais_handling);
int stix_marking_scope(struct stix_marking *, const struct stix_spot *, const char *xpath);
/* <marking:Marking_Structure> begins; marking.structure says of which kind. */
int stix_marking_structure(struct stix_marking *, const struct xml_element *, const struct stix_type *);
/* An element inside of it; `level` 1: right below. */
int stix_marking_inside(struct stix_marking *, const struct xml_element *, size_t level);
int stix_marking_structure_end(struct stix_marking *);
int stix_marking_close(struct stix_marking *);
/* No more markings of the package can come: is it marked as it must be? */
int stix_marking_settle(struct stix_marking *, const struct stix_spot *);
/* Text of an ISA ControlSet: nothing but unclassified may pass. */
int stix_marking_control_set(struct stix_marking *, const struct stix_spot *, const char *text);

/* stix_scope.c: does an XPath that stands in a Marking of the STIX_Header select the whole package? */
bool stix_scope_is_whole(const char *xpath);

#endif
