/* accord/testkit/memory.h: the plugin's own allocations, counted and made to fail.
 *
 * Works in a program that has the plugin compiled in and links Accord::testkit-memory (or the same --wrap options:
 * malloc, calloc, realloc, reallocarray, free, strdup, strndup). Counted is what the plugin's code asks for while the
 * fake host has called it, also on the threads of accord_host.work; not what the libraries that it uses do: for those
 * the leak sanitizer is there.
 */
#ifndef ACCORD_TESTKIT_MEMORY_H
#define ACCORD_TESTKIT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is the program linked so? Without that the counts are 0 and nothing fails. */
bool testmemory_works(void);
/* Begins anew: nothing is counted, nothing fails. */
void testmemory_reset(void);
/* The n-th allocation of the plugin from now on fails, 1 being the next; 0: none does any more. */
void testmemory_fail(unsigned long n);
/* Has it come to that? */
bool testmemory_failed(void);
unsigned long testmemory_count(void); /* allocations so far */
size_t testmemory_held(void);         /* blocks not freed yet */

#ifdef __cplusplus
}
#endif
#endif
