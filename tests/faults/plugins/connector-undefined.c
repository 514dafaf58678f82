/* Calls what nobody defines: with lazy binding it would load, and die at its first delivery. */
#define FAULT_NAME    "undefined"
#define FAULT_DELIVER undefined_deliver
#include <accord/plugin.h>

void nobody_defines_this(void);

static void undefined_deliver(void *state, const struct accord_outgoing *out)
{
    (void)state, (void)out;
    nobody_defines_this();
}

#include "good.h"
