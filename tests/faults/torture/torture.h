/* R4: the n-th allocation, and the n-th call that can fail, fails: once, and for ever. Every n from the first to the
 * last that is reached, each in a process of its own, so that a crash or a leak names its n.
 *
 * The program is linked with --wrap for the calls in calls.def, so that those of our own code fail, and no one else's.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdbool.h>

enum torture_kind { TORTURE_ALLOCATION, TORTURE_CALL, TORTURE_KINDS };

/* From here on the armed failure counts; until then, and after torture_rest(), nothing fails. */
void torture_begin(void);
void torture_rest(void);
/* What was seen is not as promised: says so, and ends the process. */
#define torture_expect(truth, ...)                                                                           \
    do {                                                                                                     \
        if (!(truth))                                                                                        \
            torture_broken(__FILE__, __LINE__, #truth);                                                      \
    } while (0)
void torture_broken(const char *file, int line, const char *what) __attribute__((noreturn));

/* Runs the scenario with nothing failing, then with each failure. With ACCORD_TORTURE=all every n, otherwise about
 * `most` of each kind, spread over all of them. Returns how many runs were not as promised. */
int torture(const char *name, void (*scenario)(void), int most);

#endif
