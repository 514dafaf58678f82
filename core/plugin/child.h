/* The start of every child process, the same for link, guard, inspect and describe:
 *
 *     struct child child;
 *     if (child_begin(&child, SANDBOX_LINK, parent, &why) < 0)
 *         return child_failed("hub.sandbox", &why);
 *
 * sandbox_begin(); a blocking read of SETUP from descriptor 3; OpenSSL initialised; sandbox_close();
 * SANDBOXED sent. After that the process is confined for ever, still has one thread, and may load plugins
 * and make its loop: channel_open(..., CHILD_FD, WIRE_H, ...).
 */
#ifndef PLUGIN_CHILD_H
#define PLUGIN_CHILD_H

#include "sandbox/sandbox.h"
#include "util/buf.h"
#include "wire/codec.h"

#define CHILD_FD 3

struct child {
    enum sandbox_role role;
    char agreement[64];
    char plugins[512]; /* folder, absolute */
    enum accord_level log_level;
    bool log_json;
    struct sandbox_walls walls;
    /* Frames that came behind SETUP in its datagram, undecoded: handle them before reading another. */
    struct wire_bytes rest;
    struct buf datagram; /* holds `rest` */
};

/* 0, or an error: then the process must end (child_failed). The role in SETUP must be this one. */
int child_begin(struct child *, enum sandbox_role, pid_t parent, struct reason *why);
void child_fini(struct child *);

/* The file that a LOAD names: a bare file name in the plugin folder, or a path directly in it. */
int child_plugin_path(const struct child *, const char *plugin, char *to, size_t room, struct reason *why);

/* For the time before and after the loop: sends frames as one datagram, and receives one; both block. */
int child_send(const struct buf *frames, struct reason *why);
int child_receive(struct buf *datagram, struct reason *why);
/* Says FAILED to the hub, best effort, and returns the exit status 1. */
int child_failed(const char *rule, const struct reason *why);

/* "seccomp" = "yes", "namespaces" = "yes" or "no: WHY", "landlock" = "yes: ABI 7" or "no: WHY". */
struct child_walls {
    struct accord_pair pairs[3];
    char values[3][ACCORD_REASON_MAX + 16];
};
void child_walls(struct child_walls *, const struct sandbox_walls *);

#endif
