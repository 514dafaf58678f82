/* The formats of the types that are files of business messages. The first bytes say which syntax a file is in;
 * the options say which of them, and which messages, the agreement takes.
 */
#include <stdio.h>
#include <string.h>

#include "batch.h"
#include "exchange.h"
#include "format.h"
#include "interchange.h"
#include "x12_interchange.h"

enum syntax { UNDECIDED, EDIFACT, X12, RECORDS };

struct exchange {
    struct edi_terms terms;
    struct batch_terms batch_terms;
    bool allow_bom, unique;
    bool takes[RECORDS + 1]; /* the syntaxes of the messages that the agreement takes */
    enum syntax syntax;
    uint8_t head[6]; /* byte order mark and the three bytes that decide */
    size_t held;
    struct edi_fault fault;
    union {
        struct interchange edifact;
        struct x12_interchange x12;
        struct batch batch;
    } reader;
};

static bool has(const struct accord_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], text))
            return true;
    return false;
}

/* "batch" and "camir" are layouts of 80-column records, "315" and "TA1" X12, "CODECO" EDIFACT. */
static enum syntax syntax_of(const char *message)
{
    if (message[0] >= 'a' && message[0] <= 'z')
        return RECORDS;
    return strlen(message) == 3 ? X12 : EDIFACT;
}

const struct exchange_options *exchange_options(const struct validator_options *options, const char *type)
{
    const struct {
        const char *type;
        const struct exchange_options *options;
    } rows[] = {{"stow-plan", &options->stow_plan},
                {"container-status", &options->container_status},
                {"ace-transaction", &options->ace_transaction},
                {"aes-commodity", &options->aes_commodity},
                {"cbp-response", &options->cbp_response}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].type, type))
            return rows[i].options;
    return NULL;
}

static void set_terms(struct exchange *x, const struct exchange_options *own,
                      const struct validator_options *options)
{
    static const char *const plan[] = {"BAPLIE"};
    x->terms = (struct edi_terms){
        .messages = own->messages.count ? own->messages : (struct accord_list){plan, 1},
        .versions = own->versions,
        .senders = own->senders,
        .recipients = own->recipients,
        .groups = options->x12_groups,
        .allow_test = options->allow_test_indicator,
        .allow_indent = options->allow_indent,
        .max_segments = options->max_segments,
    };
    for (size_t i = 0; i < x->terms.messages.count; i++)
        x->takes[syntax_of(x->terms.messages.items[i])] = true;
}

/* AES files as XP and answers as XT, or whatever the options say; elsewhere the other's is out of place. */
static void set_direction(struct batch_terms *terms, const struct validator_case *the_case,
                          const struct exchange_options *own)
{
    static const char *const filing[] = {"XP"}, *const answer[] = {"XT"};
    terms->applications = own->applications;
    terms->wrong_way = (struct accord_list){the_case->incoming ? filing : answer, 1};
    if (!strcmp(the_case->type, "cbp-response"))
        terms->wrong_way = (struct accord_list){filing, 1};
    if (strcmp(the_case->type, "aes-commodity"))
        return;
    terms->applications = the_case->incoming ? own->answers : own->applications;
    terms->wrong_way = the_case->incoming ? own->applications : own->answers;
}

/* False: a list of columns is none; exchange_check() has said so before. */
static bool set_batch_terms(struct exchange *x, const struct validator_case *the_case,
                            const struct exchange_options *own, const struct validator_options *options)
{
    char why[1];
    struct batch_terms *terms = &x->batch_terms;
    terms->batch = has(&own->messages, "batch");
    terms->camir = has(&own->messages, "camir");
    terms->senders = strcmp(the_case->type, "ace-transaction") ? (struct accord_list){0} : own->senders;
    terms->details = options->detail_records;
    terms->max_records = options->max_segments;
    set_direction(terms, the_case, own);
    return columns_read(&own->application_columns, "AB", &terms->application, why, sizeof why) &&
           columns_read(&own->filler, "ABYZ", &terms->filler, why, sizeof why) &&
           columns_read(&own->repeat, "AB", &terms->repeat, why, sizeof why) &&
           columns_read(&options->batch_key, "A", &terms->key, why, sizeof why);
}

static int init(void *state, const struct validator_case *the_case, const struct validator_options *options)
{
    struct exchange *x = state;
    const struct exchange_options *own = exchange_options(options, the_case->type);
    x->allow_bom = options->allow_bom;
    x->unique = has(&options->unique_references, the_case->type);
    set_terms(x, own, options);
    return set_batch_terms(x, the_case, own, options) ? 0 : ACCORD_EINVAL;
}

/* Which syntaxes there may be, for a reason. */
static const char *expected(const struct exchange *x, char *to, size_t room)
{
    static const char *const names[] = {
        [EDIFACT] = "UNA or UNB (EDIFACT)", [X12] = "ISA (X12)", [RECORDS] = "A (80-column records)"};
    size_t used = 0;
    for (size_t i = EDIFACT; i <= RECORDS; i++)
        if (x->takes[i])
            used += (size_t)snprintf(to + used, room - used, "%s%s", used ? ", or " : "", names[i]);
    return to;
}

/* What a file of records begins with is not shown: it may be out of step, and a password. */
static int not_this(struct exchange *x, size_t mark)
{
    char quoted[EDI_QUOTE_MAX], text[4] = {0}, names[96];
    memcpy(text, x->head + mark, 3);
    return edi_refuse_file(&x->fault, "start", "the file begins with %s, expected %s",
                           x->takes[RECORDS] ? "something else" : edi_quote(quoted, text),
                           expected(x, names, sizeof names));
}

static int read_on(struct exchange *x, const uint8_t *bytes, size_t size)
{
    switch (x->syntax) {
    case EDIFACT:
        return interchange_feed(&x->reader.edifact, bytes, size);
    case X12:
        return x12_interchange_feed(&x->reader.x12, bytes, size);
    case RECORDS:
        return batch_feed(&x->reader.batch, bytes, size);
    case UNDECIDED:
        break;
    }
    return 0;
}

/* The first three bytes behind a byte order mark. */
static int decide(struct exchange *x, size_t mark)
{
    const uint8_t *text = x->head + mark;
    enum syntax syntax = UNDECIDED;
    if (!memcmp(text, "UNA", 3) || !memcmp(text, "UNB", 3))
        syntax = EDIFACT;
    else if (!memcmp(text, "ISA", 3))
        syntax = X12;
    else if (text[0] == 'A' && !mark)
        syntax = RECORDS;
    if (!x->takes[syntax])
        return not_this(x, mark);
    x->syntax = syntax;
    if (syntax == EDIFACT)
        interchange_init(&x->reader.edifact, &x->terms, (int64_t)mark);
    else if (syntax == X12)
        x12_interchange_init(&x->reader.x12, &x->terms, (int64_t)mark);
    else
        batch_init(&x->reader.batch, &x->batch_terms);
    return read_on(x, text, 3);
}

static int take_head(struct exchange *x, uint8_t byte)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    char names[96];
    bool marked = (x->held ? x->head[0] : byte) == mark[0];
    if (marked && !x->allow_bom)
        return edi_refuse_file(&x->fault, "bom",
                               "the file begins with a byte order mark, expected %s "
                               "(allow-bom = yes lets it pass)",
                               expected(x, names, sizeof names));
    if (marked && x->held < sizeof mark && byte != mark[x->held])
        return edi_refuse_file(&x->fault, "start", "the file begins with byte 0xef, expected %s",
                               expected(x, names, sizeof names));
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
    return result ? result : read_on(x, bytes, size);
}

static int finish(void *state)
{
    struct exchange *x = state;
    char names[96];
    if (x->syntax == EDIFACT)
        return interchange_finish(&x->reader.edifact);
    if (x->syntax == X12)
        return x12_interchange_finish(&x->reader.x12);
    if (x->syntax == RECORDS)
        return batch_finish(&x->reader.batch);
    if (!x->held)
        return edi_refuse_file(&x->fault, "start", "the file is empty, expected %s",
                               expected(x, names, sizeof names));
    return edi_refuse_file(&x->fault, "start",
                           "the file ends after %zu bytes, before the first segment or record", x->held);
}

static void fault(const void *state, const char **rule, const char **reason)
{
    const struct exchange *x = state;
    const struct edi_fault *const faults[] = {[UNDECIDED] = &x->fault,
                                              [EDIFACT] = &x->reader.edifact.fault,
                                              [X12] = &x->reader.x12.fault,
                                              [RECORDS] = &x->reader.batch.fault};
    *rule = faults[x->syntax]->rule;
    *reason = faults[x->syntax]->reason;
}

static void fini(void *state)
{
    struct exchange *x = state;
    if (x->syntax == EDIFACT)
        interchange_fini(&x->reader.edifact);
    else if (x->syntax == X12)
        x12_interchange_fini(&x->reader.x12);
}

static void key(const void *state, char *to, size_t room)
{
    const struct exchange *x = state;
    *to = 0;
    if (!x->unique)
        return;
    if (x->syntax == EDIFACT)
        interchange_key(&x->reader.edifact, to, room);
    else if (x->syntax == X12)
        x12_interchange_key(&x->reader.x12, to, room);
    else
        batch_key(&x->reader.batch, to, room);
}

static bool check_columns(const char *type, const char *option, const struct accord_list *list,
                          const char *records, bool may_be_secret, char *why, size_t why_size)
{
    struct columns_list read;
    char wrong[200];
    if (!columns_read(list, records, &read, wrong, sizeof wrong)) {
        snprintf(why, why_size, "%s%s: %s", type, option, wrong);
        return false;
    }
    for (size_t i = 0; i < read.count; i++)
        if (!may_be_secret && columns_secret(&read.items[i])) {
            snprintf(why, why_size,
                     "%s%s: columns 9 to 14 of A hold a password, which may not be kept or compared", type,
                     option);
            return false;
        }
    return true;
}

static bool check_groups(const struct accord_list *groups, char *why, size_t why_size)
{
    for (size_t i = 0; i < groups->count; i++)
        if (strlen(groups->items[i]) != 6 || groups->items[i][2] != ':') {
            snprintf(why, why_size, "x12-groups: `%.20s`, expected a group's code and a set, as in QO:315",
                     groups->items[i]);
            return false;
        }
    return true;
}

int exchange_check(const struct validator_options *options, char *why, size_t why_size)
{
    static const char *const types[] = {"ace-transaction", "aes-commodity", "cbp-response"};
    bool good = check_groups(&options->x12_groups, why, why_size) &&
                check_columns("", "batch-key", &options->batch_key, "A", false, why, why_size);
    for (size_t i = 0; good && i < sizeof types / sizeof *types; i++) {
        const struct exchange_options *own = exchange_options(options, types[i]);
        good = check_columns(types[i], "-application-columns", &own->application_columns, "AB", false, why,
                             why_size) &&
               check_columns(types[i], "-filler", &own->filler, "ABYZ", true, why, why_size) &&
               check_columns(types[i], "-repeat", &own->repeat, "AB", false, why, why_size);
    }
    return good ? 0 : ACCORD_EINVAL;
}

#define FORMAT(name)                                                                                         \
    {                                                                                                        \
        .type = (name), .size = sizeof(struct exchange), .init = init, .feed = feed, .finish = finish,       \
        .fault = fault, .key = key, .fini = fini                                                             \
    }
const struct format stow_plan_format = FORMAT("stow-plan");
const struct format container_status_format = FORMAT("container-status");
const struct format ace_transaction_format = FORMAT("ace-transaction");
const struct format aes_commodity_format = FORMAT("aes-commodity");
const struct format cbp_response_format = FORMAT("cbp-response");
