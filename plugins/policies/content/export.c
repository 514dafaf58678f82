/* X12 601, the export declaration of AES: each BA1 loop stands in an ST and SE of its own. */
#include "edi_body.h"

struct declaration {
    int64_t shipments;
};
EDI_BODY_STATE(struct declaration);

static int segment(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct declaration *declaration = state;
    if (!edi_is(s, "BA1"))
        return 0;
    return declaration->shipments++
               ? edi_refuse(fault, &s->place, "shipment", "a second shipment (BA1) in one transaction set")
               : 0;
}

static int end(void *state, const struct edi_segment *se, struct edi_fault *fault)
{
    const struct declaration *declaration = state;
    return declaration->shipments ? 0
                                  : edi_refuse(fault, &se->place, "shipment",
                                               "the transaction set ends without a shipment (BA1)");
}

const struct edi_body set_601_body = {.message = "601", .segment = segment, .end = end};
