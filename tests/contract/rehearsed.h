/* A partner of sdk/rehearsal for a contract suite: a process and a folder of the case's own. It writes its certificates there,
 * and what came into kept/; give/ is for what it is to give. One at a time.
 */
#ifndef TEST_CONTRACT_REHEARSED_H
#define TEST_CONTRACT_REHEARSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `modules` of Python are needed beside cryptography, as "aiosmtpd, x"; "" for none. Says on stdout what is missing. */
bool rehearsed_possible(const char *modules);

/* Starts script (a name in sdk/rehearsal) with --pki, --kept and `more`, which ends with NULL, and waits until it listens. */
bool rehearsed_begin(const char *script, const char *const more[]);
void rehearsed_end(void);
uint16_t rehearsed_port(void);

/* A line of JSON, for its standard input. */
bool rehearsed_tell(const char *line);

/* A path within the folder; good until the next call. */
const char *rehearsed_path(const char *name);

/* A file of the folder, to be freed, with a zero behind it; empty when there is none. */
char *rehearsed_read(const char *name, size_t *size);

/* Whether a file of kept/ has this content. */
bool rehearsed_kept(const void *bytes, size_t size);

#endif
