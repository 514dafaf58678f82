/* The contract suite on the load connector sink. */
#include "load_folder.h"

int main(void)
{
    static const struct accord_pair no_check[] = {{"verify", "no"}, {"delay", "5 ms"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, no_check}};
    const struct accord_connector_suite suite = {
        .plugin = &accord_plugin,
        .clock = TESTHOST_VIRTUAL_CLOCK,
        .flags = TESTSUITE_NO_FAULTS, /* it gives up rather than miscount */
        .services = services,
        .service_count = 1,
        .begin = load_begin,
        .end = load_end};
    return accord_connector_suite(&suite) ? 1 : 0;
}
