#include "edi_body.h"

#include <string.h>

static int count_segment(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    (void)s;
    (void)fault;
    *(bool *)state = true;
    return 0;
}

static int end_any(void *state, const struct edi_segment *trailer, struct edi_fault *fault)
{
    if (*(bool *)state)
        return 0;
    return edi_refuse(fault, &trailer->place, "empty", "the message has nothing between header and trailer");
}

static const struct edi_body any_body = {.message = "", .segment = count_segment, .end = end_any};

const struct edi_body *edi_body(const char *message)
{
    static const struct edi_body *const bodies[] = {&baplie_body,  &set_315_body, &set_322_body, &codeco_body,
                                                    &coarri_body,  &iftsta_body,  &cusres_body,  &contrl_body,
                                                    &set_997_body, &set_999_body, &set_601_body};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        if (!strcmp(bodies[i]->message, message))
            return bodies[i];
    return &any_body;
}
