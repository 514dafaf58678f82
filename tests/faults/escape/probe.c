#include "probe.h"

#include <errno.h>
#include <string.h>

void escape_each(void (*each)(void *arg, const struct probe *), void *arg)
{
    const struct probe *const groups[] = {probes_net, probes_process, probes_kernel, probes_file};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct probe *probe = groups[i]; probe->name; probe++)
            each(arg, probe);
}

struct search {
    const char *name;
    const struct probe *found;
};

static void match(void *arg, const struct probe *probe)
{
    struct search *search = arg;
    if (strcmp(probe->name, search->name) == 0)
        search->found = probe;
}

const struct probe *escape_find(const char *name)
{
    struct search search = {name, NULL};
    escape_each(match, &search);
    return search.found;
}

const char *escape_name(enum escape escape)
{
    return escape == ESCAPE_DONE ? "ESCAPED" : escape == ESCAPE_IMPOSSIBLE ? "not-possible" : "blocked";
}

enum escape escape_outcome(bool done)
{
    if (done)
        return ESCAPE_DONE;
    switch (errno) {
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EOPNOTSUPP:
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ENOTTY:
        return ESCAPE_IMPOSSIBLE;
    default:
        return ESCAPE_BLOCKED;
    }
}
