/* The formats of the types that are files of business messages. The first bytes say which syntax a file is in;
 * the options say which of them, and which messages, the agreement takes.
 */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "interchange.h"

enum syntax { UNDECIDED, EDIFACT };

struct exchange {
    struct edi_terms terms;
    bool allow_bom;
    enum syntax syntax;
    uint8_t head[6]; /* byte order mark and the three bytes that decide */
    size_t held;
    struct edi_fault fault;
    union {
        struct interchange edifact;
    } reader;
};

static int init(void *state, const struct validator_case *the_case, const struct validator_options *options)
{
    static const char *const stow_plan[] = {"BAPLIE"};
    struct exchange *x = state;
    const struct exchange_options *own = &options->stow_plan;
    (void)the_case;
    x->allow_bom = options->allow_bom;
    x->terms = (struct edi_terms){
        .messages = {stow_plan, 1},
        .versions = own->versions,
        .senders = own->senders,
        .recipients = own->recipients,
        .allow_test = options->allow_test_indicator,
        .max_segments = options->max_segments,
    };
    return 0;
}

/* The first three bytes behind a byte order mark: UNA, UNB, or not a file of this type. */
static int decide(struct exchange *x, size_t mark)
{
    char quoted[EDI_QUOTE_MAX], text[4] = {0};
    memcpy(text, x->head + mark, 3);
    if (memcmp(text, "UNA", 3) && memcmp(text, "UNB", 3))
        return edi_refuse_file(&x->fault, "start",
                               "the file begins with %s, expected UNA or UNB: not an EDIFACT interchange",
                               edi_quote(quoted, text));
    x->syntax = EDIFACT;
    interchange_init(&x->reader.edifact, &x->terms, (int64_t)mark);
    return interchange_feed(&x->reader.edifact, x->head + mark, 3);
}

static int take_head(struct exchange *x, uint8_t byte)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    bool marked = (x->held ? x->head[0] : byte) == mark[0];
    if (marked && !x->allow_bom)
        return edi_refuse_file(&x->fault, "bom",
                               "the file begins with a byte order mark, which is no part of such a file "
                               "(allow-bom = yes lets it pass)");
    if (marked && x->held < sizeof mark && byte != mark[x->held])
        return edi_refuse_file(&x->fault, "start", "the file begins with byte 0xef, expected UNA or UNB");
    x->head[x->held++] = byte;
    return x->held == (marked ? sizeof x->head : 3) ? decide(x, marked ? sizeof mark : 0) : 0;
}

static int feed(void *state, const uint8_t *bytes, size_t size)
{
    struct exchange *x = state;
    int result = 0;
    while (!result && x->syntax == UNDECIDED && size) {
        result = take_head(x, *bytes++);
        size--;
    }
    if (!result && x->syntax == EDIFACT)
        result = interchange_feed(&x->reader.edifact, bytes, size);
    return result;
}

static int finish(void *state)
{
    struct exchange *x = state;
    if (x->syntax == EDIFACT)
        return interchange_finish(&x->reader.edifact);
    if (!x->held)
        return edi_refuse_file(&x->fault, "start", "the file is empty");
    return edi_refuse_file(&x->fault, "start",
                           "the file ends after %zu bytes, before the first segment or record", x->held);
}

static void fault(const void *state, const char **rule, const char **reason)
{
    const struct exchange *x = state;
    const struct edi_fault *found = x->syntax == EDIFACT ? &x->reader.edifact.fault : &x->fault;
    *rule = found->rule;
    *reason = found->reason;
}

static void key(const void *state, char *to, size_t room)
{
    const struct exchange *x = state;
    interchange_key(&x->reader.edifact, to, room);
}

const struct format stow_plan_format = {
    .type = "stow-plan",
    .size = sizeof(struct exchange),
    .init = init,
    .feed = feed,
    .finish = finish,
    .fault = fault,
    .key = key,
};
