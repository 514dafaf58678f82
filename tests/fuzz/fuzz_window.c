/* The times of a maintenance window, as somebody may write them: items at line ends. Each item that is read covers
 * something, and reading is the same twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policies/window/spans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool covers_something(const struct spans *spans)
{
    for (size_t minute = 0; minute < SPANS_WEEK; minute++)
        if (spans->week[minute] > spans->items->count)
            abort();
    for (size_t i = 0; i < spans->once_count; i++)
        if (spans->once[i].from >= spans->once[i].until || !spans_at(spans, spans->once[i].from))
            abort();
    return spans->once_count || memchr(spans->week, 1, sizeof spans->week);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spans spans, again;
    const char *items[SPANS_MAX + 2];
    char *text = calloc(1, size + 1), *rest, why[512] = "";
    struct accord_list list = {items, 0};
    if (size)
        memcpy(text, data, size);
    for (char *at = strtok_r(text, "\n", &rest); at && list.count < SPANS_MAX + 2;
         at = strtok_r(NULL, "\n", &rest))
        items[list.count++] = at;
    int result = spans_parse(&spans, "closed", &list, why, sizeof why);
    if (result != spans_parse(&again, "closed", &list, why, sizeof why) || (result && !*why))
        abort();
    if (!result && list.count && !covers_something(&spans))
        abort();
    free(text);
    return 0;
}
