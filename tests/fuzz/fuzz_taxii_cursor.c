/* The cursor of a feed, which comes from the store, and timestamps of a partner: what is read is written in the same words,
 * and no address of a partner is taken for one of ours that is not. */
#include "connectors/taxii/position.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct position position;
    char again[ACCORD_CURSOR_MAX], stamped[STAMP_TEXT], *text = malloc(size + 1);
    int64_t stamp, other;
    memcpy(text, data, size);
    text[size] = '\0';
    if (position_read(&position, text) && (!position_write(&position, again) || strcmp(again, text) != 0))
        abort();
    if (stamp_read(text, &stamp) && (!stamp_read(stamp_write(stamp, stamped), &other) || other != stamp))
        abort();
    memset(&position, 0, sizeof position);
    position.begin = INT64_C(1000000000000000);
    position.end = position.begin + INT64_C(3600000000);
    position.part = 1;
    position_next_window(&position, text, position.end);
    if (position.begin <= INT64_C(1000000000000000) ||
        position.begin > INT64_C(1000000000000000) + INT64_C(3600000000))
        abort();
    free(text);
    return 0;
}
