/* 80-column records as ACE transactions, as export data or as responses, both ways, over any bytes. */
#include "validator_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"ace-transaction", "aes-commodity", "cbp-response"};
    static const struct accord_pair written[] = {{"ace-transaction-repeat", "A:2-8, A:15-20, B:4-12"},
                                                 {"detail-records", "BD"},
                                                 {"batch-key", "A:2-8, A:15-22"},
                                                 {"max-segments", "1000"}};
    const struct validator_options *options = validator_cut_options(written, 4);
    for (size_t i = 0; i < 6; i++)
        validator_cut(&(struct validator_case){.type = types[i / 2], .incoming = i % 2}, options, data, size,
                      size ? data[size - 1] * size / 256 : 0);
    return 0;
}
