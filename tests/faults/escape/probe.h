/* The escape battery: each probe tries one way out of a sandbox. The same code runs inside every sandbox,
 * where all of it must fail, and outside, where all that the kernel lets this user do must succeed: a
 * probe that fails on both sides proves nothing.
 */
#ifndef ESCAPE_PROBE_H
#define ESCAPE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the probes need of the world. Outside it is made new for each probe. */
struct ground {
    /* A folder that no sandbox was given, with: canary, victim (files), empty (a folder). */
    const char *outside;
    const char *inside;   /* a folder that a link was given, with: own (a file) */
    const char *abstract; /* an abstract Unix socket that listens */
    uint16_t port;        /* a loopback TCP port that listens and that no agreement lists */
    uintptr_t address;    /* of 8 bytes "accord-1" in the parent's memory */
    int local;            /* a connected Unix socket: the channel to the hub */
    int connected;        /* a connected TCP socket, as the hub passes it; -1 when there is none */
    int reset;            /* one left in the state that a careless hub leaves, then reset by its peer; -1 */
};

enum escape { ESCAPE_BLOCKED, ESCAPE_IMPOSSIBLE, ESCAPE_DONE };

struct probe {
    const char *name;
    enum escape (*run)(const struct ground *);
    bool alone;   /* may end the process: runs in one of its own */
    bool session; /* needs `connected` and `reset` */
};

/* Each ends with a NULL name. */
extern const struct probe probes_net[], probes_process[], probes_kernel[], probes_file[];
/* Calls `each` for every probe of the battery. */
void escape_each(void (*each)(void *arg, const struct probe *), void *arg);
const struct probe *escape_find(const char *name);
const char *escape_name(enum escape); /* "blocked", "not-possible", "ESCAPED" */

/* For probes: ESCAPE_DONE when `done`, else what errno says. */
enum escape escape_outcome(bool done);

#define ESCAPE_EXIT 10 /* status of a program or process that a probe managed to start */

#endif
