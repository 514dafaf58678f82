/* Closes the channel to the hub, and stays. */
#define FAULT_NAME "hang-up"
#include "good.h"
#include <unistd.h>

__attribute__((constructor)) static void hang_up(void)
{
    close(3);
    for (;;)
        pause();
}
