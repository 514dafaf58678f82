/* The contract suite on the load connector pulse. */
#include "load_folder.h"

int main(void)
{
    static const struct accord_pair slowly[] = {
        {"window", "2"}, {"size", "20000"}, {"pace", "20"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"in", "opaque", ACCORD_RECEIVE, slowly}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_VIRTUAL_CLOCK,
                                                 .flags = TESTSUITE_MAKES_UP | TESTSUITE_NO_FAULTS,
                                                 .services = services,
                                                 .service_count = 1,
                                                 .begin = load_begin,
                                                 .end = load_end};
    return accord_connector_suite(&suite) ? 1 : 0;
}
