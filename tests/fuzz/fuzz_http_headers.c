/* What the taxii connector reads of an answer's header fields itself: Retry-After and Content-Type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/taxii/http.h"
#include "connectors/taxii/http_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t nows[] = {0, INT64_C(784111777000000), INT64_C(1767225600000000), INT64_MAX};
    char *text = calloc(1, size + 1);
    if (size)
        memcpy(text, data, size);
    for (size_t i = 0; i < sizeof nows / sizeof *nows; i++) {
        int64_t wait = http_retry_after(text, nows[i]);
        if (wait < 0 || wait > HTTP_WAIT_MAX)
            abort();
    }
    if (http_date(text) < -1)
        abort();
    if (http_is_type(text, "application/xml") && http_is_type(text, "text/html"))
        abort();
    free(text);
    return 0;
}
