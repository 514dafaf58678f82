/* accord/testkit/peer.h: the other side of a protocol, from a script: a server on 127.0.0.1, on a thread of its own,
 * that takes connections one after the other and goes through its steps: expect these bytes, send those, stall, close,
 * reset. For faults that no real server can be made to show; against a real one, test too.
 *
 *     static const struct testpeer_step greeting[] = {
 *         TESTPEER_SENDS("220 ready\r\n"), TESTPEER_EXPECTS("EHLO agent\r\n"), TESTPEER_SENDS("250 "), {TESTPEER_RESET},
 *         {TESTPEER_END}};
 *     struct testpeer *peer = testpeer_new(greeting);
 *     testhost_endpoint(host, testpeer_port(peer));
 *     ...
 *     assert(testpeer_join(peer, 5000) && !testpeer_why(peer));
 *     testpeer_free(peer);
 */
#ifndef ACCORD_TESTKIT_PEER_H
#define ACCORD_TESTKIT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum testpeer_action {
    TESTPEER_END,     /* of the script: closes, and takes no more connections */
    TESTPEER_EXPECT,  /* these bytes come next; others, or the end of the connection, are a failure */
    TESTPEER_UNTIL,   /* reads up to and with these bytes */
    TESTPEER_SKIP,    /* reads `number` bytes, whatever they are */
    TESTPEER_EOF,     /* the other side has nothing more to say; reads and forgets what comes before */
    TESTPEER_SEND,    /* these bytes, at once */
    TESTPEER_TRICKLE, /* these bytes, each in a packet of its own */
    TESTPEER_REPEAT,  /* these bytes `number` times */
    TESTPEER_STALL,   /* nothing, until testpeer_go() or, when `number` is not 0, so many milliseconds */
    TESTPEER_CLOSE,   /* and takes the next connection */
    TESTPEER_HALF,    /* sends its end of the stream, and goes on reading */
    TESTPEER_RESET,   /* breaks the connection (RST), and takes the next one */
};

struct testpeer_step {
    enum testpeer_action action;
    const void *bytes;
    size_t size;
    int64_t number;
};

/* For string constants. */
#define TESTPEER_EXPECTS(text) {TESTPEER_EXPECT, text, sizeof(text) - 1, 0}
#define TESTPEER_SENDS(text)   {TESTPEER_SEND, text, sizeof(text) - 1, 0}

struct testpeer;

/* The script ends with TESTPEER_END and must live as long. NULL: no socket or no thread. */
struct testpeer *testpeer_new(const struct testpeer_step *script);
uint16_t testpeer_port(const struct testpeer *);
/* Ends the stall that it is in, or else the next one. */
void testpeer_go(struct testpeer *);
/* The step that it is at. */
size_t testpeer_at(struct testpeer *);
/* Waits until the script is through; false: not within `ms` of real time. The fake host does not run meanwhile: wait
 * with testhost_run_until() on testpeer_done() when the connector has something left to do. */
bool testpeer_join(struct testpeer *, int64_t ms);
bool testpeer_done(void *peer); /* a condition for testhost_run_until() */
/* What went wrong: the step, what was expected and what came; NULL: nothing. */
const char *testpeer_why(struct testpeer *);
/* Cuts whatever is under way. */
void testpeer_free(struct testpeer *);

#ifdef __cplusplus
}
#endif
#endif
