/* TAXII 1.1 answers over any bytes: whole, and in pieces whose size the last byte says; both must end the same, and where
 * they end well tell the same. The request's id is "1". */
#include <stdlib.h>
#include <string.h>

#include "connectors/taxii/answer.h"
#include "seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t hash;
    int polls, blocks, open, statuses;
};

static void see_text(struct told *told, const char *text, size_t room)
{
    size_t size = strlen(text);
    if (size >= room)
        abort();
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20)
            abort();
    see(&told->hash, text, size + 1);
}

static void see_list(struct told *told, const char *const *items, size_t count)
{
    if (count > ANSWER_ITEMS)
        abort();
    for (size_t i = 0; i < count; i++)
        see_text(told, items[i], ANSWER_TEXT);
}

static int on_instance(void *arg, const struct answer_instance *i)
{
    see_text(arg, i->service, ANSWER_TEXT);
    see_text(arg, i->address, ANSWER_TEXT);
    see_text(arg, i->message, ANSWER_MESSAGE);
    see_list(arg, i->message_bindings, i->message_binding_count);
    see_list(arg, i->bindings, i->binding_count);
    return 0;
}

static int on_collection(void *arg, const struct answer_collection *c)
{
    see_text(arg, c->name, ANSWER_TEXT);
    see_text(arg, c->poll_address, ANSWER_TEXT);
    see_text(arg, c->inbox_address, ANSWER_TEXT);
    see_list(arg, c->bindings, c->binding_count);
    return 0;
}

static int on_poll(void *arg, const struct answer_poll *p)
{
    struct told *told = arg;
    if (told->polls++ || told->blocks || p->part < 1 || p->count < -1 || (p->more && !*p->result_id))
        abort();
    see_text(told, p->collection, ANSWER_TEXT);
    see_text(told, p->end, ANSWER_TEXT);
    see_text(told, p->message, ANSWER_MESSAGE);
    return 0;
}

static int on_block(void *arg, const struct answer_block *b)
{
    struct told *told = arg;
    if (!told->polls || told->open++ || b->number != ++told->blocks)
        abort();
    see_text(told, b->binding, ANSWER_TEXT);
    see_text(told, b->subtype, ANSWER_TEXT);
    return 0;
}

static int on_content(void *arg, const uint8_t *bytes, size_t size)
{
    struct told *told = arg;
    if (!told->open || !size)
        abort();
    see(&told->hash, bytes, size);
    return 0;
}

static int on_block_end(void *arg, const char *label)
{
    struct told *told = arg;
    if (--told->open)
        abort();
    see_text(told, label, ANSWER_TEXT);
    return 0;
}

static int on_status(void *arg, const struct answer_status *s)
{
    struct told *told = arg;
    if (told->statuses++ || !*s->type || s->detail_count > ANSWER_ITEMS)
        abort();
    see_text(told, s->type, ANSWER_TEXT);
    see_text(told, s->message, ANSWER_MESSAGE);
    for (size_t i = 0; i < s->detail_count; i++) {
        see_text(told, s->details[i].name, ANSWER_TEXT);
        see_text(told, s->details[i].value, ANSWER_TEXT);
    }
    return 0;
}

static int run(const uint8_t *data, size_t size, size_t piece, struct told *told)
{
    static const struct answer_events events = {on_instance, on_collection, on_poll,  on_block,
                                                on_content,  on_block_end,  on_status};
    struct answer *answer = answer_new("1", 100000, &events, told);
    int error = 0;
    for (size_t at = 0; answer && at < size && !error; at += piece)
        error = answer_feed(answer, data + at, piece < size - at ? piece : size - at);
    if (answer && told->statuses)
        abort();
    if (answer && !error)
        error = answer_finish(answer);
    if (!answer || error > 0 || !error != !*answer_why(answer))
        abort();
    if (!error &&
        (answer_kind(answer) == ANSWER_NONE || (answer_kind(answer) == ANSWER_STATUS) != told->statuses))
        abort();
    answer_free(answer);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole = {0}, cut = {0};
    int error = run(data, size, size ? size : 1, &whole);
    if (run(data, size, size ? data[size - 1] % 16 + 1U : 1, &cut) != error)
        abort();
    if (!error && whole.hash != cut.hash)
        abort();
    return 0;
}
