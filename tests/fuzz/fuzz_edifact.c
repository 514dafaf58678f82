/* EDIFACT as a stow plan, as a container status message or as a response, over any bytes. */
#include "validator_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"stow-plan", "container-status", "cbp-response"};
    static const struct accord_pair written[] = {
        {"stow-plan-versions", "1:911, D:95B, D:13B"},
        {"container-status-messages", "CODECO, COARRI, IFTSTA, COPARN"},
        {"max-segments", "1000"},
        {"allow-bom", "yes"}};
    const struct validator_options *options = validator_cut_options(written, 4);
    for (size_t i = 0; i < 3; i++)
        validator_cut(&(struct validator_case){.type = types[i]}, options, data, size,
                      size ? data[size - 1] % size : 0);
    return 0;
}
