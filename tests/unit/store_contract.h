/* What every back end of the store must do. A test program gives its back end's name and runs them all. */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

int store_contract_run(const char *backend);

/* Its parts: each runs its tests on the back end that is under test, and returns the number of failures. */
int contract_admission(void);
int contract_repeats(void);
int contract_deliveries(void);
int contract_looking(void);
int contract_order(void);
int contract_ordered(void);
int contract_person(void);
int contract_time(void);

/* For cmocka: a bench (store_calls.h) with a fresh store of that back end. */
int contract_setup(void **state);
int contract_teardown(void **state);
#define contract_test(name) cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)

#endif
