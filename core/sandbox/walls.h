/* The single walls that sandbox_close() raises, in this order. Inside core/sandbox only. */
#ifndef SANDBOX_WALLS_H
#define SANDBOX_WALLS_H

#include "sandbox/sandbox.h"

/* Built with the address sanitizer: needs a huge address space and files that a plugin must not see
 * otherwise. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/* Empty network and IPC namespaces; as an ordinary user inside a user namespace of its own. ACCORD_ESTATE:
 * failed half way, the process cannot go on; any other error: it can. */
int wall_namespaces(struct reason *why);
/* No capability in any set. Also after a failed wall_namespaces(). */
int wall_capabilities(struct reason *why);
/* Landlock for the role's folders; `abi` receives what this kernel offers. */
int wall_landlock(enum sandbox_role, const struct sandbox_folder *, size_t count, int *abi,
                  struct reason *why);
/* The guarantee: system calls that are not listed for the role fail or kill. */
int wall_seccomp(enum sandbox_role, struct reason *why);
/* Dies with the parent; repeated after each change of credentials, which clears it. */
int wall_parent_death(struct reason *why);

#endif
