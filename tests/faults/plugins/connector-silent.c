/* Never comes back from being loaded. */
#define FAULT_NAME "silent"
#include "good.h"
#include <unistd.h>

__attribute__((constructor)) static void wait_for_ever(void)
{
    for (;;)
        pause();
}
