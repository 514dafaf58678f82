/* Names of mails: time.unique.host, in cur/ with ":2," and flags behind them. */
#ifndef MAILDIR_NAMES_H
#define MAILDIR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The name without flags, as text that anything may show: bytes outside of printable ASCII, and '%',
 * become %XX. What does not fit is replaced by a digest of it, so that different names stay different. */
void name_text(char *to, size_t room, const char *name);
/* NAME without its flags, with ".N" (unless 0) and `ending` behind it, cut where it would be too long for
 * a file's name. */
void name_with(char *to, size_t room, const char *name, unsigned n, const char *ending);
/* Are these the same mail, whatever their flags? */
bool name_same(const char *a, const char *b);
/* "." or names with / between them, none of them "." or "..", no control characters. */
bool name_is_mailbox(const char *path);

#endif
