#include "batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REFUSE(b, r, ...) edi_refuse(&(b)->fault, &(r)->place, __VA_ARGS__)

static size_t width(const struct columns *c)
{
    return (size_t)(c->last - c->first + 1);
}

/* Columns without the spaces behind them. */
static void cut(const char *record, const struct columns *c, char to[COLUMNS_OF_RECORD + 1])
{
    size_t size = width(c);
    memcpy(to, record + c->first - 1, size);
    while (size && to[size - 1] == ' ')
        size--;
    to[size] = 0;
}

static bool has(const struct accord_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], text))
            return true;
    return false;
}

/* Rule 8: CBP's "DATA FOUND IN FILLER". */
static int check_filler(struct batch *b, const struct record80 *r)
{
    for (size_t i = 0; i < b->terms->filler.count; i++) {
        const struct columns *c = &b->terms->filler.items[i];
        size_t blank = strspn(r->text + c->first - 1, " ");
        if (c->record == r->text[0] && blank < width(c))
            return REFUSE(b, r, "filler", "column %zu is not blank: columns %d to %d of %c are filler",
                          c->first + blank, c->first, c->last, c->record);
    }
    return 0;
}

/* Rules 6 and 7. The identifier of A is not shown: one that is a column off may be a piece of the password. */
static int check_application(struct batch *b, const struct record80 *r)
{
    const struct batch_terms *terms = b->terms;
    char quoted[EDI_QUOTE_MAX] = "";
    for (size_t i = 0; i < terms->application.count; i++) {
        const struct columns *c = &terms->application.items[i];
        if (c->record != r->text[0])
            continue;
        cut(r->text, c, b->application);
        if (*r->text != 'A')
            edi_quote(quoted, b->application);
        if (has(&terms->wrong_way, b->application))
            return REFUSE(b, r, "direction",
                          "the application identifier %s%sin columns %d to %d belongs to the other direction",
                          quoted, *quoted ? " " : "", c->first, c->last);
        if (terms->applications.count && !has(&terms->applications, b->application))
            return REFUSE(b, r, "application",
                          "the application identifier %s%sin columns %d to %d is not on the agreement's list",
                          quoted, *quoted ? " " : "", c->first, c->last);
    }
    return 0;
}

/* Rule 9: what Z repeats of A, and Y of B. */
static int check_repeat(struct batch *b, const struct record80 *r, char opener, const char *first)
{
    for (size_t i = 0; i < b->terms->repeat.count; i++) {
        const struct columns *c = &b->terms->repeat.items[i];
        if (c->record == opener && memcmp(first + c->first - 1, r->text + c->first - 1, width(c)))
            return REFUSE(b, r, "repeat", "columns %d to %d differ from those of the %c that it ends",
                          c->first, c->last, opener);
    }
    return 0;
}

static int check_sender(struct batch *b, const struct record80 *r)
{
    static const struct columns site = {'A', 2, 8};
    char sender[COLUMNS_OF_RECORD + 1];
    cut(r->text, &site, sender);
    return !b->terms->senders.count || has(&b->terms->senders, sender)
               ? 0
               : REFUSE(b, r, "sender",
                        "the sender in columns 2 to 8 (site and id) is not on the agreement's list");
}

static int open_batch(struct batch *b, const struct record80 *r)
{
    memcpy(b->batch, r->text, sizeof b->batch);
    memset(b->batch + 8, ' ', 6); /* the password */
    int result = check_sender(b, r);
    return result ? result : check_application(b, r);
}

static int open_block(struct batch *b, const struct record80 *r)
{
    if (b->in_block)
        return REFUSE(b, r, "block", "a block begins, but the one of record %" PRId64 " has not ended (no Y)",
                      b->block.number);
    b->in_block = true;
    b->shipment = false;
    b->block = r->place;
    memcpy(b->opener, r->text, sizeof b->opener);
    return check_application(b, r);
}

/* Rule 5: a block of XP files at least one shipment. */
static int close_block(struct batch *b, const struct record80 *r)
{
    if (!b->in_block)
        return REFUSE(b, r, "block", "ends a block that was not begun (no B)");
    b->in_block = false;
    if (!strcmp(b->application, "XP") && !b->shipment)
        return REFUSE(b, r, "shipment", "the block of record %" PRId64 " is an XP without a shipment (SC1)",
                      b->block.number);
    return check_repeat(b, r, 'B', b->opener);
}

static int close_batch(struct batch *b, const struct record80 *r)
{
    if (b->in_block)
        return REFUSE(b, r, "block", "the batch ends, but the block of record %" PRId64 " has not (no Y)",
                      b->block.number);
    b->ended = true;
    return check_repeat(b, r, 'A', b->batch);
}

static int take_detail(struct batch *b, const struct record80 *r)
{
    if (!b->in_block)
        return REFUSE(b, r, "outside", "stands outside of a block (between B and Y)");
    b->shipment = b->shipment || !strncmp(r->text, "SC1", 3);
    return 0;
}

static bool is_detail(const struct batch *b, const struct record80 *r)
{
    const struct accord_list *details = &b->terms->details;
    if (!strchr("ABYZ", r->text[0]))
        return true;
    for (size_t i = 0; b->in_block && i < details->count; i++)
        if (!strncmp(r->text, details->items[i], strlen(details->items[i])))
            return true;
    return false;
}

static int take_control(struct batch *b, struct record80 *r)
{
    r->place.tag[0] = r->text[0];
    r->place.tag[1] = 0;
    int result = check_filler(b, r);
    if (result)
        return result;
    if (r->text[0] == 'B')
        return open_block(b, r);
    if (r->text[0] == 'Y')
        return close_block(b, r);
    if (r->text[0] == 'Z')
        return close_batch(b, r);
    return r->place.number == 1
               ? open_batch(b, r)
               : REFUSE(b, r, "block", "a second batch begins (A), but one file holds one batch");
}

/* CAMIR: each record begins with an identifier of three letters or digits; the first with ACR. */
static int take_camir(struct batch *b, struct record80 *r)
{
    if (strspn(r->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") < 3)
        return REFUSE(b, r, "identifier", "begins with no identifier of three capital letters or digits");
    return 0;
}

/* Rule 3: A or ACR first. The agreement says which layouts there may be, so an ABI site CR.. is no ACR. */
static int take_first(struct batch *b, struct record80 *r)
{
    b->camir = b->terms->camir && !strncmp(r->text, "ACR", 3);
    if (b->camir)
        return 0;
    if (!b->terms->batch || r->text[0] != 'A')
        return REFUSE(
            b, r, "first-record", "the first record is no %s%s%s", b->terms->batch ? "A (of a batch)" : "",
            b->terms->batch && b->terms->camir ? " and no " : "", b->terms->camir ? "ACR (of CAMIR)" : "");
    return take_control(b, r);
}

static int take(void *arg, struct record80 *r, struct edi_fault *fault)
{
    struct batch *b = arg;
    (void)fault; /* the same as b->fault */
    if (r->place.number == 1)
        return take_first(b, r);
    if (b->camir)
        return take_camir(b, r);
    if (b->ended)
        return REFUSE(b, r, "trailing", "stands behind the end of the batch (Z): one file holds one batch");
    return is_detail(b, r) ? take_detail(b, r) : take_control(b, r);
}

void batch_init(struct batch *b, const struct batch_terms *terms)
{
    b->terms = terms;
    records80_init(&b->records, terms->max_records, take, b);
}

int batch_feed(struct batch *b, const uint8_t *bytes, size_t size)
{
    return records80_feed(&b->records, bytes, size, &b->fault);
}

int batch_finish(struct batch *b)
{
    int result = records80_finish(&b->records, &b->fault);
    if (result)
        return result;
    if (b->camir && b->records.record.place.number < 2)
        return REFUSE(b, &b->records.record, "empty", "the file ends here, with nothing behind ACR");
    if (!b->camir && !b->ended)
        return REFUSE(b, &b->records.record, "last-record",
                      "the file ends here, without the end of the batch (Z)");
    return 0;
}

void batch_key(const struct batch *b, char *to, size_t room)
{
    char part[COLUMNS_OF_RECORD + 1];
    size_t used = 0;
    *to = 0;
    for (size_t i = 0; !b->camir && i < b->terms->key.count && used < room; i++) {
        cut(b->batch, &b->terms->key.items[i], part);
        used += (size_t)snprintf(to + used, room - used, "%s:%s", i ? "" : "batch", part);
    }
}
