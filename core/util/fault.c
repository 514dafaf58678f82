#include "util/fault.h"

#ifdef ACCORD_FAULTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void fault_point(const char *name)
{
    static atomic_long reached;
    const char *wanted = getenv("ACCORD_FAULT");
    size_t size = strlen(name);
    if (!wanted || strncmp(wanted, name, size) != 0 || (wanted[size] && wanted[size] != ':'))
        return;
    long due = wanted[size] == ':' ? strtol(wanted + size + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&reached, 1) + 1 == due)
        raise(SIGKILL);
}

#else

void fault_point(const char *name)
{
    (void)name;
}

#endif
