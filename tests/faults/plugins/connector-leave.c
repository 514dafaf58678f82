/* Ends the process while it is loaded. */
#define FAULT_NAME "leave"
#include "good.h"
#include <unistd.h>

__attribute__((constructor)) static void leave(void)
{
    _exit(0);
}
