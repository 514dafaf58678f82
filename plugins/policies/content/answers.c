/* Answers: that one names what it answers, and says how. CUSRES and CONTRL; X12 997 and 999. What CBP asks of
 * more is not published; what stands here is what the standards ask of each.
 */
#include <string.h>

#include "edi_body.h"
#include "edi_terms.h"

struct answer {
    bool opened, said;
};
EDI_BODY_STATE(struct answer);

/* BGM begins it. */
static int segment_cusres(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct answer *answer = state;
    (void)fault;
    if (edi_is(s, "BGM"))
        answer->opened = true;
    return 0;
}

static int end_cusres(void *state, const struct edi_segment *unt, struct edi_fault *fault)
{
    const struct answer *answer = state;
    return answer->opened ? 0
                          : edi_refuse(fault, &unt->place, "answer",
                                       "the message ends without the segment that names it (BGM)");
}

/* UCI: 0020 of the interchange that is answered, its parties, 0083 the action (ISO 9735-4). */
static int segment_contrl(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct answer *answer = state;
    if (!edi_is(s, "UCI"))
        return 0;
    if (!*edi_get(s, 1, 0) || !*edi_get(s, 4, 0))
        return edi_refuse(fault, &s->place, "answer",
                          "no reference of the interchange that is answered (0020), or no action (0083)");
    answer->opened = true;
    return 0;
}

static int end_contrl(void *state, const struct edi_segment *unt, struct edi_fault *fault)
{
    const struct answer *answer = state;
    return answer->opened ? 0
                          : edi_refuse(fault, &unt->place, "answer",
                                       "the message ends without an answer to an interchange (UCI)");
}

/* AK1: AK101 and AK102 of the group that is answered. AK9: AK901 the verdict. */
static int segment_ack(void *state, const struct edi_segment *s, struct edi_fault *fault)
{
    struct answer *answer = state;
    char quoted[EDI_QUOTE_MAX];
    if (edi_is(s, "AK1")) {
        answer->opened = true;
        return *edi_get(s, 1, 0) && edi_digits(edi_get(s, 2, 0), 1, 9)
                   ? 0
                   : edi_refuse(fault, &s->place, "answer",
                                "no code and control number of the group that is answered (AK101, AK102)");
    }
    if (!edi_is(s, "AK9"))
        return 0;
    const char *code = edi_get(s, 1, 0);
    answer->said = true;
    return strlen(code) == 1 && strchr("AEMPRWX", code[0])
               ? 0
               : edi_refuse(fault, &s->place, "answer",
                            "the verdict is %s (AK901), expected A, E, M, P, R, W or X",
                            edi_quote(quoted, code));
}

static int end_ack(void *state, const struct edi_segment *se, struct edi_fault *fault)
{
    const struct answer *answer = state;
    if (answer->opened && answer->said)
        return 0;
    return edi_refuse(fault, &se->place, "answer", "the message ends without %s",
                      answer->opened ? "a verdict (AK9)" : "the group that it answers (AK1)");
}

const struct edi_body cusres_body = {.message = "CUSRES", .segment = segment_cusres, .end = end_cusres};
const struct edi_body contrl_body = {.message = "CONTRL", .segment = segment_contrl, .end = end_contrl};
const struct edi_body set_997_body = {.message = "997", .segment = segment_ack, .end = end_ack};
const struct edi_body set_999_body = {.message = "999", .segment = segment_ack, .end = end_ack};
