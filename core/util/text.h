/* Small questions about text. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text_copy() of what is not empty. */
void text_copy_some(char *to, size_t room, const char *from);
/* Copies as much as fits, always ends with a NUL, never splits a UTF-8 character. */
static inline void text_copy(char *to, size_t room, const char *from)
{
    if (*from)
        text_copy_some(to, room, from);
    else
        *to = 0;
}
/* The three behind each other, as much as fits in whole; returns the size without the NUL. */
size_t text_join(char *to, size_t room, const char *a, const char *b, const char *c);
/* Well-formed UTF-8 without NUL; `controls`: may hold control characters. */
bool text_utf8(const char *text, size_t size, bool controls);
/* The character that `text` begins with; malformed: one byte, and code point 0. */
struct text_glyph {
    size_t bytes;
    uint32_t code;
};
struct text_glyph text_glyph(const char *text);
/* Not a control character (C0, DEL, C1), nor one that hides, reorders or breaks what is shown. */
bool text_may_be_shown(uint32_t code);
/* Replaces, in place, each character that may not be shown by a question mark; returns how many bytes are left. */
size_t text_make_visible(char *text);
/* Lower-case letters, digits and hyphens, starting with a letter or digit, 1..max characters. */
bool text_is_name(const char *text, size_t max);
/* "HEAD/..." for this head, as routes are written. */
bool text_is_below(const char *text, const char *head);
/* The nearest of `names` (NULL-terminated) to `text`, or NULL when none is near enough to be meant. */
const char *text_nearest(const char *text, const char *const *names);
/* Makes a message name safe as one path component: no slash, no character that may not be shown, no leading dot,
 * valid UTF-8, at most room-1 bytes; "unnamed" when nothing is left. */
void text_safe_name(char *to, size_t room, const char *from);
/* For people: "1.5 MiB", "3 days 4 h". */
void text_size(char *to, size_t room, int64_t bytes);
void text_duration(char *to, size_t room, int64_t ms);
/* Digits and a NUL, and a sign when negative; returns how many before the NUL. */
#define TEXT_DECIMAL 21
size_t text_decimal(char to[TEXT_DECIMAL], int64_t value);
/* RFC 3339 in UTC with microseconds; needs 28 bytes. */
void text_time(char *to, size_t room, int64_t wall_us);

#endif
