/* The hub's end of a child process's channel, for tests: forks, runs a role in the child over a socket pair
 * and speaks to it in blocking calls, each with a deadline. What the child's plugins do shows as LOG
 * messages.
 */
#ifndef TEST_FAKE_HUB_H
#define TEST_FAKE_HUB_H

#include <sys/types.h>

#include "host/process.h"

struct fake_hub {
    int fd, err; /* the channel, and the child's standard error */
    pid_t child;
    unsigned peer;
    struct buf out;
    uint8_t *in;
    struct wire_bytes rest;
    struct wire_message m;
    char text[4096]; /* what the child wrote to standard error, once it has ended */
    uint64_t pings;
};

/* `run` in the child, whose exit status it returns. */
void hub_open(struct fake_hub *, unsigned peer, int (*run)(const struct process_setup *),
              process_load_fn *load, int64_t grace);
/* Sends what is in `out`, as one datagram, with a descriptor unless -1. */
void hub_send(struct fake_hub *, int fd);
/* The next message, which must be of this type. */
const struct wire_message *hub_expect(struct fake_hub *, enum wire_type);
/* The next message is this log line of a plugin. */
void hub_expect_log(struct fake_hub *, const char *event, const char *line);
/* Nothing was sent that was not expected: the answer to a PING comes next. */
void hub_expect_nothing(struct fake_hub *);
/* The child says FAILED with this rule and exits 1. */
void hub_expect_failure(struct fake_hub *, const char *rule);
/* Closes the channel, waits for the child; returns its exit status. */
int hub_close(struct fake_hub *);

#endif
