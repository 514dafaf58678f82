#include "store_contract.h"

#include <stdlib.h>

#include "store_calls.h"

static const char *backend_name;

int contract_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench_open(bench, backend_name);
    *state = bench;
    return 0;
}

int contract_teardown(void **state)
{
    bench_close(*state);
    free(*state);
    return 0;
}

int store_contract_run(const char *backend)
{
    static int (*const parts[])(void) = {contract_admission, contract_repeats, contract_deliveries,
                                         contract_looking,   contract_order,   contract_ordered,
                                         contract_person,    contract_time};
    int failures = 0;
    backend_name = backend;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        failures += parts[i]();
    return failures;
}
