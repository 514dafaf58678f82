#include "store_contract.h"

int main(void)
{
    return store_contract_run("journal");
}
