/* What a describing child says: datagrams, each behind its size in two bytes, little-endian. */
#include <stdlib.h>
#include <string.h>

#include "plugin/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct accord_option *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!table[i].name || !table[i].help || (table[i].kind == ACCORD_CHOICE && !table[i].choices))
            abort();
    if (table[count].name)
        abort();
}

/* What was understood is understood again from the cache, and not when a byte of it has changed. */
static void check_kept(const struct answers *first, const struct buf *said)
{
    struct buf file = {0};
    struct answers again;
    answers_init(&again);
    if (!cache_encode(said, &file) || !cache_decode(file.data, file.size, &again) ||
        strcmp(again.plugin.name, first->plugin.name) != 0 || again.option_count[0] != first->option_count[0])
        abort();
    answers_fini(&again);
    answers_init(&again);
    file.data[file.size - 1] ^= 1;
    if (cache_decode(file.data, file.size, &again))
        abort();
    answers_fini(&again);
    buf_fini(&file);
}

/* A file of the cache as whoever could write there left it. */
static void take_file(const uint8_t *data, size_t size)
{
    struct answers answers;
    answers_init(&answers);
    if (cache_decode(data, size, &answers) && !answers.plugin.name[0])
        abort();
    answers_fini(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answers answers;
    struct buf said = {0};
    take_file(data, size);
    struct reason why;
    int more = 1;
    answers_init(&answers);
    for (size_t at = 0; at + 2 <= size && more == 1;) {
        size_t length = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        length = length < size - at ? length : size - at;
        struct wire_bytes datagram = {data + at, length};
        cache_add(&said, datagram);
        more = answers_take(&answers, datagram, &why);
        at += length;
    }
    if (more < 0 && (strlen(why.text) == 0 || strlen(answers.rule) == 0))
        abort();
    if (more == 0) {
        if (!answers.sandboxed || !answers.plugin.name[0])
            abort();
        check(answers.plugin.options, answers.option_count[0]);
        check(answers.plugin.service_options, answers.option_count[1]);
        check_kept(&answers, &said);
    }
    buf_fini(&said);
    answers_fini(&answers);
    return 0;
}
