/* The STIX 1 validator over any bytes, as an agreement for AIS has it, with everything asked for. */
#include "validator_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct accord_pair written[] = {{"require-identity", "yes"}, {"stix-max-size", "64 KiB"}};
    const struct validator_options *options = validator_cut_options(written, 2);
    validator_cut(&(struct validator_case){.type = "stix-1", .incoming = size % 2, .now = 1769947200000000},
                  options, data, size, size ? data[size - 1] * size / 256 : 0);
    return 0;
}
