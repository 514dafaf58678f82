/* The TLS that tests of connectors allow: the session profile as the encryption policy compiles it, in its names
 * (docs/reference/session-profile.md). */
#ifndef TEST_TLS_ALLOWED_H
#define TEST_TLS_ALLOWED_H

#include <accord/testkit/host.h>

/* A client certificate may be asked for. */
void allow_tls(struct testhost *);

#endif
