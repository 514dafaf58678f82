/* Its check never comes to an end. */
#include <accord/plugin.h>

static int hang(const struct accord_link_setup *setup, char *why, size_t why_size);

#define FAULT_NAME  "check-hang"
#define FAULT_CHECK hang
#include "good.h"

static int hang(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    (void)setup, (void)why, (void)why_size;
    volatile int hanging = 1;
    while (hanging)
        ;
    return 0;
}
