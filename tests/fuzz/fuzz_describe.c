/* What a describing child says: datagrams, each behind its size in two bytes, little-endian. */
#include <stdlib.h>
#include <string.h>

#include "plugin/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct accord_option *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!table[i].name || !table[i].help || (table[i].kind == ACCORD_CHOICE && !table[i].choices))
            abort();
    if (table[count].name)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answers answers;
    struct reason why;
    int more = 1;
    answers_init(&answers);
    for (size_t at = 0; at + 2 <= size && more == 1;) {
        size_t length = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        length = length < size - at ? length : size - at;
        more = answers_take(&answers, (struct wire_bytes){data + at, length}, &why);
        at += length;
    }
    if (more < 0 && (strlen(why.text) == 0 || strlen(answers.rule) == 0))
        abort();
    if (more == 0) {
        if (!answers.sandboxed || !answers.plugin.name[0])
            abort();
        check(answers.plugin.options, answers.option_count[0]);
        check(answers.plugin.service_options, answers.option_count[1]);
    }
    answers_fini(&answers);
    return 0;
}
