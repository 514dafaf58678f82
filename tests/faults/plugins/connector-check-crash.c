/* Its check crashes. */
#include <accord/plugin.h>
#include <stdlib.h>

static int crash(const struct accord_link_setup *setup, char *why, size_t why_size);

#define FAULT_NAME  "check-crash"
#define FAULT_CHECK crash
#include "good.h"

static int crash(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    (void)setup, (void)why, (void)why_size;
    abort();
}
