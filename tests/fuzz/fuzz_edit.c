/* One key of a file's text changed: the rest stays, and doing it again changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "conf/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is not common to both, in the middle of the longer one, is no more than the line that was meant. */
static void check_rest(const uint8_t *from, size_t size, const struct buf *to)
{
    size_t least = size < to->size ? size : to->size, front = 0, back = 0;
    while (front < least && from[front] == to->data[front])
        front++;
    while (back < least - front && from[size - 1 - back] == to->data[to->size - 1 - back])
        back++;
    for (size_t i = front; i < size - back; i++)
        if (from[i] == '\n')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = {0}, twice = {0};
    struct reason why = {""};
    int result = conf_edit(data, size, "agreement", "enabled", "yes", &once, &why);
    if (result && (once.size || !why.text[0]))
        abort();
    if (!result) {
        check_rest(data, size, &once);
        if (conf_edit(once.data, once.size, "agreement", "enabled", "yes", &twice, &why) || once.size != twice.size ||
            memcmp(once.data, twice.data, once.size) != 0)
            abort();
    }
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
