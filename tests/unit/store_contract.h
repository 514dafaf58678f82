/* What every back end of the store must do. A test program gives its back end's name and runs them all. */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

int store_contract_run(const char *backend);

#endif
