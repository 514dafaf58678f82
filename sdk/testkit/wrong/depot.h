/* The other side of the connector `depot`: a server on 127.0.0.1 that keeps messages in memory, on threads of its own.
 *
 *     HELLO             WELCOME
 *     AUTH KEY          OK | NO
 *     PUT NAME SIZE ... OK
 *     LIST              NAME SIZE, for each; then a dot
 *     GET NAME          SIZE and the bytes
 *     DELETE NAME       OK
 */
#ifndef TESTKIT_DEPOT_H
#define TESTKIT_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPOT_KEY "sesame"

bool depot_start(void); /* an empty one */
uint16_t depot_port(void);
void depot_stop(void);
/* Messages for us, and from us. */
void depot_give(const char *name, const void *bytes, size_t size);
bool depot_holds(const char *name);
bool depot_got(const char *name, const void *bytes, size_t size);

#endif
