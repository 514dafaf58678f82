/* X12 as a container status message, as export data or as a response, over any bytes. */
#include "validator_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"container-status", "aes-commodity", "cbp-response"};
    static const struct accord_pair written[] = {{"container-status-messages", "214, 301, 304, 315, 322"},
                                                 {"max-segments", "1000"},
                                                 {"allow-bom", "yes"},
                                                 {"allow-test-indicator", "yes"}};
    const struct validator_options *options = validator_cut_options(written, 4);
    for (size_t i = 0; i < 3; i++)
        validator_cut(&(struct validator_case){.type = types[i]}, options, data, size,
                      size ? data[size - 1] % size : 0);
    return 0;
}
