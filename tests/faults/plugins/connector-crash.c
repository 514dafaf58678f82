/* Crashes while it is loaded. */
#define FAULT_NAME "crash"
#include "good.h"
#include <signal.h>

__attribute__((constructor)) static void crash(void)
{
    signal(SIGSEGV, SIG_DFL); /* also when a sanitizer would like to explain it */
    raise(SIGSEGV);
}
