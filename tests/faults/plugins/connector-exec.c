/* Starts a program while it is loaded. */
#define FAULT_NAME "exec"
#include "good.h"
#include <unistd.h>

__attribute__((constructor)) static void start(void)
{
    execl("/bin/true", "true", (char *)NULL);
}
